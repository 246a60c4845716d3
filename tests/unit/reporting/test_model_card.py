"""Cards of released weights, row by row."""

import dataclasses

import pytest

from pose_inpaint.evaluation.scores_file import Dataset, ScoresFile
from pose_inpaint.reporting.model_card import LIMITS, Released, model_card

CONFIG = {
    "seed": 7, "model": {"_target_": "a.Generator", "width": 4, "skips": True},
    "data": {"size": 96, "batch_size": 3}, "ema": {"decay": 0.99},
    "optim": {"lr": 0.0005, "schedule": "cosine", "optimizer": {"_target_": "torch.optim.AdamW"}},
    "schedule": {"phases": [{"name": name, "terms": ["hole", name]} for name in ("warm", "gan", "more")]},
}  # fmt: skip
ESTIMATE = {"value": 0.25, "low": 0.125, "high": 0.5, "n": 3}
FILE = ScoresFile(
    name="small", split="test", data=Dataset("people", "0" * 64), seed=1, n=3, masks_sha256="1" * 64,
    mean_mask_ratio=0.25, metric={}, scores={}, of_sets={}, by_mask_ratio={}, by_source={}, seconds={},
)  # fmt: skip
RELEASED = Released("small", CONFIG, 12345, "fp16", "Their terms.", "f" * 64)


def rows(card):
    cells = [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in cells}


@pytest.mark.parametrize(
    ("phase", "shown"),
    [
        (None, "warm (hole, warm), gan (hole, gan), more (hole, more)"), ("warm", "warm (hole, warm)"),
        ("gan", "warm (hole, warm), gan (hole, gan)"),
    ],
)  # fmt: skip
def test_settings_are_those_that_made_the_weights(phase, shown):
    trained = {} if phase is None else {"phase": phase, "batches": 12000, "minutes": 2.5, "images_per_step": 24}
    found = rows(model_card(dataclasses.replace(RELEASED, config={**CONFIG, "trained": trained}), []))
    assert found["phases"] == [shown]
    assert found["images per step"] == ["24" if trained else "3"]
    assert found.get("training") == (["12,000 batches, 2.5 minutes"] if trained else None)
    expected = {
        "network": "a.Generator", "its settings": "width 4, skips True", "image side": "96 pixels",
        "optimizer": "torch.optim.AdamW, learning rate 0.0005, schedule cosine", "moving average": "0.99",
        "parameters": "12,345, stored as fp16", "seed": "7",
    }  # fmt: skip
    assert {key: found[key] for key in expected} == {key: [value] for key, value in expected.items()}


def test_scores_are_those_of_holes_and_poses_with_their_intervals():
    names = ("mse_composite_hole", "ssim_raw_hole", "pck_composite_hole")
    scored = dataclasses.replace(FILE, scores=dict.fromkeys(names, ESTIMATE))
    other = dataclasses.replace(FILE, split="val", n=9, scores={"mse_composite_hole": ESTIMATE})
    found = rows(model_card(RELEASED, [scored, other]))
    assert found["images"] == ["MSE, composite, hole", "PCK@0.2, composite, masked joints"]
    shown = "0.2500 [0.1250, 0.5000]"
    assert found["people, test, n = 3"] == [shown, shown]
    assert found["people, val, n = 9"] == [shown, "-"]


def test_a_card_says_what_it_may_not_be_used_for_and_where_it_is_from():
    card = model_card(RELEASED, [])
    for text in ("# small\n", "Their terms.", "Not scored yet.", LIMITS, "`{sha256}`", f"made from: `{'f' * 64}`"):
        assert text in card
    assert LIMITS not in model_card(dataclasses.replace(RELEASED, limits="Only for cats."), [])
    assert "Only for cats." in model_card(dataclasses.replace(RELEASED, limits="Only for cats."), [])
