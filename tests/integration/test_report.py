import csv
import json
import os
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from pose_inpaint.evaluation.scored_run import read_scored_run
from pose_inpaint.reporting.paired_differences import Difference, best_method, compare, paired_difference
from pose_inpaint.tracking.files import LOCK
from pose_inpaint.tracking.lock import locked


@pytest.fixture(scope="session")
def scored(tmp_path_factory):
    """Three methods scored on the same four images, and one on other masks."""
    import importlib

    from conftest import write_split

    root = tmp_path_factory.mktemp("scored")
    write_split(root / "data/test", 4, seed=2)
    for name, more in {
        "mean": ["model=mean"],
        "telea": ["model=telea"],
        "originals": [f"predictions={root}/data/test/Y"],
        "squares": ["model=mean", "mask=squares"],
    }.items():
        arguments = [f"data.root={root}/data", "data=chalearn", "data.size=32", "data.workers=0", *more]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("POSE_INPAINT_CACHE", str(root / "cache"))
            patch.setattr(sys, "argv", ["evaluate", *arguments, f"hydra.run.dir={root}/{name}"])
            importlib.import_module("pose_inpaint.evaluate").main()
    return root


def report(command, scored, tmp_path, *names, more=(), curves=False):
    """Run the command, by default without drawing curves, which takes longer than all the rest."""
    runs = ",".join(str(scored / name) if not str(name).startswith("/") else str(name) for name in names)
    with pytest.MonkeyPatch.context() as patch:
        if not curves:
            patch.setattr("pose_inpaint.reporting.report.draw_curves", lambda *_: False)
        return command("report", f"runs=[{runs}]", f"output={tmp_path}/report", *more)


