"""The outcome that every command which proposes a promotion answers with."""

from datetime import datetime
from typing import Literal

from mlgit.domain.approval_age import ApprovalAgeState
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import Ramp
from mlgit.domain.slots import SlotName, VersionBeside
from mlgit.errors import Exit, Finding
from mlgit.ops.kernel.outcome import Outcome


class Proposed(Outcome, frozen=True, kw_only=True, tag="mlgit/proposed.v1"):
    """What was proposed, how the gates judged it, and where it waits for approvals.

    `candidate` is the version that the environment is to run: the one promoted, the one that a rollback returns to, or the one
    that runs already and is re-approved. `champion` is the one that it runs now.
    """

    change: Literal["promote", "rollback", "recertify"]
    environment: str
    model: str
    candidate: str
    champion: str | None
    state: Literal["proposed", "proposed-already", "runs-already", "refused", "planned"]
    slot: SlotName = "champion"
    beside: list[VersionBeside] = []
    """What is to run beside the champion."""
    cleared: list[VersionBeside] = []
    """What no longer runs in the slot that it had."""
    ramp: Ramp | None = None
    policy: str
    evidence: str
    files: dict[str, Literal["+", "~"]] = {}
    gates: list[GateVerdict] = []

    compared_with: str | None = None
    """Of a re-approval: the version that the champion was compared with when it was promoted."""
    approval_due: datetime | None = None
    """Of a re-approval: when the policy asks for it; None where it sets no limit."""
    approval_age: ApprovalAgeState | None = None
    replaced: str | None = None
    """Of a rollback: the version that is taken out: the champion, or one that ran beside it."""
    verified_at: datetime | None = None
    """Of a rollback: when the candidate was last seen to run well in the environment."""
    hold: str | None = None
    """Of a rollback: name of the hold on the version that is taken out, one that comes along or that is there already."""

    promotion: str | None = None
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    approvals_needed: int = 0
    approvals_missing: list[str] = []
    may_approve: list[str] = []
    pull_request: str | None = None
    warnings: list[Finding] = []

    @property
    def exit(self) -> Exit:
        """No where a gate refused."""
        return Exit.NO if self.state == "refused" else Exit.YES
