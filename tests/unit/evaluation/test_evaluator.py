import csv

import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.evaluator import score
from pose_inpaint.evaluation.scores import mask_ratio_groups, source_of
from pose_inpaint.metrics import MSE, PSNR, PooledPSNR
from pose_inpaint.models.classical.constant_fill import MeanFill
from pose_inpaint.types import Batch, InpaintingOutput, Source


def black(batch):
    return InpaintingOutput(torch.full_like(batch.target, -1)[:, None])


@pytest.fixture
def batches():
    """Four grey images of 5x20 with 10, 20, 30 and 70 masked pixels; filled with black, their MSE is 0.25."""
    images = []
    for name, masked in (("a", 10), ("b", 20), ("c", 30), ("d", 70)):
        mask = (torch.arange(100) < masked).float().view(1, 1, 5, 20)
        images.append(Batch(torch.zeros(1, 3, 5, 20), mask, (name,)))
    return images


METRICS = {"mse_composite_whole": ("composite", "whole"), "mse_raw_hole": ("raw", "hole")}


def take(batches, inpaint=black):
    return score(inpaint, batches, {name: MSE(*kind) for name, kind in METRICS.items()})


def test_scores_by_hand(batches):
    summary = take(batches).summary((0, 0.2, 0.5, 1.0))
    assert summary["n"] == 4
    assert summary["mean_mask_ratio"] == pytest.approx(0.325)
    assert summary["scores"]["mse_raw_hole"]["value"] == pytest.approx(0.25)
    assert summary["scores"]["mse_composite_whole"]["value"] == pytest.approx(0.25 * 0.325)
    assert {label: group.n for label, group in summary["by_mask_ratio"].items()} == {
        "0-20%": 1,
        "20-50%": 2,
        "50-100%": 1,
    }
    group = summary["by_mask_ratio"]["20-50%"].scores
    assert group["mse_composite_whole"]["value"] == pytest.approx(0.25 * 0.25)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("ccp_0001.png", "ccp"), ("LSP-12.png", "lsp"), ("im0042.jpg", "im"), ("sub/mpii_7.png", "mpii"),
        ("lsp_1/ccp_2.png", "ccp"), ("0042.png", "other"), ("photo.png", "other"), ("_a1.png", "other"),
    ],
)  # fmt: skip
def test_the_source_of_an_image_is_how_its_name_begins(name, source):
    assert source_of(name) == source


def test_groups_by_mask_ratio_hold_their_lower_edge_and_the_last_one_also_1():
    ratios = torch.tensor([0.0, 0.1, 0.3, 0.5, 0.999, 1.0])
    groups = mask_ratio_groups(ratios, (0.1, 0.5, 1.0))
    assert {label: group.tolist() for label, group in groups.items()} == {
        "10-50%": [False, True, True, False, False, False],
        "50-100%": [False, False, False, True, True, True],
    }
    assert mask_ratio_groups(ratios, (0.0, 0.5))["0-50%"].tolist() == [True, True, True, False, False, False]


def test_scores_by_source_and_copies_by_hand(batches, tmp_path):
    names = ("ccp_1.png", "lsp_1.png", "ccp_2.png", "other.png")
    batches = [Batch(batch.target, batch.mask, (name,)) for batch, name in zip(batches, names, strict=True)]

    def copying(batch):
        second = Source("second", 1.0, near_duplicate=True)
        source = Source(f"of {batch.names[0]}", 3.0, near_duplicate=batch.names[0].startswith("ccp"))
        return InpaintingOutput(black(batch).raw, sources=((source, second),))

    scores = take(batches, copying)
    summary = scores.summary((0, 1.0))
    groups = summary["by_source"]
    assert {name: group.n for name, group in groups.items()} == {"ccp": 2, "lsp": 1, "other": 1}
    assert groups["ccp"].mean_mask_ratio == pytest.approx(0.2)
    assert groups["ccp"].scores["mse_composite_whole"]["value"] == pytest.approx(0.25 * 0.2)
    assert summary["sources"].near_duplicates == 2
    assert summary["sources"].of_images["lsp_1.png"] == {
        "name": "of lsp_1.png", "distance": 3.0, "near_duplicate": False
    }  # fmt: skip
    assert take(batches).summary((0, 1.0))["sources"] is None
    scores.write_csv(tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["source"], row["mask_ratio"]) for row in rows] == [
        ("ccp", "0.100000"), ("lsp", "0.200000"), ("ccp", "0.300000"), ("other", "0.700000"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["mse_raw_hole", "psnr_raw_hole"])
def test_images_without_a_value_are_ranked_last(name):
    metric = (PSNR if name.startswith("psnr") else MSE)("raw", "hole")
    masks = [torch.zeros(1, 1, 4, 6), torch.ones(1, 1, 4, 6), torch.ones(1, 1, 4, 6)]  # the first has no hole
    whole = [Batch(torch.zeros(1, 3, 4, 6), mask, (str(i),)) for i, mask in enumerate(masks)]
    levels = {"0": 0.0, "1": 0.5, "2": 0.1}
    scores = score(
        lambda batch: InpaintingOutput(torch.full_like(batch.target, levels[batch.names[0]])[:, None]),
        whole, {name: metric},
    )  # fmt: skip
    assert scores.ranked(name) == [2, 1, 0]
    assert scores.over()[name]["n"] == 2


def test_a_row_for_each_image(batches, tmp_path):
    take(batches).write_csv(tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["a", "b", "c", "d"]
    assert [float(row["mse_composite_whole"]) for row in rows] == pytest.approx([0.025, 0.05, 0.075, 0.175])


def test_ranking_knows_which_way_is_better(batches):
    assert take(batches).ranked("mse_composite_whole") == [0, 1, 2, 3]
    psnr = score(black, batches, {"psnr_composite_whole": PSNR(), "psnr_pooled_composite_whole": PooledPSNR()})
    assert psnr.ranked("psnr_composite_whole") == [0, 1, 2, 3]
    with pytest.raises(InputError, match=r"sheet\.rank_by=psnr_pooled_composite_whole: not one of psnr_composite"):
        psnr.ranked("psnr_pooled_composite_whole")


def test_masks_digest_tells_masks_apart(batches):
    assert take(batches).masks_sha256 == take(batches).masks_sha256 != take(batches[::-1]).masks_sha256


def test_blind_images_cannot_be_scored(batches):
    blind = Batch(torch.full((1, 3, 5, 20), torch.nan), torch.ones(1, 1, 5, 20), ("blind.png",))
    with pytest.raises(InputError, match=r"blind\.png: no original"):
        take([*batches, blind])


def test_a_broken_method_is_named_with_its_image(batches):
    def broken(batch):
        return InpaintingOutput(torch.full_like(batch.target, torch.nan)[:, None])

    with pytest.raises(InputError, match="a: its output has NaN or infinite values"):
        take(batches, broken)


def test_mean_fill_by_hand():
    known = torch.tensor([0.0, 0.5, -1, -1]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    mask = torch.tensor([0.0, 0, 1, 1]).view(1, 1, 2, 2)
    assert MeanFill()(known, mask).raw[0, 0, 0].flatten().tolist() == [0, 0.5, 0.25, 0.25]
    assert MeanFill()(known, torch.ones_like(mask)).raw.eq(0).all()


def test_each_image_is_inpainted_once(batches):
    seen = []

    def inpaint(batch):
        seen.extend(batch.names)
        return black(batch)

    take(batches, inpaint)
    assert seen == ["a", "b", "c", "d"]
