"""Images, masks and data loading.

This module imports nothing, so that the processes that draw mannequins don't have to import PyTorch.
"""
