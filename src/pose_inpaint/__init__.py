"""Restores missing parts of photos of people.

The method of Pandey and Patel (ChaLearn LAP Inpainting 2018, Track 1) and what it is measured against, as a PyTorch
Lightning experiment package with Hydra configs. Inpaint with ``load("pretrained")(image, mask)``, train with
``python -m pose_inpaint.train +experiment=quickstart``.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pose_inpaint.api import Model, load
    from pose_inpaint.errors import InputError

__all__ = ["InputError", "Model", "__version__", "load"]

try:
    __version__ = version("pose-inpaint")
except PackageNotFoundError:  # run from src/ without being installed
    __version__ = "unknown"


def __getattr__(name: str) -> Any:
    """Import what `__all__` names when it is first used: commands must start without PyTorch."""
    if name in ("Model", "load"):
        from pose_inpaint import api

        return getattr(api, name)
    if name == "InputError":
        from pose_inpaint.errors import InputError

        return InputError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
