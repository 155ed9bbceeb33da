"""Contracts of datasets: what in a table breaks one, and how one for a table might begin."""

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

_ROOM: Final = 2.0  # a limit lies this many times as far from zero as what was seen
_KEY = re.compile(r"(^|[_\W])([Ii][Dd]|[Kk]ey|KEY)$|[a-z](Id|ID|Key)$")


class ContractDraft(NamedTuple):
    """How a contract might begin: the rule of each column as YAML in flow style, the keys, and the least number of rows."""

    columns: dict[str, str]
    keys: list[str]
    rows: int


def check_contract(contract: Dataset, frame: "DataFrame", *, at: datetime) -> list[ContractViolation]:
    """Return every rule of a contract that a table breaks, as of a moment.

    Raises:
        MlgitError: a pattern of the contract is no regular expression (`pattern-invalid`).
    """
    from mlgit.ml.contract import check_table  # noqa: PLC0415 - pandas

    fresh = contract.freshness
    try:
        found = check_table(
            frame,
            contract.columns,
            keys=contract.keys,
            rows_min=contract.rows.min,
            rows_max=contract.rows.max,
            freshness_column=fresh.column if fresh is not None else None,
            max_age_seconds=seconds(fresh.max_age) if fresh is not None else None,
            now=at,
        )
    except ValueError as error:
        raise refused(
            "pattern-invalid",
            f"the contract of {contract.name} cannot be judged",
            why=str(error),
            fix="correct the pattern; it is a regular expression of Python",
            at=Location(layout.dataset(contract.name)),
        ) from error
    if contract.extra_columns == "allow":
        found = [violation for violation in found if violation.rule != "column-extra"]
    return found


def draft_contract(frame: "DataFrame", file: str) -> ContractDraft:
    """Return a start for the contract of a table: what it looks like today, with some room.

    Args:
        frame: the table.
        file: where it is from, for the finding.

    Raises:
        MlgitError: a column has values that no contract can ask for (`column-unfit`).
    """
    from mlgit.ml import contract  # noqa: PLC0415 - pandas

    try:
        facts = contract.draft_rules(frame)
    except ValueError as error:
        raise refused(
            "column-unfit",
            f"{file} cannot be described by a contract",
            why=str(error),
            fix="give every column values of one type: integer, number, string, boolean, date or datetime",
        ) from error
    key = next((name for name, rule in facts.items() if rule.unique and _KEY.search(name)), None)
    return ContractDraft(
        columns={name: _rule(rule, is_key=name == key) for name, rule in facts.items()},
        keys=[] if key is None else [key],
        rows=int(_nice(len(frame) / _ROOM, math.floor)),
    )


def limits_with_margin(low: float, high: float) -> tuple[float, float]:
    """Return limits with room around what was seen.

    Args:
        low: the smallest number seen.
        high: the largest.

    Returns:
        0 where nothing lies below, 1 where all is between 0 and 1, else round numbers further out.
    """
    lower = 0 if low >= 0 else _nice(low * _ROOM, math.floor)
    upper = 0 if high <= 0 else 1 if high <= 1 and low >= 0 else _nice(high * _ROOM, math.ceil)
    return lower, upper


def _rule(rule: ColumnRule, *, is_key: bool) -> str:
    """Write the rule of a column from what it looks like, with room beyond what was seen."""
    return f"{{{', '.join(f'{key}: {value}' for key, value in _parts(rule, is_key=is_key))}}}"


def _parts(rule: ColumnRule, *, is_key: bool) -> Iterator[tuple[str, Any]]:
    yield "type", rule.type
    if not rule.nullable:
        yield "nullable", "false"
    if is_key:
        yield "unique", "true"
    elif rule.min is not None and rule.max is not None:  # numbers that name rows go on and on
        low, high = limits_with_margin(rule.min, rule.max)
        yield from (("min", low), ("max", high))
    if rule.in_ is not None:
        yield "in", f"[{', '.join(new.scalar(str(value)) for value in rule.in_)}]"


def _nice(value: float, to_whole: Callable[[float], int]) -> float:
    """Round to one digit, up or down; whole where it can be."""
    if value == 0:
        return 0
    unit = 10.0 ** math.floor(math.log10(abs(value)))
    rounded = to_whole(value / unit) * unit
    return int(rounded) if rounded == int(rounded) else float(f"{rounded:.0e}")
