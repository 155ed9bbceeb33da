"""Data contracts: check a table against one, and draft one from a table."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlgit.domain import layout
from mlgit.domain.names import seconds
from mlgit.domain.records import Dataset
from mlgit.domain.records.dataset import ColumnRule
from mlgit.domain.results import ContractViolation
from mlgit.errors import Location, refused
from mlgit.ops.project import new

if TYPE_CHECKING:
    from pandas import DataFrame

_MARGIN: Final = 2.0  # a limit is so many times as far from zero as the observed values
_KEY = re.compile(r"(^|[_\W])([Ii][Dd]|[Kk]ey|KEY)$|[a-z](Id|ID|Key)$")


class ContractDraft(NamedTuple):
    """A draft of a contract: the rule of each column as YAML in flow style, the keys, and the minimum number of rows."""

    columns: dict[str, str]
    keys: list[str]
    rows: int


def check_contract(contract: Dataset, frame: "DataFrame", *, at: datetime) -> list[ContractViolation]:
    """Return the violations of a contract in a table.

    Args:
        contract: the dataset record.
        frame: the table.
        at: time of the check, for freshness.

    Raises:
        MlgitError: a pattern of the contract is not a regular expression (`pattern-invalid`).
    """
    from mlgit.ml.contract import check_table  # noqa: PLC0415 - pandas

    freshness = contract.freshness
    try:
        violations = check_table(
            frame,
            contract.columns,
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
        violations = [violation for violation in violations if violation.rule != "column-extra"]
    return violations


def draft_contract(frame: "DataFrame", file: str) -> ContractDraft:
    """Draft a contract that a table satisfies, with a margin.

    Args:
        frame: the table.
        file: its path, for messages.

    Raises:
        MlgitError: a column has values of a type that contracts do not have (`column-type-unsupported`).
    """
    from mlgit.ml import contract  # noqa: PLC0415 - pandas

    try:
        rules = contract.draft_rules(frame)
    except ValueError as error:
        raise refused(
            "column-type-unsupported",
            f"{file} cannot be described by a contract",
            why=str(error),
            fix="give every column values of one type: integer, number, string, boolean, date or datetime",
        ) from error
    key = next((name for name, rule in rules.items() if rule.unique and _KEY.search(name)), None)
    return ContractDraft(
        columns={name: _rule(rule, is_key=name == key) for name, rule in rules.items()},
        keys=[] if key is None else [key],
        rows=int(_round_to_digit(len(frame) / _MARGIN, math.floor)),
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


def _rule(rule: ColumnRule, *, is_key: bool) -> str:
    """Format the rule of a column as YAML, with a margin around observed values."""
    return f"{{{', '.join(f'{key}: {value}' for key, value in _parts(rule, is_key=is_key))}}}"


def _parts(rule: ColumnRule, *, is_key: bool) -> Iterator[tuple[str, Any]]:
    yield "type", rule.type
    if not rule.nullable:
        yield "nullable", "false"
    if is_key:
        yield "unique", "true"
    elif rule.min is not None and rule.max is not None:  # keys keep growing
        low, high = limits_with_margin(rule.min, rule.max)
        yield from (("min", low), ("max", high))
    if rule.in_ is not None:
        yield "in", f"[{', '.join(new.scalar(str(value)) for value in rule.in_)}]"


def _round_to_digit(value: float, to_int: Callable[[float], int]) -> float:
    """Round to one significant digit, up or down; to an integer if possible."""
    if value == 0:
        return 0
    unit = 10.0 ** math.floor(math.log10(abs(value)))
    rounded = to_int(value / unit) * unit
    return int(rounded) if rounded == int(rounded) else float(f"{rounded:.0e}")
