import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.models.release import read_release, write_release
from pose_inpaint.pose.hourglass import PACKAGED, HourglassEstimator, read_hourglass
from pose_inpaint.pose.hourglass_network import StackedHourglass


def test_parameters_by_hand():
    """Width 8, one stack, depth 1: parameters of the layers in the paper's figures 3 and 4, counted by hand."""

    def residual(inputs, outputs):
        half = outputs // 2
        norms = 2 * (inputs + half + half)
        convolutions = inputs * half + 9 * half * half + half * outputs + outputs
        return norms + convolutions + (0 if inputs == outputs else inputs * outputs + outputs)

    stem = 3 * 49 * 2 + 2 * 2 + residual(2, 4) + residual(4, 4) + residual(4, 8)
    hourglass = 4 * residual(8, 8)
    head = residual(8, 8) + 8 * 8 + 2 * 8 + (8 * 14 + 14)
    network = StackedHourglass(14, width=8, stacks=1, depth=1)
    assert sum(parameter.numel() for parameter in network.parameters()) == stem + hourglass + head


def test_heatmaps_of_every_stack_at_a_quarter_of_the_resolution():
    network = StackedHourglass(14, width=8, stacks=3, depth=2)
    assert network(torch.rand(2, 3, 32, 48)).shape == (2, 3, 14, 8, 12)


def test_the_last_heatmaps_depend_on_those_before():
    """The second hourglass gets the first one's heatmaps and features beside the stem's (paper, section 3.2)."""
    torch.manual_seed(0)
    network, image = StackedHourglass(3, width=8, stacks=2, depth=2).eval(), torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        before = network(image)
        network.heads[0].bias += 1.0  # the first heatmaps alone, by a constant
        after = network(image)
        torch.testing.assert_close(after[:, 0], before[:, 0] + 1)
        assert (after[:, 1] - before[:, 1]).abs().max() > 1e-4
        network.heads[0].bias -= 1.0
        network.merge_heatmaps[0].weight.zero_()
        network.merge_heatmaps[0].bias.zero_()
        apart = network(image)[:, 1]
        network.heads[0].bias += 1.0
        torch.testing.assert_close(network(image)[:, 1], apart)  # no other way leads there
        network.merge_features[0].weight.zero_()
        assert (network(image)[:, 1] - apart).abs().max() > 1e-4


def test_heatmaps_are_pinned():
    """Weights and image by formulas: these heatmaps are what trained weights depend on."""
    network = StackedHourglass(2, width=4, stacks=2, depth=1).double().eval()
    with torch.no_grad():
        for number, (name, parameter) in enumerate(network.named_parameters()):
            steps = torch.arange(parameter.numel(), dtype=torch.float64).view_as(parameter)
            wave = torch.cos(0.7 * steps + number)
            parameter.copy_(1 + 0.1 * wave if parameter.ndim == 1 and name.endswith("weight") else 0.4 * wave)
        image = torch.sin(torch.arange(3 * 8 * 16, dtype=torch.float64)).view(1, 3, 8, 16) / 2 + 0.5
        ((first, last),) = network(image)
    expected = [
        [[0.511483, 0.523186, 0.615445, 0.494082], [0.678219, 0.663088, 0.75691, 0.700849]],
        [[-0.41537, -0.44487, -0.458435, -0.390468], [-0.461597, -0.444534, -0.473457, -0.444387]],
    ]  # of the first joint
    torch.testing.assert_close(torch.stack([first[0], last[0]]), torch.tensor(expected).double(), atol=1e-6, rtol=0)


def test_every_parameter_learns():
    network = StackedHourglass(14, width=8, stacks=2, depth=2)
    network(torch.rand(2, 3, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_it_learns_where_a_spot_is():
    """A few training steps locate a bright spot within two pixels: the whole pipeline from image to joints."""
    from pose_inpaint.pose.heatmaps import find_joints
    from pose_inpaint.pose.lightning_module import heatmap_loss

    torch.manual_seed(0)
    places = torch.rand(16, 1, 2) * 40 + 12
    rows, columns = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    spot = torch.exp(-((columns - places[..., :1]) ** 2 + (rows - places[..., 1:]) ** 2) / 18)
    images = spot[:, None].expand(-1, 3, -1, -1)
    joints = torch.cat([places, torch.ones(16, 1, 1)], dim=-1)
    network = StackedHourglass(1, width=16, stacks=1, depth=2)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(80):
        optimizer.zero_grad()
        heatmap_loss(network(images), joints).backward()
        optimizer.step()
    found = find_joints(network.eval()(images)[:, -1], 4)
    assert (found - joints)[..., :2].norm(dim=-1).median() < 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"width": 6}, "width=6"), ({"width": 0}, "width=0"), ({"stacks": 0}, "stacks=0"), ({"depth": 0}, "depth=0")],
)
def test_arguments_out_of_range(arguments, says):
    with pytest.raises(InputError, match=f"network.{says}: must be at least"):
        StackedHourglass(14, **arguments)


