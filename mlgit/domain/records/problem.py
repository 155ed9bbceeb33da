"""`problems/<problem>.yaml`: what is to be predicted, and why."""

from typing import Annotated, Literal

from mlgit.domain.names import Line, Name, Text
from mlgit.domain.records.base import Part, Record, doc

Risk = Literal["low", "medium", "high"]
Label = str | int | bool


class Decision(Part, frozen=True, kw_only=True):
    """What is done with a prediction."""

    what: Annotated[Text, doc("The action that follows from a prediction.")]
    human_in_loop: Annotated[bool, doc("Whether a person decides, with the prediction at hand.")] = False
    why_learning: Annotated[Text | None, doc("Why a rule or a table would not do.")] = None


class Target(Part, frozen=True, kw_only=True):
    """The column to predict."""

    column: Annotated[Line, doc("Name of the column.")]
    type: Annotated[Literal["binary", "multiclass", "regression"], doc("What kind of answer is wanted.")]
    positive: Annotated[Label | None, doc("Binary only: the label that a high score speaks for.")] = None


class Baseline(Part, frozen=True, kw_only=True):
    """What is reached without learning."""

    what: Annotated[Text, doc("The simple way that a model has to beat.")]
    metric: Annotated[float, doc("What it scores in the primary metric.")]


class ProblemMetric(Part, frozen=True, kw_only=True):
    """How one knows that a model helps."""

    primary: Annotated[Name, doc("The metric that decides; see the list of metrics.")]
    direction: Annotated[Literal["max", "min"], doc("Whether more or less is better.")] = "max"
    slices: Annotated[list[Line], doc("Columns over whose values the metric is looked at as well.")] = []


class Problem(Record, frozen=True, kw_only=True, tag="problem"):
    """What is to be predicted, for whom, and how one will know that it helps."""

    written_by = "people"

    name: Annotated[Name, doc("Name of the problem.")]
    owner: Annotated[Line, doc("Team or person that answers for it.")]
    risk: Annotated[Risk, doc("Tier; policies may ask more of a higher one.")] = "low"
    decision: Annotated[Decision, doc("What is done with a prediction.")]
    target: Annotated[Target, doc("What is predicted.")]
    metric: Annotated[ProblemMetric, doc("How one knows that it helps.")]
    baseline: Annotated[Baseline | None, doc("What is reached without learning.")] = None
