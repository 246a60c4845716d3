"""Compare scored runs: tables, paired intervals and curves."""
