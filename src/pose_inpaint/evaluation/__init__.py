"""Scores one model on one split."""
