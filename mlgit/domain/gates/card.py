"""Is the model card complete?"""

from typing import Annotated

from mlgit.domain import layout
from mlgit.domain.gates.base import Evidence, Gate, GateResult, passed
from mlgit.domain.names import Line
from mlgit.domain.records.base import describe

CARD_SECTIONS = (
    "Intended use",
    "Out-of-scope use",
    "Training data",
    "Limitations",
    "Ethical considerations",
    "Monitoring",
)


class CardComplete(Gate, frozen=True, kw_only=True, tag="card-complete"):
    """Every required section of the model card is written."""

    sections: Annotated[tuple[Line, ...], describe("Headings of sections that need text.", min_length=1)] = (
        CARD_SECTIONS
    )

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if each section has text that is not a placeholder."""
        empty = [heading for heading in self.sections if not evidence.card.is_written(heading)]
        if empty:
            message = f"{len(empty)} of {len(self.sections)} required sections are not written: {', '.join(empty)}"
            fix = f"write them in {layout.model_card(evidence.model.name)}, commit, and register again"
            return GateResult("fail", message, {"empty": empty}, fix)
        return passed(f"all {len(self.sections)} required sections are written")
