"""The rules of one column of a contract: values that break them are counted batch by batch."""

import re
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from mlgit.domain.records.dataset import ColumnRule
from mlgit.domain.results import ContractRule, ContractViolation
from mlgit.ml.coltypes import TypedColumn, is_among, is_text, matches, to_times

MAX_EXAMPLES = 3
"""Values that a violation shows."""
_MAX_EXAMPLE_LENGTH = 80  # characters of each
_EXAMPLE_POOL = 1000  # first invalid values of a batch that examples are taken from


class ColumnChecker:
    """Counts the values of a column that break its rules, and keeps examples."""

    def __init__(self, name: str, rule: ColumnRule, *, nullable: bool) -> None:
        """Take the name of the column, its rule, and whether values may be missing.

        Raises:
            ValueError: the pattern of the rule is not a regular expression.
        """
        self.name = name
        self._rule = rule
        self._nullable = nullable
        self._missing = 0
        self._tests = list(_tests(name, rule))
        self._broken = [_Broken(rule_id, fact) for rule_id, fact, _ in self._tests]

    def add(self, column: TypedColumn) -> None:
        """Check the values of a batch."""
        self._missing += column.present.null_count
        for broken, (_, _, test) in zip(self._broken, self._tests, strict=True):
            broken.add(test(column), column.present)

    def violations(self, rows: int) -> Iterator[ContractViolation]:
        """Yield what was found in all batches together.

        Args:
            rows: the number of rows of the table.
        """
        if self._missing and not self._nullable:
            message = f"{self.name}: {self._missing:,} of {rows:,} values are missing"
            yield violation("null", self.name, rows, message, count=self._missing)
        for broken in self._broken:
            if broken.count:
                message = f"{self.name}: {broken.count:,} of {rows:,} values {broken.fact}"
                yield violation(broken.rule, self.name, rows, message, count=broken.count, examples=broken.examples)


class _Broken:
    """How many values break a rule, with the first few of them."""

    def __init__(self, rule: ContractRule, fact: str) -> None:
        self.rule = rule
        self.fact = fact
        self.count = 0
        self.examples: list[str] = []

    def add(self, invalid: pa.Array, values: pa.Array) -> None:
        count = invalid.true_count
        self.count += count
        if count and len(self.examples) < MAX_EXAMPLES:
            pool = pc.filter(values, invalid).slice(0, _EXAMPLE_POOL).to_pylist()
            self.examples = list(dict.fromkeys([*self.examples, *map(_example, pool)]))[:MAX_EXAMPLES]


def violation(
    rule: ContractRule,
    column: str | None,
    rows: int,
    message: str,
    *,
    count: int | None = None,
    examples: Iterable[object] = (),
) -> ContractViolation:
    """Return a violation of all rows, or of `count` rows."""
    texts = list(dict.fromkeys(map(_example, examples)))[:MAX_EXAMPLES]
    affected = rows if count is None else count
    return ContractViolation(rule=rule, column=column, count=affected, rows=rows, examples=texts, message=message)


def _example(value: object) -> str:
    return str(value)[:_MAX_EXAMPLE_LENGTH]


_Test = Callable[[TypedColumn], pa.Array]


def _tests(name: str, rule: ColumnRule) -> Iterator[tuple[ContractRule, str, _Test]]:
    """Yield the tests of a rule, each with what is said of values for which it is true."""
    yield "type", f"are not of type {rule.type}" if rule.type != "unknown" else _UNKNOWN, lambda column: column.invalid
    if rule.type in ("integer", "number"):
        low, high = rule.min, rule.max
        if low is not None:
            yield "range", f"are below {low:.12g}", lambda column: _true(pc.less(_floats(column.values), float(low)))
        if high is not None:
            yield (
                "range",
                f"are above {high:.12g}",
                lambda column: _true(pc.greater(_floats(column.values), float(high))),
            )
    if rule.in_ is not None:
        fact = f"are not among the {len(rule.in_):,} allowed"
        yield "not-allowed", fact, lambda column: _not_allowed(column.values, rule)
    if rule.pattern is not None:
        pattern = _compiled(name, rule.pattern)
        yield "pattern", f"do not match {rule.pattern}", lambda column: _unmatched(column, pattern)


_UNKNOWN = "are there, and the type of the column is `unknown`; name the type in the contract"


def _not_allowed(values: pa.Array, rule: ColumnRule) -> pa.Array:
    allowed = rule.in_ or []
    if rule.type in ("date", "datetime"):
        times = to_times(pa.array([text for text in allowed if isinstance(text, str)], pa.string()))
        among = pc.is_in(to_times(values), times)
    elif rule.type == "boolean":
        among = is_among(values, [value for value in allowed if isinstance(value, bool)])
    elif rule.type == "string":
        among = is_among(values, [value for value in allowed if isinstance(value, str)])
    else:
        numbers = [value for value in allowed if isinstance(value, int | float) and not isinstance(value, bool)]
        among = is_among(_floats(values), [float(number) for number in numbers])
    return pc.and_(pc.is_valid(values), pc.invert(among))


def _unmatched(column: TypedColumn, pattern: re.Pattern[str]) -> pa.Array:
    is_typed = pc.is_valid(column.values)
    if not is_text(column.present.type):
        return is_typed  # a pattern is for texts
    return pc.and_(is_typed, pc.invert(_true(matches(column.present, pattern))))


def _floats(values: pa.Array) -> pa.Array:
    return pc.cast(values, pa.float64(), safe=False)


def _true(mask: pa.Array) -> pa.Array:
    return pc.fill_null(mask, False)  # noqa: FBT003 - a value


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"the pattern of column {name!r} is not a regular expression: {error}") from error
