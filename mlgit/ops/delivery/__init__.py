"""Make environments run what the base branch says."""
