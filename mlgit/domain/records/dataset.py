"""`datasets/<dataset>/dataset.yaml`: the contract that data must keep."""

from datetime import date
from typing import Annotated, Literal

import msgspec

from mlgit.domain.names import Duration, Line, Name, RelativePath, Text
from mlgit.domain.records.base import Count, Part, Record, doc

ColumnType = Literal["integer", "number", "string", "boolean", "date", "datetime"]


class Column(Part, frozen=True, kw_only=True):
    """What every value of a column must be."""

    type: Annotated[ColumnType, doc("Type of the values.")]
    nullable: Annotated[bool, doc("Whether values may be missing.")] = True
    unique: Annotated[bool, doc("Whether no value may occur twice.")] = False
    min: Annotated[float | None, doc("Smallest value allowed.")] = None
    max: Annotated[float | None, doc("Largest value allowed.")] = None
    in_: Annotated[list[str | int | float | bool] | None, doc("The values allowed.")] = msgspec.field(
        default=None, name="in"
    )
    pattern: Annotated[Line | None, doc("Regular expression that the whole text must match.")] = None


class Freshness(Part, frozen=True, kw_only=True):
    """How old data may be."""

    column: Annotated[Line, doc("The column that says when a row is from.")]
    max_age: Annotated[Duration, doc("How old the newest row may be.")]


class Rows(Part, frozen=True, kw_only=True):
    """How many rows there must be."""

    min: Annotated[Count, doc("At least.")] = 0
    max: Annotated[Count | None, doc("At most.")] = None


class Retention(Part, frozen=True, kw_only=True):
    """How long data is kept."""

    until: Annotated[date, doc("The day after which it must be gone.")]
    basis: Annotated[Text | None, doc("The rule or contract that says so.")] = None


class Revocation(Part, frozen=True, kw_only=True):
    """Data that may not be used any more."""

    since: Annotated[date, doc("From this day on.")]
    reason: Annotated[Text, doc("Why.")]


class Dataset(Record, frozen=True, kw_only=True, tag="dataset"):
    """Named data and the contract that it keeps; the content is a DVC pointer beside this file."""

    written_by = "people"

    name: Annotated[Name, doc("Name of the dataset.")]
    owner: Annotated[Line, doc("Team or person that answers for it.")]
    path: Annotated[RelativePath, doc("The data file, relative to this folder; its pointer is `<path>.dvc`.")]
    classification: Annotated[
        Literal["public", "internal", "personal", "sensitive"], doc("How it must be protected.")
    ] = "internal"
    source: Annotated[Text | None, doc("Where it comes from, and under which licence.")] = None
    columns: Annotated[dict[Line, Column], doc("Every column, and what its values must be.", min_length=1)]
    extra_columns: Annotated[Literal["refuse", "allow"], doc("What to do with columns that are not listed.")] = "refuse"
    keys: Annotated[list[Line], doc("Columns that together name a row.")] = []
    rows: Annotated[Rows, doc("How many rows there must be.")] = Rows()
    freshness: Annotated[Freshness | None, doc("How old it may be.")] = None
    retention: Annotated[Retention | None, doc("How long it is kept.")] = None
    revoked: Annotated[Revocation | None, doc("Set when it may not be used any more.")] = None
