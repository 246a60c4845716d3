import pytest

from pose_inpaint.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [(OSError(), "OSError"), (ValueError("\n"), "ValueError"), (KeyError("a"), "'a'"), (ValueError("\na\nb"), "a")],
)
def test_the_first_line_of_an_error_is_its_type_if_it_says_nothing(error, line):
    assert first_line(error) == line
