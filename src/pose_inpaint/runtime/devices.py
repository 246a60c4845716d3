"""Devices: which one to compute on, and whether the ones asked for exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.ranks import devices_wanted

if TYPE_CHECKING:
    from collections.abc import Mapping


def choose_device(name: str) -> torch.device:
    """A device by name; "auto" takes a GPU if there is one.

    Raises:
        InputError: PyTorch has no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={name}: not to be had here ({str(error).splitlines()[0]}); try device=cpu") from error
    return device


def check_devices(trainer: Mapping[str, Any]) -> None:
    """Whether this machine has the devices, before anything else is done.

    Raises:
        InputError: it has not.
    """
    wanted = trainer.get("accelerator", "auto")
    have_mps = torch.backends.mps.is_available()
    there = {"gpu": torch.cuda.is_available() or have_mps, "cuda": torch.cuda.is_available(), "mps": have_mps}
    if not there.get(wanted, True):
        raise InputError(
            f"trainer.accelerator={wanted}: PyTorch finds none here; choose trainer=cpu, or see to its drivers"
        )
    devices, found = devices_wanted(trainer), torch.cuda.device_count()
    if wanted in ("gpu", "cuda") and devices > max(1, found):
        raise InputError(f"trainer.devices={trainer['devices']}: there are {found} GPUs here; give as many or fewer")
    if trainer.get("sync_batchnorm") and wanted in ("cpu", "mps"):
        raise InputError(
            f"trainer.sync_batchnorm=true: PyTorch has it for NVIDIA's GPUs only, not for {wanted}; give false"
        )
