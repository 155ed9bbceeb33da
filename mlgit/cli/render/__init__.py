"""Render outcomes for a terminal and for the log of a workflow."""
