"""`datasets/<dataset>/dataset.yaml`: the contract of a dataset."""

from datetime import date
from typing import Annotated, Literal

import msgspec

from mlgit.domain.names import Duration, FilePath, Line, Name, Text
from mlgit.domain.records.base import NonNegativeInt, Record, RecordPart, describe

ColumnType = Literal["integer", "number", "string", "boolean", "date", "datetime", "unknown"]
"""The type of a column; `unknown` while no value of it was seen."""


class ColumnRule(RecordPart, frozen=True, kw_only=True):
    """Constraints on every value of a column."""

    type: Annotated[
        ColumnType, describe("Type of the values; `unknown` allows none: name the type once there are some.")
    ]
    nullable: Annotated[bool, describe("Whether values may be missing.")] = True
    unique: Annotated[bool, describe("Whether each value may occur only once.")] = False
    min: Annotated[float | None, describe("Smallest value allowed.")] = None
    max: Annotated[float | None, describe("Largest value allowed.")] = None
    in_: Annotated[list[str | int | float | bool] | None, describe("The values allowed.")] = msgspec.field(
        default=None, name="in"
    )
    pattern: Annotated[Line | None, describe("Regular expression that the whole text must match.")] = None
    null_words: Annotated[
        list[Line], describe("In a CSV file, the texts that mean that a value is missing, beside the empty one.")
    ] = []


class CsvFormat(RecordPart, frozen=True, kw_only=True):
    """How a CSV file is written."""

    delimiter: Annotated[Literal[",", ";", "\t", "|"], describe("Character between the fields of a row.")] = ","
    decimal: Annotated[Literal[".", ","], describe("Character between the digits of a number.")] = "."
    quote: Annotated[Literal['"', "'"], describe("Character around fields that contain others.")] = '"'
    encoding: Annotated[Literal["utf-8", "utf-16", "windows-1252"], describe("Encoding of its text.")] = "utf-8"


class Freshness(RecordPart, frozen=True, kw_only=True):
    """Maximum age of the data."""

    column: Annotated[Line, describe("Column with the date or time of a row.")]
    max_age: Annotated[Duration, describe("Maximum age of the newest row.")]


class RowCount(RecordPart, frozen=True, kw_only=True):
    """Limits on the number of rows."""

    min: Annotated[NonNegativeInt, describe("Minimum.")] = 0
    max: Annotated[NonNegativeInt | None, describe("Maximum.")] = None


class Retention(RecordPart, frozen=True, kw_only=True):
    """How long the data may be kept."""

    until: Annotated[date, describe("Last day on which it may be kept.")]
    basis: Annotated[Text | None, describe("Rule or contract that requires it.")] = None


class Revocation(RecordPart, frozen=True, kw_only=True):
    """Withdrawal of the permission to use the data."""

    since: Annotated[date, describe("First day on which it must not be used.")]
    reason: Annotated[Text, describe("Why it was revoked.")]


class Dataset(Record, frozen=True, kw_only=True, tag="dataset"):
    """Named data and its contract; the content is a DVC pointer beside this file."""

    written_by = "people"

    name: Annotated[Name, describe("Name of the dataset.")]
    owner: Annotated[Line, describe("Team or person responsible for it.")]
    path: Annotated[FilePath, describe("The data file, relative to this folder; its pointer is `<path>.dvc`.")]
    classification: Annotated[
        Literal["public", "internal", "personal", "sensitive"], describe("Required level of protection.")
    ] = "internal"
    source: Annotated[Text | None, describe("Where it comes from, and under which license.")] = None
    csv: Annotated[CsvFormat, describe("How the file is written, if it is a CSV file.")] = CsvFormat()
    columns: Annotated[dict[Line, ColumnRule], describe("Every column, with constraints on its values.", min_length=1)]
    extra_columns: Annotated[
        Literal["refuse", "allow"], describe("Whether columns that are not listed violate the contract.")
    ] = "refuse"
    keys: Annotated[list[Line], describe("Columns that together identify a row.")] = []
    rows: Annotated[RowCount, describe("Limits on the number of rows.")] = RowCount()
    freshness: Annotated[Freshness | None, describe("Maximum age of the data.")] = None
    retention: Annotated[Retention | None, describe("How long it may be kept.")] = None
    revoked: Annotated[Revocation | None, describe("Set when it must not be used any more.")] = None
