"""Data contracts: check a table against one, and draft one from a table."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import seconds
from mlgit.domain.records import Dataset
from mlgit.domain.records.dataset import ColumnRule, CsvFormat
from mlgit.errors import Location, refused
from mlgit.ops.kernel.ports.data import Tables
from mlgit.ops.project import new

if TYPE_CHECKING:
    from mlgit.ml.contract import ContractResult

_MARGIN: Final = 2.0  # a limit is so many times as far from zero as the observed values
_MAX_EXACT: Final = 2**53  # no measured number has more digits
_KEY = re.compile(r"(^|[_\W])([Ii][Dd]|[Kk]ey|KEY)$|[a-z](Id|ID|Key)$")


class ContractDraft(NamedTuple):
    """A draft of a contract.

    Attributes:
        columns: the rule of each column, as YAML in flow style.
        keys: the columns that together identify a row.
        rows: the minimum number of rows.
        csv: how the file is written, if it is a CSV file.
        notes: by column, what a person should know about its rule.
    """

    columns: dict[str, str]
    keys: list[str]
    rows: int
    csv: CsvFormat | None
    notes: dict[str, str]


def check_contract(tables: Tables, path: Path, contract: Dataset, *, at: datetime) -> "ContractResult":
    """Return the number of rows of a file, and how it violates a contract.

    Args:
        tables: reads the file, in batches.
        path: the file.
        contract: the dataset record.
        at: time of the check, for freshness.

    Raises:
        MlgitError: the file is not a table (`table-unreadable`), or a pattern of the contract is not a regular expression
            (`pattern-invalid`).
    """
    from mlgit.ml.contract import check_table  # noqa: PLC0415 - pyarrow

    freshness = contract.freshness
    source = tables.open(path, contract.csv)
    try:
        result = check_table(
            source,
            contract.columns,
            spill=tables.spill,
            keys=contract.keys,
            rows_min=contract.rows.min,
            rows_max=contract.rows.max,
            freshness_column=freshness.column if freshness is not None else None,
            max_age_seconds=seconds(freshness.max_age) if freshness is not None else None,
            now=at,
        )
    except ValueError as error:
        raise refused(
            "pattern-invalid",
            f"the contract of {contract.name} cannot be checked",
            why=str(error),
            fix="correct the pattern; it must be a Python regular expression",
            at=Location(layout.dataset(contract.name)),
        ) from error
    if contract.extra_columns == "allow":
        listed = [violation for violation in result.violations if violation.rule != "column-extra"]
        result = result._replace(violations=listed)
    return result


def draft_contract(tables: Tables, path: Path, file: str) -> ContractDraft:
    """Draft a contract that all rows of a table satisfy, with a margin.

    Args:
        tables: reads the file, in batches.
        path: the file.
        file: its path, for messages.

    Raises:
        MlgitError: the file is not a table (`table-unreadable`), or a column has a type that contracts do not have
            (`column-type-unsupported`).
    """
    from mlgit.ml.draft import draft  # noqa: PLC0415 - pyarrow

    source = tables.open(path)
    try:
        drafted = draft(source, tables.spill)
    except ValueError as error:
        raise refused(
            "column-type-unsupported",
            f"{file} cannot be described by a contract",
            why=str(error),
            fix="give every column values of one type: integer, number, string, boolean, date or datetime",
        ) from error
    key = _key(drafted.rules)
    return ContractDraft(
        columns={
            name: _yaml(rule, is_identifier=name == key or _is_identifier(name, rule))
            for name, rule in drafted.rules.items()
        },
        keys=[] if key is None else [key],
        rows=int(_round_to_digit(drafted.rows / _MARGIN, math.floor)),
        csv=None if source.csv is None else msgspec.structs.replace(source.csv, decimal=drafted.decimal),
        notes=drafted.notes,
    )


def limits_with_margin(low: float, high: float) -> tuple[float, float]:
    """Return round limits with a margin around observed values.

    Args:
        low: the smallest value.
        high: the largest value.

    Returns:
        Lower and upper limit: 0 if no value is beyond it, 1 if all are from 0 to 1, otherwise round numbers further out.
    """
    lower = 0 if low >= 0 else _round_to_digit(low * _MARGIN, math.floor)
    upper = 0 if high <= 0 else 1 if high <= 1 and low >= 0 else _round_to_digit(high * _MARGIN, math.ceil)
    return lower, upper


def _key(rules: Mapping[str, ColumnRule]) -> str | None:
    """Return the column that identifies a row: one called so, or else the first with a different text in each row."""
    candidates = {name: rule for name, rule in rules.items() if rule.unique and not rule.nullable}
    named = [name for name in candidates if _KEY.search(name)]
    return next(iter(named or [name for name, rule in candidates.items() if rule.type == "string"]), None)


def _is_identifier(name: str, rule: ColumnRule) -> bool:
    """Return whether the values of a column identify something, rather than measure it."""
    return rule.unique and (bool(_KEY.search(name)) or (rule.type == "integer" and (rule.max or 0) > _MAX_EXACT))


def _yaml(rule: ColumnRule, *, is_identifier: bool) -> str:
    """Format the rule of a column as YAML, with a margin around observed values."""
    return f"{{{', '.join(f'{key}: {value}' for key, value in _parts(rule, is_identifier=is_identifier))}}}"


def _parts(rule: ColumnRule, *, is_identifier: bool) -> Iterator[tuple[str, Any]]:
    yield "type", rule.type
    if not rule.nullable:
        yield "nullable", "false"
    if is_identifier:
        yield "unique", "true"
    elif rule.min is not None and rule.max is not None:  # identifiers keep growing
        low, high = limits_with_margin(rule.min, rule.max)
        yield from (("min", low), ("max", high))
    if rule.in_ is not None:
        yield "in", new.flow([str(value) for value in rule.in_])
    if rule.null_words:
        yield "null_words", new.flow(rule.null_words)


def _round_to_digit(value: float, to_int: Callable[[float], int]) -> float:
    """Round to one significant digit, up or down; to an integer if possible."""
    if value == 0:
        return 0
    unit = 10.0 ** math.floor(math.log10(abs(value)))
    rounded = to_int(value / unit) * unit
    return int(rounded) if rounded == int(rounded) else float(f"{rounded:.0e}")
