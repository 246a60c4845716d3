"""Pictures, masks, and how they come to the network in batches."""

from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.data.masks import MaskData, MaskFolder, Squares
from pose_inpaint.data.sources import Chalearn, Folder

__all__ = ["Chalearn", "Folder", "InpaintingData", "MaskData", "MaskFolder", "Squares"]
