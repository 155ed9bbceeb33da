"""Propose, approve, merge: the way of a version into an environment."""
