"""Replay policies on past promotions."""
