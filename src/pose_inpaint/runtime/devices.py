"""Choice of a device, and checks that the requested devices exist."""

from collections.abc import Mapping
from typing import Any

import torch

from pose_inpaint.errors import InputError, first_line
from pose_inpaint.runtime.ranks import devices_wanted


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


def check_devices(trainer: Mapping[str, Any]) -> None:
    """Raise `InputError` unless this machine has the devices and features of the trainer's settings."""
    wanted = trainer.get("accelerator", "auto")
    have_mps = torch.backends.mps.is_available()
    available = {"gpu": torch.cuda.is_available() or have_mps, "cuda": torch.cuda.is_available(), "mps": have_mps}
    if not available.get(wanted, True):
        raise InputError(
            f"trainer.accelerator={wanted}: PyTorch finds no such device; choose trainer=cpu, or check the drivers"
        )
    devices, gpus = devices_wanted(trainer), torch.cuda.device_count()
    if wanted in ("gpu", "cuda") and devices > max(1, gpus):
        raise InputError(f"trainer.devices={trainer['devices']}: this machine has {gpus} GPUs; give at most that many")
    if trainer.get("sync_batchnorm") and wanted in ("cpu", "mps"):
        raise InputError(
            f"trainer.sync_batchnorm=true: PyTorch supports it on NVIDIA GPUs only, not on {wanted}; give false"
        )
