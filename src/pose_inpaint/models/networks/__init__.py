"""Inpainting networks (each an `Inpainter`) and discriminators (images in, logits out)."""
