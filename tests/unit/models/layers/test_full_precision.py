"""Scores of every discriminator under mixed precision."""

import pytest
import torch

from pose_inpaint.losses.discriminator_views import Views
from pose_inpaint.models.networks import context_encoder, contextual_attention, glcic, unet2018


@pytest.mark.parametrize(
    "network",
    [
        unet2018.Discriminator(2, 32), glcic.Discriminators(2, 32), contextual_attention.Discriminators(2, 32),
        context_encoder.Discriminator(2, 32),
    ],
    ids=lambda network: type(network).__module__.rpartition(".")[2],
)  # fmt: skip
def test_scores_near_100_keep_their_differences_in_bfloat16(network):
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias") and parameter.shape == (1,):
                parameter.fill_(100)
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    views = Views(images, torch.ones(3, 1, 32, 32), torch.tensor([[0, 0], [4, 8], [16, 2]]))
    with torch.no_grad():
        exact = views.judged_by(network)
        with torch.autocast("cpu", torch.bfloat16):
            found = views.judged_by(network)
    assert found.dtype == torch.float32
    spread = exact.amax(0) - exact.amin(0)
    assert (spread > 0).all()
    assert ((found - exact).abs() <= 0.2 * spread + 1e-4).all()
    assert all(len(set(column)) == 3 for column in found.T.tolist())
