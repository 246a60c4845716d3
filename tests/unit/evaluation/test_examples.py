"""Which images of a scored run are drawn, and what is drawn of them."""

import hashlib
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from pose_inpaint.config.block_schema import ContactSheetSettings
from pose_inpaint.evaluation import examples
from pose_inpaint.evaluation.evaluator import score
from pose_inpaint.evaluation.examples import choose_by_digest, draw_ranked, write_examples
from pose_inpaint.metrics import MSE, PSNR
from pose_inpaint.types import Batch, InpaintingOutput

ERRORS = (0.3, 0.9, 0.1, 0.7, 0.5, 0.2, 0.8, 0.4, 0.6)
BY_ERROR = [2, 5, 0, 7, 4, 8, 3, 6, 1]  # indices from the smallest error to the largest


class Images(list):
    """Grey images of 4 x 6 pixels, half of them masked."""

    def __init__(self):
        mask = torch.zeros(1, 1, 4, 6)
        mask[..., :3] = 1
        super().__init__(Batch(torch.zeros(1, 3, 4, 6), mask, (f"{i}.png",)) for i in range(len(ERRORS)))
        self.records = [SimpleNamespace(name=batch.names[0]) for batch in self]


def inpaint(batch):
    levels = torch.tensor([ERRORS[int(name.split(".")[0])] for name in batch.names])
    return InpaintingOutput(levels.view(-1, 1, 1, 1, 1).expand(-1, 1, 3, 4, 6))


@pytest.mark.parametrize("name", ["mse_raw_whole", "psnr_raw_whole"])
@pytest.mark.parametrize(("each", "median"), [(1, [4]), (2, [7, 4]), (3, [7, 4, 8]), (9, [7, 4, 8])])
def test_best_median_and_worst_images_are_drawn_with_their_scores(monkeypatch, tmp_path, name, each, median):
    drawn = {}

    def draw(rows, captions):
        drawn.update(rows=rows, captions=captions)
        return Image.new("RGB", (1, 1))

    monkeypatch.setattr(examples, "draw_contact_sheet", draw)
    images = Images()
    metric = (MSE if name.startswith("mse") else PSNR)("raw", "whole")
    scores = score(inpaint, images, {name: metric})
    draw_ranked(inpaint, images, ContactSheetSettings(name, each), scores, torch.device("cpu"), str(tmp_path))
    each = min(each, 3)
    chosen = [*BY_ERROR[:each], *median, *BY_ERROR[-each:]]
    labels = ["best"] * each + ["median"] * each + ["worst"] * each
    values = scores.values()[name]
    assert drawn["captions"] == [
        f"{label}: {i}.png  {name} {float(values[i]):.4f}" for label, i in zip(labels, chosen, strict=True)
    ]
    assert drawn["rows"][:, 1, 0, 0, 0].tolist() == pytest.approx([ERRORS[i] for i in chosen])
    assert (tmp_path / "contact_sheet.png").exists()


def test_examples_are_those_of_the_smallest_digests():
    names = [f"{i}.png" for i in range(9)]
    by_digest = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert [names[i] for i in choose_by_digest(names, 4)] == sorted(by_digest[:4])
    assert choose_by_digest(names[:2], 4) == [0, 1]


def test_examples_are_written_each_in_its_folder(tmp_path):
    images = Images()
    write_examples(inpaint, images, 3, torch.device("cpu"), str(tmp_path))
    chosen = choose_by_digest([record.name for record in images.records], 3)
    files = {path.relative_to(tmp_path / "examples").as_posix() for path in tmp_path.rglob("*.png")}
    assert files == {f"{kind}/{i}.png" for kind in ("input", "raw", "composite", "original") for i in chosen}
    for i in chosen:
        level = round((ERRORS[i] + 1) * 127.5)
        expected = {"input": (0, 128), "raw": (level, level), "composite": (level, 128), "original": (128, 128)}
        for kind, pixels in expected.items():
            with Image.open(tmp_path / "examples" / kind / f"{i}.png") as image:
                assert image.size == (6, 4)
                assert tuple(image.getpixel((column, 1))[0] for column in (1, 4)) == pytest.approx(pixels, abs=1)
