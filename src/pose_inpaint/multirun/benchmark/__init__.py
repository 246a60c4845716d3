"""Trains, scores and reports many methods."""
