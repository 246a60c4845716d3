"""Networks: completing ones (each an `Inpainter`) and discriminators (pictures in, logits out)."""
