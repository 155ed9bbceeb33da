"""The history of promotions and deployments, newest first: the base branch and the ledger, merged by time."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.approvals import People
from mlgit.domain.codec import digest
from mlgit.domain.names import is_name
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.domain.rules.promotions import check_replaces
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Commit, PathChange
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.record_tree import RecordTree
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot

EventKind = Literal[
    "promoted",
    "rolled-back",
    "recertified",
    "edited",
    "restored",
    "removed",
    "unreadable",
    "deployed",
    "blocked",
    "degraded",
]
"""A manifest is `edited` if it keeps the id of the promotion that it had, and `restored` if it does not replace the one before,
or was decided on before this commit. It is `unreadable` if it is no valid manifest, or no regular file."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a manifest on the base branch, or an entry of the deployment log.

    `committed_by` made the commit: merged a promotion, edited a manifest, or ran `mlgit apply`. It is what Git was told; nothing
    proves it. `approved_by` are the approvals in the ledger's decision record, and `decision` is its digest: both only if that
    record is about exactly this manifest. `mlgit audit` verifies them.
    """

    at: datetime
    kind: EventKind
    environment: str
    model: str
    before: str | None
    after: str | None
    promotion: str | None
    committed_by: str
    approved_by: list[str] = []
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
            if place is None or place.kind != "promotion" or not all(map(is_name, place.fields.values())):
                continue
            if model in {None, place.fields["model"]}:
                yield _promotion_event(workspace, snapshot, commit, change, people)


def _promotion_event(
    workspace: Workspace, snapshot: Snapshot, commit: Commit, change: PathChange, people: People
) -> Event:
    before = _manifest(workspace, change.path, commit.parents[0] if commit.parents else None)
    after = _manifest(workspace, change.path, commit.id)
    environment, model = change.path.removesuffix(".yaml").split("/")[1:]
    event = Event(
        at=commit.at,
        kind=_kind(before, after) if after or change.status == "D" else "unreadable",
        environment=environment,
        model=model,
        before=_label(before),
        after=_label(after),
        beside=slots.versions_beside(after),
        promotion=manifest.promotion if (manifest := after or before) else None,
        committed_by=people.person(commit.author_email),
        decision=None,
        reason=manifest.reason if manifest else None,
        commit=commit.id,
    )
    if after is None or event.kind in {"edited", "restored"}:
        return event
    record = snapshot.ledger.find(DecisionRecord, layout.decision(after.promotion))
    if record is None or record.reads.get("manifest") != digest(after):
        return event
    repository = workspace.repository
    if repository.resolve(record.commit) is None or not remote.contains(repository, record.commit, commit.id):
        return replace(event, kind="restored")
    approved_by = [approval.person for approval in record.approvals]
    return replace(event, approved_by=approved_by, decision=record.decision)


def _kind(before: Promotion | None, after: Promotion | None) -> EventKind:
    """Return what a commit did to a manifest. Its id alone says nothing: anybody can keep it, or bring it back."""
    if after is None:
        return "removed"
    if before is not None and before.promotion == after.promotion:
        return "edited"
    if any(check_replaces(after, before)):
        return "restored"
    kinds: dict[str, EventKind] = {"recertify": "recertified", "rollback": "rolled-back"}
    return kinds.get(after.change, "promoted")


def _manifest(workspace: Workspace, path: str, commit: str | None) -> Promotion | None:
    """Return the manifest at a commit; None if there is none that can be read: what is on the base branch once stays there."""
    content = None if commit is None else workspace.repository.tree(commit).read(path)
    try:
        record = None if content is None else workspace.formats.record(path, content)
    except Inconclusive:
        raise
    except MlgitError:
        return None
    return record if isinstance(record, Promotion) else None


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
                    committed_by=people.person(commit.author_email),
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
