"""Do the stored predictions follow from the model file, and from training again?

`integrity` checks that the metrics follow from the stored predictions (*recompute*). The gates here check that the
predictions follow from the model file (*rescore*), and from code, data and parameters (*reproduce*).
"""

from typing import Annotated, ClassVar

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed
from mlgit.domain.names import Duration, seconds
from mlgit.domain.records.base import describe
from mlgit.domain.results import PredictionComparison


class Rescore(Gate, frozen=True, kw_only=True, tag="rescore"):
    """The model file, loaded in a guarded process, predicts the stored predictions from the stored features.

    Predictions that were written by hand, or by another model, fail here. A prediction counts as equal if
    |new - stored| <= tolerance * (1 + |stored|); labels have to be identical.
    """

    runs_code: ClassVar[bool] = True

    tolerance: Annotated[float, describe("Maximum relative error of a prediction.", ge=0, le=0.1)] = 1e-6

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if no row differs; fail if the features were not kept, because then nobody can check."""
        if evidence.candidate.evaluation.features is None:
            fix = "name outputs.test in the model's file, and register again"
            return GateResult("fail", "the features of the test split were not kept", fix=fix)
        return _evaluate_comparison(evidence.rescore(), self.tolerance, "the model file")


class Reproduce(Gate, frozen=True, kw_only=True, tag="reproduce"):
    """Training again from the recorded commit, data and parameters gives the stored predictions.

    The stages of the pipeline run in a private checkout, with the packages that are installed where the gate is evaluated.
    This costs a training run each time that gates are evaluated: when a promotion is created, merged and applied.
    Predictions count as equal as for `rescore`.
    """

    runs_code: ClassVar[bool] = True

    tolerance: Annotated[float, describe("Maximum relative error of a prediction.", ge=0, le=0.5)] = 1e-6
    timeout: Annotated[Duration, describe("Time after which the training is stopped.")] = "1h"

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if no row differs."""
        comparison = evidence.reproduce(seconds=seconds(self.timeout))
        return _evaluate_comparison(comparison, self.tolerance, "training again")


def _evaluate_comparison(comparison: PredictionComparison, tolerance: float, source: str) -> GateResult:
    # The error differs in its last digits between machines, so it is not a fact: reports are compared by their facts.
    facts = {"rows": comparison.rows, "mismatches": comparison.mismatches, "tolerance": tolerance}
    if comparison.mismatches:
        message = f"{source} gives other predictions in {comparison.mismatches:,} of {comparison.rows:,} rows"
        return failed(message, **facts)
    if not comparison.max_error <= tolerance:
        return failed(f"{source} gives predictions that are off by up to {comparison.max_error:.2g}", **facts)
    return passed(f"{source} gives the stored predictions of {comparison.rows:,} rows", **facts)
