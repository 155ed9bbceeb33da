"""`problems/<problem>.yaml`: what is to be predicted, and why."""

from typing import Annotated, Literal

from mlgit.domain.names import Line, Name, Text
from mlgit.domain.records.base import Record, RecordPart, describe

Risk = Literal["low", "medium", "high"]
Label = str | int | bool


class Decision(RecordPart, frozen=True, kw_only=True):
    """The use of a prediction."""

    action: Annotated[Text, describe("The action that a prediction leads to.")]
    human_in_loop: Annotated[bool, describe("Whether a person decides, with the prediction as advice.")] = False
    why_ml: Annotated[Text | None, describe("Why rules or a lookup table are not enough.")] = None


class PredictionTarget(RecordPart, frozen=True, kw_only=True):
    """The column to predict."""

    column: Annotated[Line, describe("Name of the column.")]
    type: Annotated[Literal["binary", "multiclass", "regression"], describe("Kind of task.")]
    positive: Annotated[Label | None, describe("Binary only: the positive class, whose probability is the score.")] = (
        None
    )


class Baseline(RecordPart, frozen=True, kw_only=True):
    """A simple method without machine learning, computed on the same rows as a model.

    Without `column` it is the best constant answer. With it, it is that column of the test features or of the predictions: as the
    score, class or value itself, or with `threshold` as a rule between two classes.
    """

    method: Annotated[Text, describe("The simple method that a model has to beat, in words.")]
    column: Annotated[
        Line | None,
        describe("Column of the test features or of the predictions with its answers; the best constant if missing."),
    ] = None
    descending: Annotated[
        bool, describe("Binary only: whether lower values of the column speak for the positive class.")
    ] = False
    threshold: Annotated[
        float | None,
        describe("Binary only: from this value of the column on (with `descending`, up to it) the class is positive."),
    ] = None


class ProblemMetric(RecordPart, frozen=True, kw_only=True):
    """How models are evaluated."""

    primary: Annotated[Name, describe("The metric that models are compared by; see the list of metrics.")]
    direction: Annotated[Literal["max", "min"], describe("Whether more or less is better.")] = "max"
    slices: Annotated[list[Line], describe("Columns whose values are evaluated as slices.")] = []


class Problem(Record, frozen=True, kw_only=True, tag="problem"):
    """What is to be predicted, for whom, and how success is measured."""

    written_by = "people"

    name: Annotated[Name, describe("Name of the problem.")]
    owner: Annotated[Line, describe("Team or person responsible for it.")]
    risk: Annotated[Risk, describe("Risk tier; policies may require more of a higher one.")] = "low"
    decision: Annotated[Decision, describe("What a prediction is used for.")]
    target: Annotated[PredictionTarget, describe("What is predicted.")]
    metric: Annotated[ProblemMetric, describe("How models are evaluated.")]
    baseline: Annotated[Baseline | None, describe("A simple method that a model has to beat.")] = None
