"""Building blocks that any network may use."""
