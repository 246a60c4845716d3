"""Checkpoints as they are read for inference."""

from pathlib import Path

import pytest
import torch

from pose_inpaint.models.networks import contextual_attention, unet2018
from pose_inpaint.training.checkpoint import Checkpoint, load_for_inference, load_weights
from pose_inpaint.training.lightning_module import InpaintingModule


def checkpoint(network, found="recalibrated", statistics="recalibrated"):
    target = f"{type(network).__module__}.{type(network).__name__}"
    config = {"model": {"_target_": target, "width": 2}, "batchnorm": {"statistics": statistics}}
    state = {f"generator.{name}": value for name, value in network.state_dict().items()}
    return Checkpoint(Path("last.ckpt"), config, "reconstruction", 1, state, batchnorm=found)


@pytest.mark.parametrize(
    ("network", "found", "statistics", "warned"),
    [
        (unet2018.Generator, "running", "recalibrated", True),
        (unet2018.Generator, "recalibrated", "recalibrated", False),
        (unet2018.Generator, "running", "running", False),
        (contextual_attention.Generator, "running", "recalibrated", False),  # has no batch normalisation
    ],
)
def test_stale_batchnorm_statistics_are_named(network, found, statistics, warned, capsys):
    load_for_inference(checkpoint(network(2), found, statistics))
    message = capsys.readouterr().err
    assert ("last.ckpt: written inside an epoch, so its batch-norm statistics lag" in message) == warned


def test_a_discriminator_is_loaded_whatever_its_initial_weights_were():
    before, now = (unet2018.Discriminator(2, 32, init=init) for init in ("xavier", "authors2018"))
    read = checkpoint(unet2018.Generator(2))
    read.config["discriminator"] = {"width": 2, "init": "xavier"}
    read.state.update({f"discriminator.{name}": value for name, value in before.state_dict().items()})
    module = InpaintingModule(
        unet2018.Generator(2), now, None, None, None, torch.optim.Adam, {},
        config={"discriminator": {"width": 2, "init": "authors2018"}},
    )  # fmt: skip
    load_weights(module, read)
    assert all(torch.equal(a, b) for a, b in zip(before.state_dict().values(), now.state_dict().values(), strict=True))
