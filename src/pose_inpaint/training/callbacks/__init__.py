"""What happens around training: checkpoints, sample images."""
