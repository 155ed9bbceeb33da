"""Are the candidate's probabilities calibrated?"""

from typing import Annotated

import msgspec

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.records.base import describe

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Calibration(Gate, frozen=True, kw_only=True, tag="calibration"):
    """The probabilities of a binary model are near the observed rates of the positive class.

    The expected calibration error is the mean distance of the two, over bins with about as many rows each (Naeini, Cooper &
    Hauskrecht 2015). The Brier score is the mean squared distance of probability and label (Brier 1950), and also measures
    how well the classes are separated. Neither is negative, and chance alone keeps the first above zero: with n rows and b
    bins by about 0.4 times the square root of b / n, at even odds.
    """

    max_ece: Annotated[_Share | None, describe("Maximum expected calibration error.")] = None
    max_brier: Annotated[_Share | None, describe("Maximum Brier score.")] = None
    bins: Annotated[int, describe("Number of equal-mass bins for the calibration error.", ge=2, le=100)] = 10

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if each error with a limit is within it; fail if no limit is set."""
        target, output = evidence.problem.target.type, evidence.model.signature.output
        if target != "binary" or output != "probability":
            return skipped(
                f"calibration needs probabilities of a binary target; this model predicts a {output} of a {target} target"
            )
        if self.max_ece is None and self.max_brier is None:
            return failed("neither max_ece nor max_brier is set")
        errors = evidence.calibration(bins=self.bins)
        facts = {
            "ece": errors.ece,
            "brier": errors.brier,
            "max_ece": self.max_ece,
            "max_brier": self.max_brier,
            "rows": errors.rows,
            "bins": msgspec.to_builtins(errors.bins),
        }
        limits = (("calibration error", errors.ece, self.max_ece), ("Brier score", errors.brier, self.max_brier))
        parts = [
            f"{name} {value:.4f}" + ("" if limit is None else f", at most {limit:g} allowed")
            for name, value, limit in limits
        ]
        message = f"{'; '.join(parts)} ({errors.rows:,} rows, {len(errors.bins)} bins)"
        # Compared with <=, so that NaN is outside the limit.
        within = all(limit is None or value <= limit for _, value, limit in limits)
        return passed(message, **facts) if within else failed(message, **facts)
