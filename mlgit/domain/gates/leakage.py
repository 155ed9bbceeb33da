"""Does the test split leak into training?"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from mlgit.domain.gates.base import Evidence, Gate, GateResult, passed
from mlgit.domain.gates.common import MAX_LISTED
from mlgit.domain.names import Line, Name
from mlgit.domain.records.base import describe
from mlgit.domain.records.version import Version
from mlgit.domain.results import FeatureStrength, Overlap
from mlgit.errors import refused

_FIX = "check how src/ makes the split and the features; leakage makes every test metric too good"
_MAX_IN_MESSAGE = 3


class Leakage(Gate, frozen=True, kw_only=True, tag="leakage"):
    """No test row was used for training, no feature alone predicts the label, and the label is not an input.

    Only what follows from stored files can be checked. Which rows were used for training is known if `training` names
    datasets that contain training rows only; otherwise a lower bound follows if the training table and the test rows
    together have more rows than the one dataset that they come from. Features are checked on the stored test rows: how well
    each alone predicts the label is its area under the ROC curve or, for regression, its rank correlation. The facts list
    what could not be checked; if nothing could, the outcome is an error.
    """

    max_overlap: Annotated[float, describe("Maximum share of test rows that were used for training.", ge=0, lt=1)] = 0.0
    max_single_feature: Annotated[float, describe("Maximum strength of a single feature.", gt=0, le=1)] = 0.98
    training: Annotated[tuple[Name, ...], describe("Datasets that contain training rows only.")] = ()
    allowed: Annotated[tuple[Line, ...], describe("Features that may be stronger, because people checked why.")] = ()

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if no leak is found in what can be checked.

        Raises:
            MlgitError: nothing can be checked (`leakage-inconclusive`), or the evidence is unavailable.
        """
        target = evidence.problem.target.column
        if target in (evidence.candidate.inputs.columns or evidence.model.signature.inputs):
            return GateResult("fail", f"the label {target} is an input of the model", {"target": target}, _FIX)
        overlap = evidence.overlap(self.training)
        strengths = evidence.feature_strengths() if evidence.candidate.evaluation.features is not None else []
        if overlap.shared is None and not strengths:
            raise refused(
                "leakage-inconclusive",
                "leakage cannot be checked with the stored files",
                why=f"{overlap.reason}; {_no_features(evidence.candidate)}",
                fix="name outputs.test in the model's file and register again, or name `training` datasets in the policy",
            )
        strong = [
            feature
            for feature in strengths
            if feature.feature not in self.allowed and not feature.strength <= self.max_single_feature
        ]
        overlapping = overlap.shared is not None and not overlap.shared <= self.max_overlap * overlap.rows
        unchecked = [overlap.reason, "" if strengths else _no_features(evidence.candidate)]
        facts: dict[str, Any] = {
            "rows": overlap.rows,
            "overlap": overlap.shared,
            "overlap_exact": overlap.exact,
            "max_overlap": self.max_overlap,
            "max_single_feature": self.max_single_feature,
            "strong_features": [feature.feature for feature in strong],
            "strongest": msgspec.to_builtins(list(strengths[:MAX_LISTED])),
            "not_checked": [reason for reason in unchecked if reason],
        }
        message = f"{_describe_overlap(overlap)}; {_describe_features(strong, strengths, self.max_single_feature)}"
        if strong or overlapping:
            return GateResult("fail", message, facts, _FIX)
        return passed(message, **facts)


def _no_features(version: Version) -> str:
    if version.evaluation.features is None:
        return "the features of the test rows were not kept"
    return "the stored features contain no input of the model"


def _describe_overlap(overlap: Overlap) -> str:
    if overlap.shared is None:
        return "which rows were used for training is unknown"
    bound = "" if overlap.exact else "at least "
    share = overlap.shared / max(overlap.rows, 1)
    return f"{bound}{overlap.shared:,} of {overlap.rows:,} test rows ({share:.2%}) were used for training"


def _describe_features(strong: Sequence[FeatureStrength], strengths: Sequence[FeatureStrength], limit: float) -> str:
    if not strengths:
        return "single features were not checked"
    shown = strong or strengths[:1]
    listed = ", ".join(
        f"{feature.feature} ({feature.measure} {feature.strength:.4f})" for feature in shown[:_MAX_IN_MESSAGE]
    )
    more = f" and {len(shown) - _MAX_IN_MESSAGE} more" if len(shown) > _MAX_IN_MESSAGE else ""
    claim = "predicts the label alone" if strong else "strongest single feature"
    return f"{claim}: {listed}{more}, {limit:g} allowed"
