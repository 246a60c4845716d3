"""Ratios of two ways to do the same work, measured in turn within one process, with the spread of the runs."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CPUINFO = Path("/proc/cpuinfo")


def seconds_in_turn(ways: Mapping[str, Callable[[], object]], *, runs: int = 5) -> dict[str, list[float]]:
    """Time each way `runs` times, in turn, after one run of each that isn't counted.

    Taking turns lets whatever else the machine does fall on all ways alike.

    Args:
        ways: Functions without arguments; a function that works on a GPU is waited for.
        runs: Counted runs of each.

    Returns:
        Seconds of each counted run, by way.
    """
    for way in ways.values():
        _seconds(way)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            taken[name].append(_seconds(way))
    return taken


def ratios(slower: list[float], faster: list[float]) -> str:
    """Median, least and largest ratio of the runs' times, run by run, as "1.42 (1.38 to 1.47)"."""
    each = [a / b for a, b in zip(slower, faster, strict=True)]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def spread(seconds: list[float], *, per: int = 1, unit: float = 1e3) -> str:
    """Median, least and largest time of the runs, divided by `per`, in milliseconds."""
    each = [unit * second / per for second in seconds]
    return f"{statistics.median(each):.1f} ({min(each):.1f} to {max(each):.1f})"


def matrix_rate(dtype: torch.dtype = torch.float32, device: str = "cpu", size: int = 2048) -> float:
    """Rate of this machine's matrix product in FLOP a second, a multiply-add counting as two; the best of five."""
    a = torch.randn(size, size, device=device).to(dtype)
    b = torch.randn(size, size, device=device).to(dtype)
    return 2 * size**3 / min(seconds_in_turn({"product": lambda: a @ b})["product"])


def machine() -> str:
    """One line on the machine: processor, threads, load, versions."""
    name = platform.processor() or platform.machine()
    if CPUINFO.exists():
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    device = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    return f"{name}, {threads}{load}{device}; PyTorch {torch.__version__}"


def _seconds(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
