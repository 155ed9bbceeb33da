"""Write and check the deployment log on the ledger: what targets were observed to run.

Each entry has the digest of the one before. Nothing is appended to a log that is broken.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.codec import digest, to_json
from mlgit.domain.ledger_integrity import check_cross_references, check_entries
from mlgit.domain.names import CommitId
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.errors import Finding, MlgitError
from mlgit.ops.kernel import ledger_branch, remote
from mlgit.ops.kernel.appliers import requires_signatures, signed
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.target import Observed
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.review import forge_reviews, pull_request_snapshots
from mlgit.ops.review.proposals import Proposal

_VERBS = {"verified": "Deploy", "degraded": "Find degraded", "blocked": "Block"}
_COMPARED = ("promotion", "status", "digest", "traffic", "beside", "message")
"""Fields of which at least one has to differ from the entry before, for an entry to be appended."""


def deviation(
    snapshot: Snapshot,
    manifest: Promotion,
    observed: Observed,
    status: Literal["degraded", "blocked"],
    message: str,
    traffic: int | None = None,
) -> Deployment:
    """Return the entry for a target that does not run what a promotion asks for; `record` numbers it."""
    return Deployment(
        schema=1,
        environment=manifest.environment,
        model=manifest.model,
        seq=1,
        promotion=manifest.promotion,
        status=status,
        version=None,
        digest=observed.digest,
        artifact=observed.artifact,
        target=observed.facts,
        commit=snapshot.commit,
        at=snapshot.at,
        previous=None,
        message=message or None,
        traffic=traffic,
    )


def record(
    workspace: Workspace,
    base: Lifecycle,
    entry: Deployment,
    *,
    decision: DecisionRecord | None = None,
    proposal: Proposal | None = None,
    repeat: bool = False,
) -> None:
    """Append an entry to the log, and with it the decision record that allows it, each signed by the current person.

    Args:
        workspace: where.
        base: the state of the base branch, which says who is an applier.
        entry: what was observed; its number, its time and the digest of the entry before are filled in here.
        decision: the decision record, which is added once for each promotion.
        proposal: the promotion; the reviews of its pull request are added along with the decision record.
        repeat: whether to append an entry that says the same as the last one, as evidence of a later time.

    Raises:
        MlgitError: the log is broken (`ledger-entry-missing`, `ledger-chain-broken`, `ledger-time-invalid`), the entry has to
            be signed and cannot be (`ledger-signature-missing`), or nothing can be appended to the ledger (see
            `ledger_branch.append`). Nothing was added.
    """
    key = (entry.environment, entry.model)
    reviews = (
        None
        if proposal is None or proposal.reviews is None
        else pull_request_snapshots.with_checks_and_rules(workspace, proposal.reviews)
    )

    def files(ledger: Ledger) -> Mapping[str, bytes]:
        entries = ledger.deployments(*key)
        last = entries[-1] if entries else None
        if last is not None and not repeat and all(getattr(last, name) == getattr(entry, name) for name in _COMPARED):
            return {}  # another run has recorded it already
        new = _with_number(workspace, entry, last)
        if findings := list(check_entries([*entries, new])):
            raise MlgitError(*findings)
        added = {layout.deployment(*key, new.seq): to_json(new)}
        if decision is not None and ledger.find(DecisionRecord, layout.decision(decision.promotion)) is None:
            added[layout.decision(decision.promotion)] = to_json(decision)
            added |= {} if reviews is None else forge_reviews.new_files(ledger, reviews)
        is_required = entry.status == "verified" and requires_signatures(base, entry.environment)
        return signed(workspace, base, entry.environment, added, required=is_required)

    subject = f"{_VERBS[entry.status]} {entry.model} in {entry.environment}"
    keeps = [] if proposal is None else forge_reviews.commits_to_keep(workspace, proposal)
    ledger_branch.append(workspace, files, subject, keeps=keeps)


def check_log(
    workspace: Workspace, snapshot: Snapshot, manifest: Promotion, entries: Iterable[Deployment]
) -> list[Finding]:
    """Check the log of a model in an environment, and that base branch and ledger have the commits of each other."""
    repository, entries = workspace.repository, list(entries)
    return [
        *_check_pushed(repository, snapshot),
        *check_entries(entries),
        *check_cross_references(
            [manifest],
            entries[-1:],
            on_ledger=lambda commit: _has(repository, snapshot.ledger.commit, commit),
            # As in an audit: a merge of the base branch onto another history has its commits, but other rules.
            on_base=lambda commit: commit in repository.commit_times(snapshot.commit),
        ),
    ]


def _check_pushed(repository: Repository, snapshot: Snapshot) -> Iterator[Finding]:
    """The remote has the commit that the ledger is going to name, without which no other clone could verify the entry."""
    name = snapshot.state.project().base
    copy = repository.resolve(remote.tracking_ref(f"refs/heads/{name}"))
    if remote.exists(repository) and not _has(repository, copy, snapshot.commit):
        yield Finding(
            "base-branch-unpushed",
            f"{remote.NAME} does not have commit {snapshot.commit[:12]} of {name}",
            why="the ledger would name a commit that only this clone has",
            fix=f"run `git push {remote.NAME} {name}`",
        )


def _has(repository: Repository, tip: CommitId | None, commit: CommitId) -> bool:
    """Tell whether a commit is the tip of a branch or an ancestor of it; one that is not in this clone is neither."""
    if tip is None or repository.resolve(commit) is None:
        return False
    return remote.contains(repository, tip, commit)


def _with_number(workspace: Workspace, entry: Deployment, last: Deployment | None) -> Deployment:
    """Return an entry with its number, its time, and the digest of the entry before."""
    now = workspace.clock.now()
    if last is not None and now < last.at <= now + CLOCK_TOLERANCE:
        now = last.at  # the clock of the machine that wrote the last entry is ahead
    return replace(
        entry,
        seq=last.seq + 1 if last else 1,
        previous=digest(last) if last else None,
        at=now,
        target=_relative(workspace, entry.target),
    )


def _relative(workspace: Workspace, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a target, with a path inside the repository relative to its root, so that it fits every clone."""
    root, path = workspace.repository.root, facts.get("path")
    if root is None or not isinstance(path, str) or not Path(path).is_relative_to(root):
        return dict(facts)
    return {**facts, "path": Path(path).relative_to(root).as_posix()}
