"""Configuration: command line, overrides, checked settings."""
