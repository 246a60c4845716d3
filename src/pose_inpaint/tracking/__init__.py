"""What a run leaves: lock, status, history, provenance, checkpoint files, W&B."""