def test_a_report_holds_table_differences_sheet_and_curves(command, scored, tmp_path):
    outcome = report(command, scored, tmp_path, "mean", "telea", "originals", curves=True)
    assert outcome.status == 0, outcome.err
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "table.md", "table.csv", "table.tex", "cost.tex", "groups.md", "groups.csv", "differences.csv",
        "contact_sheet.png", "curves.png", "curves.pdf",
    }  # fmt: skip
    assert all(path.name in outcome.out for path in (tmp_path / "report").iterdir())
    assert "subset" not in outcome.out  # what is logged while a PDF's fonts are written
    with (tmp_path / "report/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        kept = json.loads((scored / row["method"].replace("Y", "originals") / "scores.json").read_text())
        expected = kept["scores"][f"{row['score']}_{row['image']}_{row['region']}"]
        assert row["value"] == ("" if expected["value"] is None else str(expected["value"]))
        assert (row["n"], row["split"], row["masks_sha256"]) == ("4", "test", kept["masks_sha256"])
    table = (tmp_path / "report/table.md").read_text()
    assert table.startswith("| method | checkpoint | MSE, composite, whole | MSE, composite, hole | PSNR (dB)")
    assert "| Y | - | **0.0000 [0.0000, 0.0000]** |" in table
    assert "Means over 4 images (data, split test" in table
    tex = (tmp_path / "report/table.tex").read_text()
    assert tex.count(r"\\") == 5  # two lines of heads and three methods
    assert r"\textbf{0.0000 [0.0000, 0.0000]}" in tex
    assert (tmp_path / "report/cost.tex").read_text().count(r"\\") == 4
    drawing = (tmp_path / "report/curves.pdf").read_bytes()
    assert drawing.startswith(b"%PDF")
    assert b"/FontFile2" in drawing  # TrueType, which journals take
    assert b"/Subtype /Image" not in drawing


def test_groups_have_the_mean_and_number_of_their_images(command, scored, tmp_path):
    more = ["mask_ratio_edges=[0,0.186,1]", "scores=[mse_composite_hole,psnr_pooled_raw_whole]"]
    assert report(command, scored, tmp_path, "mean", "telea", more=more).status == 0
    with (tmp_path / "report/groups.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["score"] for row in rows} == {"mse"}  # a score of a whole set has no groups
    seen = 0
    for row in rows:
        low, high = {"0-19%": (0, 0.186), "19-100%": (0.186, 1)}[row["group"]]
        with (scored / row["method"] / "scores.csv").open() as file:
            inside = [each for each in csv.DictReader(file) if low <= float(each["mask_ratio"]) < high]
        assert (row["by"], int(row["n"])) == ("mask ratio", len(inside))
        for key, column in {"value": "mse_composite_hole", "mean_mask_ratio": "mask_ratio"}.items():
            assert float(row[key]) == pytest.approx(np.mean([float(each[column]) for each in inside]))
        assert float(row["low"]) <= float(row["value"]) <= float(row["high"])
        seen += len(inside)
    assert seen == 2 * 4
    assert len({row["group"] for row in rows}) > 1
    table = (
        (tmp_path / "report/groups.md").read_text().split("MSE, composite, hole, by mask ratio:\n\n")[1].splitlines()
    )
    assert table[0] == "| mask ratio | n | mean | telea |"
    assert [line.split(" | ")[:2] for line in table[2:]] == [
        [f"| {row['group']}", row["n"]] for row in rows if row["method"] == "mean"
    ]


def test_groups_by_source_and_methods_without_a_value_for_every_image(command, scored, tmp_path):
    sources = {"a": {"n": 1}, "b": {"n": 3}}

    def change(record):
        for index, source in enumerate(sources.values()):
            estimate = {"value": 0.5 + index, "low": 0.25, "high": 2.0, "n": source["n"]}
            source |= {"mean_mask_ratio": 0.25, "scores": dict.fromkeys(record["scores"], estimate)}
        record.update(name="other", by_source=sources)

    other = altered(scored, tmp_path, "other", change)
    with (other / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    rows[0]["mse_composite_hole"] = "nan"
    with (other / "scores.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    more = ["mask_ratio_edges=[0,1]", "scores=[mse_composite_hole]", "intervals=none"]
    assert report(command, scored, tmp_path, "mean", other, more=more).status == 0
    lines = (tmp_path / "report/groups.md").read_text().splitlines()
    (whole,) = (line for line in lines if line.startswith("| 0-100% | 4 | "))
    assert whole.endswith(" (n 3) |")
    assert "| source | n | mean | other |" in lines
    assert lines[-2:] == ["| a | 1 | - | 0.5000 |", "| b | 3 | - | 1.5000 |"]


def test_methods_are_printed_under_the_names_that_are_asked_for(command, scored, tmp_path):
    more = ['names={telea: "Telea & al.", Y: the originals}', "intervals=half"]
    outcome = report(command, scored, tmp_path, "mean", "telea", "originals", more=more)
    assert outcome.status == 0, outcome.err
    folder = tmp_path / "report"
    for name in ("table.csv", "groups.csv"):
        with (folder / name).open() as file:
            assert {row["method"] for row in csv.DictReader(file)} == {"mean", "Telea & al.", "the originals"}
    assert "| Telea & al. | 0." not in (folder / "table.md").read_text()
    assert " ± " in (folder / "table.md").read_text()
    assert r"Telea \& al. & " in (folder / "table.tex").read_text()
    assert r" $\pm$ " in (folder / "table.tex").read_text()
    assert "Differences to mean" in (folder / "table.md").read_text()


def test_a_second_report_into_the_same_folder_is_refused(command, scored, tmp_path):
    with locked(tmp_path / "report", "output"):
        outcome = report(command, scored, tmp_path, "mean")
        assert [path.name for path in (tmp_path / "report").iterdir()] == [LOCK]
    assert outcome.status == 2
    assert outcome.err.startswith(f"error: output={tmp_path}/report: process {os.getpid()} is writing there")
    assert outcome.err.count("\n") == 1


def test_the_sheet_shows_the_same_images_of_every_method(command, scored, tmp_path):
    report(command, scored, tmp_path, "mean", "originals")
    sheet = Image.open(tmp_path / "report/contact_sheet.png")
    assert sheet.width == 4 * (128 + 4) + 4  # input, two methods, original
    pixels = np.asarray(sheet)
    columns = [pixels[:, 4 + index * 132 : 132 + index * 132] for index in range(4)]
    rows = slice(60, 140)  # within the first image, which is enlarged four times
    assert (columns[2][rows] == columns[3][rows]).all()  # the originals as predictions
    assert (columns[0][rows] != columns[3][rows]).any()


def test_differences_are_paired(command, scored, tmp_path):
    report(command, scored, tmp_path, "mean", "telea")
    first, second = (read_scored_run(str(scored / name)) for name in ("mean", "telea"))
    with (tmp_path / "report/differences.csv").open() as file:
        rows = {row["score"]: row for row in csv.DictReader(file)}
    name = "mse_composite_hole"
    expected = (first.values[name] - second.values[name]).mean().item()
    assert float(rows[name]["difference"]) == pytest.approx(expected)
    assert (first.values[name] > second.values[name]).all()  # telea's lead is certain
    assert rows[name]["better"] == "telea"


def test_a_lead_on_every_image_is_marked_and_a_draw_is_not():
    """Paired differences are significant where the intervals of the means overlap."""
    spread = torch.linspace(0, 1, 50, dtype=torch.float64)

    class Run:
        def __init__(self, values):
            self.values = {"mse_raw_whole": values}

    lead = [Run(spread), Run(spread + 0.01), Run(spread + 0.02)]
    assert best_method("mse_raw_whole", compare(lead, ["mse_raw_whole"], 0), 3) == 0
    noise = torch.linspace(-1, 1, 50, dtype=torch.float64).flip(0)
    assert best_method("mse_raw_whole", compare(lead[::-1], ["mse_raw_whole"], 0), 3) == 2
    draw = [Run(spread), Run(spread + noise)]
    assert best_method("mse_raw_whole", compare(draw, ["mse_raw_whole"], 0), 2) is None
    psnr = [type("Run", (), {"values": {"psnr_raw_whole": run.values["mse_raw_whole"]}})() for run in lead]
    assert best_method("psnr_raw_whole", compare(psnr, ["psnr_raw_whole"], 0), 3) == 2
    assert best_method("psnr_raw_whole", compare(psnr[::-1], ["psnr_raw_whole"], 0), 3) == 0


@pytest.mark.parametrize(
    ("low", "high", "lower", "higher"),
    [(0.1, 0.2, 8, 5), (-0.2, -0.1, 5, 8), (-0.1, 0.2, None, None), (0.0, 0.2, None, None), (-0.2, 0.0, None, None),
     (None, None, None, None)],
)  # fmt: skip
def test_an_interval_that_holds_zero_or_ends_there_is_no_lead(low, high, lower, higher):
    estimate = {"value": 0.05, "low": low, "high": high, "n": 9}
    assert Difference("mse_raw_whole", 5, 8, estimate).better == lower
    assert Difference("psnr_raw_whole", 5, 8, estimate).better == higher


def test_an_image_that_one_method_has_no_value_for_is_left_out_of_the_pair():
    a, b = torch.tensor([1.0, 2.0, torch.nan]), torch.tensor([0.0, torch.nan, 1.0])
    difference = paired_difference(a, b, 0)
    assert (difference["value"], difference["n"]) == (1, 1)


def test_costs_are_in_all_three_tables_with_a_dash_for_missing_values(command, scored, tmp_path):
    cost = {
        "parameters": 6890400, "gflop": 20.236, "seconds_per_image": 0.01234, "batch_size": 12,
        "peak_memory_bytes": 3 * 2**29, "peak_memory_of": "inpainting", "device": "cuda (H100)", "threads": 1,
    }  # fmt: skip
    known = altered(scored, tmp_path, "known", lambda record: record.update(name="known", cost=cost))
    older = altered(scored, tmp_path, "older", lambda record: [record.update(name="older"), record.pop("cost")])
    outcome = report(command, scored, tmp_path, known, older, "telea")
    assert outcome.status == 0, outcome.err
    table = (tmp_path / "report/table.md").read_text()
    assert "| method | parameters | GFLOP an image | ms an image | peak memory (MiB) | device |" in table
    assert "| known | 6,890,400 | 20.24 | 12.3 | 1,536 | cuda (H100) |" in table
    assert "| older | - | - | - | - | - |" in table
    tex = (tmp_path / "report/cost.tex").read_text()
    assert r"known & 6,890,400 & 20.24 & 12.3 & 1,536 & cuda (H100) \\" in tex
    with (tmp_path / "report/table.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert (rows["known"]["gflop"], rows["known"]["seconds_per_image"]) == ("20.236", "0.01234")
    assert (rows["older"]["gflop"], rows["older"]["device"]) == ("", "")
    assert float(rows["telea"]["seconds_per_image"]) > 0


def test_runs_of_older_versions_alone_have_no_table_of_costs(command, scored, tmp_path):
    older = altered(scored, tmp_path, "older", lambda record: record.pop("cost"))
    (tmp_path / "report").mkdir()
    for name in ("differences.csv", "cost.tex"):
        (tmp_path / "report" / name).touch()  # of a report of other runs
    assert report(command, scored, tmp_path, older).status == 0
    assert "GFLOP" not in (tmp_path / "report/table.md").read_text()
    assert not (tmp_path / "report/cost.tex").exists()


def test_runs_that_do_not_fit_are_left_out_and_the_others_reported(command, scored, tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = report(command, scored, tmp_path, "mean", "squares", "telea", f"{tmp_path}/empty", f"{tmp_path}/none")
    assert outcome.status == 1
    faults = outcome.err.strip().splitlines()
    assert len(faults) == 3
    assert f"squares: can't be compared with {scored}/mean: different masks (" in faults[0]
    assert "empty: no scores.json in it" in faults[1]
    assert "none: no such folder" in faults[2]
    with (tmp_path / "report/table.csv").open() as file:
        assert {row["method"] for row in csv.DictReader(file)} == {"mean", "telea"}


def test_scores_that_are_broken_are_named(command, scored, tmp_path):
    shutil.copytree(scored / "mean", tmp_path / "broken")
    (tmp_path / "broken/scores.json").write_text("{")
    outcome = report(command, scored, tmp_path, f"{tmp_path}/broken")
    assert outcome.status == 2
    assert "broken: its scores can't be read" in outcome.err
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["scores=[beauty_raw_whole]"], "scores: no run has beauty_raw_whole; available are mse_composite_whole"),
        (["images=masked"], "images=masked: not one of raw, composite"),
        (["intervals=false"], "intervals=False: not one of full, half, none"),
        (["names={telea: Telea}"], "names: no run is called telea; there are mean"),
        (["names={mean: ' '}"], "names.mean= : must have a letter"),
        (["shares=1"], "shares"),
    ],
)
def test_settings_that_cannot_be_used(command, scored, tmp_path, more, says):
    outcome = report(command, scored, tmp_path, "mean", more=more)
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_run_named_twice_is_refused(command, scored, tmp_path):
    outcome = report(command, scored, tmp_path, "mean", "mean")
    assert outcome.status == 2
    assert "the same folder is listed twice" in outcome.err


def test_the_folder_of_scores_is_not_written_over_but_a_report_is(command, scored, tmp_path):
    shutil.copytree(scored / "mean", tmp_path / "ev")
    before = {path: path.read_bytes() for path in (tmp_path / "ev").rglob("*") if path.is_file()}
    outcome = command("report", f"runs=[{tmp_path}/ev]", f"output={tmp_path}/ev")
    assert outcome.status == 2
    assert outcome.err == f"error: output={tmp_path}/ev: holds what evaluate wrote; choose another folder\n"
    assert {path: path.read_bytes() for path in (tmp_path / "ev").rglob("*") if path.is_file()} == before
    for _ in range(2):
        assert report(command, scored, tmp_path, "mean").status == 0


def test_outputs_without_error_come_first_in_every_score(command, scored, tmp_path):
    assert json.loads((scored / "originals/scores.json").read_text())["scores"]["psnr_composite_whole"]["value"] == 100
    assert report(command, scored, tmp_path, "mean", "originals", "telea").status == 0
    with (tmp_path / "report/table.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["score"] == "psnr" and row["region"] == "whole"]
    assert {row["method"]: row["best"] for row in rows} == {"mean": "0", "Y": "1", "telea": "0"}
    assert {row["method"]: (row["value"], row["low"]) for row in rows}["Y"] == ("100.0", "100.0")


def test_methods_of_one_name_are_told_apart_by_their_folders(command, scored, tmp_path):
    shutil.copytree(scored / "mean", tmp_path / "again")
    assert report(command, scored, tmp_path, "mean", f"{tmp_path}/again").status == 0
    table = (tmp_path / "report/table.md").read_text()
    assert "| mean (again) |" in table
    assert "| mean (mean) |" in table
    shutil.copytree(scored / "mean", tmp_path / "deep/mean")
    assert report(command, scored, tmp_path, "mean", f"{tmp_path}/deep/mean").status == 0
    assert "| mean (deep/mean) |" in (tmp_path / "report/table.md").read_text()


def test_any_score_can_be_reported(command, scored, tmp_path):
    more = ["scores=[psnr_pooled_raw_whole,ssim_composite_hole]"]
    assert report(command, scored, tmp_path, "mean", "telea", more=more).status == 0
    table = (tmp_path / "report/table.md").read_text()
    assert "pooled PSNR (dB), raw, whole | SSIM, composite, hole |" in table


def test_a_finished_training_run_is_reported_as_it_is(command, tiny_run, tmp_path):
    outcome = command("report", f"runs={tiny_run}", f"output={tmp_path}/report")
    assert outcome.status == 0, outcome.err
    assert "| authors2018 | " in (tmp_path / "report/table.md").read_text()


def test_other_loggers_than_wandb_are_refused(command, tmp_path):
    outcome = command("report", f"runs=[{tmp_path}]", f"output={tmp_path}/report", "logger=[wandb,tensorboard]")
    assert outcome.status == 2
    assert "error: logger=tensorboard: a report can be logged to W&B alone; give logger=wandb" in outcome.err
    assert not (tmp_path / "report").exists()


def test_wandb_gets_the_table_and_the_images(command, scored, tmp_path):
    more = ["logger=wandb", "logger.wandb.mode=offline"]
    outcome = report(command, scored, tmp_path, "mean", "telea", more=more)
    assert outcome.status == 0, outcome.err
    (run,) = (tmp_path / "report/wandb").glob("offline-run-*")
    media = {path.suffix for path in (run / "files/media").rglob("*") if path.is_file()}
    assert media == {".json", ".png"}
    (table,) = (run / "files/media/table").rglob("table*.json")
    content = json.loads(table.read_text())
    assert content["columns"][0] == "method"
    assert [row[0] for row in content["data"]] == ["mean", "telea"]
    (costs,) = (run / "files/media/table").rglob("cost*.json")
    assert [row[:3] for row in json.loads(costs.read_text())["data"]] == [["mean", "-", "-"], ["telea", "-", "-"]]


def test_a_missing_chart_library_is_named(command, scored, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    outcome = report(command, scored, tmp_path, "mean", curves=True)
    assert outcome.status == 1
    assert "pip install 'pose-inpaint[charts]'" in outcome.err
    assert (tmp_path / "report/table.md").is_file()
    assert (tmp_path / "report/contact_sheet.png").is_file()


def altered(scored, tmp_path, name, change):
    """A copy of a scored run with a changed record."""
    shutil.copytree(scored / "mean", tmp_path / name)
    record = json.loads((tmp_path / name / "scores.json").read_text())
    change(record)
    (tmp_path / name / "scores.json").write_text(json.dumps(record))
    return tmp_path / name


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: record["metric"].update(mse={"other": 1}), "mse has the settings {'other': 1}, in "),
        (lambda record: record.update(split="val"), "telea: different split (val, not test); score both with the same"),
        (lambda record: record["data"].update(sha256="0" * 64), "telea: different data (000000000000, not "),
    ],
)
def test_scores_with_other_settings_are_not_compared(command, scored, tmp_path, change, says):
    other = altered(scored, tmp_path, "other", change)
    outcome = report(command, scored, tmp_path, "telea", other)
    assert outcome.status == 1
    assert says in outcome.err


def test_poses_of_two_estimators_are_not_compared_even_after_a_run_without_any(command, scored, tmp_path):
    a, b = (
        altered(
            scored, tmp_path, name, lambda r, n=name: r.update(pose={"estimator": n, "reference": "estimated"})
        )
        for name in ("a", "b")
    )  # fmt: skip
    outcome = report(command, scored, tmp_path, "telea", a, b)
    assert outcome.status == 1
    assert f"runs: {b}: poses by b, estimated reference, those of {a} by a, estimated reference" in outcome.err


def test_scores_without_a_value_per_image_have_no_curves(command, scored, tmp_path):
    (tmp_path / "report").mkdir()
    for name in ("differences.csv", "curves.png", "curves.pdf", "groups.md"):
        (tmp_path / "report" / name).touch()  # of a report of other scores
    outcome = report(command, scored, tmp_path, "mean", more=["scores=[psnr_pooled_raw_whole]"], curves=True)
    assert outcome.status == 0, outcome.err
    assert not {"curves.png", "curves.pdf", "groups.md", "groups.csv"} & {
        p.name for p in (tmp_path / "report").iterdir()
    }
