"""Everything that inpaints: networks, classical methods and their layers."""
