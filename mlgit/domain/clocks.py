"""How far clocks may differ."""

from datetime import timedelta
from typing import Final

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""How far the clocks of two machines may differ, such as those of a signer and of whoever appends to the ledger."""
