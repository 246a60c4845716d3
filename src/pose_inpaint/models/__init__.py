"""Inpainting models: networks, classical methods and their layers."""
