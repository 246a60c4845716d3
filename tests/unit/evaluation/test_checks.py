"""Scores that a split is too small for."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from torchmetrics.image.kid import KernelInceptionDistance

from pose_inpaint.config.command import CONF
from pose_inpaint.config.schema import EvaluateSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.checks import build_scores


class Means(torch.nn.Module):
    """Two numbers per image instead of Inception's features."""

    num_features = 2

    def forward(self, images):
        return images.float().flatten(1)[:, :2]


@pytest.fixture
def settings(monkeypatch):
    monkeypatch.setattr(
        "pose_inpaint.metrics.distribution.KernelInceptionDistance",
        lambda subset_size: KernelInceptionDistance(feature=Means(), subset_size=subset_size),
    )
    kid = "+metric.kid={_target_: pose_inpaint.metrics.distribution.KID, subset_size: 7}"
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return read_settings(compose("evaluate", ["model=mean", "run_dir=x", kid]), EvaluateSettings)


def test_kid_of_fewer_images_than_its_subsets_is_refused(settings):
    with pytest.raises(InputError, match="metric: kid_composite_whole needs at least 7 images, not 6; leave it out"):
        build_scores(settings, None, 6)
    metrics = build_scores(settings, None, 7)
    assert metrics["kid_composite_whole"].distance.subset_size == 7
    assert "mse_composite_hole" in metrics
    assert "kid_composite_hole" not in metrics  # has no value in holes
