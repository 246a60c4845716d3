"""Classical methods, without training. Each is an `Inpainter`."""
