"""The interface of gates: a gate asks one yes/no question, is evaluated on evidence, and returns a result."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Protocol

import msgspec

from mlgit.domain.cards import CardText
from mlgit.domain.names import Digest
from mlgit.domain.records.base import RecordPart, describe
from mlgit.domain.records.gatereport import GateOutcome, GateSeverity
from mlgit.domain.records.model import Model
from mlgit.domain.records.problem import Problem, Risk
from mlgit.domain.records.version import Version
from mlgit.domain.results import (
    CalibrationErrors,
    CommandAnswer,
    Correction,
    DatasetCheck,
    Drift,
    FeatureStrength,
    Gain,
    GroupMeasure,
    InputColumn,
    ModelFileInspection,
    Overlap,
    PairedTest,
    PredictionComparison,
    SliceGain,
    SliceValue,
)
from mlgit.errors import Finding


class Evidence(Protocol):
    """The facts that gates are evaluated on. Expensive ones are computed when a gate first asks for them.

    A method raises MlgitError if its facts are unavailable; the outcome of the gate is then `error`.
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
        """Time of the evaluation; gates use it in place of the clock."""
        ...

    def check_integrity(self) -> Sequence[Finding]:
        """Return findings on the candidate's record and on every file that it names."""
        ...

    def check_immutability(self) -> Sequence[Finding]:
        """Return a finding for each path of the candidate's folder that changed after it was added."""
        ...

    def check_datasets(self) -> Mapping[str, DatasetCheck]:
        """Check each dataset that the candidate was made from against its contract; return results by name."""
        ...

    def metric_value(self, metric: str) -> float:
        """Return a metric of the candidate, computed from its stored predictions."""
        ...

    def gain(self, metric: str, *, resamples: int, level: float, test: PairedTest) -> Gain:
        """Return the paired gain of the candidate over the champion on the same rows."""
        ...

    def baseline_gain(self, metric: str, *, resamples: int, level: float) -> Gain:
        """Return the paired gain of the candidate over the problem's baseline on the same rows."""
        ...

    def slice_gains(
        self, metric: str, *, min_rows: int, resamples: int, level: float, max_drop: float, correction: Correction
    ) -> Sequence[SliceGain]:
        """Return the paired gain on each value of the problem's slice columns."""
        ...

    def slice_values(
        self, metric: str, columns: Sequence[str], *, min_rows: int, resamples: int, level: float | None
    ) -> Sequence[SliceValue]:
        """Return a metric of the candidate on each value of the columns, with an interval if a level is given."""
        ...

    def group_measures(
        self, measures: Sequence[str], columns: Sequence[str], *, min_rows: int
    ) -> Sequence[GroupMeasure]:
        """Return rates or metrics of the candidate on each value of the columns."""
        ...

    def calibration(self, *, bins: int) -> CalibrationErrors:
        """Return the calibration errors of the candidate's scores."""
        ...

    def drift(self) -> Drift:
        """Return how far the candidate's training data differs from the champion's, by their profiles."""
        ...

    def overlap(self, training: Sequence[str]) -> Overlap:
        """Return how many test rows were used for training.

        Args:
            training: datasets of which every row is for training; without any, a lower bound may follow from counts.
        """
        ...

    def feature_strengths(self) -> Sequence[FeatureStrength]:
        """Return how well each stored feature alone predicts the label of the test rows, strongest first."""
        ...

    def missing_files(self) -> Sequence[str]:
        """Return paths of the candidate's files and data that are not in the DVC remote."""
        ...

    def inspect_model_file(self) -> ModelFileInspection:
        """Inspect the candidate's model file without loading it, with the project's list of trusted types."""
        ...

    def rescore(self) -> PredictionComparison:
        """Compare what the model file predicts for the stored features with the stored predictions."""
        ...

    def reproduce(self, *, seconds: int) -> PredictionComparison:
        """Train again from the candidate's recorded inputs, and compare the predictions with the stored ones."""
        ...

    def input_columns(self, version: Version) -> Mapping[str, InputColumn]:
        """Return the input columns of a version by name, in order."""
        ...

    def lock_digest(self) -> Digest | None:
        """Return the digest of the file that pins the packages, at the training commit; None if there is none."""
        ...

    def run_command(self, command: Sequence[str], settings: Mapping[str, Any], *, seconds: int) -> CommandAnswer:
        """Run a team's own command in a private checkout of the base commit, with the evidence on stdin."""
        ...

    def installed_gate(self, name: str) -> Callable[["Evidence", Mapping[str, Any]], Any]:
        """Return the gate function that an installed package provides under a name."""
        ...


class GateResult(msgspec.Struct, frozen=True):
    """Result of a gate: the outcome, a message, the numbers behind it, and how to fix a failure."""

    outcome: GateOutcome
    message: str
    facts: dict[str, Any] = {}
    fix: str = ""


def passed(message: str, **facts: Any) -> GateResult:
    """Return a result with the outcome `pass`."""
    return GateResult("pass", message, facts)


def failed(message: str, **facts: Any) -> GateResult:
    """Return a result with the outcome `fail`."""
    return GateResult("fail", message, facts)


def skipped(message: str) -> GateResult:
    """Return a result with the outcome `skip`: the gate does not apply, and the message says why."""
    return GateResult("skip", message)


def from_findings(findings: Sequence[Finding], passed_message: str) -> GateResult:
    """Pass if there are no findings; otherwise fail with the first and the number of the others."""
    if not findings:
        return passed(passed_message)
    message = first_and_count([finding.message for finding in findings])
    return failed(message, findings=[_finding_text(finding) for finding in findings[:20]])


def first_and_count(texts: Sequence[str]) -> str:
    """Return the first text, and how many more there are."""
    return texts[0] if len(texts) == 1 else f"{texts[0]}, and {len(texts) - 1} more"


class RiskCondition(RecordPart, frozen=True, kw_only=True):
    """Restricts a rule to problems of one risk tier."""

    risk: Annotated[Risk, describe("Only for problems of this tier.")]


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="id"):
    """A gate with its settings, as a policy lists it. Subclasses set their id with `tag` and implement `judge`."""

    runs_code: ClassVar[bool] = False
    """Whether evaluating it runs a model file or code of the project."""

    severity: Annotated[
        GateSeverity, describe("Whether a failure stops the version (block) or is only shown (warn).")
    ] = "block"
    when: Annotated[RiskCondition | None, describe("Evaluated only under this condition; always if missing.")] = None

    def judge(self, evidence: Evidence) -> GateResult:
        """Evaluate the candidate on the evidence.

        Raises:
            MlgitError: the evidence is unavailable.
        """
        raise NotImplementedError

    @property
    def id(self) -> str:
        """Id of this gate in a report; a team's own gate adds its name to the kind."""
        return self.kind

    @property
    def kind(self) -> str:
        """Kind of the gate: `id` in a policy file."""
        return str(self.__struct_config__.tag)

    @classmethod
    def summary(cls) -> str:
        """Return what the gate demands: the first line of the class's docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]


def _finding_text(finding: Finding) -> str:
    return f"{finding.id}: {finding.message}" + (f" ({finding.why})" if finding.why else "")