def test_images_of_an_unsuitable_size_are_rejected():
    with pytest.raises(InputError, match="needs multiples of 16 pixels, but the images have 32x40"):
        StackedHourglass(14, width=8, depth=2)(torch.rand(1, 3, 32, 40))


def saved(path, **changed):
    """A checkpoint as `train_pose` leaves it, of a network of width 8."""
    torch.manual_seed(0)
    settings = {"width": 8, "stacks": 1, "depth": 2}
    state = {f"network.{name}": value for name, value in StackedHourglass(14, **settings).state_dict().items()}
    ours = {"format": 2, "network": settings, "config": {"name": "tiny"}, **changed}
    torch.save({"pose_inpaint_pose": ours, "state_dict": state}, path)
    return path


def released(folder, *, name="tiny", kind="pose", precision="fp32"):
    folder.parent.mkdir(exist_ok=True)
    read = read_hourglass(saved(folder.parent / "source.ckpt"))
    return write_release(folder, {**read.config, "name": name}, read.state, precision, "A card", kind)


def test_a_release_finds_the_joints_that_its_checkpoint_finds(tmp_path):
    released(tmp_path / "whole")
    released(tmp_path / "half", precision="fp16")
    names = (tmp_path / "source.ckpt", tmp_path / "whole", tmp_path / "half")
    first, whole, half = (HourglassEstimator(str(name), 0.001) for name in names)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(first(images).joints, whole(images).joints)
    for name, value in half.network.state_dict().items():
        torch.testing.assert_close(value, first.network.state_dict()[name], rtol=1e-3, atol=1e-6, msg=name)


def test_a_name_belongs_to_one_file_of_weights(tmp_path, monkeypatch):
    release = released(tmp_path / "a")
    torch.manual_seed(1)
    other = {name: torch.randn_like(value.float()) for name, value in release.weights.items()}
    second = write_release(tmp_path / "b", release.config, other, "fp32", "", "pose")
    monkeypatch.setattr("pose_inpaint.pose.hourglass.PACKAGED", {"A": tmp_path / "a", "B": tmp_path / "b"})
    a, b, default = (HourglassEstimator(name).name for name in ("A", "B", None))
    assert a == f"hourglass tiny {release.sha256[:8]} (0.05)"
    assert b == default == f"hourglass tiny {second.sha256[:8]} (0.05)"
    assert a != b
    assert HourglassEstimator(str(tmp_path / "a")).name == a


@pytest.mark.parametrize("name", [name for name, folder in PACKAGED.items() if folder.is_dir()])
def test_weights_in_the_package(name):
    estimator = HourglassEstimator(name)
    assert estimator.learned == 128
    assert estimator.name.startswith(f"hourglass {name} ")
    assert sum(parameter.numel() for parameter in estimator.network.parameters()) == 421_356
    assert (PACKAGED[name] / "model.safetensors").stat().st_size < 1e6
    card = (PACKAGED[name] / "card.md").read_text()
    assert f"# Stacked hourglass {name}" in card
    assert "Leeds Sports Pose Extended" in card
    assert f"half {name}" in card


def test_weights_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_hourglass(tmp_path / "none.ckpt")
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    with pytest.raises(InputError, match=r"pose\.weights=.*text\.ckpt: not a PyTorch checkpoint, or a damaged one"):
        read_hourglass(tmp_path / "text.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match=r"not a checkpoint of python -m pose_inpaint\.train_pose"):
        read_hourglass(tmp_path / "other.ckpt")
    for version in (1, 99):
        path = saved(tmp_path / "old.ckpt", format=version)
        with pytest.raises(InputError, match=f"format {version}, but this version reads 2; train one with python -m"):
            read_hourglass(path)
    path = saved(tmp_path / "wide.ckpt", network={"width": 12, "stacks": 1, "depth": 2})
    with pytest.raises(InputError, match="its weights don't fit its network"):
        HourglassEstimator(str(path))
    path = saved(tmp_path / "cut.ckpt")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a PyTorch checkpoint, or a damaged one"):
        HourglassEstimator(str(path))
    with pytest.raises(InputError, match="min_confidence=2"):
        HourglassEstimator(None, min_confidence=2)


def test_releases_that_cannot_be_used(tmp_path):
    released(tmp_path / "model", kind="inpainting")
    with pytest.raises(InputError, match=r"pose\.weights=.*: weights of the kind 'inpainting', .* checkpoint=FOLDER"):
        HourglassEstimator(str(tmp_path / "model"))
    released(tmp_path / "pose")
    with pytest.raises(InputError, match=r"weights of the kind 'pose', which are for pose=hourglass pose\.weights="):
        read_release(tmp_path / "pose")
    weights = tmp_path / "pose/model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"pose\.weights=.*: model\.safetensors has the digest"):
        HourglassEstimator(str(tmp_path / "pose"))
    weights.write_bytes(whole)
    config = tmp_path / "pose/config.yaml"
    config.write_text(config.read_text().replace("format: 1", "format: 9"))
    with pytest.raises(InputError, match="format 9, but this version reads 1"):
        HourglassEstimator(str(tmp_path / "pose"))
