"""Training step, schedule, trainer, checkpoints, resuming."""
