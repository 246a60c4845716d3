"""Networks: completing ones (each an `Inpainter`) and critics (pictures in, logits out)."""
