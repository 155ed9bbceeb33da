"""Train a model, and register the result as an immutable version."""
