"""What is left of a training that failed."""

from types import SimpleNamespace

import pytest

from pose_inpaint.training.fit import _released_loaders


def test_a_failing_teardown_does_not_hide_the_error():
    def fail():
        raise RuntimeError("the teardown's own")

    with (
        pytest.raises(KeyError, match="first"),
        _released_loaders(SimpleNamespace(fit_loop=SimpleNamespace(teardown=fail))),
    ):
        raise KeyError("first")
