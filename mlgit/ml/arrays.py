"""The type of arrays in the statistics."""

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
"""An array of any type and shape."""
