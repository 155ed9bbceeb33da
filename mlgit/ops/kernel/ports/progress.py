"""How a long operation reports how far it is."""

from collections.abc import Callable

Progress = Callable[[int], None]
"""Is called with a count, of commits or of records, whenever more of them are done."""
