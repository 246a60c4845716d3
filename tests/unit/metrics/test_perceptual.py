from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchmetrics.functional.image.lpips import _LPIPS
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance
from torchvision.models import alexnet

from pose_inpaint.build import build_metrics
from pose_inpaint.errors import InputError
from pose_inpaint.metrics.distribution import FID, KID, DistributionMetric, FrechetVGG16
from pose_inpaint.metrics.per_image import collect
from pose_inpaint.metrics.perceptual import LPIPS
from pose_inpaint.metrics.score_names import ScoreName
from pose_inpaint.models.networks.vgg16 import VGG16Features, random_weights
from pose_inpaint.runtime.hashing import file_digest
from pose_inpaint.types import Batch, InpaintingOutput


def offline(*_, **__):
    raise URLError("offline")


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return Batch(torch.rand(3, 3, 64, 64) * 2 - 1, torch.zeros(3, 1, 64, 64), ("a", "b", "c"))


@pytest.fixture
def random_backbone(monkeypatch):
    torch.manual_seed(1)
    state = alexnet(weights=None).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: state)
    return state


def test_lpips_is_zero_for_the_original_and_grows_with_noise(batch, random_backbone):
    result = []
    for noise in (0, 0.1, 0.5):
        metric = LPIPS("raw")
        prediction = (batch.target + noise * torch.randn_like(batch.target)).clamp(-1, 1)
        metric.update(batch, InpaintingOutput(prediction[:, None]))
        result.append(metric.compute().item())
    assert result[0] == pytest.approx(0, abs=1e-7)
    assert result[0] < result[1] < result[2]


def test_lpips_by_its_formula(batch, random_backbone):
    """Normalised features of each ReLU of AlexNet, squared differences weighted by the linear layers, spatial mean."""
    metric = LPIPS("raw")
    prediction = batch.target.flip(0)
    metric.update(batch, InpaintingOutput(prediction[:, None]))
    network = alexnet(weights=None)
    network.load_state_dict(random_backbone)
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    expected = torch.zeros(3)
    with torch.no_grad():
        x, y = ((p - shift) / scale for p in (prediction, batch.target))
        layers = 0
        for layer in network.features[:12]:
            x, y = layer(x), layer(y)
            if isinstance(layer, torch.nn.ReLU):
                a, b = (each / (each.square().sum(1, keepdim=True).sqrt() + 1e-10) for each in (x, y))
                weights = metric.network.lins[layers].model[-1].weight
                expected += ((a - b).square() * weights).sum(1).mean((1, 2))
                layers += 1
    assert layers == 5
    assert metric.per_image().tolist() == pytest.approx(expected.tolist(), rel=1e-3)


def test_lpips_has_no_value_in_holes(batch, random_backbone):
    metric = LPIPS("raw", "hole")
    metric.update(batch, InpaintingOutput(batch.target[:, None]))
    assert metric.per_image().isnan().all()


def test_a_failed_download_names_the_weights_and_the_way_out(monkeypatch):
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(
        InputError, match=r"metric\.lpips: torchvision could not download AlexNet's weights .* remove lpips"
    ):
        LPIPS()


def test_frechet_distance_by_its_formula():
    torch.manual_seed(0)
    batch = Batch(torch.rand(4, 3, 32, 32) * 2 - 1, torch.zeros(4, 1, 32, 32), tuple("abcd"))
    prediction = (batch.target * 0.5).clamp(-1, 1)
    metric = FrechetVGG16("raw", weights="random")
    metric.update(batch, InpaintingOutput(prediction[:, None]))
    features = VGG16Features("random", channels="rgb", layers=["conv5_3"])
    values = []
    for images in (batch.target, prediction):
        bytes_ = ((images.double() + 1) / 2 * 255).round().float()
        values.append(features(bytes_)[0].mean((2, 3)).double().numpy())
    (a, b) = values
    covariances = [np.cov(each, rowvar=False) for each in (a, b)]
    root = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1]) - 2 * root
    assert metric.compute().item() == pytest.approx(expected, rel=1e-4)


