"""Counts of a text or boolean column in fixed categories; counts of several tables can be added."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_MAX_CATEGORIES = 1000  # of a column
_TEXT_BUDGET = 12_000  # characters for the categories of all columns of a table,
_TEXT_BUDGET_PER_COLUMN = 3_500  # or this for each of its columns, if that is more
_OVERHEAD = 10  # characters of a category in a file beside its text
_MAX_EXAMPLES = 10  # of other values
_MAX_EXAMPLE_LENGTH = 40
_ALWAYS_CATEGORICAL = 20  # a column with no more distinct values is categorical, however few rows it has


class CategoricalProfile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="categories", tag_field="kind"
):
    """Counts of a text or boolean column.

    Attributes:
        n: rows with a value.
        missing: rows without a value.
        counts: rows of each category, by its text. Empty for a column that identifies rows rather than groups them.
        other: rows with any other value.
        other_examples: the first of these values in order of text, at most 10 of 40 characters; none without categories.
    """

    n: int
    missing: int
    counts: dict[str, int]
    other: int
    other_examples: tuple[str, ...] = ()


def texts_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as texts, null where a value is missing (or NaN); the name of its type where it cannot be text."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    try:
        return pc.cast(column, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pc.if_else(pc.is_valid(column), f"({column.type})", pa.scalar(None, pa.string()))


def choose_categories(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, CategoricalProfile]:
    """Return categories for each column of a table, nothing counted yet.

    They are the most frequent values: up to 1,000, halved until the texts of the table fit the budget.
    """
    ranked = {name: _ranked(texts_of(column)) for name, column in columns.items()}
    budget = max(_TEXT_BUDGET, _TEXT_BUDGET_PER_COLUMN * len(columns))
    limit = _MAX_CATEGORIES
    while sum(_size(texts[:limit]) for texts in ranked.values()) > budget:
        limit //= 2
    return {
        name: CategoricalProfile(n=0, missing=0, counts=dict.fromkeys(sorted(texts[:limit]), 0), other=0)
        for name, texts in ranked.items()
    }


def count_categories(reference: CategoricalProfile, column: pa.ChunkedArray) -> CategoricalProfile:
    """Return the counts of a column in the categories of the reference."""
    texts = texts_of(column)
    tally = _tally(texts)
    counts = {text: tally.get(text, 0) for text in reference.counts}
    present = len(texts) - texts.null_count
    others = {text[:_MAX_EXAMPLE_LENGTH] for text in tally.keys() - counts.keys()} if counts else set[str]()
    return msgspec.structs.replace(
        reference,
        n=present,
        missing=texts.null_count,
        counts=counts,
        other=present - sum(counts.values()),
        other_examples=tuple(sorted(others)[:_MAX_EXAMPLES]),
    )


def merge_categories(left: CategoricalProfile, right: CategoricalProfile) -> CategoricalProfile:
    """Return the counts of two columns together; both have the same categories."""
    # The first few of a union are among the first few of its parts, so the order of merges makes no difference.
    examples = sorted({*left.other_examples, *right.other_examples})[:_MAX_EXAMPLES]
    return msgspec.structs.replace(
        left,
        n=left.n + right.n,
        missing=left.missing + right.missing,
        counts={text: rows + right.counts[text] for text, rows in left.counts.items()},
        other=left.other + right.other,
        other_examples=tuple(examples),
    )


def _tally(texts: pa.ChunkedArray) -> dict[str, int]:
    """Return how often each text occurs."""
    tally: Any = pc.value_counts(pc.drop_null(texts))
    pairs = zip(tally.field("values").to_pylist(), tally.field("counts").to_pylist(), strict=True)
    return cast("dict[str, int]", dict(pairs))


def _ranked(texts: pa.ChunkedArray) -> list[str]:
    """Return the distinct texts, most frequent first; none if most of them occur once.

    Such a column identifies rows, and names (possibly of people) do not belong into a reference.
    """
    tally = _tally(texts)
    if len(tally) > max(_ALWAYS_CATEGORICAL, len(texts) / 2):
        return []
    return sorted(tally, key=lambda text: (-tally[text], text))


def _size(texts: Iterable[str]) -> int:
    return sum(len(msgspec.json.encode(text)) + _OVERHEAD for text in texts)
