"""Train, score and compare many methods."""
