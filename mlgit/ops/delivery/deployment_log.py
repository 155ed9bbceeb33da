"""What was seen to run, written onto the ledger: each entry names the one before, and none is added to a chain that is broken."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import digest, to_json
from mlgit.domain.ledger_integrity import CLOCK_TOLERANCE, check_cross_references, check_entries
from mlgit.domain.names import CommitId
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.domain.records.ledger import SeenBeside
from mlgit.errors import Finding, MlgitError
from mlgit.ops.kernel import ledger_branch, remote
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.target import Observed
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import ledger_tip
from mlgit.ops.review import forge_reviews
from mlgit.ops.review.proposals import Proposal

_VERBS = {"verified": "Deploy", "degraded": "Find degraded", "blocked": "Block"}


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What a target was seen to run, and what came of it.

    Where the version takes over from another one, `digest` and `artifact` are its own, and `traffic` is its share. `beside` is
    what runs beside it for good.
    """

    environment: str
    model: str
    promotion: str
    status: Literal["verified", "degraded", "blocked"]
    version: int | None
    digest: str | None
    artifact: str | None
    facts: Mapping[str, Any]
    message: str = ""
    traffic: int | None = None
    beside: SeenBeside | None = None


def unexpected(
    manifest: Promotion, observed: Observed, status: Literal["degraded", "blocked"], message: str
) -> Sighting:
    """Return the sighting of a target that does not run what a promotion asks for."""
    return Sighting(
        environment=manifest.environment,
        model=manifest.model,
        promotion=manifest.promotion,
        status=status,
        version=None,
        digest=observed.digest,
        artifact=observed.artifact,
        facts=observed.facts,
        message=message,
    )


def record_deployment(
    workspace: Workspace,
    base: CommitId,
    sighting: Sighting,
    *,
    decided: DecisionRecord | None = None,
    found: Proposal | None = None,
    again: bool = False,
) -> None:
    """Append a sighting to the ledger, with the decision that led to it.

    Args:
        workspace: where.
        base: the commit of the base branch that was applied.
        sighting: what was seen.
        decided: the decision, which is added once for each promotion.
        found: what was decided on; what a forge told of its pull request is added along with the decision.
        again: whether to add it where the last entry says the same already, as evidence of another moment.

    Raises:
        MlgitError: the chain that it would be added to is broken (`ledger-gap`, `ledger-chain-broken`, `ledger-time`), or
            it cannot be added (see `ledger.append`). Nothing was added.
    """
    key = (sighting.environment, sighting.model)
    told = (
        None
        if found is None or found.reviews is None
        else forge_reviews.with_checks_and_rules(workspace, found.reviews)
    )

    def files(there: Ledger) -> Mapping[str, bytes]:
        entries = there.deployments(*key)
        before = entries[-1] if entries else None
        if before is not None and not again and _same(before, sighting):
            return {}  # somebody else was faster
        entry = _entry(workspace, base, sighting, before)
        if findings := list(check_entries([*entries, entry])):
            raise MlgitError(*findings)
        added = {f"{layout.deployments(*key)}/{entry.seq}.json": to_json(entry)}
        if decided is not None and there.find(DecisionRecord, layout.decision(decided.promotion)) is None:
            added[layout.decision(decided.promotion)] = to_json(decided)
            added |= {} if told is None else forge_reviews.new_files(there, told)
        return added

    subject = f"{_VERBS[sighting.status]} {sighting.model} in {sighting.environment}"
    ledger_branch.append(
        workspace, files, subject, keeps=[] if found is None else forge_reviews.commits_to_keep(workspace, found)
    )


def check_ledger(
    workspace: Workspace, base: Lifecycle, manifest: Promotion, entries: Iterable[Deployment]
) -> list[Finding]:
    """Check that what is there of a model in an environment is a chain, and that no branch lost what the other one names."""
    repository, entries = workspace.repository, list(entries)
    tip, commit = ledger_tip(workspace), base.tree.commit
    return [
        *_check_shared(repository, f"refs/heads/{base.project().base}", commit),
        *check_entries(entries),
        *check_cross_references(
            [manifest],
            entries[-1:],
            on_ledger=lambda named: _has(repository, tip, named),
            on_base=lambda named: _has(repository, commit, named),
        ),
    ]


def _check_shared(repository: Repository, branch: str, commit: CommitId | None) -> Iterator[Finding]:
    """The remote has the commit that the ledger is going to name: were it lost with this clone, no other could go on."""
    name = branch.removeprefix("refs/heads/")
    if remote.is_there(repository) and not _has(repository, repository.resolve(remote.copy_of(branch)), commit or ""):
        yield Finding(
            "base-unpushed",
            f"{remote.NAME} does not have commit {(commit or '')[:12]} of {name}",
            why="the ledger would name a commit that is in this clone alone",
            fix=f"run `git push {remote.NAME} {name}`",
        )


def _has(repository: Repository, tip: CommitId | None, commit: CommitId) -> bool:
    """Tell whether a commit is the tip of a branch or came before it; one that is not even here did not."""
    if tip is None or repository.resolve(commit) is None:
        return False
    return remote.contains(repository, tip, commit)


def _same(before: Deployment, sighting: Sighting) -> bool:
    return (
        all(
            getattr(before, name) == getattr(sighting, name)
            for name in ("promotion", "status", "digest", "traffic", "beside")
        )
        and (before.message or "") == sighting.message
    )


def _entry(workspace: Workspace, base: CommitId, sighting: Sighting, before: Deployment | None) -> Deployment:
    now = workspace.clock.now()
    if before is not None and now < before.at <= now + CLOCK_TOLERANCE:
        now = before.at  # another machine's clock is ahead of this one's
    return Deployment(
        schema=1,
        environment=sighting.environment,
        model=sighting.model,
        seq=before.seq + 1 if before else 1,
        promotion=sighting.promotion,
        status=sighting.status,
        version=sighting.version,
        digest=sighting.digest,
        artifact=sighting.artifact,
        target=_here(workspace, sighting.facts),
        commit=base,
        at=now,
        previous=digest(before) if before else None,
        message=sighting.message or None,
        traffic=sighting.traffic,
        beside=sighting.beside,
    )


def _here(workspace: Workspace, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a target said, with its path from the root of the repository where it is inside: clones are elsewhere."""
    root, path = workspace.repository.root, facts.get("path")
    if root is None or not isinstance(path, str) or not Path(path).is_relative_to(root):
        return dict(facts)
    return {**facts, "path": Path(path).relative_to(root).as_posix()}
