"""Signed exceptions to the rules (overrides, standing approvals), and holds."""
