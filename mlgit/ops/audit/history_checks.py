"""What belongs to no single change: nothing immutable was touched, the ledger only grew, and no promotion is out of nowhere."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.audit.records import AuditedDeployment, RuleChange
from mlgit.domain.formatting import utc_date, utc_time
from mlgit.domain.ledger_integrity import check_entries
from mlgit.domain.names import CommitId
from mlgit.domain.records import DecisionRecord, Deployment
from mlgit.domain.rules.changes import check_immutable
from mlgit.errors import Finding, Location, Severity
from mlgit.ops.audit.first_parents import HistoryStep
from mlgit.ops.audit.ledger_history import LedgerAlteration

_TWO_CLOCKS = timedelta(minutes=5)  # by how much the clocks of two machines may differ
_JUDGING = frozenset(
    {"environment", "hold", "override", "policy", "project", "retirement", "roles", "standing-approval"}
)
_TOPS = (
    "environments/",
    "policies/",
    "holds/",
    "overrides/",
    "standing-approvals/",
    "retirements/",
    ".mlgit/",
    layout.PROJECT,
)
_FILES = {layout.SIGNERS: "signers", layout.TRUSTED_TYPES: "trusted types"}
_DEEDS = {"A": "added", "D": "deleted"}


def check_step(step: HistoryStep, before: datetime | None) -> Iterator[Finding]:
    """A commit changed nothing that is immutable, and is not older than the one before it, of which the time is given."""
    commit = step.commit
    for finding in check_immutable((change.path, change.status) for change in step.changes):
        yield replace(finding, why=f"commit {commit.id[:12]} of {utc_date(commit.at)} did it; {finding.why}")
    if before is not None and commit.at < before - _TWO_CLOCKS:
        yield Finding(
            "commit-time-backwards",
            f"commit {commit.id[:12]} says that it is older than the one before it",
            why=f"it is dated {utc_time(commit.at)}, and follows one of {utc_time(before)}",
            fix="ask whoever committed; rules that depend on time were judged by the date that it states",
            severity=Severity.WARNING,
        )


def rule_changes(step: HistoryStep) -> Iterator[RuleChange]:
    """Yield what a commit changed of what judges promotions, and of what people decide beside them."""
    for change in step.changes:
        if not change.path.startswith(_TOPS):
            continue
        place = layout.parse_path(change.path)
        kind = _FILES.get(change.path) or (place.kind if place else "")
        if kind in _JUDGING or change.path in _FILES:
            yield RuleChange(
                commit=step.commit.id,
                at=step.commit.at,
                by=step.commit.author_email,
                kind=kind,
                path=change.path,
                deed=_DEEDS.get(change.status, "changed"),  # type: ignore[arg-type]  # the deeds of RuleChange
            )


def check_append_only(altered: Iterable[LedgerAlteration]) -> Iterator[Finding]:
    """Nothing on the ledger was changed or deleted."""
    for one in altered:
        deed = {"D": "deleted", "A": "added again"}.get(one.status, "changed")
        yield Finding(
            "ledger-entry-changed",
            f"{one.path} was {deed} on the ledger",
            why=f"commit {one.commit[:12]} did it; the ledger is append-only, and the audit goes by what was there first",
            fix="see `git show` of that commit for who did it, and restore what was there",
            at=Location(one.path),
        )


def check_merged(
    deployments: Iterable[Deployment], decisions: Iterable[DecisionRecord], promotions: Collection[str]
) -> Iterator[Finding]:
    """Every promotion that the ledger decided on or carried out was on the base branch."""
    seen: dict[str, Deployment | DecisionRecord] = {}
    records: list[Deployment | DecisionRecord] = [*decisions, *deployments]
    for record in records:
        if record.promotion not in promotions:
            seen.setdefault(record.promotion, record)
    for promotion, record in seen.items():
        place = (
            layout.decision(promotion)
            if isinstance(record, DecisionRecord)
            else f"{layout.deployments(record.environment, record.model)}/{record.seq}.json"
        )
        yield Finding(
            "promotion-unmerged",
            f"the ledger has {record.environment}/{record.model} changed by promotion {promotion}, which was never merged",
            why="no commit of the base branch's first-parent line brings it",
            fix="bring the base branch up to date with `git pull`; if it is still not there, find out what was deployed",
            at=Location(place),
        )


def check_deployment_logs(
    entries: Iterable[Sequence[Deployment]], decided: Collection[str] | None
) -> Iterator[Finding]:
    """The entries of each model in each environment are a chain."""
    for some in entries:
        yield from check_entries(some, decided)


def audited_deployment(entry: Deployment) -> AuditedDeployment:
    """Return what is told of an entry of the ledger."""
    return AuditedDeployment(
        at=entry.at,
        environment=entry.environment,
        model=entry.model,
        seq=entry.seq,
        status=entry.status,
        promotion=entry.promotion,
        version=entry.version,
        digest=entry.digest,
        message=entry.message,
    )


def history_rewritten(branch: str, commit: CommitId) -> Finding:
    """Return the finding of a branch that lacks what an earlier audit saw on it."""
    return Finding(
        "history-rewritten",
        f"{branch} no longer has commit {commit[:12]}",
        why="an earlier audit saw it there, and neither branch ever loses a commit",
        fix="compare with other clones and restore the branch; once it is understood, `mlgit audit --full` starts anew",
    )
