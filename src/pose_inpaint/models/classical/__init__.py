"""Methods that complete images without learning. Each is an `Inpainter`."""
