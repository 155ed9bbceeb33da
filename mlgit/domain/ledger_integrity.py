"""Check the integrity of the ledger: its hash chains, sequence numbers and times, and the references between both branches.

Each entry has the digest of the one before, and each branch names commits of the other, as in tamper-evident logs (Schneier and
Kelsey, "Secure Audit Logs to Support Computer Forensics", 1999). To rewrite one branch unnoticed, somebody would have to rewrite
the other too, in every clone.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import pairwise

from mlgit.domain import layout
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.codec import digest
from mlgit.domain.formatting import utc_time, utc_time_with_seconds
from mlgit.domain.names import CommitId, proposed_at
from mlgit.domain.records.ledger import DecisionRecord, Deployment
from mlgit.domain.records.promotion import Promotion
from mlgit.errors import Finding, Location

_RESTORE = "restore the ledger from an intact clone; `git log mlgit-ledger` shows who changed it"
_REWRITTEN = "compare `git log mlgit-ledger` and `git log` with other clones, and restore the branch that was rewritten"


def check_entries(entries: Sequence[Deployment], decided: Collection[str] | None = None) -> Iterator[Finding]:
    """Check that a deployment log is complete, in order and unchanged.

    Args:
        entries: all entries of one model in one environment, in the order of their numbers.
        decided: the promotions that have a decision record; None to not check that every applied promotion has one.
    """
    if entries and entries[0].seq != 1:
        yield _gap(entries[0], f"the first entry is {entries[0].seq}")
    if entries and entries[0].seq == 1 and entries[0].previous is not None:
        yield _broken(entries[0], "it is the first entry, but names a previous one")
    for before, entry in pairwise(entries):
        if entry.seq != before.seq + 1:
            yield _gap(entry, f"entry {before.seq} is followed by {entry.seq}")
        elif entry.previous != digest(before):
            yield _broken(entry, f"`previous` is not the digest of entry {before.seq}")
        if entry.at < before.at:
            yield _time(entry, f"entry {before.seq} is dated {utc_time_with_seconds(before.at)}")
    for entry in entries:
        if entry.at + CLOCK_TOLERANCE < proposed_at(entry.promotion):
            yield _time(entry, f"its promotion was proposed at {utc_time_with_seconds(proposed_at(entry.promotion))}")
    applied = dict.fromkeys(entry.promotion for entry in entries if entry.status == "verified")
    for promotion in applied if decided is not None else ():
        if promotion not in (decided or ()):
            yield Finding(
                "decision-missing",
                f"promotion {promotion} was applied, but has no decision record on the ledger",
                why="`mlgit apply` writes the decision record and the entry in one commit",
                fix=_RESTORE,
                at=Location(layout.decision(promotion)),
            )


def check_cross_references(
    manifests: Iterable[Promotion],
    records: Iterable[Deployment | DecisionRecord],
    *,
    on_ledger: Callable[[CommitId], bool],
    on_base: Callable[[CommitId], bool],
) -> Iterator[Finding]:
    """Check that each branch still has the commits that the other one names.

    Args:
        manifests: promotions of the base branch, current or all of its history.
        records: records of the ledger.
        on_ledger: returns whether a commit is the tip of the ledger or an ancestor of it.
        on_base: returns whether a commit is on the first-parent history of the base branch.
    """
    for manifest in manifests:
        if manifest.ledger is not None and not on_ledger(manifest.ledger):
            yield Finding(
                "ledger-rewritten",
                f"the ledger no longer has commit {manifest.ledger[:12]}",
                why=f"it was the newest when promotion {manifest.promotion} was proposed, and the ledger is append-only",
                fix=f"run `git fetch`; if the commit is still missing, {_REWRITTEN}",
                at=Location(layout.promotion(manifest.environment, manifest.model), path="ledger"),
            )
    for record in records:
        if not on_base(record.commit):
            yield Finding(
                "base-commit-missing",
                f"the base branch does not have commit {record.commit[:12]}",
                why=f"the ledger has a record of {utc_time(record.at)} that it was applied",
                fix=f"run `git pull` on the base branch; if the commit is still missing, {_REWRITTEN}",
                at=_location(record),
            )


def _location(record: Deployment | DecisionRecord) -> Location:
    if isinstance(record, DecisionRecord):
        return Location(layout.decision(record.promotion), path="commit")
    return Location(_path(record), path="commit")


def _path(entry: Deployment) -> str:
    return layout.deployment(entry.environment, entry.model, entry.seq)


def _gap(entry: Deployment, why: str) -> Finding:
    where = f"{entry.environment}/{entry.model}"
    return Finding(
        "ledger-entry-missing",
        f"entries of {where} are missing from the ledger",
        why=f"{why}; entries are numbered from 1 without gaps",
        fix=_RESTORE,
        at=Location(_path(entry)),
    )


def _broken(entry: Deployment, why: str) -> Finding:
    where = f"{entry.environment}/{entry.model}"
    return Finding(
        "ledger-chain-broken",
        f"entry {entry.seq} of {where} does not match the entry before it",
        why=why,
        fix=_RESTORE,
        at=Location(_path(entry), path="previous"),
    )


def _time(entry: Deployment, why: str) -> Finding:
    where = f"{entry.environment}/{entry.model}"
    return Finding(
        "ledger-time-invalid",
        f"entry {entry.seq} of {where} has an impossible time",
        why=f"it is dated {utc_time_with_seconds(entry.at)}; {why}",
        fix="correct the clock of this machine; an entry that is already on the ledger was written with a wrong clock",
        at=Location(_path(entry), path="at"),
    )
