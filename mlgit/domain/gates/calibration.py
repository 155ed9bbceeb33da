"""Do the candidate's scores mean what they say?"""

from typing import Annotated

from msgspec import Meta

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.records.base import doc

_Share = Annotated[float, Meta(ge=0, le=1)]


class Calibration(Gate, frozen=True, kw_only=True, tag="calibration"):
    """The probabilities of a binary model are near the shares of rows that turn out positive.

    The expected calibration error is the mean distance of both, over bins with about as many rows each (Naeini, Cooper &
    Hauskrecht 2015); the Brier score is the mean squared distance of probability and truth (Brier 1950), which also asks how
    well rows are told apart. Neither is ever below 0, and chance alone keeps the first above it: with n rows and b bins by
    about 0.4 times the root of b / n at even odds.
    """

    max_ece: Annotated[_Share | None, doc("Expected calibration error, at most.")] = None
    max_brier: Annotated[_Share | None, doc("Brier score, at most.")] = None
    bins: Annotated[int, doc("Bins of equal mass for the calibration error.", ge=2, le=100)] = 10

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when each error with a limit is within it; without either limit, nothing was asked."""
        target, output = evidence.problem.target.type, evidence.model.signature.output
        if target != "binary" or output != "probability":
            return skipped(
                f"only probabilities of a binary target can be calibrated; here a {target} target has a {output}"
            )
        if self.max_ece is None and self.max_brier is None:
            return failed("neither max_ece nor max_brier is stated")
        found = evidence.calibration(bins=self.bins)
        facts = {
            "ece": found.ece,
            "brier": found.brier,
            "max_ece": self.max_ece,
            "max_brier": self.max_brier,
            "rows": found.rows,
            "bins": [{"rows": part.rows, "score": part.score, "rate": part.rate} for part in found.bins],
        }
        limits = (("calibration error", found.ece, self.max_ece), ("Brier score", found.brier, self.max_brier))
        said = [
            f"{name} {value:.4f}" + ("" if limit is None else f", at most {limit:g} allowed")
            for name, value, limit in limits
        ]
        message = f"{'; '.join(said)} ({found.rows:,} rows, {len(found.bins)} bins)"
        # Asked this way round, an error that is no number is too large.
        kept = all(limit is None or value <= limit for _, value, limit in limits)
        return passed(message, **facts) if kept else failed(message, **facts)
