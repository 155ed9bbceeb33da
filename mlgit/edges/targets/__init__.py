"""Where versions run: one module a kind of target."""
