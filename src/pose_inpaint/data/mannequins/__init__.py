"""Data set of procedurally drawn people that needs no download."""

from pose_inpaint.data.mannequins.scene import Mannequin, draw
from pose_inpaint.data.mannequins.skeleton import MPII_JOINTS
from pose_inpaint.data.mannequins.writer import prepare

__all__ = ["MPII_JOINTS", "Mannequin", "draw", "prepare"]
