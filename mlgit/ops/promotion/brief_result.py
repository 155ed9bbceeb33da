"""The result of `mlgit brief`: a promotion as its reviewers see it."""

from datetime import datetime
from typing import Literal

import msgspec

from mlgit.domain.brief import MetricComparison, SliceComparison
from mlgit.domain.names import CommitId, Digest, Duration, Name, PromotionId
from mlgit.domain.records.environment import ChangeWindow
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import Ramp
from mlgit.domain.slots import SlotName
from mlgit.errors import Finding
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.promotion.brief_changes import ChangesSinceChampion, FileStatus
from mlgit.ops.review.approvals_view import ApprovalsView

Readiness = Literal["ready", "needs-approval", "waiting", "blocked"]
"""Can be merged; approvals are missing; has to wait; something is wrong with it."""


class OverrideSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An override for this version in this environment, whether or not it is in force.

    `people` are those who have to sign it, `approved_by` those of them who did.
    """

    name: str
    waives: list[str]
    incident: str
    people: list[str]
    approved_by: list[str]
    until: datetime


class HoldSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A hold on the environment or the model that is not over. `blocks` says whether it blocks this change."""

    name: str
    scope: str
    reason: str
    by: str
    until: datetime | None
    blocks: bool


class MergeTiming(msgspec.Struct, frozen=True, kw_only=True):
    """When it can be merged. `mergeable_from` is None where something has to happen first; `apply` checks windows again.

    `soak_complete_at` is when the version will have been healthy in `soak_environment` for `soak_duration`.
    """

    waiting_for: list[Finding]
    mergeable_from: datetime | None
    windows: list[ChangeWindow]
    soak_environment: Name | None = None
    soak_duration: Duration | None = None
    soak_complete_at: datetime | None = None


class SlotAfterMerge(msgspec.Struct, frozen=True, kw_only=True):
    """A slot, the version that is to run in it, and the per cent of requests that it answers."""

    slot: SlotName
    version: str
    traffic: int


class MergeEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What merging does: files that change, versions that run in each slot or stop running, and the kind of target."""

    files: dict[str, FileStatus]
    slots: list[SlotAfterMerge]
    stops_running: list[str]
    ramp: Ramp | None
    target: str
    hold_file: str | None
    """Path of the hold that is added, on the version that is removed."""


class RollbackTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The version to roll back to, when it was last verified there, and the command that does it."""

    version: str
    verified_at: datetime
    command: str


class Brief(Outcome, frozen=True, kw_only=True, tag="mlgit/brief.v1"):
    """A promotion for its reviewers, as of the time `as_of`, by the rules of the commit `base`.

    It decides nothing, so its exit code is 0. `candidate` takes the slot `slot`; both are null where versions are only removed.
    `champion` is the version that it is compared with: the one that runs until then or, for a re-approval, the one that the
    gates compared it with.
    """

    promotion: PromotionId
    environment: Name
    model: Name
    change: str
    state: Literal["open", "merged"]
    readiness: Readiness
    as_of: datetime
    candidate: str | None
    slot: SlotName | None
    champion: str | None
    primary_metric: Name
    reason: str | None
    ticket: str | None
    proposed_at: datetime
    proposed_by: list[str]
    problems: list[Finding]
    test_rows: int | None
    same_test_rows: bool | None
    metrics: list[MetricComparison]
    slices: list[SliceComparison]
    policy: Name
    gate_report: str | None
    gates_judged_at: datetime | None
    gates: list[GateVerdict]
    overrides: list[OverrideSummary]
    changes_since_champion: ChangesSinceChampion | None
    approvals: ApprovalsView
    timing: MergeTiming
    holds: list[HoldSummary]
    effect: MergeEffect
    rollback: RollbackTarget | None
    decision: Digest
    head: CommitId
    base: CommitId
    next: str | None
