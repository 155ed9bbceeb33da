"""Does the card tell people what they must know?"""

from typing import Annotated

from mlgit.domain import layout
from mlgit.domain.gates.base import Evidence, Gate, GateResult, passed
from mlgit.domain.names import Line
from mlgit.domain.records.base import doc

SECTIONS = ("Intended use", "Out-of-scope use", "Training data", "Limitations", "Ethical considerations", "Monitoring")


class CardComplete(Gate, frozen=True, kw_only=True, tag="card-complete"):
    """Every required section of the model card has been written."""

    sections: Annotated[tuple[Line, ...], doc("Headings that need text of their own.", min_length=1)] = SECTIONS

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when each section has text that is not a placeholder."""
        empty = [heading for heading in self.sections if not evidence.card.is_written(heading)]
        if empty:
            message = f"{len(empty)} of {len(self.sections)} required sections are not written: {', '.join(empty)}"
            fix = f"write them in {layout.model_card(evidence.model.name)}, commit, and register again"
            return GateResult("fail", message, {"empty": empty}, fix)
        return passed(f"all {len(self.sections)} required sections are written")
