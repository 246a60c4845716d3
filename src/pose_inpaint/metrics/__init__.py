"""Scores as torchmetrics `Metric` classes with `update(batch, output)`."""

from pose_inpaint.metrics.distortion import DSSIM, MSE, PSNR, SSIM, PooledPSNR
from pose_inpaint.metrics.per_image import ImageMetric
from pose_inpaint.metrics.pose import PCK, WNJD, PeopleFound

__all__ = ["DSSIM", "MSE", "PCK", "PSNR", "SSIM", "WNJD", "ImageMetric", "PeopleFound", "PooledPSNR"]
