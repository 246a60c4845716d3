"""Restores missing parts of photos of people.

The method of Pandey and Patel (ChaLearn LAP Inpainting 2018, Track 1) and what it is measured against, as a PyTorch
Lightning experiment package with Hydra configs. Start with ``python -m pose_inpaint.train +experiment=quickstart``.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pose-inpaint")
except PackageNotFoundError:  # run from src/ without being installed
    __version__ = "unknown"
