import pytest
from hydra._internal.utils import get_args_parser

from pose_inpaint.config.command import SHOWING, is_multirun


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
