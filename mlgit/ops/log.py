"""What was promoted and what was deployed, newest first: the base branch and the ledger, read as one story."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.approvals import Directory
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.ops import proposal
from mlgit.ops.outcome import Outcome
from mlgit.ops.ports import Workspace


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    at: datetime
    kind: Literal["promoted", "deployed", "blocked", "degraded"]
    environment: str
    model: str
    before: str | None
    after: str | None
    promotion: str
    by: str
    decision: str | None
    reason: str | None
    commit: str


class History(Outcome, frozen=True, kw_only=True, tag="mlgit/log.v1"):
    """What happened, newest first."""

    events: list[Event]
    more: bool


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
    _, state = proposal.base_of(workspace) if at is None else (at, proposal.state_at(workspace, at))
    commit = state.tree.commit
    assert commit is not None  # noqa: S101 - a state of a commit
    folder = f"environments/{environment or ''}".rstrip("/")
    wanted = limit + 1
    people = Directory(state.roles())
    promoted = list(islice(_promoted(workspace, commit, [folder], model, people), wanted))
    deployed = list(islice(_deployed(workspace, environment, model, people), wanted))
    events = sorted([*promoted, *deployed], key=lambda event: event.at, reverse=True)
    return History(events=events[:limit], more=len(events) > limit)


def _promoted(
    workspace: Workspace, commit: str, paths: list[str], model: str | None, people: Directory
) -> Iterator[Event]:
    ledger = proposal.ledger_of(workspace)
    for one, changes in workspace.repository.commits(commit, paths=paths):
        for change in changes:
            place = layout.place(change.path)
            if place is None or place.kind != "promotion" or model not in {None, place.says["model"]}:
                continue
            before = _manifest(workspace, change.path, one.parents[0] if one.parents else None)
            after = _manifest(workspace, change.path, one.id)
            manifest = after or before
            if manifest is None:
                continue
            decided = ledger.find(DecisionRecord, layout.decision(manifest.promotion))
            yield Event(
                at=one.at,
                kind="promoted",
                environment=place.says["environment"],
                model=place.says["model"],
                before=_label(before),
                after=_label(after),
                promotion=manifest.promotion,
                by=", ".join(approval.person for approval in decided.approvals)
                if decided and decided.approvals
                else people.person(one.author_email),
                decision=decided.decision if decided else None,
                reason=manifest.reason,
                commit=one.id,
            )


def _manifest(workspace: Workspace, path: str, commit: str | None) -> Promotion | None:
    if commit is None:
        return None
    content = workspace.repository.tree(commit).read(path)
    record = None if content is None else workspace.formats.record(path, content)
    assert record is None or isinstance(record, Promotion)  # noqa: S101 - by its path
    return record


def _deployed(workspace: Workspace, environment: str | None, model: str | None, people: Directory) -> Iterator[Event]:
    repository = workspace.repository
    tip = proposal.ledger_tip(workspace)
    if tip is None:
        return
    for one, changes in repository.commits(tip, paths=["deployments"]):
        for change in changes:
            place = layout.place(change.path)
            content = repository.tree(one.id).read(change.path)
            entry = (
                workspace.formats.record(change.path, content) if place is not None and content is not None else None
            )
            if not isinstance(entry, Deployment):
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
                )


def _label(manifest: Promotion | None) -> str | None:
    slot = manifest.slots.champion if manifest else None
    return None if manifest is None or slot is None else f"{manifest.model}@{slot.version}"
