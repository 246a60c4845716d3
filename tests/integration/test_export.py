"""Exported networks: the same in ONNX Runtime as in PyTorch, whatever the size, and what is refused."""

import re
import shutil
import sys

import onnx
import pytest
import torch
from conftest import REPOSITORY
from filelock import FileLock
from omegaconf import OmegaConf
from PIL import Image
from test_bad_input import refused
from torch import nn

from pose_inpaint import export
from pose_inpaint.config.command import CONF
from pose_inpaint.config.instantiate import build_network
from pose_inpaint.data.images import read_image, save_image, to_image
from pose_inpaint.data.sources import Chalearn
from pose_inpaint.models import onnx_file
from pose_inpaint.models.inference import ImageInpainter
from pose_inpaint.models.onnx_check import drawn_batch, largest_difference
from pose_inpaint.models.onnx_file import OnnxInpainter, write_onnx
from pose_inpaint.models.pretrained import Pretrained

GREY = 127.5  # grey levels of 0..255 in a unit of [-1, 1]
CLOSE = 0.01  # grey levels


@pytest.fixture(scope="session")
def exported(tmp_path_factory, worker_id):
    """The file of the network that comes with the package, written once for all of the suite's processes."""
    root = tmp_path_factory.getbasetemp()
    file = (root if worker_id == "master" else root.parent) / "pretrained.onnx"
    with FileLock(f"{file}.lock"):
        if not file.is_file():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", ["export", "checkpoint=pretrained", f"output={file}"])
                export.main()
    return file


@pytest.fixture
def copied(exported, monkeypatch):
    """Exporting takes a moment: writes the pretrained network's file, whatever the network is."""
    monkeypatch.setattr(onnx_file, "write_onnx", lambda network, path, about: shutil.copy(exported, path))


@pytest.mark.parametrize(("images", "height", "width"), [(1, 16, 16), (2, 48, 208), (3, 144, 80)])
def test_the_pretrained_network_is_the_same_at_any_size(exported, images, height, width):
    batch = drawn_batch(images, height, width)
    with torch.no_grad():
        expected = Pretrained()(batch.known, batch.mask).raw
    assert expected.std() > 0.1
    assert (OnnxInpainter(exported)(batch.known, batch.mask).raw - expected).abs().max() * GREY < CLOSE


def test_the_pretrained_network_is_the_same_on_real_photos(exported, shared):
    records = Chalearn(str(shared / "people")).listing("test", maskdata=True).records[::140]
    ours, theirs = ImageInpainter(Pretrained()), ImageInpainter(OnnxInpainter(exported))
    for record in records:
        image = read_image(record.original)
        masked = torch.zeros(image.shape[-2:], dtype=torch.bool)
        for row, column, side in record.blocks:
            masked[row : row + side, column : column + side] = True
        expected, found = (each.raw(image, masked).int() for each in (ours, theirs))
        assert (expected - found).abs().max() <= 1, record.name


def test_the_file_says_what_it_takes_and_holds_no_path(exported):
    about = {entry.key: entry.value for entry in onnx.load(exported).metadata_props}
    release = Pretrained().release
    assert about.pop("padding").startswith("repeat the last row and column")
    assert about.pop("pose_inpaint")
    assert about == {
        "range": "-1..1", "channels": "RGB", "mask": "1 = masked", "empty": "-1", "stride": "16", "precision": "fp32",
        "model": release.config["name"], "size": str(release.config["data"]["size"]), "sha256": release.sha256,
    }  # fmt: skip
    assert str(REPOSITORY).encode() not in exported.read_bytes()


