"""Records of a run: lock, status, history, provenance, checkpoint files, W&B."""
