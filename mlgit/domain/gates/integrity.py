"""Is the candidate what its record says it is?"""

from mlgit.domain.gates.base import Evidence, Gate, GateResult, from_findings


class Integrity(Gate, frozen=True, kw_only=True, tag="integrity"):
    """The record's digest, and the digest and size of every file that it names, are what was recorded.

    The recorded metrics have to follow from the stored predictions: this is evidence of the depth *recompute*, for which no
    model is loaded. The gate `rescore` goes one step deeper.
    """

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when nothing differs."""
        return from_findings(evidence.integrity(), "record, model file, card, profile and predictions are as recorded")


class Immutability(Gate, frozen=True, kw_only=True, tag="immutability"):
    """No file of the version was changed or deleted since it first came in."""

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when each path has had one content over the whole history."""
        return from_findings(evidence.immutability(), "unchanged since it was registered")
