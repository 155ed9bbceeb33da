"""What a gate is: one yes/no question, the evidence that it is judged on, and its answer."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol

import msgspec

from mlgit.domain.cards import CardText
from mlgit.domain.gates.facts import (
    CalibrationErrors,
    Correction,
    Drift,
    FeatureStrength,
    Gain,
    GroupMeasure,
    Overlap,
    PairedTest,
    SliceGain,
    SliceValue,
)
from mlgit.domain.names import Digest
from mlgit.domain.records.base import Part, doc
from mlgit.domain.records.gatereport import Outcome, Severity
from mlgit.domain.records.model import Model
from mlgit.domain.records.problem import Problem, Risk
from mlgit.domain.records.version import Version
from mlgit.errors import Finding


class DataReport(Protocol):
    """What a check of a dataset against its contract found."""

    @property
    def rows(self) -> int: ...
    @property
    def violations(self) -> Sequence[str]: ...


class InspectedFile(Protocol):
    """What a look into a model file found, without loading it."""

    @property
    def format(self) -> str | None: ...
    @property
    def types(self) -> Sequence[str]: ...
    @property
    def findings(self) -> Sequence[Finding]: ...


class Rescored(Protocol):
    """How the answers of a model file on the stored features stand to the stored predictions.

    `distance` is the largest |answer - prediction| / (1 + |prediction|) where answers are numbers; `differing` is in how many
    rows the labels differ where they are labels, and the difference in rows where there are more or fewer.
    """

    @property
    def rows(self) -> int: ...
    @property
    def distance(self) -> float: ...
    @property
    def differing(self) -> int: ...


class InputColumn(Protocol):
    """A column that a version takes, as the profile of its training table has it.

    `type` is None where the profile lacks the column; `required` says that no row trained on was without a value.
    """

    @property
    def type(self) -> str | None: ...
    @property
    def required(self) -> bool: ...


class Said(Protocol):
    """What a team's own command answered: a mapping, or None with the reason."""

    @property
    def answer(self) -> Mapping[str, Any] | None: ...
    @property
    def why(self) -> str: ...


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
    @property
    def at(self) -> datetime:
        """When is judged."""
        ...

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

    def gain(self, metric: str, *, resamples: int, level: float, test: PairedTest) -> Gain:
        """Return the paired gain of the candidate over the champion on the same rows, by a test that fits the metric."""
        ...

    def slice_gains(
        self, metric: str, *, min_rows: int, resamples: int, level: float, max_drop: float, correction: Correction
    ) -> Sequence[SliceGain]:
        """Return the paired gain on each value of the columns that the problem slices by."""
        ...

    def slice_values(
        self, metric: str, columns: Sequence[str], *, min_rows: int, resamples: int, level: float | None
    ) -> Sequence[SliceValue]:
        """Return a metric of the candidate on each value of the columns; with an interval where a level is given."""
        ...

    def groups(self, measures: Sequence[str], columns: Sequence[str], *, min_rows: int) -> Sequence[GroupMeasure]:
        """Return rates or metrics of the candidate on each value of the columns."""
        ...

    def calibration(self, *, bins: int) -> CalibrationErrors:
        """Return how far the candidate's scores are from the shares that they state."""
        ...

    def drift(self) -> Drift:
        """Return how far the candidate's training data lies from the champion's, by their profiles."""
        ...

    def overlap(self, training: Sequence[str]) -> Overlap:
        """Return how many test rows were trained on, as far as datasets of training rows, or counts, let it be told."""
        ...

    def feature_strengths(self) -> Sequence[FeatureStrength]:
        """Return how well each stored feature alone tells the label of the test rows, strongest first."""
        ...

    def missing(self) -> Sequence[str]:
        """Return those of the candidate's files and data that the DVC remote does not have."""
        ...

    def model_file(self) -> InspectedFile:
        """Return what a look into the candidate's model file found, by the project's list of trusted types."""
        ...

    def rescored(self) -> Rescored:
        """Return how the model file itself, asked again on the stored features, answers."""
        ...

    def reproduced(self, *, seconds: int) -> Rescored:
        """Return how the predictions of training again, from what the candidate's record names, stand to the stored ones."""
        ...

    def inputs(self, version: Version) -> Mapping[str, InputColumn]:
        """Return the columns that a version takes, in order."""
        ...

    def lock(self) -> Digest | None:
        """Return the digest of the file that pins the packages, at the commit trained with; None if there is none."""
        ...

    def run(self, command: Sequence[str], settings: Mapping[str, Any], *, seconds: int) -> Said:
        """Run a command of the team's in a private checkout of the commit that judges, with the evidence on stdin."""
        ...

    def installed(self, name: str) -> Callable[["Evidence", Mapping[str, Any]], Any]:
        """Return a gate that an installed package provides under a name."""
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


class When(Part, frozen=True, kw_only=True):
    """A condition."""

    risk: Annotated[Risk, doc("Only for problems of this tier.")]


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="id"):
    """A gate with its settings, as a policy lists it. Subclasses name themselves with `tag` and answer in `judge`."""

    severity: Annotated[Severity, doc("Whether a `no` stops a version (block), or is shown only (warn).")] = "block"
    when: Annotated[When | None, doc("Asked only then; always, if missing.")] = None

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

    @property
    def kind(self) -> str:
        """The word that a policy chooses the gate by: `id` in its file."""
        return str(self.__struct_config__.tag)

    @classmethod
    def summary(cls) -> str:
        """The question, from the class's docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]


def _said(finding: Finding) -> str:
    return f"{finding.id}: {finding.message}" + (f" ({finding.why})" if finding.why else "")
