"""The history of promotions and deployments, newest first: the base branch and the ledger, merged by time."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec

from mlgit.domain import layout, slots
from mlgit.domain.approvals import People
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.record_tree import RecordTree
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A promotion that was merged, or an entry of the deployment log."""

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
    beside: list[slots.VersionBeside] = []


class History(Outcome, frozen=True, kw_only=True, tag="mlgit/log.v1"):
    """Events, newest first. `has_more` is whether there are older ones."""

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
    """Return the newest events.

    Args:
        workspace: the workspace.
        at: a commit, branch, tag or date to read instead of the base branch as it is now.
        environment: only this environment.
        model: only this model.
        limit: maximum number of events.

    Raises:
        MlgitError: the clone is shallow, so events may be missing (`history-shallow`); or there is no event, since the
            environment or the model does not exist (`environment-unknown`, `model-unknown`).
    """
    workspace.repository.require_full_history()
    snapshot = take_snapshot(workspace, at)
    folder = f"environments/{environment or ''}".rstrip("/")
    people = People(snapshot.state.roles())
    # One more of each than is shown tells whether there are older events.
    promotions = list(islice(_promotions(workspace, snapshot, [folder], model, people), limit + 1))
    deployments = list(islice(_deployments(workspace, snapshot.ledger, environment, model, people), limit + 1))
    if not promotions and not deployments:  # what was deleted since may still have events
        if environment is not None:
            snapshot.state.environment(environment)
        if model is not None:
            snapshot.state.model(model)
    events = sorted([*promotions, *deployments], key=lambda event: event.at, reverse=True)
    return History(events=events[:limit], has_more=len(events) > limit)


def _promotions(
    workspace: Workspace, snapshot: Snapshot, paths: list[str], model: str | None, people: People
) -> Iterator[Event]:
    for commit, changes in workspace.repository.commits(snapshot.commit, paths=paths):
        for change in changes:
            place = layout.parse_path(change.path)
            if place is None or place.kind != "promotion" or model not in {None, place.fields["model"]}:
                continue
            before = _manifest(workspace, change.path, commit.parents[0] if commit.parents else None)
            after = _manifest(workspace, change.path, commit.id)
            manifest = after or before
            if manifest is None:
                continue
            decision = snapshot.ledger.find(DecisionRecord, layout.decision(manifest.promotion))
            yield Event(
                at=commit.at,
                kind=_kind(manifest),
                environment=place.fields["environment"],
                model=place.fields["model"],
                before=_label(before),
                after=_label(after),
                beside=slots.versions_beside(after),
                promotion=manifest.promotion,
                by=", ".join(approval.person for approval in decision.approvals)
                if decision and decision.approvals
                else people.person(commit.author_email),
                decision=decision.decision if decision else None,
                reason=manifest.reason,
                commit=commit.id,
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


def _deployments(
    workspace: Workspace, ledger: Ledger, environment: str | None, model: str | None, people: People
) -> Iterator[Event]:
    repository = workspace.repository
    if ledger.commit is None:
        return
    for commit, changes in repository.commits(ledger.commit, paths=["deployments"]):
        records = RecordTree(repository.tree(commit.id), workspace.formats.record)
        for change in changes:
            place = layout.parse_path(change.path)
            entry = records.find(Deployment, change.path) if place is not None and place.kind == "deployment" else None
            if entry is None or _repeats_previous(records, entry):
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
                    by=people.person(commit.author_email),
                    decision=None,
                    reason=entry.message,
                    commit=commit.id,
                    traffic=entry.traffic,
                    beside=slots.versions_observed_beside(entry),
                )


def _repeats_previous(records: RecordTree, entry: Deployment) -> bool:
    """Return whether an entry differs from the previous one in its time only: the same state, observed again."""
    folder = layout.deployments(entry.environment, entry.model)
    before = records.find(Deployment, f"{folder}/{entry.seq - 1}.json")
    compared = ("promotion", "status", "digest", "traffic", "message", "beside")
    return before is not None and all(getattr(before, name) == getattr(entry, name) for name in compared)


def _label(manifest: Promotion | None) -> str | None:
    slot = manifest.slots.champion if manifest else None
    return None if manifest is None or slot is None else f"{manifest.model}@{slot.version}"
