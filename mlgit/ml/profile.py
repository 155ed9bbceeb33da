"""The profile of a table: counts of its columns, which can be added.

Built once from the training table, it is the reference that later data is compared with. This fixes its bins and
categories; other tables are counted in the same ones, whole or in parts, and such profiles are merged by adding.
"""

import re
from typing import TYPE_CHECKING, Literal, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlgit.domain.hidden import escaped
from mlgit.ml.categorical import CategoricalProfile, choose_categories, count_categories, merge_categories, texts_of
from mlgit.ml.numeric import (
    NumericProfile,
    add,
    bins_of,
    choose_bins,
    count_numbers,
    is_countable,
    is_numeric,
    merge_numbers,
    values_of,
)

if TYPE_CHECKING:  # not needed at run time, and importing pandas takes longer than a small table does
    import pandas as pd

__all__ = ["CategoricalProfile", "NumericProfile", "TableProfile", "build", "count", "from_json", "merge", "to_json"]

_ROW_NUMBER = re.compile(r"__index_level_\d+__")
_MAX_CLASSES = 20  # an integer label with more distinct values is a regression target, not a class


class TableProfile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="profile", tag_field="kind"
):
    """Counts of a table.

    Attributes:
        schema: version of this format.
        rows: rows of the table.
        columns: each column by name, the score and the label among them.
        score: name of the column with the score, if there is one.
        label: name of the column with the label, if there is one.
        joint: for each label that is a category, the rows in each bin of the score; None without such a pair.
    """

    schema: Literal[1] = 1
    rows: int
    columns: dict[str, NumericProfile | CategoricalProfile]
    score: str | None = None
    label: str | None = None
    joint: dict[str, tuple[int, ...]] | None = None


def is_row_number(name: str) -> bool:
    """Return whether a column has the name under which pandas stores row numbers: those of an index without a name."""
    return _ROW_NUMBER.fullmatch(name) is not None


def build(table: "pa.Table | pd.DataFrame", score: str | None = None, label: str | None = None) -> TableProfile:
    """Return the profile of a table, with bins and categories chosen for it.

    Args:
        table: the training table.
        score: name of its column with the model's score.
        label: name of its column with the label. Texts, booleans and up to 20 distinct integers are classes.

    Raises:
        ValueError: there is no such column, or the score is not a number.
    """
    arrow = _arrow(table)
    for name in (score, label):
        if name is not None and name not in arrow.column_names:
            raise ValueError(f"there is no column {name!r} to profile")
    if score is not None and not is_numeric(arrow[score]):
        raise ValueError(f"the score {score!r} is not a number")
    numeric = [
        name
        for name in arrow.column_names
        if is_numeric(arrow[name]) and not (name == label and _few_whole_numbers(arrow[name]))
    ]
    chosen: dict[str, NumericProfile | CategoricalProfile] = {name: choose_bins(arrow[name]) for name in numeric}
    chosen |= choose_categories({name: arrow[name] for name in arrow.column_names if name not in chosen})
    joint = None
    if score is not None and label is not None and isinstance(classes := chosen[label], CategoricalProfile):
        joint = dict.fromkeys(classes.counts, (0,) * len(chosen[score].counts))
    columns = {name: chosen[name] for name in sorted(chosen)}
    return count(TableProfile(rows=0, columns=columns, score=score, label=label, joint=joint), arrow)


def count(profile: TableProfile, table: "pa.Table | pd.DataFrame") -> TableProfile:
    """Return the profile of another table in the bins and categories of this one.

    A column that the table lacks counts as missing in every row; columns that the profile lacks are ignored.

    Raises:
        ValueError: a numeric column has values of another type.
    """
    arrow = _arrow(table)
    columns: dict[str, NumericProfile | CategoricalProfile] = {}
    for name, reference in profile.columns.items():
        column = _column(arrow, name)
        if isinstance(reference, CategoricalProfile):
            columns[name] = count_categories(reference, column)
            continue
        try:
            columns[name] = count_numbers(reference, column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ValueError(f"column {name!r} has type {column.type}, and its profile is numeric") from error
    return msgspec.structs.replace(profile, rows=arrow.num_rows, columns=columns, joint=_count_joint(profile, arrow))


def merge(left: TableProfile, right: TableProfile) -> TableProfile:
    """Return the profile of two tables together. The order matters only for the last digits of the sums.

    Raises:
        ValueError: the two do not have the same columns, bins and categories.
    """
    if _shape(left) != _shape(right):
        raise ValueError("profiles can only be merged if they have the same columns, bins and categories")
    columns: dict[str, NumericProfile | CategoricalProfile] = {}
    for name, column in left.columns.items():
        if isinstance(column, NumericProfile):
            columns[name] = merge_numbers(column, cast("NumericProfile", right.columns[name]))
        else:
            columns[name] = merge_categories(column, cast("CategoricalProfile", right.columns[name]))
    joint = None
    if left.joint is not None and right.joint is not None:
        joint = {name: add(counts, right.joint[name]) for name, counts in left.joint.items()}
    return msgspec.structs.replace(left, rows=left.rows + right.rows, columns=columns, joint=joint)


def to_json(profile: TableProfile) -> bytes:
    """Write a profile as JSON with one line for each column, so that a changed column is a changed line."""
    document = msgspec.to_builtins(profile, order="sorted")
    columns = ",\n".join(_entry(name, column) for name, column in document.pop("columns").items())
    rest = ",\n".join(_entry(name, value) for name, value in document.items())
    return escaped(f'{{\n"columns":{{\n{columns}\n}},\n{rest}\n}}\n', pairs=True).encode()


def from_json(content: bytes) -> TableProfile:
    """Read a profile.

    Raises:
        msgspec.MsgspecError: the content is not a profile.
    """
    return msgspec.json.decode(content, type=TableProfile)


def _entry(name: str, value: object) -> str:
    return f"{msgspec.json.encode(name).decode()}:{msgspec.json.encode(value).decode()}"


def _arrow(table: "pa.Table | pd.DataFrame") -> pa.Table:
    return table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    return table[name] if name in table.column_names else pa.chunked_array([pa.nulls(table.num_rows)])


def _few_whole_numbers(column: pa.ChunkedArray) -> bool:
    values = values_of(column)
    distinct = np.unique(values[is_countable(values)])
    return len(distinct) <= _MAX_CLASSES and bool((distinct == np.round(distinct)).all())


def _count_joint(profile: TableProfile, table: pa.Table) -> dict[str, tuple[int, ...]] | None:
    """Count rows by label and bin of the score, without rows that lack either or have another label."""
    if profile.joint is None:
        return None
    score, label = cast("str", profile.score), cast("str", profile.label)
    scores, labels = values_of(_column(table, score)), texts_of(_column(table, label))
    joint = {}
    for name, counts in profile.joint.items():
        selected = (values_of(pc.equal(labels, name)) == 1) & is_countable(scores)
        bins = bins_of(cast("NumericProfile", profile.columns[score]), scores[selected])
        joint[name] = tuple(np.bincount(bins, minlength=len(counts)).tolist())
    return joint


def _shape(profile: TableProfile) -> object:
    """Return what must be equal in two profiles so that they can be merged."""
    columns = {
        name: (column.edges, column.unit) if isinstance(column, NumericProfile) else set(column.counts)
        for name, column in profile.columns.items()
    }
    joint = None if profile.joint is None else set(profile.joint)
    return columns, profile.score, profile.label, joint
