"""Images, masks, and how they come to the network in batches.

Nothing is imported here: processes that draw mannequins shall not wait for PyTorch.
"""
