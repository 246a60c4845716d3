"""Sweeps over a training's settings."""
