import csv
import json

import pytest
import torch
from conftest import held_by_another
from omegaconf import OmegaConf
from PIL import Image

from pose_inpaint.evaluation.checks import build_scores
from pose_inpaint.training.checkpoint import load_generator, read_checkpoint

FILLS = {  # MSE, MSE in holes, PSNR, DSSIM by scikit-image and OpenCV: of the first 60 test photos, and of all 549
    "mean": (("0.0172", "0.0735", "18.84", "0.1209"), ("0.0184", "0.0741", "18.67", "0.1249")),
    "telea": (("0.0101", "0.0430", "21.31", "0.0912"), ("0.0119", "0.0452", "20.98", "0.0973")),
    "navier_stokes": (("0.0105", "0.0445", "21.13", "0.0936"), ("0.0121", "0.0458", "20.91", "0.0986")),
}


@pytest.mark.parametrize("count", [60, pytest.param(549, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FILLS)
def test_simple_fills_reproduce_their_table_on_real_photos(command, shared, tmp_path, name, count):
    arguments = [f"model={name}", "data=chalearn", f"data.root={shared}/people", "data.workers=0"]
    more = ["images=[composite]", f"data.limit={count}", f"hydra.run.dir={tmp_path}/run"]
    outcome = command("evaluate", *arguments, *more)
    assert outcome.status == 0, outcome.err
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    found = scores["scores"]
    assert scores["n"] == count
    assert (
        f"{found['mse_composite_whole']['value']:.4f}", f"{found['mse_composite_hole']['value']:.4f}",
        f"{found['psnr_composite_whole']['value']:.2f}", f"{found['dssim_composite_whole']['value']:.4f}",
    ) == FILLS[name][count == 549]  # fmt: skip


@pytest.mark.slow
def test_patchmatch_reproduces_its_row_on_real_photos_with_its_librarys_own_seed(command, shared, tmp_path):
    arguments = ["model=patchmatch", "data=chalearn", f"data.root={shared}/people", "data.workers=0", "seed=1212"]
    outcome = command("evaluate", *arguments, "images=[composite]", f"hydra.run.dir={tmp_path}/run")
    assert outcome.status == 0, outcome.err
    found = json.loads((tmp_path / "run/scores.json").read_text())["scores"]
    assert (
        f"{found['mse_composite_whole']['value']:.4f}", f"{found['mse_composite_hole']['value']:.4f}",
        f"{found['psnr_composite_whole']['value']:.2f}", f"{found['dssim_composite_whole']['value']:.4f}",
    ) == ("0.0138", "0.0520", "20.47", "0.1097")  # fmt: skip


def run(command, tiny_data, tmp_path, *more):
    arguments = ["data=chalearn", f"data.root={tiny_data}", "data.size=32", "data.workers=0", "data.batch_size=3"]
    return command("evaluate", *arguments, f"hydra.run.dir={tmp_path}/run", *more)


def test_a_checkpoint_is_scored_raw_and_composite_whole_and_in_holes(command, tiny_data, tiny_checkpoint, tmp_path):
    outcome = run(command, tiny_data, tmp_path, f"checkpoint={tiny_checkpoint}")
    assert outcome.status == 0, outcome.err
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    metrics = ("mse", "psnr", "psnr_pooled", "ssim", "dssim")
    assert set(scores["scores"]) == {
        f"{metric}_{image}_{region}"
        for metric in metrics
        for image in ("raw", "composite")
        for region in ("whole", "hole")
    }
    assert (scores["split"], scores["batchnorm"], scores["model"]["width"]) == ("test", "recalibrated", 2)
    assert len(scores["checkpoint"]["sha256"]) == len(scores["masks_sha256"]) == 64
    assert sum(group["n"] for group in scores["by_mask_ratio"].values()) == 4
    for row in ("composite, whole", "composite, hole", "raw, whole", "raw, hole", "mse_composite_hole by mask ratio"):
        assert row in outcome.out


def test_the_rows_of_the_csv_have_the_scores_mean(command, tiny_data, tmp_path):
    assert run(command, tiny_data, tmp_path, "model=mean").status == 0
    scores = json.loads((tmp_path / "run/scores.json").read_text())["scores"]
    with (tmp_path / "run/scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["000.png", "001.png", "002.png", "003.png"]
    for name in ("mse_composite_hole", "psnr_raw_whole", "dssim_composite_whole"):
        assert sum(float(row[name]) for row in rows) / 4 == pytest.approx(scores[name]["value"], rel=1e-6)


def test_the_sheet_shows_best_median_and_worst(command, tiny_data, tmp_path):
    assert run(command, tiny_data, tmp_path, "model=mean", "contact_sheet.each=1").status == 0
    sheet = Image.open(tmp_path / "run/contact_sheet.png")
    assert sheet.width == 4 * (128 + 4) + 4
    assert sheet.height > 3 * (128 + 4)


def test_batch_size_changes_no_score(command, tiny_data, tiny_checkpoint, tmp_path):
    found = []
    for size in (1, 4):
        more = [f"checkpoint={tiny_checkpoint}", f"data.batch_size={size}", f"hydra.run.dir={tmp_path}/{size}"]
        assert run(command, tiny_data, tmp_path, *more).status == 0
        found.append(json.loads((tmp_path / f"{size}/scores.json").read_text()))
    assert found[0]["masks_sha256"] == found[1]["masks_sha256"]
    first, second = ({name: each["value"] for name, each in f["scores"].items()} for f in found)
    assert first == pytest.approx(second, abs=1e-5)


def test_any_folder_of_images_is_scored(command, tiny_data, tmp_path):
    more = ["data=folder", f"data.root={tiny_data}/train/Y", "mask=squares", "model=mean"]
    more += ["data.source.fractions=[0.3,0.2,0.5]"]
    assert run(command, tiny_data, tmp_path, *more).status == 0
    assert json.loads((tmp_path / "run/scores.json").read_text())["n"] > 0


def test_what_a_network_costs_is_measured(command, tiny_data, tiny_checkpoint, tiny_run, tmp_path):
    outcome = run(command, tiny_data, tmp_path, f"checkpoint={tiny_checkpoint}", "device=cpu")
    cost = json.loads((tmp_path / "run/scores.json").read_text())["cost"]
    network = load_generator(read_checkpoint(tiny_checkpoint))
    assert cost["parameters"] == sum(p.numel() for p in network.parameters())
    assert cost["gflop"] == pytest.approx(multiply_adds(network, 32) * 2e-9)
    assert 0 < cost["seconds_per_image"] < 1
    assert (cost["batch_size"], cost["device"], cost["threads"]) == (3, "cpu", torch.get_num_threads())
    assert cost["peak_memory_of"] == "the whole process, resident"
    assert 2**27 < cost["peak_memory_bytes"] < 2**35  # PyTorch alone takes more than the first
    assert f"parameters {cost['parameters']:,}" in outcome.out
    trained = json.loads((tiny_run / "scores.json").read_text())["cost"]
    assert set(trained) == set(cost)
    assert (trained["parameters"], trained["gflop"], trained["batch_size"]) == (cost["parameters"], cost["gflop"], 4)


def test_a_fill_has_no_arithmetic_and_read_images_no_time_of_their_own(command, tiny_data, tmp_path):
    found = {}
    for name, what in {"fill": "model=mean", "read": f"predictions={tiny_data}/test/Y"}.items():
        assert run(command, tiny_data, tmp_path, what, f"hydra.run.dir={tmp_path}/{name}").status == 0
        found[name] = json.loads((tmp_path / name / "scores.json").read_text())["cost"]
    for cost in found.values():
        assert (cost["parameters"], cost["gflop"]) == (None, None)
    assert found["fill"]["seconds_per_image"] > 0
    assert (found["read"]["seconds_per_image"], found["read"]["peak_memory_bytes"]) == (None, None)


def multiply_adds(network, size):
    """Multiply-adds of the convolutions, by hand: output pixels times terms of each sum."""
    total = 0

    def count(module, inputs, output):
        nonlocal total
        pixels = (inputs[0] if module.transposed else output).shape[-2:].numel()  # a transposed one spreads its inputs
        total += pixels * module.weight.numel()

    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 3, size, size), torch.zeros(1, 1, size, size))
    return total


def test_records_come_with_the_scores_and_neither_before_them_nor_after_the_drawing(
    command, tiny_data, tmp_path, monkeypatch
):
    def fail(*_, **__):
        raise RuntimeError("out of paper")

    with monkeypatch.context() as patch:
        patch.setattr("pose_inpaint.evaluation.evaluate.score", fail)
        with pytest.raises(RuntimeError):
            run(command, tiny_data, tmp_path, "model=mean")
    assert not list((tmp_path / "run").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("pose_inpaint.evaluation.evaluate.draw_ranked", fail)
        with pytest.raises(RuntimeError):
            run(command, tiny_data, tmp_path, "model=mean")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.yaml", "run.json", "scores.json", "scores.csv",
    }  # fmt: skip


def test_scores_are_built_once(command, tiny_data, tmp_path, monkeypatch):
    calls = []

    def counting(*arguments):
        calls.append(1)
        return build_scores(*arguments)

    monkeypatch.setattr("pose_inpaint.evaluation.checks.build_scores", counting)
    assert run(command, tiny_data, tmp_path, "model=mean").status == 0
    assert calls == [1]
    assert {"reading", "copying", "inpainting"} <= set(
        json.loads((tmp_path / "run/scores.json").read_text())["seconds"]
    )


def test_the_second_of_two_jobs_in_a_folder_and_the_folder_of_a_training_are_refused(
    command, tiny_data, tiny_run, tmp_path
):
    arguments = ("evaluate", "model=mean", "data=chalearn", f"data.root={tiny_data}", "data.size=32", "data.workers=0")
    with held_by_another(tmp_path / "ev") as owner:
        outcome = command(*arguments, f"hydra.run.dir={tmp_path}/ev")
    assert outcome.status == 2
    assert f"error: hydra.run.dir={tmp_path}/ev: process {owner} is writing there" in outcome.err
    before = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")}
    outcome = command(*arguments, f"hydra.run.dir={tiny_run}")
    assert outcome.status == 2
    assert outcome.err == f"error: hydra.run.dir={tiny_run}: holds what train wrote; choose another folder\n"
    assert {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")} == before


@pytest.mark.parametrize(("given", "size"), [([], 32), (["data.size=32"], 32), (["data.size=48"], 48)])
def test_the_size_of_the_training_is_the_default_and_another_is_said(
    command, tiny_data, tiny_checkpoint, tmp_path, given, size
):
    arguments = (f"checkpoint={tiny_checkpoint}", "data=chalearn", f"data.root={tiny_data}", "data.workers=0", *given)
    outcome = command("evaluate", *arguments, f"hydra.run.dir={tmp_path}/ev")
    assert outcome.status == 0, outcome.err
    assert OmegaConf.load(tmp_path / "ev" / "config.yaml").data.size == size
    said = "data.size=48: the network was trained at 32, its size by default\n"
    assert outcome.err == (said if size == 48 else "")


def test_the_cost_of_a_mirror_average_is_that_of_both_passes(command, tiny_data, tmp_path):
    def cost(*more):
        folder = tmp_path / f"{len(more)}"
        arguments = ["model=pretrained", "data=chalearn", f"data.root={tiny_data}", "data.size=32", "data.workers=0"]
        outcome = command("evaluate", *arguments, f"hydra.run.dir={folder}", "metric=[distortion]", *more)
        assert outcome.status == 0, outcome.err
        return json.loads((folder / "scores.json").read_text())["cost"]

    alone, averaged = cost(), cost("postprocess=mirror")
    assert averaged["parameters"] == alone["parameters"] == 3_680_908
    assert averaged["gflop"] == 2 * alone["gflop"] > 0
