"""Try a policy on the promotions of the past: what would it have stopped, and what would it have let through?"""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import VersionRef, is_name
from mlgit.domain.policy import OverallOutcome, evaluate, overall_outcome
from mlgit.domain.records import GateReport, Policy, Promotion
from mlgit.domain.rules.written import check_policy
from mlgit.domain.slots import promoted
from mlgit.errors import Exit, Location, MlgitError, refused
from mlgit.ops.evaluation.evidence import StoredEvidence
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace


class BlockingGate(msgspec.Struct, frozen=True):
    """A gate that does not let a version through, and why."""

    gate: str
    outcome: Literal["fail", "error", "wait"]
    message: str


class ReplayedPromotion(msgspec.Struct, frozen=True, kw_only=True):
    """A promotion that was merged, and what the policy that is tried says of it.

    `then` is what the gates of that time said, None where no report came with it; `rolled_back` says that the next promotion
    of the model there was a rollback, or brought back what had run before.
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
    """What a policy would have said of the last promotions, newest first."""

    policy: str
    tried_policy: str
    promotions: list[ReplayedPromotion]
    blocked: int
    passed: int
    inconclusive: int
    passed_but_rolled_back: int
    unreadable: list[str] = []
    """Manifests of the past that cannot be read, or that follow such a one, as `<path> at <commit>`."""

    @property
    def exit(self) -> Exit:
        """Not judged where evidence is gone; else the question was answered, whatever the answer."""
        return Exit.INCONCLUSIVE if self.inconclusive or self.unreadable else Exit.YES


class _Merged(msgspec.Struct, frozen=True):
    """A manifest with its report, the state before the commit that brought them, and the manifest that followed."""

    manifest: Promotion
    report: GateReport | None
    before: Lifecycle
    at: datetime
    followed_by: Promotion | None


def run(
    workspace: Workspace,
    name: str,
    file: str,
    content: bytes,
    *,
    last: int,
    environment: str | None = None,
    on_done: Callable[[int], None] = lambda _: None,
) -> PolicyReplay:
    """Judge the last merged promotions of the environments that were under a policy by the gates of another file.

    Each is judged on the state before the commit that brought it, as of the time that its gate report states. Nothing is
    waived, for waivers were given to gates of that time.

    Args:
        workspace: where.
        name: the policy that stood, or stands, over the environments.
        file: name of the file of the policy that is tried, for messages.
        content: what is in it; the policy may have another name.
        last: how many promotions at most.
        environment: only this one.
        on_done: called with the number of promotions that are done.

    Raises:
        MlgitError: there is no such policy, the file is no sound policy, the clone is shallow, or nothing was merged under the
            policy yet (`policy-replay-empty`).
    """
    workspace.repository.require_full_history()
    _, state = snapshot.base_of(workspace)
    state.policy(name)
    if environment is not None:
        state.environment(environment)
    tried = _read(workspace, file, content)
    judged: list[ReplayedPromotion] = []
    unread: list[str] = []
    for merged in islice(_merged(workspace, state, name, environment, unread), last):
        judged.append(_judge(workspace, merged, tried))
        on_done(len(judged))
    if not judged and not unread:
        raise refused(
            "policy-replay-empty",
            f"no promotion was merged under policy {name} yet" + (f" in {environment}" if environment else ""),
            fix="`mlgit gate MODEL@N --env ENV` judges a version by the policy as it is in the repository",
            at=Location(layout.policy(name)),
        )
    let_through = [one for one in judged if one.outcome == "pass"]
    return PolicyReplay(
        policy=name,
        tried_policy=tried.name,
        promotions=judged,
        blocked=sum(one.outcome in {"fail", "wait"} for one in judged),
        passed=len(let_through),
        inconclusive=sum(one.outcome == "error" for one in judged),
        passed_but_rolled_back=sum(one.rolled_back for one in let_through),
        unreadable=unread,
    )


def _read(workspace: Workspace, file: str, content: bytes) -> Policy:
    """Read a policy that is not in its place yet; what is wrong with it is said of the file as the person named it."""
    stated = workspace.formats.params(file, content).get("name")
    path = layout.policy(stated if isinstance(stated, str) and is_name(stated) else "policy")
    try:
        policy = workspace.formats.record(path, content)
        assert isinstance(policy, Policy)  # noqa: S101 - by its path
        if findings := list(check_policy(policy)):
            raise MlgitError(*findings)
    except MlgitError as error:
        here = (Location(file, one.at.line, one.at.path) if one.at else None for one in error.findings)
        raise MlgitError(
            *(msgspec.structs.replace(one, at=at) for one, at in zip(error.findings, here, strict=True))
        ) from error
    return policy


def _merged(
    workspace: Workspace, state: Lifecycle, policy: str, environment: str | None, unread: list[str]
) -> Iterator[_Merged]:
    """Yield each manifest that promoted a version under a policy, newest first, as the first-parent history has them."""
    tip = state.tree.commit
    assert tip is not None  # noqa: S101 - the base is a commit
    newer: dict[str, Promotion] = {}
    folder = f"environments/{environment}" if environment else "environments"
    for commit, changes in workspace.repository.commits(tip, paths=[folder]):
        for change in changes:
            place = layout.parse_path(change.path)
            if place is None or place.kind != "promotion" or change.after is None or not commit.parents:
                continue
            after = Lifecycle(workspace.repository.tree(commit.id), workspace.formats.record)
            before = Lifecycle(workspace.repository.tree(commit.parents[0]), workspace.formats.record)
            try:
                manifest, was = after.find(Promotion, change.path), before.find(Promotion, change.path)
                guarded = before.environment(place.fields["environment"]).policy == policy
                ref = None if manifest is None else manifest.gates
                report = None if ref is None else after.find(GateReport, ref.report)
            except MlgitError:
                unread.append(f"{change.path} at {commit.id[:12]}")
                continue
            if manifest is None or (was is not None and was.promotion == manifest.promotion):
                continue  # gone, or only written otherwise
            followed_by = newer.get(change.path)
            newer[change.path] = manifest
            if guarded and manifest.change == "promote" and promoted(manifest, was) is not None:
                at = commit.at if report is None else report.at
                yield _Merged(manifest, report, before, at, followed_by)


def _judge(workspace: Workspace, merged: _Merged, tried: Policy) -> ReplayedPromotion:
    manifest, before = merged.manifest, merged.before
    slot = promoted(manifest, before.promotion(manifest.environment, manifest.model))
    assert slot is not None  # noqa: S101 - only such are looked at
    ref = VersionRef(manifest.model, slot.version)
    known = ReplayedPromotion(
        promotion=manifest.promotion,
        environment=manifest.environment,
        candidate=str(ref),
        at=merged.at,
        original_outcome=None if merged.report is None else merged.report.outcome,
        outcome="error",
        rolled_back=_is_way_back(manifest, merged.followed_by),
    )
    try:
        version = before.version(ref)
        champion = before.champion(manifest.environment, manifest.model)
        evidence = StoredEvidence(workspace, before, version, champion, at=merged.at)
        verdicts = evaluate(tried.gates, evidence)
    except MlgitError as error:
        return msgspec.structs.replace(known, blocked_by=[BlockingGate("records", "error", error.findings[0].message)])
    return msgspec.structs.replace(
        known,
        outcome=overall_outcome(verdicts),
        blocked_by=[BlockingGate(one.gate, one.outcome, one.message) for one in verdicts if one.blocks],  # type: ignore[arg-type]  # those that refuse
    )


def _is_way_back(manifest: Promotion, after: Promotion | None) -> bool:
    """Tell whether what followed a promotion took it back."""
    if after is None:
        return False
    champion = after.slots.champion
    brought_back = (
        champion is not None and manifest.baseline is not None and champion.digest == manifest.baseline.digest
    )
    return after.change == "rollback" or brought_back
