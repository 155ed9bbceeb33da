"""Replay a policy on past promotions: which of them would it have blocked, and which would have passed?"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import VersionRef, is_name
from mlgit.domain.policy import OverallOutcome, evaluate, overall_outcome
from mlgit.domain.records import GateReport, Policy, Promotion
from mlgit.domain.rules.configuration import check_policy
from mlgit.domain.slots import promoted_slot
from mlgit.errors import Exit, Finding, Location, MlgitError, refused
from mlgit.ops.evaluation.evidence import StoredEvidence
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.progress import Progress
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of, take_snapshot


class BlockingGate(msgspec.Struct, frozen=True):
    """A gate that blocks a promotion, and why."""

    gate: str
    outcome: Literal["fail", "error", "wait"]
    message: str


class ReplayedPromotion(msgspec.Struct, frozen=True, kw_only=True):
    """A merged promotion, and the outcome of the replayed policy for it.

    `original_outcome` is that of the gates of its time; None if it has no gate report. `rolled_back` is whether the next
    promotion of the model in the environment was a rollback, or returned to the version that ran before.
    """

    promotion: str
    environment: str
    candidate: str
    at: datetime
    original_outcome: OverallOutcome | None
    outcome: OverallOutcome
    rolled_back: bool
    blocked_by: list[BlockingGate] = []


class PolicyReplay(Outcome, frozen=True, kw_only=True, tag="mlgit/policy-replay.v1"):
    """The outcome of a policy for past promotions, newest first.

    `policy` is the one that they were merged under, and `tried_policy` the replayed one. `blocked`, `passed` and `inconclusive`
    are numbers of promotions.
    """

    policy: str
    tried_policy: str
    promotions: list[ReplayedPromotion]
    blocked: int
    passed: int
    inconclusive: int
    passed_but_rolled_back: int
    unreadable: list[str] = []
    """Past manifests that are invalid, or that follow an invalid one, as `<path> at <commit>`."""

    @property
    def exit(self) -> Exit:
        """Inconclusive if evidence is gone; otherwise yes, whatever the outcomes are."""
        return Exit.INCONCLUSIVE if self.inconclusive or self.unreadable else Exit.YES


class _Merged(msgspec.Struct, frozen=True):
    """A merged manifest with its report, the state before its commit, and the next manifest of the model there."""

    manifest: Promotion
    report: GateReport | None
    before: Lifecycle
    at: datetime
    next: Promotion | None


def run(
    workspace: Workspace,
    name: str,
    file: str,
    content: bytes,
    *,
    last: int,
    environment: str | None = None,
    on_done: Progress = lambda _: None,
) -> PolicyReplay:
    """Evaluate the gates of a policy on the last promotions that were merged under another one.

    Each promotion is evaluated on the state before its commit, and at the time that its gate report states. There are no waivers:
    those of that time were for the gates of that time.

    Args:
        workspace: the workspace.
        name: the policy that the promotions were merged under.
        file: path of the policy to replay, for messages.
        content: its content; the policy may have another name.
        last: maximum number of promotions.
        environment: only this environment.
        on_done: called with the number of replayed promotions.

    Raises:
        MlgitError: the policy or the environment does not exist (`policy-unknown`, `environment-unknown`), the file is not a
            valid policy, the clone is shallow (`history-shallow`), or no promotion was merged under the policy yet
            (`policy-replay-empty`).
    """
    workspace.repository.require_full_history()
    state = take_snapshot(workspace).state
    state.policy(name)
    if environment is not None:
        state.environment(environment)
    tried = _read(workspace, file, content)
    promotions: list[ReplayedPromotion] = []
    unreadable: list[str] = []
    for merged in islice(_merged(workspace, state, name, environment, unreadable), last):
        promotions.append(_replay(workspace, merged, tried))
        on_done(len(promotions))
    if not promotions and not unreadable:
        raise refused(
            "policy-replay-empty",
            f"no promotion was merged under policy {name} yet" + (f" in {environment}" if environment else ""),
            fix="`mlgit gate MODEL@N --env ENV` evaluates a version by the policy in the repository",
            at=Location(layout.policy(name)),
        )
    passed = [promotion for promotion in promotions if promotion.outcome == "pass"]
    return PolicyReplay(
        policy=name,
        tried_policy=tried.name,
        promotions=promotions,
        blocked=sum(promotion.outcome in {"fail", "wait"} for promotion in promotions),
        passed=len(passed),
        inconclusive=sum(promotion.outcome == "error" for promotion in promotions),
        passed_but_rolled_back=sum(promotion.rolled_back for promotion in passed),
        unreadable=unreadable,
    )


def _read(workspace: Workspace, file: str, content: bytes) -> Policy:
    """Read a policy from any file. Findings have the path of that file, not the one where the policy would belong."""
    stated = workspace.formats.params(file, content).get("name")
    path = layout.policy(stated if isinstance(stated, str) and is_name(stated) else "policy")
    try:
        policy = workspace.formats.record(path, content)
        assert isinstance(policy, Policy)  # noqa: S101 - by its path
        if findings := list(check_policy(policy)):
            raise MlgitError(*findings)
    except MlgitError as error:
        raise MlgitError(*(_located(finding, file) for finding in error.findings)) from error
    return policy


def _located(finding: Finding, file: str) -> Finding:
    at = finding.at
    return msgspec.structs.replace(finding, at=None if at is None else Location(file, at.line, at.path))


def _merged(
    workspace: Workspace, state: Lifecycle, policy: str, environment: str | None, unreadable: list[str]
) -> Iterator[_Merged]:
    """Yield each manifest that promoted a version under a policy in the first-parent history, newest first.

    Args:
        workspace: the workspace.
        state: the state of the base branch.
        policy: name of the policy.
        environment: only this environment.
        unreadable: invalid manifests are added to this list.
    """
    newer: dict[str, Promotion] = {}
    folder = f"environments/{environment}" if environment else "environments"
    for commit, changes in workspace.repository.commits(commit_of(state), paths=[folder]):
        for change in changes:
            place = layout.parse_path(change.path)
            if place is None or place.kind != "promotion" or change.blob is None or not commit.parents:
                continue
            after = Lifecycle(workspace.repository.tree(commit.id), workspace.formats.record)
            before = Lifecycle(workspace.repository.tree(commit.parents[0]), workspace.formats.record)
            try:
                manifest, previous = after.find(Promotion, change.path), before.find(Promotion, change.path)
                is_under_policy = before.environment(place.fields["environment"]).policy == policy
                ref = None if manifest is None else manifest.gates
                report = None if ref is None else after.find(GateReport, ref.report)
            except MlgitError:
                unreadable.append(f"{change.path} at {commit.id[:12]}")
                continue
            if manifest is None or (previous is not None and previous.promotion == manifest.promotion):
                continue  # the manifest was deleted, or only formatted differently
            next_manifest = newer.get(change.path)
            newer[change.path] = manifest
            if is_under_policy and manifest.change == "promote" and promoted_slot(manifest, previous) is not None:
                at = commit.at if report is None else report.at
                yield _Merged(manifest, report, before, at, next_manifest)


def _replay(workspace: Workspace, merged: _Merged, tried: Policy) -> ReplayedPromotion:
    manifest, before = merged.manifest, merged.before
    slot = promoted_slot(manifest, before.promotion(manifest.environment, manifest.model))
    assert slot is not None  # noqa: S101 - `_merged` yields only such
    ref = VersionRef(manifest.model, slot.version)
    replayed = ReplayedPromotion(
        promotion=manifest.promotion,
        environment=manifest.environment,
        candidate=str(ref),
        at=merged.at,
        original_outcome=None if merged.report is None else merged.report.outcome,
        outcome="error",
        rolled_back=_is_rolled_back(manifest, merged.next),
    )
    try:
        version = before.version(ref)
        champion = before.champion(manifest.environment, manifest.model)
        evidence = StoredEvidence(workspace, before, version, champion, at=merged.at)
        verdicts = evaluate(tried.required_gates, evidence)
    except MlgitError as error:
        return msgspec.structs.replace(
            replayed, blocked_by=[BlockingGate("records", "error", error.findings[0].message)]
        )
    return msgspec.structs.replace(
        replayed,
        outcome=overall_outcome(verdicts),
        blocked_by=[
            BlockingGate(verdict.gate, verdict.outcome, verdict.message)  # type: ignore[arg-type]  # outcomes that block
            for verdict in verdicts
            if verdict.blocks
        ],
    )


def _is_rolled_back(manifest: Promotion, following: Promotion | None) -> bool:
    """Return whether the next manifest undid a promotion."""
    if following is None:
        return False
    champion = following.slots.champion
    is_restored = champion is not None and manifest.baseline is not None and champion.digest == manifest.baseline.digest
    return following.change == "rollback" or is_restored
