"""The digest of a test split: its rows and their labels."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import pandas as pd


def split_digest(predictions: pd.DataFrame, keys: Sequence[str]) -> str:
    """Return the digest of the keys and labels of a split, independent of the order of its rows.

    Args:
        predictions: a table with the key columns and `label`.
        keys: columns that together identify a row.

    Returns:
        `sha256:<hex>` of the columns as JSON, rows sorted by key.
    """
    ordered = predictions.sort_values(list(keys), kind="stable")
    columns = {name: [_plain(value) for value in ordered[name].tolist()] for name in (*keys, "label")}
    return "sha256:" + hashlib.sha256(msgspec.json.encode(columns)).hexdigest()


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else str(value)
