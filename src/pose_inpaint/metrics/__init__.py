"""Scores. Each is a torchmetrics `Metric` with `update(batch, completion)`."""

from pose_inpaint.metrics.distortion import DSSIM, MSE, PSNR, SSIM, PooledPSNR
from pose_inpaint.metrics.per_picture import PictureMetric

__all__ = ["DSSIM", "MSE", "PSNR", "SSIM", "PictureMetric", "PooledPSNR"]