def test_the_distance_of_equal_sets_is_zero():
    torch.manual_seed(0)
    batch = Batch(torch.rand(4, 3, 32, 32) * 2 - 1, torch.zeros(4, 1, 32, 32), tuple("abcd"))
    metric = FrechetVGG16("raw", weights="random")
    metric.update(batch, InpaintingOutput(batch.target[:, None]))
    other = FrechetVGG16("raw", weights="random")
    other.update(batch, InpaintingOutput(batch.target[:, None] * 0.5))
    assert abs(metric.compute().item()) < 1e-3 * other.compute().item()


def test_layers_of_another_width_are_rejected():
    with pytest.raises(InputError, match=r"metric\.frechet_vgg16\.layer=conv2_2"):
        FrechetVGG16(weights="random", layer="conv2_2")


def test_a_missing_file_of_inception_weights_is_named():
    with pytest.raises(InputError, match=r"metric\.fid\.weights=/no/file\.pth: no such file"):
        FID(weights="/no/file.pth")


@pytest.mark.parametrize(("metric", "name"), [(FID, "fid"), (KID, "kid")])
def test_fid_and_kid_name_the_extra_to_install(metric, name, monkeypatch):
    monkeypatch.setattr(f"torchmetrics.image.{name}._TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(InputError, match=rf"metric\.{name} needs torch-fidelity: pip install 'pose-inpaint\[fid\]'"):
        metric()


class Sums(torch.nn.Module):
    """Eight numbers per image instead of Inception's features."""

    num_features = 8

    def forward(self, images):
        return images.float().reshape(len(images), 8, -1).mean(2) / 255


def test_kid_does_not_depend_on_the_global_generator():
    torch.manual_seed(0)
    batch = Batch(torch.rand(20, 3, 16, 16) * 2 - 1, torch.zeros(20, 1, 16, 16), tuple("abcdefghijklmnopqrst"))
    result = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        metric = DistributionMetric("raw", "whole", KernelInceptionDistance(feature=Sums(), subset_size=10))
        metric.update(batch, InpaintingOutput(batch.target[:, None] * 0.5))
        result.append(metric.compute().item())
        assert torch.equal(torch.get_rng_state(), before)
    assert result[0] == result[1] != 0


def test_fid_by_its_formula():
    torch.manual_seed(0)
    batch = Batch(torch.rand(30, 3, 16, 16) * 2 - 1, torch.zeros(30, 1, 16, 16), tuple(map(str, range(30))))
    metric = DistributionMetric("raw", "whole", FrechetInceptionDistance(feature=Sums()))
    metric.update(batch, InpaintingOutput(batch.target[:, None] * 0.5))
    saved = [((p.double() + 1) / 2 * 255).round().float() for p in (batch.target, batch.target * 0.5)]
    a, b = (Sums()(each).double().numpy() for each in saved)
    covariances = [np.cov(each, rowvar=False) for each in (a, b)]
    root = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1]) - 2 * root
    assert metric.compute().item() == pytest.approx(expected, rel=1e-4)


@pytest.fixture
def vgg16_file(tmp_path):
    """Random weights of VGG16, saved as those of a network that takes BGR."""
    state = random_weights()
    save_file(state, tmp_path / "vgg.safetensors", metadata={"input": "BGR, 0..255, minus (103.939, 116.779, 123.68)"})
    return tmp_path / "vgg.safetensors", state


