"""The outcome of every command that proposes a promotion."""

from datetime import datetime
from typing import Literal

import msgspec

from mlgit.domain.approval_age import ApprovalAgeState
from mlgit.domain.names import PromotionId
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import Ramp
from mlgit.domain.slots import SlotName, VersionBeside
from mlgit.errors import Exit, Finding
from mlgit.ops.kernel.outcome import Outcome

Change = Literal["promote", "rollback", "recertify"]
"""The kinds of changes that are proposed."""


class ReplacedProposal(msgspec.Struct, frozen=True, kw_only=True):
    """An open promotion that a new one takes the place of, with the approvals that it had.

    `outdated` says why the same change had to be proposed again; it is empty where another change was asked for.
    """

    promotion: PromotionId
    candidate: str
    outdated: list[str]


class Proposed(Outcome, frozen=True, kw_only=True, tag="mlgit/proposed.v1"):
    """What was proposed, the results of its gates, its branch and pull request, and the approvals that it lacks.

    `candidate` is the version that the environment is to run: the promoted one, the one that a rollback returns to, or the one
    that runs already and is re-approved. `champion` is the one that it runs now.
    """

    change: Change
    environment: str
    model: str
    candidate: str
    champion: str | None
    state: Literal["proposed", "proposed-already", "runs-already", "refused", "planned"]
    slot: SlotName = "champion"
    beside: list[VersionBeside] = []
    """The versions that are to run beside the champion."""
    cleared: list[VersionBeside] = []
    """The versions that no longer run in the slot that they had."""
    ramp: Ramp | None = None
    policy: str
    evidence: str
    files: dict[str, Literal["+", "~"]] = {}
    gates: list[GateVerdict] = []

    compared_with: str | None = None
    """Of a re-approval: the version that the champion was compared with when it was promoted."""
    approval_due: datetime | None = None
    """Of a re-approval: by when the policy requires it; null where it sets no limit."""
    approval_age: ApprovalAgeState | None = None
    replaced: str | None = None
    """Of a rollback: the version that is replaced: the champion, or one that ran beside it."""
    verified_at: datetime | None = None
    """Of a rollback: when the candidate was last verified in the environment."""
    hold: str | None = None
    """Of a rollback: name of the hold on the version that is replaced, be it new or there already."""

    promotion: str | None = None
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    approvals_needed: int = 0
    approvals_missing: list[str] = []
    may_approve: list[str] = []
    replaces_open: ReplacedProposal | None = None
    """The open promotion on the same branch that this one takes the place of."""
    pull_request: str | None = None
    warnings: list[Finding] = []

    @property
    def exit(self) -> Exit:
        """No where a gate failed."""
        return Exit.NO if self.state == "refused" else Exit.YES
