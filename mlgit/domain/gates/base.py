"""What a gate is: one yes/no question, the evidence that it is judged on, and its answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from mlgit.domain.cards import CardText
from mlgit.domain.records.gatereport import Outcome
from mlgit.domain.records.model import Model
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.version import Version
from mlgit.errors import Finding


class Gain(Protocol):
    """How much better the candidate is than the champion on the same rows; more is better for every metric."""

    @property
    def candidate(self) -> float: ...
    @property
    def champion(self) -> float: ...
    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def level(self) -> float: ...
    @property
    def rows(self) -> int: ...


class SliceGain(Protocol):
    """The gain on one part of the rows; `gain` is None, with a reason, where there is too little to say."""

    @property
    def column(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def gain(self) -> Gain | None: ...
    @property
    def reason(self) -> str | None: ...


class DataReport(Protocol):
    """What a check of a dataset against its contract found."""

    @property
    def rows(self) -> int: ...
    @property
    def violations(self) -> Sequence[str]: ...


class Evidence(Protocol):
    """The facts that gates are judged on. What costs time is fetched when first asked for.

    A method raises MlgitError where its facts cannot be had; the gate's outcome is then `error`.
    """

    @property
    def problem(self) -> Problem: ...
    @property
    def model(self) -> Model: ...
    @property
    def candidate(self) -> Version: ...
    @property
    def champion(self) -> Version | None: ...
    @property
    def card(self) -> CardText: ...

    def integrity(self) -> Sequence[Finding]:
        """Return what is wrong with the candidate's record and with every file that it names."""
        ...

    def immutability(self) -> Sequence[Finding]:
        """Return each path of the candidate's folder that was changed after it first came in."""
        ...

    def datasets(self) -> Mapping[str, DataReport]:
        """Return the check of each dataset, as the candidate was made from it, against its contract."""
        ...

    def measured(self, metric: str) -> float:
        """Return a metric of the candidate, computed from its stored predictions."""
        ...

    def gain(self, metric: str, *, resamples: int, level: float) -> Gain:
        """Return the paired gain of the candidate over the champion on the same rows."""
        ...

    def slice_gains(self, metric: str, *, min_rows: int, resamples: int, level: float) -> Sequence[SliceGain]:
        """Return the paired gain on each value of the columns that the problem slices by."""
        ...


class GateResult(msgspec.Struct, frozen=True):
    """The answer of a gate: an outcome, why, the numbers behind it, and the way out where it is no."""

    outcome: Outcome
    message: str
    facts: dict[str, Any] = {}
    fix: str = ""


def passed(message: str, **facts: Any) -> GateResult:
    """The answer is yes."""
    return GateResult("pass", message, facts)


def failed(message: str, **facts: Any) -> GateResult:
    """The answer is no."""
    return GateResult("fail", message, facts)


def skipped(message: str) -> GateResult:
    """The question does not arise; says why."""
    return GateResult("skip", message)


def from_findings(findings: Sequence[Finding], passed_message: str) -> GateResult:
    """Pass when there is no finding; else fail with the first and the number of the others."""
    if not findings:
        return passed(passed_message)
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    return failed(findings[0].message + more, findings=[_said(f) for f in findings[:20]])


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="id"):
    """A gate with its settings, as a policy lists it. Subclasses name themselves with `tag` and answer in `judge`."""

    def judge(self, evidence: Evidence) -> GateResult:
        """Answer the question on the evidence.

        Raises:
            MlgitError: the evidence cannot be had.
        """
        raise NotImplementedError

    @property
    def id(self) -> str:
        """The name by which a policy and a report call this gate."""
        return str(self.__struct_config__.tag)

    @classmethod
    def summary(cls) -> str:
        """The question, from the class's docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]


def _said(finding: Finding) -> str:
    return f"{finding.id}: {finding.message}" + (f" ({finding.why})" if finding.why else "")
