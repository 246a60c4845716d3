"""Images a second of the loader alone: decoded once into the packed cache, against decoded in every epoch.

Usage: python benchmarks/loading.py [FOLDER] [--workers N] [--images N]

FOLDER is in the challenge's layout; without it, embedded mannequins are drawn. Beside the loader stand the images a
second that the package's fastest training steps use, on this machine: forward pass, L1 loss, backward pass and Adam,
without the other losses and the discriminator, which only make a step slower.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable

import torch
from measure import machine, ratios, seconds_in_turn
from torch import nn
from torch.nn import functional as F

from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.data.masks import Squares
from pose_inpaint.data.sources import Chalearn, Mannequins
from pose_inpaint.models.networks import residual_unet, unet2018
from pose_inpaint.types import Batch

SIZE, BATCH = 128, 16
STEPS = {
    "residual_unet, width 32, batch 16": (lambda: residual_unet.Generator(32), 16),
    "unet2018, width 16, batch 12": (lambda: unet2018.Generator(16), 12),
}


def epoch(data: InpaintingData) -> Callable[[], object]:
    """Return a function that reads an epoch of training images, a new one each time."""
    loader = data.train_dataloader()
    epochs = iter(range(10**9))

    def read() -> None:
        loader.sampler.set_epoch(next(epochs))  # type: ignore[attr-defined]
        for _ in loader:
            pass

    return read


def step(build: Callable[[], nn.Module], images: int, device: str) -> Callable[[], object]:
    """Return a function that makes a training step with the fewest losses."""
    network = build().to(device)
    optimizer = torch.optim.Adam(network.parameters())
    mask = torch.zeros(images, 1, SIZE, SIZE, device=device)
    mask[..., 32:96, 32:96] = 1
    batch = Batch(torch.rand(images, 3, SIZE, SIZE, device=device) * 2 - 1, mask, ("",) * images)

    def train() -> None:
        optimizer.zero_grad()
        F.l1_loss(network(batch.known, batch.mask).raw[:, -1], batch.target).backward()
        optimizer.step()

    return train


def per_second(images: int, seconds: list[float]) -> str:
    """Images a second: median, least and largest."""
    rates = [images / each for each in seconds]
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="images in the challenge's layout; default: mannequins")
    parser.add_argument("--workers", type=int, default=0, help="data.workers; 0: the main process (default)")
    parser.add_argument("--images", type=int, default=800, help="images in an epoch (default 800)")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    source = (
        Chalearn(arguments.folder) if arguments.folder else Mannequins({"train": arguments.images, "val": 0, "test": 0})
    )
    with tempfile.TemporaryDirectory() as cache:
        os.environ["POSE_INPAINT_CACHE"] = cache  # so that decoding is not skipped
        ways = {
            name: InpaintingData(
                source, Squares(1), SIZE, BATCH, arguments.workers, 1, limit=arguments.images, packed=packed
            )
            for name, packed in (("decoded in each epoch", False), ("packed", True))
        }
        seconds = seconds_in_turn({name: epoch(data) for name, data in ways.items()})
    images = len(ways["packed"].images("train")) // BATCH * BATCH
    steps = {name: (count, step(build, count, device)) for name, (build, count) in STEPS.items()}
    taken = seconds_in_turn({name: train for name, (_, train) in steps.items()})
    print(f"{machine()}; {images} images of {SIZE}x{SIZE}, data.workers={arguments.workers}\n")
    print("| | images a second | packed loader is faster by |\n|---|---|---|")
    for name in ("packed", "decoded in each epoch"):
        ratio = ratios(seconds[name], seconds["packed"]) if name != "packed" else ""
        print(f"| loader, {name} | {per_second(images, seconds[name])} | {ratio} |")
    for name, (count, _) in steps.items():
        each = [images / count * second for second in taken[name]]  # as long as for all images
        print(f"| training step of {name} | {per_second(images, each)} | {ratios(each, seconds['packed'])} |")


if __name__ == "__main__":
    main()
