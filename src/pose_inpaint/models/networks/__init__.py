"""Networks: inpainting ones (each an `Inpainter`) and discriminators (images in, logits out)."""
