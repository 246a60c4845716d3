"""Cost of inpainting an image: parameters, arithmetic, time, memory."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pose_inpaint.types import Inpainter


class Meter:
    """Time and GPU memory of inpainting on a device, batch by batch.

    `gpu_peak` is the peak memory that PyTorch had allocated on the GPU during a batch, in bytes; None on other devices.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.gpu_peak: int | None = None
        self._batches: list[tuple[int, float]] = []

    @contextmanager
    def measuring(self, images: int) -> Iterator[None]:
        """Measure a block that inpaints a number of images."""
        wait_for(self.device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        started = time.perf_counter()
        yield
        wait_for(self.device)
        self._batches.append((images, time.perf_counter() - started))
        if self.device.type == "cuda":
            self.gpu_peak = max(self.gpu_peak or 0, torch.cuda.max_memory_allocated(self.device))

    @property
    def seconds(self) -> float:
        """Seconds of all batches together."""
        return sum(seconds for _, seconds in self._batches)

    @property
    def seconds_per_image(self) -> float | None:
        """Mean over the images, without the first batch, which warms up, if there are others."""
        counted = self._batches[1:] or self._batches
        images = sum(count for count, _ in counted)
        return sum(seconds for _, seconds in counted) / images if images else None


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished; kernels are only queued when a call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def describe_cost(
    meter: Meter,
    network: nn.Module | None,
    size: int,
    batch_size: int,
    *,
    inpainter: Inpainter | None = None,
    reads_files: bool = False,
) -> dict[str, Any]:
    """Block `cost` of `scores.json`.

    Args:
        meter: Meter of the inpainting.
        network: Network of the method, on its device and in evaluation mode; None for other methods.
        size: Side of the images in pixels.
        batch_size: Number of images that were inpainted at a time.
        inpainter: What runs the network, if it isn't the network alone.
        reads_files: Whether outputs were read from files, so that time and memory are not the method's.
    """
    gpu = meter.device.type == "cuda"
    peak = meter.gpu_peak if gpu else resident_peak()
    return {
        "parameters": None if network is None else sum(parameter.numel() for parameter in network.parameters()),
        "gflop": None if network is None else count_flop(inpainter or network, size, meter.device) / 1e9,
        "seconds_per_image": None if reads_files else meter.seconds_per_image,
        "batch_size": batch_size,
        "peak_memory_bytes": None if reads_files else peak,
        "peak_memory_of": "inpainting, allocated on the GPU" if gpu else "the whole process, resident",
        "device": f"{meter.device.type} ({torch.cuda.get_device_name(meter.device)})" if gpu else meter.device.type,
        "threads": torch.get_num_threads(),
    }


def count_flop(inpainter: Inpainter, size: int, device: torch.device | str) -> int:
    """Floating-point operations of inpainting one image; a multiply-add counts as two.

    As in `torch.utils.flop_counter`, sums, normalisation and activations don't count.
    """
    known, mask = torch.zeros(1, 3, size, size, device=device), torch.zeros(1, 1, size, size, device=device)
    mask[..., size // 4 : size // 2, size // 4 : size // 2] = 1
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        inpainter(known, mask)
    return int(counter.get_total_flops())


def resident_peak() -> int | None:
    """Peak resident memory of this process in bytes; None on Windows."""
    try:
        import resource
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB
