"""What was promoted and what was deployed, newest first: the base branch and the ledger, read as one story."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec

from mlgit.domain import layout, slots
from mlgit.domain.approvals import People
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    at: datetime
    kind: Literal["promoted", "rolled-back", "recertified", "deployed", "blocked", "degraded"]
    environment: str
    model: str
    before: str | None
    after: str | None
    promotion: str
    by: str
    decision: str | None
    reason: str | None
    commit: str
    traffic: int | None = None
    beside: list[slots.Placed] = []


class History(Outcome, frozen=True, kw_only=True, tag="mlgit/log.v1"):
    """What happened, newest first."""

    events: list[Event]
    has_more: bool


def run(
    workspace: Workspace,
    *,
    at: str | None = None,
    environment: str | None = None,
    model: str | None = None,
    limit: int = 30,
) -> History:
    """Tell the newest events of an environment, a model, or all.

    Raises:
        MlgitError: the clone is shallow, so that its history is not all there (`history-shallow`).
    """
    workspace.repository.require_full_history()
    then = snapshot.take_snapshot(workspace, at)
    folder = f"environments/{environment or ''}".rstrip("/")
    wanted = limit + 1
    people = People(then.state.roles())
    promoted = list(islice(_promoted(workspace, then, [folder], model, people), wanted))
    deployed = list(islice(_deployed(workspace, then.ledger, environment, model, people), wanted))
    events = sorted([*promoted, *deployed], key=lambda event: event.at, reverse=True)
    return History(events=events[:limit], has_more=len(events) > limit)


def _promoted(
    workspace: Workspace, then: snapshot.Snapshot, paths: list[str], model: str | None, people: People
) -> Iterator[Event]:
    for one, changes in workspace.repository.commits(then.commit, paths=paths):
        for change in changes:
            place = layout.parse_path(change.path)
            if place is None or place.kind != "promotion" or model not in {None, place.fields["model"]}:
                continue
            before = _manifest(workspace, change.path, one.parents[0] if one.parents else None)
            after = _manifest(workspace, change.path, one.id)
            manifest = after or before
            if manifest is None:
                continue
            decided = then.ledger.find(DecisionRecord, layout.decision(manifest.promotion))
            yield Event(
                at=one.at,
                kind=_kind(manifest),
                environment=place.fields["environment"],
                model=place.fields["model"],
                before=_label(before),
                after=_label(after),
                beside=slots.placed(after),
                promotion=manifest.promotion,
                by=", ".join(approval.person for approval in decided.approvals)
                if decided and decided.approvals
                else people.person(one.author_email),
                decision=decided.decision if decided else None,
                reason=manifest.reason,
                commit=one.id,
            )


def _kind(manifest: Promotion) -> Literal["promoted", "rolled-back", "recertified"]:
    if manifest.change == "recertify":
        return "recertified"
    return "rolled-back" if manifest.change == "rollback" else "promoted"


def _manifest(workspace: Workspace, path: str, commit: str | None) -> Promotion | None:
    if commit is None:
        return None
    content = workspace.repository.tree(commit).read(path)
    record = None if content is None else workspace.formats.record(path, content)
    assert record is None or isinstance(record, Promotion)  # noqa: S101 - by its path
    return record


def _deployed(
    workspace: Workspace, ledger: Ledger, environment: str | None, model: str | None, people: People
) -> Iterator[Event]:
    repository = workspace.repository
    tip = None if ledger.tree is None else ledger.tree.commit
    if tip is None:
        return
    for one, changes in repository.commits(tip, paths=["deployments"]):
        seen = Lifecycle(repository.tree(one.id), workspace.formats.record)
        for change in changes:
            place = layout.parse_path(change.path)
            entry = seen.find(Deployment, change.path) if place is not None and place.kind == "deployment" else None
            if entry is None or _was_seen_before(seen, entry):
                continue
            if environment in {None, entry.environment} and model in {None, entry.model}:
                yield Event(
                    at=entry.at,
                    kind="deployed" if entry.status == "verified" else entry.status,
                    environment=entry.environment,
                    model=entry.model,
                    before=None,
                    after=None if entry.version is None else f"{entry.model}@{entry.version}",
                    promotion=entry.promotion,
                    by=people.person(one.author_email),
                    decision=None,
                    reason=entry.message,
                    commit=one.id,
                    traffic=entry.traffic,
                    beside=slots.placed_as_seen(entry),
                )


def _was_seen_before(ledger: Lifecycle, entry: Deployment) -> bool:
    """Tell whether an entry only says once more what the one before it says, as evidence of a later moment."""
    folder = layout.deployments(entry.environment, entry.model)
    before = ledger.find(Deployment, f"{folder}/{entry.seq - 1}.json")
    same = ("promotion", "status", "digest", "traffic", "message", "beside")
    return before is not None and all(getattr(before, name) == getattr(entry, name) for name in same)


def _label(manifest: Promotion | None) -> str | None:
    slot = manifest.slots.champion if manifest else None
    return None if manifest is None or slot is None else f"{manifest.model}@{slot.version}"
