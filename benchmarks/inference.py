"""Time of `predict`'s pipeline against reading, inpainting and writing one photo after the other.

python benchmarks/inference.py [PHOTOS] [SIDE]: number of photos, and their side in pixels.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from measure import machine, ratios, seconds_in_turn, spread
from PIL import Image

from pose_inpaint.data.images import to_image
from pose_inpaint.data.photos import read_photo, save_photo
from pose_inpaint.evaluation.photo_files import PhotoFile, inpaint_files
from pose_inpaint.models.inference import ImageInpainter
from pose_inpaint.models.pretrained import Pretrained


def main(count: int = 64, side: int = 64) -> None:
    """Print both times and their ratio as a Markdown table."""
    images = ImageInpainter(Pretrained().eval(), 128)
    hole = torch.zeros(side, side, dtype=torch.bool)
    hole[side // 4 : side // 2, side // 4 : side // 2] = True
    with tempfile.TemporaryDirectory() as folder:
        files = [(f"{i}.jpg", Path(folder) / f"{i}.jpg", Path(folder) / f"{i}.png") for i in range(count)]
        rng = np.random.default_rng(0)
        for _, source, _ in files:
            Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(source, quality=95)

        def read(file: PhotoFile) -> None:
            file.photo, file.holes = read_photo(file.source), hole

        def write(file: PhotoFile) -> None:
            save_photo(to_image(file.output), file.target)

        def one_by_one() -> None:
            for _, source, target in files:
                save_photo(to_image(images.composite(read_photo(source).pixels, hole)[0]), target)

        def pipeline() -> None:
            def together(pairs: list) -> list:
                return [each[0] for each in images.many(pairs)]

            inpaint_files((PhotoFile(*file) for file in files), read, together, write)

        seconds = seconds_in_turn({"one by one": one_by_one, "pipeline": pipeline})
    print(machine())
    print(f"\n| {count} photos of {side} x {side} | ms per photo |\n|---|---|")
    for way, each in seconds.items():
        print(f"| {way} | {spread(each, per=count)} |")
    print(f"\nRatio: {ratios(seconds['one by one'], seconds['pipeline'])}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
