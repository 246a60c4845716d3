"""Lightning callbacks: checkpoints, sample images, collapse warnings."""
