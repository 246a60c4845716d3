import pytest
import torch
from torchvision.models import vgg16
from torchvision.models.detection import ssd300_vgg16

from pose_inpaint.errors import InputError
from pose_inpaint.models.networks import vgg16 as vgg
from pose_inpaint.models.networks.vgg16 import CAFFE_MEAN, CONVOLUTIONS, VGG16Features, random_weights, rename_ssd


@pytest.fixture
def no_network(monkeypatch):
    def fail(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(vgg.SSD300_VGG16_Weights.COCO_V1.__class__, "get_state_dict", fail)
    monkeypatch.setattr(vgg.VGG16_Weights.IMAGENET1K_FEATURES.__class__, "get_state_dict", fail)


def torchvision_vgg16(weights):
    network = vgg16(weights=None).features.eval()
    network.load_state_dict({name.removeprefix("features."): value for name, value in weights.items()})
    return network


def test_features_are_torchvisions_vgg16():
    network = torchvision_vgg16(random_weights())
    layers = ["conv2_2", "conv3_3", "conv4_3", "conv5_3"]
    images = torch.rand(2, 3, 48, 40) * 255
    x, expected = images - torch.tensor(CAFFE_MEAN).view(1, 3, 1, 1), []
    for index, layer in enumerate(network):
        x = layer(x)
        if index - 1 in [CONVOLUTIONS[name] for name in layers]:  # after the ReLU
            expected.append(x.clone())
    for ours, theirs in zip(VGG16Features("random", layers)(images), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_channels_of_a_file_are_reversed():
    images = torch.rand(1, 3, 16, 16) * 255
    rgb, bgr = VGG16Features("random", ["conv1_1"]), VGG16Features("random", ["conv1_1"], channels="bgr")
    bgr.weight0 = rgb.weight0.flip(1)
    # Values are in the hundreds and are summed in another order.
    torch.testing.assert_close(rgb(images)[0], bgr(images)[0], atol=1e-3, rtol=0)


def test_coco_names_are_found_in_torchvisions_ssd():
    with torch.device("meta"):  # of its weights, only the backbone's are drawn
        detector = ssd300_vgg16(weights=None, weights_backbone=None).eval()
    for value in detector.backbone.to_empty(device="cpu").parameters():
        torch.nn.init.normal_(value, std=0.02)
    renamed = rename_ssd(detector.state_dict())
    assert {name: value.shape for name, value in renamed.items()} == {
        name: value.shape for name, value in random_weights().items()
    }
    # conv4_3 through torchvision's own backbone: its first feature map, before the learned rescaling, is our conv4_3.
    images = torch.rand(1, 3, 64, 64) * 255
    centred = images - torch.tensor(CAFFE_MEAN).view(1, 3, 1, 1)
    network = torchvision_vgg16(renamed)
    torch.testing.assert_close(network[:23](centred), detector.backbone.features(centred))
    # conv5_1 to conv5_3 come from the first extra block, after its pooling.
    torch.testing.assert_close(
        network[23:30](network[:23](centred)), detector.backbone.extra[0][:7](detector.backbone.features(centred))
    )


def test_weights_from_files(tmp_path):
    from safetensors.torch import save_file

    weights = random_weights()
    save_file({name: value.half() for name, value in weights.items()}, tmp_path / "vgg.safetensors")
    torch.save(weights, tmp_path / "vgg.pt")
    for name in ("vgg.safetensors", "vgg.pt"):
        loaded = VGG16Features(str(tmp_path / name), ["conv1_1"]).weight0
        torch.testing.assert_close(loaded, weights["features.0.weight"], atol=1e-3, rtol=1e-3)
        assert loaded.dtype == torch.float32


@pytest.mark.parametrize("name", ["coco", "imagenet"])
def test_unavailable_weights_name_the_alternatives(no_network, name):
    with pytest.raises(InputError, match=r"weights=FILE.*loss\.generator\.perceptual\.weight=0"):
        VGG16Features(name)


def test_files_that_are_not_vgg16_raise(tmp_path):
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no weights")
    for name, reason in (("other.pt", "not VGG16's"), ("text.pt", "can't be read"), ("gone.pt", "no such file")):
        with pytest.raises(InputError, match=reason):
            VGG16Features(str(tmp_path / name))


def test_unknown_layers_raise():
    with pytest.raises(InputError, match="conv9_9"):
        VGG16Features("random", ["conv9_9"])


def test_shared_weights_are_vgg16(shared):
    features = VGG16Features(str(shared / "weights" / "vgg16_features_fp16.safetensors"), ["conv1_1"], channels="bgr")
    assert features.weight0.shape == (64, 3, 3, 3)
