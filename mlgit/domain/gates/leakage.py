"""Does the test tell what production will?"""

from collections.abc import Sequence
from typing import Annotated, Any

from mlgit.domain.gates.base import Evidence, Gate, GateResult, passed
from mlgit.domain.gates.facts import FeatureStrength, Overlap
from mlgit.domain.gates.metrics import NAMED
from mlgit.domain.names import Line, Name
from mlgit.domain.records.base import doc
from mlgit.domain.records.version import Version
from mlgit.errors import refused

_FIX = "look at how src/ makes the split and the features; what leaks makes every number of the test too good"


class Leakage(Gate, frozen=True, kw_only=True, tag="leakage"):
    """No test row was trained on, no feature alone gives the label away, and the label is no input.

    Told from what is stored, so not everything can be: which rows were trained on is known where `training` names datasets
    that hold training rows alone; else a lower bound follows where the training table, the test rows and the one dataset that
    they come from have too many rows to lie apart. Features are looked at on the stored test rows: each alone tells the label
    with an area under the ROC curve or, for values, a rank correlation. What cannot be told stands in the facts; where nothing
    can, the answer is an error.
    """

    max_overlap: Annotated[float, doc("Share of the test rows that may have been trained on.", ge=0, lt=1)] = 0.0
    max_single_feature: Annotated[float, doc("How well a feature alone may tell the label.", gt=0, le=1)] = 0.98
    training: Annotated[tuple[Name, ...], doc("Datasets of which every row is for training.")] = ()
    allowed: Annotated[tuple[Line, ...], doc("Features that may be stronger: somebody has looked into why.")] = ()

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when nothing that can be told leaks.

        Raises:
            MlgitError: nothing can be told (`leakage-unknown`), or the evidence cannot be had.
        """
        target = evidence.problem.target.column
        if target in (evidence.candidate.inputs.columns or evidence.model.signature.inputs):
            return GateResult("fail", f"the label {target} is among the inputs of the model", {"target": target}, _FIX)
        overlap = evidence.overlap(self.training)
        strengths = evidence.feature_strengths() if evidence.candidate.evaluation.features is not None else []
        if overlap.shared is None and not strengths:
            raise refused(
                "leakage-unknown",
                "nothing that is stored tells whether the test leaks",
                why=f"{overlap.why}; {_unseen(evidence.candidate)}",
                fix="name outputs.test in the model's file and register again, or name `training` datasets in the policy",
            )
        strong = [
            one for one in strengths if one.feature not in self.allowed and not one.strength <= self.max_single_feature
        ]
        trained_on = overlap.shared is not None and not overlap.shared <= self.max_overlap * overlap.rows
        facts: dict[str, Any] = {
            "rows": overlap.rows,
            "overlap": overlap.shared,
            "overlap_is": "exact" if overlap.exact else "at least",
            "max_overlap": self.max_overlap,
            "max_single_feature": self.max_single_feature,
            "strong_features": [one.feature for one in strong],
            "strongest": [
                {"feature": one.feature, "strength": one.strength, "measure": one.measure} for one in strengths[:NAMED]
            ],
            "not_told": [
                *([overlap.why] if overlap.why else []),
                *([] if strengths else [_unseen(evidence.candidate)]),
            ],
        }
        message = "; ".join([*_of_overlap(overlap), *_of_features(strong, strengths, self.max_single_feature)])
        if strong or trained_on:
            return GateResult("fail", message, facts, _FIX)
        return passed(message, **facts)


def _unseen(version: Version) -> str:
    if version.evaluation.features is None:
        return "the features of the test rows were not kept"
    return "the stored features hold no input of the model"


def _of_overlap(overlap: Overlap) -> list[str]:
    if overlap.shared is None:
        return ["which rows were trained on cannot be told"]
    least = "" if overlap.exact else "at least "
    share = overlap.shared / max(overlap.rows, 1)
    return [f"{least}{overlap.shared:,} of {overlap.rows:,} test rows ({share:.2%}) were trained on"]


def _of_features(strong: Sequence[FeatureStrength], strengths: Sequence[FeatureStrength], limit: float) -> list[str]:
    if not strengths:
        return ["what a feature alone tells was not looked at"]
    shown = strong or strengths[:1]
    said = ", ".join(f"{one.feature} ({one.measure} {one.strength:.4f})" for one in shown[:3])
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""  # noqa: PLR2004 - as many as fit a line
    word = "alone tells the label" if strong else "the strongest feature alone"
    return [f"{word}: {said}{more}, {limit:g} allowed"]
