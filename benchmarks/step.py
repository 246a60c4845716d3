"""Cost of a training step: the Lightning module in its trainer against a hand-written loop over the same networks.

    python benchmarks/step.py                       # U-Net of width 16 in both phases, residual U-Net; 3 minutes
    python benchmarks/step.py --width 64 --runs 3   # the paper's U-Net
    python benchmarks/step.py --device cuda --width 64 --precision bf16 --vgg16

Prints a Markdown table, then the least work of a step and the share of the machine's own matrix rate that it reaches.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch import Callback
from measure import machine, matrix_rate, ratios, spread
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from pose_inpaint.config.command import CONF
from pose_inpaint.config.schema import TrainSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.losses.perceptual import Perceptual
from pose_inpaint.tracking.history import HistoryLogger
from pose_inpaint.training.callbacks.collapse import CollapseGuard
from pose_inpaint.training.callbacks.epoch_lines import EpochLines
from pose_inpaint.training.callbacks.time_budget import TrainingClock
from pose_inpaint.training.callbacks.timed_checkpoint import ProgressKeeper
from pose_inpaint.training.factory import build_module
from pose_inpaint.training.trainer import build_trainer, quieten
from pose_inpaint.types import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from pose_inpaint.training.lightning_module import InpaintingModule

CASES = {
    "unet2018 reconstruction": ("slides2018", "reconstruction"),
    "unet2018 adversarial": ("slides2018", "adversarial"),
    "residual_unet": ("small_error", "reconstruction"),
}
PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}


def main() -> None:
    """Measure every case."""
    arguments = read_arguments()
    quieten()
    torch.set_num_threads(arguments.threads)
    dtype = torch.bfloat16 if arguments.precision == "bf16" else torch.float32
    rate = matrix_rate(dtype, arguments.device)
    print(f"{machine()}; matrix product {rate / 1e9:.0f} GFLOP/s in {str(dtype).removeprefix('torch.')}\n")
    print("| case | ours, ms per step | hand-written, ms | ours / hand-written | least work, GFLOP | share of rate |")
    print("|---|---|---|---|---|---|")
    works = []
    for case in arguments.cases or CASES:
        ours, by_hand, work = measure(case, arguments)
        share = sum(work.values()) / statistics.median(ours) * arguments.steps / rate
        cells = (spread(ours, per=arguments.steps), spread(by_hand, per=arguments.steps), ratios(ours, by_hand))
        print(f"| {case} | {' | '.join(cells)} | {sum(work.values()) / 1e9:.1f} | {share:.0%} |", flush=True)
        works.append(f"{case}: " + ", ".join(f"{name} {flop / 1e9:.1f}" for name, flop in work.items()))
    print("\nLeast work in GFLOP (a multiply-add is 2): " + "; ".join(works))


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"one of {', '.join(CASES)}; all by default")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--width", type=int, default=16, help="of the 2018 U-Net and its discriminator")
    parser.add_argument("--precision", default="32", choices=PRECISIONS)
    parser.add_argument("--vgg16", action="store_true", help="perceptual term with random weights")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--steps", type=int, help="steps of each run; 1 on a CPU, 20 on a GPU")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - set(CASES):
        parser.error(f"{unknown.pop()}: not one of {', '.join(CASES)}")
    arguments.steps = arguments.steps or (20 if arguments.device == "cuda" else 1)
    return arguments


def read(case: str, arguments: argparse.Namespace) -> TrainSettings:
    """Settings of a case: its experiment's, with one phase."""
    experiment, phase = CASES[case]
    overrides = [
        f"+experiment={experiment}", "run_dir=.", "batchnorm.statistics=running", "trainer.enable_progress_bar=false",
        f"trainer.accelerator={arguments.device}", f"trainer.precision={PRECISIONS[arguments.precision]}",
    ]  # fmt: skip
    if experiment == "slides2018":
        overrides += [f"model.width={arguments.width}", f"discriminator.width={arguments.width}"]
        overrides += ["loss.features.weights=random"] if arguments.vgg16 else ["loss.generator.perceptual.weight=0"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = read_settings(compose("train", overrides), TrainSettings)
    settings.schedule.phases = [each for each in settings.schedule.phases if each.name == phase]
    settings.schedule.phases[0].epochs = 1
    return settings


def measure(case: str, arguments: argparse.Namespace) -> tuple[list[float], list[float], dict[str, int]]:
    """Seconds of each run of ours and by hand, and the least work of a step in FLOP by part."""
    settings = read(case, arguments)
    ours, theirs = (build(settings) for _ in range(2))
    theirs.to(arguments.device)
    batches = [random_batch(settings.data.batch_size, settings.data.size, arguments.device, seed) for seed in range(4)]
    step = hand_written(theirs, settings, arguments.device)
    work = least_work(theirs, batches[0])
    turns = Turns(lambda i: step(batches[i % 4]), arguments.steps, arguments.runs)
    count = arguments.steps * (arguments.runs + 1) + 1
    with tempfile.TemporaryDirectory() as folder:
        callbacks = [
            CollapseGuard(**vars(settings.guard)), ProgressKeeper(Path(folder) / "last.ckpt", 5.0),
            EpochLines(), TrainingClock(), turns,
        ]  # fmt: skip
        trainer = build_trainer(settings.trainer, folder, 1, callbacks, [HistoryLogger(Path(folder), None)])
        trainer.fit(ours, DataLoader([batches[i % 4] for i in range(count)], batch_size=None))  # type: ignore[arg-type]
    return turns.ours, turns.by_hand, work


def build(settings: TrainSettings) -> InpaintingModule:
    """Module with the settings' networks, losses and optimizers; without a data set, the same weights each time."""
    torch.manual_seed(settings.seed)
    data: Any = SimpleNamespace(size=settings.data.size, batch_size=settings.data.batch_size)
    return build_module(settings, data, {})


def random_batch(count: int, size: int, device: str, seed: int) -> Batch:
    """Noise with two square holes in each image."""
    random = torch.Generator().manual_seed(seed)
    target = torch.rand(count, 3, size, size, generator=random) * 2 - 1
    mask = torch.zeros(count, 1, size, size)
    for i in range(count):
        for row, column in torch.randint(size - 32, (2, 2), generator=random).tolist():
            mask[i, :, row : row + 32, column : column + 32] = 1
    return Batch(target, mask, tuple(f"{i}.png" for i in range(count))).to(device)


def hand_written(module: InpaintingModule, settings: TrainSettings, device: str) -> Callable[[Batch], None]:
    """The same step without Lightning, logging, checks and schedules."""
    phase, clip = module.schedule.phases[0], settings.optim.clip_norm
    optimizers = module.configure_optimizers()
    half = settings.trainer["precision"] == PRECISIONS["bf16"]

    def minimise(which: int, network: nn.Module, loss: Callable[[], dict[str, torch.Tensor]]) -> None:
        with torch.autocast(device, torch.bfloat16) if half else nullcontext():
            total = loss()["total"]
        optimizers[which].zero_grad()
        total.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizers[which].step()

    def step(batch: Batch) -> None:
        def generate() -> Any:
            with torch.autocast(device, torch.bfloat16) if half else nullcontext():
                return module.generator(batch.known, batch.mask)

        output, discriminator = generate(), module.discriminator
        if discriminator is not None:
            discriminator.requires_grad_(False)
        minimise(0, module.generator, lambda: module.generator_loss(batch, output, discriminator, phase.terms))
        if module.ema is not None:
            module.ema.update_parameters(module.generator)
        if phase.discriminator and discriminator is not None and module.discriminator_loss is not None:
            loss = module.discriminator_loss
            discriminator.requires_grad_(True)
            with torch.no_grad():
                fresh = generate()
            minimise(1, discriminator, lambda: loss(batch, fresh, discriminator))

    return step


def least_work(module: InpaintingModule, batch: Batch) -> dict[str, int]:
    """FLOP of a step's passes through each network, forward and backward, without what no gradient needs."""
    phase, discriminator = module.schedule.phases[0], module.discriminator
    generator, images = module.generator, batch.target
    terms = module.generator_loss.terms
    work = {"generator": _flop(lambda: generator(batch.known, batch.mask).raw.square().mean().backward())}
    if phase.discriminator and discriminator is not None:
        with torch.no_grad():
            if phase.fresh_output:
                work["generator, fresh output"] = _flop(lambda: generator(batch.known, batch.mask))
        twice = torch.cat([images, images])
        work["discriminator"] = _flop(lambda: discriminator(twice).mean().backward())
        discriminator.requires_grad_(False)
        judged = images.clone().requires_grad_()
        work["discriminator, for the generator"] = _flop(lambda: discriminator(judged).mean().backward())
        discriminator.requires_grad_(True)
    for name in phase.terms:
        if name in terms and isinstance(terms[name], Perceptual):
            compared = images.clone().requires_grad_()
            with torch.no_grad():
                work["VGG16, originals"] = _flop(lambda term=terms[name]: term.features(images))
            work["VGG16, outputs"] = _flop(
                lambda term=terms[name], images=compared: sum(each.mean() for each in term.features(images)).backward()
            )
    module.zero_grad()
    return work


def _flop(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return counter.get_total_flops()


class Turns(Callback):
    """Times runs of the trainer's steps and of the hand-written ones in turn, after one of each that isn't counted."""

    def __init__(self, step: Callable[[int], None], steps: int, runs: int) -> None:
        self.step, self.steps, self.runs = step, steps, runs
        self.ours: list[float] = []
        self.by_hand: list[float] = []
        self._began = 0.0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Between two batches: end a run of the trainer's steps, do one of the others, and begin the next."""
        if batch_idx % self.steps:
            return
        if batch_idx:
            self.ours.append(_now() - self._began)
            began = _now()
            for i in range(self.steps):
                self.step(i)
            self.by_hand.append(_now() - began)
        if batch_idx == self.steps:  # the runs so far warmed up
            self.ours, self.by_hand = [], []
        self._began = _now()


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
