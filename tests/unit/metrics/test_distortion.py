import itertools
import math
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from pose_inpaint.data.dataset import collate, read_record
from pose_inpaint.data.masks import MaskData
from pose_inpaint.data.sources import Chalearn
from pose_inpaint.errors import InputError
from pose_inpaint.metrics import DSSIM, MSE, PSNR, SSIM, PooledPSNR, distortion, per_image
from pose_inpaint.metrics.per_image import collect
from pose_inpaint.types import Batch, InpaintingOutput


def numpy_pair(prediction, target):
    return tuple(((x.double() + 1) / 2).clamp(0, 1).permute(1, 2, 0).numpy() for x in (prediction, target))


def independent(prediction, target):
    a, b = numpy_pair(prediction, target)
    similarity = structural_similarity(
        b, a, data_range=1, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return mean_squared_error(b, a), peak_signal_noise_ratio(b, a, data_range=1), similarity


def check_against_scikit_image(batch, output):
    result = {m: m("raw", "whole") for m in (MSE, PSNR, SSIM, DSSIM)}
    for metric in result.values():
        metric.update(batch, output)
    expected = np.array([independent(p, t) for p, t in zip(output.raw[:, 0], batch.target, strict=True)])
    for column, metric in enumerate((MSE, PSNR, SSIM)):
        np.testing.assert_allclose(result[metric].per_image().numpy(), expected[:, column], rtol=0, atol=1e-9)
    assert result[DSSIM].compute().item() == pytest.approx(((1 - expected[:, 2]) / 2).mean(), abs=1e-9)


def test_scores_equal_those_of_scikit_image_on_noise():
    torch.manual_seed(0)
    target = torch.rand(3, 3, 40, 33) * 2 - 1
    batch = Batch(target, torch.zeros(3, 1, 40, 33), ("a", "b", "c"))
    check_against_scikit_image(batch, InpaintingOutput((target + 0.3 * torch.randn_like(target))[:, None]))


def test_scores_equal_those_of_scikit_image_on_photos(shared):
    records = Chalearn(str(shared / "people")).listing("test", maskdata=True).records[::110]
    batch = collate([read_record(record, MaskData(), 128) for record in records])
    torch.manual_seed(0)
    blurred = torch.nn.functional.avg_pool2d(batch.target, 5, stride=1, padding=2)
    check_against_scikit_image(batch, InpaintingOutput(blurred[:, None]))


@pytest.fixture
def by_hand():
    """Two images of four pixels with errors of 0.5 in the hole and 0.25 outside, on the scale [0, 1]."""
    mask = torch.zeros(2, 1, 2, 2)
    mask[0, 0, 0, 0] = mask[1, 0, :, 0] = 1
    raw = torch.where(mask > 0, 1.0, 0.5).expand(2, 3, 2, 2)
    return Batch(torch.zeros(2, 3, 2, 2), mask, ("a", "b")), InpaintingOutput(raw[:, None])


@pytest.mark.parametrize(
    ("image", "region", "first", "second"),
    [
        ("raw", "hole", 0.25, 0.25),
        ("raw", "known", 0.0625, 0.0625),
        ("raw", "whole", (0.25 + 3 * 0.0625) / 4, (2 * 0.25 + 2 * 0.0625) / 4),
        ("composite", "whole", 0.0625, 0.125),
        ("composite", "known", 0, 0),
    ],
)
def test_mse_by_region_and_image_by_hand(by_hand, image, region, first, second):
    metric = MSE(image, region)
    metric.update(*by_hand)
    assert metric.per_image().tolist() == pytest.approx([first, second])
    assert metric.compute().item() == pytest.approx((first + second) / 2)


def test_pooled_and_mean_psnr_differ_as_they_should(by_hand):
    mean, pooled = PSNR("composite"), PooledPSNR("composite")
    mean.update(*by_hand)
    pooled.update(*by_hand)
    assert mean.compute().item() == pytest.approx((-10 * math.log10(0.0625) - 10 * math.log10(0.125)) / 2)
    assert pooled.compute().item() == pytest.approx(-10 * math.log10((0.0625 + 0.125) / 2))
    assert pooled.compute() < mean.compute()


def test_pooled_psnr_in_holes_weighs_by_masked_pixels():
    mask = torch.zeros(2, 1, 1, 4)
    mask[0, ..., :1] = mask[1, ..., :3] = 1
    raw = torch.stack([torch.full((3, 1, 4), 1.0), torch.full((3, 1, 4), 0.5)])[:, None]
    metric = PooledPSNR("raw", "hole")
    metric.update(Batch(torch.zeros(2, 3, 1, 4), mask, ("a", "b")), InpaintingOutput(raw))
    assert metric.compute().item() == pytest.approx(-10 * math.log10((1 * 0.25 + 3 * 0.0625) / 4))


def test_ssim_in_holes_is_the_mean_of_the_map_in_the_hole():
    torch.manual_seed(1)
    target, mask = torch.rand(1, 3, 24, 33) * 2 - 1, torch.zeros(1, 1, 24, 33)
    mask[..., 3:14, 8:30] = mask[..., 15:22, 2:7] = 1
    prediction = target + 0.4 * torch.randn_like(target)
    a, b = numpy_pair(prediction[0], target[0])
    _, full = structural_similarity(
        b, a, data_range=1, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    inner = full.mean(-1)[5:-5, 5:-5][mask[0, 0, 5:-5, 5:-5].numpy() > 0]
    metric = SSIM("raw", "hole")
    metric.update(Batch(target, mask, ("a",)), InpaintingOutput(prediction[:, None]))
    assert metric.compute().item() == pytest.approx(inner.mean(), abs=1e-9)


def test_a_hole_without_a_window_is_excluded_from_the_mean():
    target, mask = torch.zeros(2, 3, 16, 19), torch.zeros(2, 1, 16, 19)
    mask[0, ..., :2, :2] = mask[1, ..., 8, 8] = 1
    metric = SSIM("raw", "hole")
    metric.update(Batch(target, mask, ("a", "b")), InpaintingOutput(target[:, None]))
    assert metric.per_image().isnan().tolist() == [True, False]
    assert metric.compute() == 1


@pytest.mark.parametrize("kind", [PSNR, PooledPSNR])
def test_psnr_without_error_is_100_db(kind):
    target = torch.zeros(2, 3, 4, 6)
    metric = kind("raw")
    metric.update(Batch(target, torch.zeros(2, 1, 4, 6), ("a", "b")), InpaintingOutput(target[:, None]))
    values = metric.per_image()
    assert metric.compute() == 100
    assert metric.estimate(values, 0) == {"value": 100, "low": 100, "high": 100, "n": 2}


def test_psnr_of_a_byte_that_is_wrong_by_one_is_below_the_limit():
    target = torch.zeros(1, 3, 128, 128)
    wrong = target.clone()
    wrong[0, 0, 5, 7] = 2 / 255
    metric = PSNR("raw")
    metric.update(Batch(target, torch.zeros(1, 1, 128, 128), ("a",)), InpaintingOutput(wrong[:, None]))
    assert metric.compute() == pytest.approx(20 * math.log10(255) + 10 * math.log10(3 * 128 * 128), abs=1e-4)


def test_samples_of_an_image_are_averaged(by_hand):
    batch, output = by_hand
    raw = torch.cat([output.raw, batch.target[:, None]], dim=1)  # the second sample is perfect
    metric = MSE("raw", "hole")
    metric.update(batch, InpaintingOutput(raw))
    assert metric.per_image().tolist() == pytest.approx([0.125, 0.125])


def test_collected_metrics_score_as_single_ones(by_hand):
    metrics = {"mse_hole": MSE("raw", "hole"), "psnr": PSNR("raw"), "mse": MSE("raw"), "other": MSE("composite")}
    together = collect(metrics)
    together.update(*by_hand)
    together.update(*by_hand)
    result = together.compute()
    for name, kind in {"mse_hole": ("raw", "hole"), "mse": ("raw", "whole"), "other": ("composite", "whole")}.items():
        alone = MSE(*kind)
        alone.update(*by_hand)
        assert result[name].item() == pytest.approx(alone.compute().item()), name


def test_collected_metrics_measure_each_image_once_and_an_original_for_all(monkeypatch):
    torch.manual_seed(0)
    target = torch.rand(3, 3, 24, 20) * 2 - 1
    mask = torch.zeros(3, 1, 24, 20)
    mask[:, :, 4:15, 3:12] = 1
    batch = Batch(target, mask, ("a", "b", "c"))
    output = InpaintingOutput(torch.rand(3, 1, 3, 24, 20) * 2 - 1)
    kinds = {kind.__name__: kind for kind in (MSE, PSNR, PooledPSNR, SSIM, DSSIM)}
    names = list(itertools.product(kinds, ("raw", "composite"), ("whole", "hole", "known")))
    alone = {name: kinds[name[0]](*name[1:]) for name in names}
    for metric in alone.values():
        metric.update(batch, output)
    together = {name: kinds[name[0]](*name[1:]) for name in names}
    counted = {
        (module, name): Mock(wraps=getattr(module, name))
        for module, name in ((distortion, "structural_similarity"), (distortion, "moments"), (per_image, "to_unit"))
    }
    for (module, name), function in counted.items():
        monkeypatch.setattr(module, name, function)
    collection = collect({"_".join(name): metric for name, metric in together.items()})
    for _ in range(2):
        collection.update(batch, output)
    images, batches = 2 * len(target), 2
    assert {name: function.call_count for (_, name), function in counted.items()} == {
        "structural_similarity": 2 * images,  # raw and composite
        "moments": images,
        "to_unit": 3 * batches,  # these and the original
    }
    for name in names:
        metric = collection["_".join(name)]
        assert torch.equal(metric.per_image()[:3], alone[name].per_image()), name
        assert torch.equal(metric.per_image()[3:], alone[name].per_image()), name


def test_a_collection_keeps_nothing_of_a_batch(by_hand):
    metric = MSE("raw")
    collect({"mse": metric}).update(*by_hand)
    assert metric.shared is None


def test_ssim_rejects_images_smaller_than_the_window():
    small = Batch(torch.zeros(1, 3, 10, 16), torch.zeros(1, 1, 10, 16), ("a",))
    with pytest.raises(InputError, match="at least 11 pixels per side; these have 10"):
        SSIM("raw").update(small, InpaintingOutput(small.target[:, None]))
