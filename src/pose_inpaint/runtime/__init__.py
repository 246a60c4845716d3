"""Processes, ranks, signals, devices, files and hashes."""