def test_ten_lines_use_it_without_the_package(exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(exported, "model.onnx")
    batch = drawn_batch(1, 90, 70)
    photo, masked = ((batch.target[0] + 1) * GREY).round().byte(), batch.mask[0, 0] > 0
    save_image(to_image(photo), tmp_path / "photo.png")
    Image.fromarray(masked.numpy()).save("mask.png")
    (script,) = re.findall(r"^```python\n(.*?)^```", (REPOSITORY / "docs/export.md").read_text(), re.M | re.S)
    assert set(re.findall(r"import (\w+)", script)) == {"numpy", "Image"}
    assert len(script.splitlines()) <= 12
    exec(script, {})
    found = read_image(tmp_path / "restored.png")
    (expected,) = ImageInpainter(Pretrained()).composite(photo, masked, whole=True)
    assert (found.int() - expected.int()).abs().max() <= 1
    assert torch.equal(found[:, ~masked], photo[:, ~masked])
    assert (found - photo)[:, masked].any()


NARROW = {
    "unet2018": {"width": 4}, "glcic": {"width": 4}, "contextual_attention": {"width": 4},
    "context_encoder": {"width": 4, "size": 64}, "residual_unet": {"width": 8, "depths": [1, 1, 1, 1]},
}  # fmt: skip


@pytest.mark.slow  # the pretrained network is exported in every run
@pytest.mark.parametrize("name", NARROW)
def test_every_network_is_the_same(name, tmp_path):
    torch.manual_seed(0)
    model = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{name}.yaml"))
    network = build_network({**model, **NARROW[name]}).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:  # variances of 1 in all layers, also in those that start at zero
            nn.init.normal_(parameter, std=(2 / parameter[0].numel()) ** 0.5)
    batch = drawn_batch(2, 64, 96)
    with torch.no_grad():
        assert network(batch.known, batch.mask).raw.std() > 0.02
    write_onnx(network, tmp_path / "model.onnx", {"size": "128"})
    exported = OnnxInpainter(tmp_path / "model.onnx")
    assert exported.stride == getattr(network, "stride", 1)
    difference = largest_difference(network, exported)
    print(f"{name}: {difference:.1e} grey levels")
    assert difference < 0.1  # attention's softmax, sharp with random weights, enlarges rounding


def test_every_network_of_conf_is_tried():
    targets = {path.stem: OmegaConf.load(path)["_target_"] for path in (CONF / "model").glob("*.yaml")}
    assert {name for name, target in targets.items() if ".networks." in target} == set(NARROW)


def test_eight_bits_are_scored_and_written(command, copied, exported, tmp_path):
    file = tmp_path / "small.onnx"
    outcome = command(
        "export", "checkpoint=pretrained", f"output={file}", "int8=true", "calibration=8", "data.size=64",
        "data.batch_size=4", "data.workers=0", "data.source.size=64", "data.source.counts={train: 8, val: 1, test: 6}",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    fp32, int8 = map(float, re.search(r"hole: fp32 ([\d.]+), int8 ([\d.]+) \(split test, n 6\)", outcome.out).groups())
    assert 0.001 < fp32 < 0.1
    assert int8 == pytest.approx(fp32, rel=0.1)
    assert int8 != fp32
    assert file.stat().st_size < 0.3 * exported.stat().st_size
    about, before = OnnxInpainter(file).about, OnnxInpainter(exported).about
    assert about == {**before, "precision": "int8"}
    batch = drawn_batch(2, 96, 64)
    small, large = (OnnxInpainter(each)(batch.known, batch.mask).raw for each in (file, exported))
    assert 0 < (small - large).abs().mean() * GREY < 3


def test_a_graph_that_is_not_the_networks_is_refused(command, copied, tiny_checkpoint, tmp_path):
    outcome = command("export", f"checkpoint={tiny_checkpoint}", f"output={tmp_path}/out/model.onnx")
    refused(outcome, f"output={tmp_path}/out/model.onnx: ONNX Runtime's output differs", "more than 1")
    assert list((tmp_path / "out").iterdir()) == []


def test_without_onnx_runtime_the_file_is_not_compared(command, copied, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    outcome = command("export", "checkpoint=pretrained", f"output={tmp_path}/model.onnx")
    assert outcome.status == 0, outcome.err
    assert "onnxruntime is not installed, so the file was not compared" in outcome.err
    assert (tmp_path / "model.onnx").is_file()


def test_a_network_that_chooses_by_size_is_refused(tmp_path):
    class Choosy(nn.Module):
        def forward(self, known, mask):
            return known if known.shape[-1] > 100 else mask

    with pytest.raises(export.InputError, match="Choosy can't be exported"):
        write_onnx(Choosy(), tmp_path / "model.onnx", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["checkpoint=missing.ckpt", "output=a.onnx"], ["checkpoint=missing.ckpt: no such file"]),
        (["checkpoint=pretrained", "output=here.onnx"], ["output=here.onnx: exists"]),
        (["checkpoint=pretrained", "output=here.onnx/a.onnx"], ["output=here.onnx", "can't be written"]),
        (["checkpoint=pretrained"], ["output is missing"]),
        (["output=a.onnx"], ["give either checkpoint=PATH or model="]),
        (["model=mean", "output=a.onnx"], ["model: MeanFill is no network, so there is nothing to export"]),
        (["model=mean", "int8=true", "output=a.onnx"], ["model: MeanFill is no network"]),
        (["checkpoint=pretrained", "int8=true", "output=a.onnx", "data.size=40"], ["data.size=40", "multiple of 16"]),
        (["checkpoint=pretrained", "int8=true", "output=a.onnx", "calibration=0"], ["calibration=0"]),
    ],
)
def test_bad_input_is_one_line(command, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.onnx").write_text("mine")
    refused(command("export", *arguments), *words)
    assert (tmp_path / "here.onnx").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("module", "more"), [("onnxscript", []), ("onnx", []), ("onnxruntime", ["int8=true"])])
def test_a_missing_package_names_the_extra(command, tmp_path, monkeypatch, module, more):
    monkeypatch.setitem(sys.modules, module, None)
    outcome = command("export", "checkpoint=pretrained", f"output={tmp_path}/model.onnx", *more)
    refused(outcome, f"needs {module}: pip install 'pose-inpaint[export]'")


def test_a_file_that_is_none_of_ours_is_refused(command, tiny_onnx, tiny_data, tmp_path):
    content = tiny_onnx.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    model = onnx.load(tiny_onnx)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    for name, words in {
        "none.onnx": "no such file", "cut.onnx": "damaged", "other.onnx": "not written by python -m pose_inpaint.export"
    }.items():  # fmt: skip
        outcome = command(
            "predict", "model=onnx", f"model.file={tmp_path}/{name}", f"input={tiny_data}/test/Y", "mask=black",
            f"output={tmp_path}/out",
        )  # fmt: skip
        refused(outcome, f"model.file={tmp_path}/{name}: ", words)
