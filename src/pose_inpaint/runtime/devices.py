"""Choice of a device, and checks that the requested devices exist."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from pose_inpaint.errors import InputError, first_line
from pose_inpaint.runtime.ranks import devices_wanted

INSIST = "POSE_INPAINT_MORE_PROCESSES"


def choose_device(name: str) -> torch.device:
    """Return a device by name, "auto" for a GPU if there is one; raise `InputError` if it is not available."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={name}: not available ({first_line(error)}); try device=cpu") from error
    return device


def check_process_count(setting: str, count: int) -> None:
    """Raise `InputError` if a setting asks for more processes that compute than this machine has cores.

    Each imports PyTorch and keeps it in memory. The environment variable `POSE_INPAINT_MORE_PROCESSES` lifts the limit.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count > cores and not os.environ.get(INSIST):
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
        memory = f" and {size / 2**30:.0f} GiB of memory" if size else ""
        raise InputError(
            f"{setting}: {count} processes of about a GiB each, but this machine has {cores} CPU "
            f"core{'s' if cores > 1 else ''}{memory}; give at most {cores}, or set {INSIST}=1 to insist"
        )


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception of Python, PyTorch or OpenCV says that memory ran out, on any device."""
    # On a CPU, PyTorch raises a plain RuntimeError.
    says = ("can't allocate memory", "out of memory", "insufficient memory")
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in says)


@contextmanager
def explained_memory(way_out: str) -> Iterator[None]:
    """Raise `InputError` with a way out, in place of the allocator's error, if memory runs out in the block."""
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError) or not is_out_of_memory(error):
            raise
        raise InputError(f"out of memory ({first_line(error)}); {way_out}") from error


def check_devices(trainer: Mapping[str, Any]) -> None:
    """Raise `InputError` unless this machine has the devices and features of the trainer's settings."""
    wanted = trainer.get("accelerator", "auto")
    have_mps = torch.backends.mps.is_available()
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "mps" if have_mps else "cpu"
    available = {"gpu": torch.cuda.is_available() or have_mps, "cuda": torch.cuda.is_available(), "mps": have_mps}
    if not available.get(wanted, True):
        raise InputError(
            f"trainer.accelerator={wanted}: PyTorch finds no such device; choose trainer=cpu, or check the drivers"
        )
    devices, gpus = devices_wanted(trainer), torch.cuda.device_count()
    if wanted in ("gpu", "cuda") and devices > max(1, gpus):
        raise InputError(f"trainer.devices={trainer['devices']}: this machine has {gpus} GPUs; give at most that many")
    if wanted == "cpu":
        check_process_count(f"trainer.devices={trainer.get('devices')}", devices)
    if trainer.get("sync_batchnorm") and wanted in ("cpu", "mps"):
        raise InputError(
            f"trainer.sync_batchnorm=true: PyTorch supports it on NVIDIA GPUs only, not on {wanted}; give false"
        )
