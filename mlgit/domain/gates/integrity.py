"""Is the candidate unchanged since it was registered?"""

from mlgit.domain.gates.base import Evidence, Gate, GateResult, from_findings


class Integrity(Gate, frozen=True, kw_only=True, tag="integrity"):
    """The record's digest, digest and size of every file that it names, and the format of the model file, are as recorded.

    The format is told by the content of the model file, which is not loaded, never by its name.

    The recorded metrics have to follow from the stored predictions: this is evidence at the depth *recompute*, for which no
    model is loaded. The gate `rescore` goes one step deeper.
    """

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if nothing differs."""
        return from_findings(
            evidence.check_integrity(), "record, model file, card, profile and predictions are as recorded"
        )


class Immutability(Gate, frozen=True, kw_only=True, tag="immutability"):
    """No file of the version was changed or deleted since it was added."""

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if each path has the same content throughout the history."""
        return from_findings(evidence.check_immutability(), "unchanged since it was registered")
