"""Compares scored runs: tables, paired intervals, curves."""
