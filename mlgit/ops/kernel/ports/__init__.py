"""What operations ask of the outside world, a module for each neighbour. Edges fill these in; tests use dicts and constants."""
