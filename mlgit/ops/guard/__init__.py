"""Verify a push before a Git server takes it."""
