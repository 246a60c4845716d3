"""Where people's joints are in an image: one small interface, and the estimators behind it."""

from pose_inpaint.data.joints import JOINTS
from pose_inpaint.pose.estimator import PoseEstimator, Poses

__all__ = ["JOINTS", "PoseEstimator", "Poses"]
