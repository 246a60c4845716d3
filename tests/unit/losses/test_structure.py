"""Structural and spectral losses, against scikit-image and sums by hand."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from pose_inpaint.errors import InputError
from pose_inpaint.losses import FrequencyError, StructuralError
from pose_inpaint.types import Batch, InpaintingOutput


def sample(height=24, width=20):
    torch.manual_seed(0)
    mask = torch.zeros(3, 1, height, width)
    mask[0, :, 3:9, 4:15], mask[1, :, 10:20, 0:7], mask[2, :, 0:2, 0:2] = 1, 1, 1
    batch = Batch(torch.rand(3, 3, height, width) * 2 - 1, mask, ("a", "b", "c"))
    return batch, InpaintingOutput(raw=torch.rand(3, 1, height, width, 3).permute(0, 1, 4, 2, 3) * 2 - 1)


@pytest.mark.parametrize("image", ["raw", "composite"])
def test_structural_error_is_scikit_images(image):
    batch, output = sample()
    ours = StructuralError(1.0, image)(batch, output, None)
    images = ((output.image(image, batch)[:, 0] + 1) / 2).numpy().astype(np.float64)
    targets = ((batch.target + 1) / 2).numpy().astype(np.float64)
    theirs = []
    for one, other in zip(images, targets, strict=True):
        _, full = structural_similarity(
            one, other, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1,
            full=True,
        )  # fmt: skip
        theirs.append(full[:, 5:-5, 5:-5].mean())
    assert ours.item() == pytest.approx(1 - np.mean(theirs), abs=1e-5)


def test_structural_error_of_the_original_is_0_and_has_a_gradient_elsewhere():
    batch, output = sample()
    assert StructuralError(1.0)(batch, InpaintingOutput(raw=batch.target[:, None]), None).item() == pytest.approx(
        0, abs=1e-6
    )
    raw = output.raw.clone().requires_grad_()
    StructuralError(1.0)(batch, InpaintingOutput(raw=raw), None).backward()
    assert (raw.grad[:, 0] * (1 - batch.mask)).abs().sum() == 0  # composite: holes alone
    assert (raw.grad[0, 0] * batch.mask[0]).abs().sum() > 0


def test_scoring_in_inference_mode_leaves_the_loss_trainable():
    batch, output = sample(25, 21)  # of a size that no other test has
    with torch.inference_mode():
        before = StructuralError(1.0, "raw")(batch, output, None)
    raw = output.raw.clone().requires_grad_()
    after = StructuralError(1.0, "raw")(batch, InpaintingOutput(raw=raw), None)
    after.backward()
    assert after.item() == before.item()
    assert raw.grad.abs().sum() > 0


def test_mixed_precision_computes_it_in_full():
    batch, output = sample()
    full = StructuralError(1.0)(batch, output, None)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(StructuralError(1.0)(batch, output, None), full)


def test_small_images_are_refused():
    batch, output = sample(10, 24)
    with pytest.raises(InputError, match="at least 11 pixels"):
        StructuralError(1.0)(batch, output, None)


def test_frequency_error_is_the_mean_modulus_of_the_differences_spectrum():
    batch, output = sample()
    difference = (output.composite(batch)[:, 0] - batch.target).numpy()
    spectrum = np.fft.rfft2(difference, norm="ortho")
    assert FrequencyError(1.0)(batch, output, None).item() == pytest.approx(np.abs(spectrum).mean(), rel=1e-5)
