"""Train, and register what was trained as an immutable version."""
