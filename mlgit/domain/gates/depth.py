"""How deep does the evidence go?

That metrics follow from the stored predictions (*recompute*) is what `integrity` says. That the predictions follow from the
model file (*rescore*), and from code, data and parameters (*reproduce*), is asked here.
"""

from typing import Annotated

from mlgit.domain.gates.base import Evidence, Gate, GateResult, Rescored, failed, passed
from mlgit.domain.names import Duration, seconds
from mlgit.domain.records.base import doc


class Rescore(Gate, frozen=True, kw_only=True, tag="rescore"):
    """The model file, loaded in a guarded process and asked on the stored features, gives the stored predictions.

    Predictions that were written by hand, or by another model, fail here. An answer counts as the same where
    |answer - prediction| <= tolerance * (1 + |prediction|); labels have to be equal.
    """

    tolerance: Annotated[float, doc("How far an answer may be off.", ge=0, le=0.1)] = 1e-6

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when no row differs; fail where the features were not kept, so that nobody can ask."""
        if evidence.candidate.evaluation.features is None:
            fix = "name outputs.test in the model's file, and register again"
            return GateResult("fail", "the features of the test split were not kept", fix=fix)
        return _held(evidence.rescored(), self.tolerance, "the model file")


class Reproduce(Gate, frozen=True, kw_only=True, tag="reproduce"):
    """Training again from the recorded commit, data and parameters gives the stored predictions.

    The stages of the pipeline run in a private checkout, with the packages that are installed where the gate is asked. What it
    costs is a training, each time that gates are judged: when a promotion is made, when it is merged, and when it is applied.
    Predictions count as the same as for `rescore`.
    """

    tolerance: Annotated[float, doc("How far a prediction may be off.", ge=0, le=0.5)] = 1e-6
    timeout: Annotated[Duration, doc("After how long the training is stopped.")] = "1h"

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when no row differs."""
        return _held(evidence.reproduced(seconds=seconds(self.timeout)), self.tolerance, "training again")


def _held(found: Rescored, tolerance: float, what: str) -> GateResult:
    # The distance differs in its last digits between machines, so it is no fact that can be compared.
    facts = {"rows": found.rows, "differing": found.differing, "tolerance": tolerance}
    if found.differing:
        return failed(f"{what} gives something else in {found.differing:,} of {found.rows:,} rows", **facts)
    if not found.distance <= tolerance:
        return failed(f"{what} gives predictions that are off by up to {found.distance:.2g}", **facts)
    return passed(f"{what} gives the stored predictions of {found.rows:,} rows", **facts)
