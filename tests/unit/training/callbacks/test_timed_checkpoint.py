"""Requests to stop: one device stops at once, several stop together."""

from types import SimpleNamespace

import pytest
import torch

from pose_inpaint.runtime.signals import StopRequestedError
from pose_inpaint.training.callbacks.timed_checkpoint import ProgressKeeper


def trainer(ranks, epoch=0):
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    return SimpleNamespace(world_size=ranks, strategy=strategy, current_epoch=epoch)


@pytest.fixture
def asked(tmp_path):
    keeper = ProgressKeeper(tmp_path / "last.ckpt", None)
    keeper._ask(15, None)
    return keeper


def test_one_device_ends_within_its_validation(asked):
    with pytest.raises(StopRequestedError, match="75"):
        asked.on_validation_batch_start(trainer(1), None, None, 0)


def test_of_several_none_ends_where_another_would_wait_for_it(asked):
    asked.on_validation_batch_start(trainer(2), None, None, 0)


def test_several_end_when_any_was_asked(tmp_path, monkeypatch):
    def another_was_asked(wishes, op):
        assert op == torch.distributed.ReduceOp.MAX
        assert wishes.tolist() == [0, 0]
        wishes[0] = 10

    monkeypatch.setattr(torch.distributed, "all_reduce", another_was_asked)
    keeper = ProgressKeeper(tmp_path / "last.ckpt", None)
    with pytest.raises(StopRequestedError) as stopped:
        keeper.on_train_end(trainer(2), None)
    assert "SIGUSR1" in stopped.value.message
