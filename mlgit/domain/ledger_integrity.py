"""The ledger holds together: each entry names the one before, numbers and times go on, and each branch names the other's tip.

Hash chain and mutual anchoring as in tamper-evident logs (Schneier and Kelsey, "Secure Audit Logs to Support Computer
Forensics", 1999): whoever rewrites one branch has to rewrite the other too, and every clone of either knows better.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from mlgit.domain import layout
from mlgit.domain.codec import digest
from mlgit.domain.formatting import utc_time, utc_time_with_seconds
from mlgit.domain.names import CommitId, proposed_at
from mlgit.domain.records.ledger import DecisionRecord, Deployment
from mlgit.domain.records.promotion import Promotion
from mlgit.errors import Finding, Location

CLOCK_TOLERANCE = timedelta(minutes=5)
"""By how much the clocks of two machines may differ."""
_RESTORE = "restore the ledger from a clone that has it whole: `git log mlgit-ledger` tells who changed it"
_REWRITTEN = (
    "compare `git log mlgit-ledger` and `git log` in the clones of the team, and restore the branch that was rewritten"
)


def check_entries(entries: Sequence[Deployment], decided: Collection[str] | None = None) -> Iterator[Finding]:
    """The entries of one model in one environment are a chain that nobody took anything out of.

    Args:
        entries: all of them, in the order of their numbers.
        decided: the promotions that the ledger has a decision of; whether each that was carried out has one is not asked if None.
    """
    if entries and entries[0].seq != 1:
        yield _gap(entries[0], f"the first is {entries[0].seq}")
    if entries and entries[0].seq == 1 and entries[0].previous is not None:
        yield _broken(entries[0], "it is the first, and names one before it")
    for before, entry in pairwise(entries):
        if entry.seq != before.seq + 1:
            yield _gap(entry, f"{before.seq} is followed by {entry.seq}")
        elif entry.previous != digest(before):
            yield _broken(entry, f"it does not name what entry {before.seq} says")
        if entry.at < before.at:
            yield _time(entry, f"entry {before.seq} is of {utc_time_with_seconds(before.at)}")
    for entry in entries:
        if entry.at + CLOCK_TOLERANCE < proposed_at(entry.promotion):
            yield _time(entry, f"its promotion was made at {utc_time_with_seconds(proposed_at(entry.promotion))}")
    carried_out = dict.fromkeys(entry.promotion for entry in entries if entry.status == "verified")
    for promotion in carried_out if decided is not None else ():
        if promotion not in (decided or ()):
            yield Finding(
                "decision-missing",
                f"promotion {promotion} was carried out, and the ledger has no decision of it",
                why="`mlgit apply` writes both in one commit",
                fix=_RESTORE,
                at=Location(layout.decision(promotion)),
            )


def check_cross_references(
    manifests: Iterable[Promotion],
    seen: Iterable[Deployment | DecisionRecord],
    *,
    on_ledger: Callable[[CommitId], bool],
    on_base: Callable[[CommitId], bool],
) -> Iterator[Finding]:
    """Each branch still has the commits of it that the other names.

    Args:
        manifests: promotions of the base branch, today's or all that there were.
        seen: records of the ledger.
        on_ledger: tells whether a commit is the ledger's tip or came before it.
        on_base: tells whether a commit is on the base branch's first-parent line.
    """
    for manifest in manifests:
        if manifest.ledger is not None and not on_ledger(manifest.ledger):
            yield Finding(
                "ledger-rewritten",
                f"the ledger does not have commit {manifest.ledger[:12]}",
                why=f"promotion {manifest.promotion} was made when it was the ledger's newest, and nothing leaves the ledger",
                fix=f"run `git fetch`; if it is still not there, {_REWRITTEN}",
                at=Location(layout.promotion(manifest.environment, manifest.model), path="ledger"),
            )
    for record in seen:
        if not on_base(record.commit):
            yield Finding(
                "base-commit-missing",
                f"the base branch does not have commit {record.commit[:12]}",
                why=f"the ledger says that it was applied at {utc_time(record.at)}",
                fix=f"bring the base branch up to date with `git pull`; if it is still not there, {_REWRITTEN}",
                at=_place(record),
            )


def _place(record: Deployment | DecisionRecord) -> Location:
    if isinstance(record, DecisionRecord):
        return Location(layout.decision(record.promotion), path="commit")
    return Location(_path(record), path="commit")


def _path(entry: Deployment) -> str:
    return f"{layout.deployments(entry.environment, entry.model)}/{entry.seq}.json"


def _gap(entry: Deployment, why: str) -> Finding:
    where = f"{entry.environment}/{entry.model}"
    return Finding(
        "ledger-entry-missing",
        f"entries of {where} are missing on the ledger",
        why=f"{why}; they count up from 1",
        fix=_RESTORE,
        at=Location(_path(entry)),
    )


def _broken(entry: Deployment, why: str) -> Finding:
    where = f"{entry.environment}/{entry.model}"
    return Finding(
        "ledger-chain-broken",
        f"entry {entry.seq} of {where} does not follow from the one before",
        why=why,
        fix=_RESTORE,
        at=Location(_path(entry), path="previous"),
    )


def _time(entry: Deployment, why: str) -> Finding:
    where = f"{entry.environment}/{entry.model}"
    return Finding(
        "ledger-time-invalid",
        f"entry {entry.seq} of {where} is of a time at which it cannot have been",
        why=f"it says {utc_time_with_seconds(entry.at)}; {why}",
        fix="set the clock of this machine; what is on the ledger already was written by one that was wrong",
        at=Location(_path(entry), path="at"),
    )
