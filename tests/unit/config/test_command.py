import pytest
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from pose_inpaint.config.command import SHOWING, is_multirun, one_line


def test_a_multirun_is_asked_for_by_flag_or_mode():
    assert is_multirun(["seed=1,2", "-m"])
    assert is_multirun(["--multirun"])
    assert is_multirun(["hydra.mode=MULTIRUN"])
    assert not is_multirun(["seed=1", "hydra.mode=RUN"])


@pytest.mark.parametrize("flag", sorted(SHOWING))
def test_what_only_shows_something_is_no_multirun_and_a_flag_of_hydras(flag):
    assert not is_multirun(["-m", flag, "job"])
    known = {name for action in get_args_parser()._actions for name in action.option_strings}
    assert flag in known


@pytest.mark.parametrize(
    ("override", "mended"),
    [("train=[trainer=cpu]", 'train=["trainer=cpu"]'), ("data.root=a=b", 'data.root="a=b"')],
)
def test_what_cannot_be_read_is_shown_how_to_quote(override, mended):
    parser = OverridesParser.create()
    with pytest.raises(OverrideParseException) as raised:
        parser.parse_overrides([override])
    value = mended.partition("=")[2]
    example = f"KEY={value}".replace("trainer=cpu", "VALUE").replace("a=b", "VALUE").rstrip("]")
    assert example in one_line(raised.value)
    assert parser.parse_overrides([mended])[0].value() in (["trainer=cpu"], "a=b")
