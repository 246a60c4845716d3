"""Sweeps and benchmarks: many runs with one command."""
