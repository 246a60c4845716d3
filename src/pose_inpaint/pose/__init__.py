"""Pose estimation: a common interface, and the estimators that implement it."""

from pose_inpaint.data.joints import JOINTS
from pose_inpaint.pose.estimator import PoseEstimator, Poses

__all__ = ["JOINTS", "PoseEstimator", "Poses"]
