"""Systems that complete pictures without learning. Each is an `Inpainter`."""
