"""Every learning method can learn: eight real photos by heart, with its own losses and optimizers."""

import pytest
import torch
from hydra import compose, initialize_config_dir

from pose_inpaint import build
from pose_inpaint.config.command import CONF
from pose_inpaint.config.schema import TrainSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.data.dataset import collate
from pose_inpaint.models.classical.constant_fill import MeanFill
from pose_inpaint.models.layers.batchnorm_recalibration import recalibrate
from pose_inpaint.training.factory import build_module

METHODS = {
    "authors2018": ["model.width=16", "loss.generator.perceptual.weight=0"],
    "slides2018": ["model.width=16", "loss.features.weights=random", "loss.features.layers=[conv1_2]"],
    "context_encoder": ["model.width=32"],
    "glcic": ["model.width=16"],
    "contextual_attention": ["model.width=16", "discriminator.width=16"],
    "unet2018_noskip": ["model.width=16", "loss.features.weights=random", "loss.features.layers=[conv1_2]"],
    "unet2018_nodilation": ["model.width=16", "loss.features.weights=random", "loss.features.layers=[conv1_2]"],
    "unet2018_noadversarial": ["model.width=16", "loss.features.weights=random", "loss.features.layers=[conv1_2]"],
    "unet2018_noperceptual": ["model.width=16"],
}
"""Narrow, at 64x64. VGG16 with random weights, since the trained ones are not everywhere."""
STEPS = 400


def prepared(name, shared):
    arguments = [
        f"+experiment={name}", "data=chalearn", f"data.root={shared}/people", "data.size=64", "data.limit=8",
        "data.batch_size=8", "data.workers=0", "mask=maskdata", "run_dir=unused", *METHODS[name],
    ]  # fmt: skip
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = read_settings(compose("train", arguments), TrainSettings)
    torch.manual_seed(settings.seed)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    return build_module(settings, data, {}), collate([data.images("train")[i] for i in range(8)])


def hole_error(inpainter, batch):
    with torch.no_grad():
        composite = inpainter(batch.known, batch.mask).composite(batch)[:, 0]
    return float(((composite - batch.target).square() * batch.mask).sum() / batch.mask.sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_eight_photos_are_learnt_to_a_tenth_of_the_mean_fills_error(shared, name):
    module, batch = prepared(name, shared)
    generators = module.optimizer(module.generator.parameters())
    discriminators = (
        None if module.discriminator is None else module.discriminator_optimizer(module.discriminator.parameters())
    )
    # The last phase with a pixel error: what the slides' second phase asks for need not look like the original.
    terms = next(p.terms for p in reversed(module.schedule.phases) if set(p.terms) - {"adversarial", "perceptual"})
    for _ in range(STEPS):
        output = module.generator(batch.known, batch.mask)
        if discriminators is not None:
            discriminators.zero_grad()
            module.discriminator_loss(batch, output.detach(), module.discriminator)["total"].backward()
            discriminators.step()
        generators.zero_grad()
        module.generator_loss(batch, output, module.discriminator, terms)["total"].backward()
        generators.step()
    recalibrate(module.generator, [batch], "cpu")
    assert hole_error(module.generator.eval(), batch) < 0.1 * hole_error(MeanFill(), batch)
