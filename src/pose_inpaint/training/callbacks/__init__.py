"""What happens around training: checkpoints, sample pictures."""