def test_lpips_on_vgg16_from_a_file_is_torchmetrics_on_that_backbone(batch, vgg16_file, monkeypatch):
    path, state = vgg16_file
    metric = LPIPS("raw", net="vgg", weights=str(path), channels="bgr")
    prediction = batch.target.flip(0)
    metric.update(batch, InpaintingOutput(prediction[:, None]))

    class Backbone(torch.nn.Module):
        """VGG16's convolutions, written out; features after the last ReLU of each block."""

        def __init__(self, **_):
            super().__init__()

        def forward(self, images):
            x, features = (images.flip(1) + 1) * 127.5 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1), []
            for block in ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)):
                x = torch.nn.functional.max_pool2d(x, 2) if features else x
                for index in block:
                    weight, bias = (state[f"features.{index}.{kind}"] for kind in ("weight", "bias"))
                    x = torch.nn.functional.conv2d(x, weight, bias, padding=1).relu()
                features.append(x)
            return features

    monkeypatch.setattr("torchmetrics.functional.image.lpips.Vgg16", Backbone)
    theirs = _LPIPS(pretrained=True, net="vgg")  # with its own linear weights
    theirs.scaling_layer = torch.nn.Identity()
    with torch.no_grad():
        expected = theirs(prediction, batch.target).flatten().tolist()
    assert metric.per_image().tolist() == pytest.approx(expected, rel=1e-4)
    assert min(expected[0], expected[2]) > 1e-3
    assert expected[1] == 0  # the middle image is its own prediction


def test_lpips_from_a_file_has_a_name_of_its_own(vgg16_file, monkeypatch):
    path, _ = vgg16_file
    block = {"_target_": "pose_inpaint.metrics.perceptual.LPIPS", "net": "vgg", "channels": "bgr"}
    blocks = {"lpips": {**block, "weights": str(path)}}
    digest = file_digest(path)
    (name,) = build_metrics(blocks, ("composite",), ("whole", "hole"))
    assert name == f"lpips_vgg_{digest[:8]}_composite_whole"
    assert not ScoreName.parse(name).higher_is_better
    monkeypatch.setattr("pose_inpaint.metrics.perceptual.UNVERIFIED", digest)
    (name,) = build_metrics(blocks, ("composite",), ("whole", "hole"))
    assert name == "lpips_vgg_unverified_composite_whole"
    assert ScoreName.parse(name).label == "LPIPS-VGG (unverified copy), composite, whole"


def test_weights_that_lpips_cannot_use(vgg16_file, tmp_path):
    path, state = vgg16_file
    del state["features.28.bias"]
    torch.save(state, tmp_path / "other.pt")
    for arguments, text in (
        (
            {"weights": str(path)},
            r"metric\.lpips\.net=alex: a file can only hold VGG16's weights; give metric\.lpips\.net",
        ),
        (
            {"net": "vgg", "weights": str(path)},
            r"metric\.lpips\.channels=rgb: .* says that it takes bgr; give metric\.l",
        ),
        ({"net": "vgg", "weights": "none.pt"}, r"metric\.lpips\.weights=none\.pt: no such file"),
        ({"net": "vgg", "weights": str(tmp_path / "other.pt")}, r"not VGG16's: features\.28\.bias is missing"),
    ):
        with pytest.raises(InputError, match=text) as error:
            LPIPS(**arguments)
        assert "loss." not in str(error.value)


def test_backbones_are_measured_separately(batch, monkeypatch):
    """LPIPS with two backbones in one collection gives two scores."""
    made = []

    class Network(torch.nn.Module):
        def __init__(self, net_type, normalize):
            super().__init__()
            made.append(net_type)
            self.net = lambda p, t, normalize: (p - t).abs().mean((1, 2, 3)) * len(net_type)
            self.net.to = lambda device: None

    monkeypatch.setattr("pose_inpaint.metrics.perceptual.LearnedPerceptualImagePatchSimilarity", Network)
    together = collect({"a": LPIPS("raw", net="vgg"), "b": LPIPS("raw", net="alex")})
    for _ in range(2):
        together.update(batch, InpaintingOutput(batch.target.flip(0)[:, None]))
    result = together.compute()
    assert made == ["vgg", "alex"]
    assert (result["b"] / result["a"]).item() == pytest.approx(4 / 3)
