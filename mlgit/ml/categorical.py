"""Counts of a column of texts or booleans in fixed categories, which can be added."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_MOST = 1000  # categories of a column
_TEXT_IN_ALL = 12_000  # characters for the categories of all columns of a table,
_TEXT_PER_COLUMN = 3_500  # or this for each of its columns, if that is more
_AROUND = 10  # characters that a category takes in a file beside its text
_EXAMPLES = 10  # other values that are kept,
_LONGEST_EXAMPLE = 40  # and characters of each
_FEW = 20  # a column with no more distinct values groups its rows, however few there are


class CategoricalProfile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="categories", tag_field="kind"
):
    """Counts of a column of texts or booleans.

    Attributes:
        n: rows with a value.
        missing: rows without.
        counts: rows of each category, by its text. Empty for a column that rather names its rows than groups them.
        other: rows with any other value.
        other_examples: the first of these values by text, at most 10, cut at 40 characters; none without categories.
    """

    n: int
    missing: int
    counts: dict[str, int]
    other: int
    other_examples: tuple[str, ...] = ()


def texts_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as texts, null where a value is missing (or NaN); the name of its type where it has no texts."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    try:
        return pc.cast(column, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pc.if_else(pc.is_valid(column), f"({column.type})", pa.scalar(None, pa.string()))


def choose_categories(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, CategoricalProfile]:
    """Return categories for each column of a table, nothing counted yet.

    They are the most frequent values, up to 1,000, or half, a quarter ... of that until the table's texts fit a file.
    """
    ranked = {name: _ranked(texts_of(column)) for name, column in columns.items()}
    budget = max(_TEXT_IN_ALL, _TEXT_PER_COLUMN * len(columns))
    most = _MOST
    while sum(_size(texts[:most]) for texts in ranked.values()) > budget:
        most //= 2
    return {
        name: CategoricalProfile(n=0, missing=0, counts=dict.fromkeys(sorted(texts[:most]), 0), other=0)
        for name, texts in ranked.items()
    }


def count_categories(reference: CategoricalProfile, column: pa.ChunkedArray) -> CategoricalProfile:
    """Return the counts of a column in the categories of the reference."""
    texts = texts_of(column)
    tally = _tally(texts)
    counts = {text: tally.get(text, 0) for text in reference.counts}
    present = len(texts) - texts.null_count
    others = {text[:_LONGEST_EXAMPLE] for text in tally.keys() - counts.keys()} if counts else set[str]()
    return msgspec.structs.replace(
        reference,
        n=present,
        missing=texts.null_count,
        counts=counts,
        other=present - sum(counts.values()),
        other_examples=tuple(sorted(others)[:_EXAMPLES]),
    )


def merge_categories(one: CategoricalProfile, other: CategoricalProfile) -> CategoricalProfile:
    """Return the counts of two columns together; both have the same categories."""
    # The first few of a union are among the first few of its parts: this, too, is the same in any order.
    examples = sorted({*one.other_examples, *other.other_examples})[:_EXAMPLES]
    return msgspec.structs.replace(
        one,
        n=one.n + other.n,
        missing=one.missing + other.missing,
        counts={text: rows + other.counts[text] for text, rows in one.counts.items()},
        other=one.other + other.other,
        other_examples=tuple(examples),
    )


def _tally(texts: pa.ChunkedArray) -> dict[str, int]:
    """Return how often each text occurs."""
    tally: Any = pc.value_counts(pc.drop_null(texts))
    pairs = zip(tally.field("values").to_pylist(), tally.field("counts").to_pylist(), strict=True)
    return cast("dict[str, int]", dict(pairs))


def _ranked(texts: pa.ChunkedArray) -> list[str]:
    """Return the distinct texts, most frequent first; none where they mostly occur once.

    A column like that names rows, and names (which may be those of people) do not belong into a reference.
    """
    tally = _tally(texts)
    if len(tally) > max(_FEW, len(texts) / 2):
        return []
    return sorted(tally, key=lambda text: (-tally[text], text))


def _size(texts: Iterable[str]) -> int:
    return sum(len(msgspec.json.encode(text)) + _AROUND for text in texts)
