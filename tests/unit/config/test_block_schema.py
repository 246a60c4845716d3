"""Ranges of single values, by block."""

import pytest

from pose_inpaint.config.block_schema import (
    BatchnormSettings,
    CheckpointSettings,
    ContactSheetSettings,
    DataSettings,
    EmaSettings,
    GuardSettings,
    LossSettings,
    OptimSettings,
    PoseSettings,
    SampleSettings,
    TestSettings,
)
from pose_inpaint.errors import InputError

GOOD = {
    BatchnormSettings: {"statistics": "running", "batches": 1},
    CheckpointSettings: {"monitor": "mse_raw_hole", "every_minutes": 0},
    ContactSheetSettings: {"rank_by": "mse_raw_hole", "each": 1},
    DataSettings: {"size": 16, "batch_size": 1, "workers": 0, "source": {}, "limit": None},
    EmaSettings: {"decay": 0.5},
    GuardSettings: {"batches": 1, "discriminator_loss": None, "generator_gradient": 1e-9},
    LossSettings: {"generator": {}, "alpha": 0.0, "beta": 0.0},
    OptimSettings: {"lr": 1e-9, "optimizer": {}, "clip_norm": None, "lr_rule": "sqrt"},
    PoseSettings: {
        "reference": "estimated", "joints": "both", "images": [], "bounds": True, "resave_quality": 100, "scores": {},
    },
    SampleSettings: {"count": 1},
    TestSettings: {"enabled": True, "checkpoint": "last"},
}  # fmt: skip


@pytest.mark.parametrize("block", GOOD, ids=lambda block: block.__name__)
def test_values_at_the_edge_of_their_range_are_accepted(block):
    assert vars(block(**GOOD[block])).items() >= GOOD[block].items()


@pytest.mark.parametrize(
    ("block", "key", "value", "message"),
    [
        (BatchnormSettings, "statistics", "fresh", "batchnorm.statistics=fresh: not one of recalibrated, running"),
        (BatchnormSettings, "batches", 0, "batchnorm.batches=0: must be at least 1"),
        (CheckpointSettings, "every_minutes", -1, "checkpoint.every_minutes=-1: must be at least 0, or null for none"),
        (CheckpointSettings, "every_minutes", float("nan"), "checkpoint.every_minutes=nan: must be at least 0"),
        (ContactSheetSettings, "each", 0, "contact_sheet.each=0: must be at least 1"),
        (DataSettings, "size", 15, "data.size=15: must be in 16..16384"),
        (DataSettings, "batch_size", 0, "data.batch_size=0: must be at least 1"),
        (DataSettings, "workers", -1, "data.workers=-1: must be at least 0"),
        (DataSettings, "limit", 0, "data.limit=0: must be at least 1"),
        (EmaSettings, "decay", 1.0, "ema.decay=1: must be in (0, 1), or null for none"),
        (EmaSettings, "decay", 0.0, "ema.decay=0: must be in (0, 1)"),
        (GuardSettings, "batches", 0, "guard.batches=0: must be positive"),
        (GuardSettings, "discriminator_loss", 0.0, "guard.discriminator_loss=0: must be positive, or null not to"),
        (GuardSettings, "generator_gradient", -1.0, "guard.generator_gradient=-1: must be positive, or null"),
        (LossSettings, "alpha", -1.0, "loss.alpha=-1: must be a finite number of at least 0"),
        (LossSettings, "beta", float("inf"), "loss.beta=inf: must be a finite number of at least 0"),
        (OptimSettings, "lr", 0.0, "optim.lr=0: must be positive"),
        (OptimSettings, "lr", float("nan"), "optim.lr=nan: must be positive"),
        (OptimSettings, "clip_norm", 0.0, "optim.clip_norm=0: must be positive, or null for none"),
        (OptimSettings, "lr_rule", "cubic", "optim.lr_rule=cubic: not one of none, linear, sqrt"),
        (PoseSettings, "joints", "most", "pose.joints=most: not one of all, masked, both"),
        (PoseSettings, "resave_quality", 101, "pose.resave_quality=101: must be in 1..100"),
        (SampleSettings, "count", 0, "samples.count=0: must be at least 1"),
        (TestSettings, "checkpoint", "first", "test.checkpoint=first: not one of best, last"),
    ],
)
def test_values_out_of_range_are_refused_by_key(block, key, value, message):
    with pytest.raises(InputError) as refused:
        block(**{**GOOD[block], key: value})
    assert str(refused.value).startswith(message)
