"""What is left of a training that failed."""

import os
import signal
from types import SimpleNamespace

import pytest
import torch

from pose_inpaint.training.fit import _released_loaders, is_killed_reader


def test_a_failing_teardown_does_not_hide_the_error():
    def fail():
        raise RuntimeError("the teardown's own")

    with (
        pytest.raises(KeyError, match="first"),
        _released_loaders(SimpleNamespace(fit_loop=SimpleNamespace(teardown=fail))),
    ):
        raise KeyError("first")


class Reader(torch.utils.data.Dataset):
    """One item, whose reading process raises an error or is killed."""

    def __init__(self, killed):
        self.killed = killed

    def __len__(self):
        return 1

    def __getitem__(self, index):
        if self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("shapes differ")


@pytest.mark.parametrize("killed", [True, False])
def test_a_killed_reader_is_told_from_an_error_raised_in_it(killed):
    loader = torch.utils.data.DataLoader(Reader(killed), num_workers=1, multiprocessing_context="fork")
    with pytest.raises(RuntimeError) as raised:
        next(iter(loader))
    assert is_killed_reader(raised.value) is killed
