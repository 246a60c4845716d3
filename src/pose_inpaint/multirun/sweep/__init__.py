"""Sweeps over training settings."""
