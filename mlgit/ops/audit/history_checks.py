"""Checks of the history as a whole: immutable files, an append-only ledger, and no deployment of what was never merged."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.audit.records import AuditedDeployment, RuleChange
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.formatting import utc_date, utc_time
from mlgit.domain.ledger_integrity import check_entries
from mlgit.domain.names import CommitId
from mlgit.domain.records import DecisionRecord, Deployment
from mlgit.domain.rule_files import rule_kind
from mlgit.domain.rules.changes import check_immutable
from mlgit.errors import Finding, Location, Severity
from mlgit.ops.audit.first_parents import HistoryStep
from mlgit.ops.audit.ledger_history import LOST, LedgerAlteration

_EXCEPTION_KINDS = frozenset({"hold", "override", "retirement", "standing-approval"})
_EXCEPTION_FOLDERS = ("holds/", "overrides/", "standing-approvals/", "retirements/")
_ACTIONS = {"A": "added", "D": "deleted"}


def check_step(step: HistoryStep, previous: datetime | None) -> Iterator[Finding]:
    """Check that a commit changed nothing immutable, and is not dated before the previous commit."""
    commit = step.commit
    for finding in check_immutable((change.path, change.status) for change in step.changes):
        yield replace(finding, why=f"commit {commit.id[:12]} of {utc_date(commit.at)} did this; {finding.why}")
    if previous is not None and commit.at < previous - CLOCK_TOLERANCE:
        yield Finding(
            "commit-time-backwards",
            f"commit {commit.id[:12]} is dated before the commit that it follows",
            why=f"it is dated {utc_time(commit.at)}, and follows one of {utc_time(previous)}",
            fix="ask the committer; rules that depend on time were checked as of the date of the commit",
            severity=Severity.WARNING,
        )


def rule_changes(step: HistoryStep) -> Iterator[RuleChange]:
    """Yield the changes of a commit to rules for promotions, and to holds, signed exceptions and retirements."""
    for change in step.changes:
        kind = rule_kind(change.path)
        if kind is None and change.path.startswith(_EXCEPTION_FOLDERS):
            place = layout.parse_path(change.path)
            kind = place.kind if place is not None and place.kind in _EXCEPTION_KINDS else None
        if kind is not None:
            yield RuleChange(
                commit=step.commit.id,
                at=step.commit.at,
                by=step.commit.author_email,
                kind=kind,
                path=change.path,
                action=_ACTIONS.get(change.status, "changed"),  # type: ignore[arg-type]  # the actions of RuleChange
            )


def check_append_only(alterations: Iterable[LedgerAlteration]) -> Iterator[Finding]:
    """Check that nothing on the ledger was changed or deleted."""
    for alteration in alterations:
        if alteration.status == LOST:
            yield Finding(
                "ledger-entry-changed",
                f"{alteration.path} was lost by a merge of the ledger",
                why=f"commit {alteration.commit[:12]} added it; the ledger is append-only, and the audit uses it",
                fix="`git log --graph mlgit-ledger` shows the merge; restore the file",
                at=Location(alteration.path),
            )
            continue
        action = {"D": "deleted", "A": "added again"}.get(alteration.status, "changed")
        yield Finding(
            "ledger-entry-changed",
            f"{alteration.path} was {action} on the ledger",
            why=f"commit {alteration.commit[:12]} did this; the ledger is append-only, and the audit uses the first content",
            fix="`git show` of that commit shows who did it; restore the first content",
            at=Location(alteration.path),
        )


def check_merged(
    deployments: Iterable[Deployment], decisions: Iterable[DecisionRecord], promotions: Collection[str]
) -> Iterator[Finding]:
    """Check that every promotion with a decision record or a deployment was merged into the base branch."""
    unmerged: dict[str, Deployment | DecisionRecord] = {}
    records: list[Deployment | DecisionRecord] = [*decisions, *deployments]
    for record in records:
        if record.promotion not in promotions:
            unmerged.setdefault(record.promotion, record)
    for promotion, record in unmerged.items():
        place = (
            layout.decision(promotion)
            if isinstance(record, DecisionRecord)
            else layout.deployment(record.environment, record.model, record.seq)
        )
        yield Finding(
            "promotion-unmerged",
            f"{record.environment}/{record.model} was changed by promotion {promotion}, which was never merged",
            why="the ledger has records of it, but no commit of the first-parent history of the base branch adds it",
            fix="run `git pull` on the base branch; if the promotion is still missing, find out what was deployed",
            at=Location(place),
        )


def check_deployment_logs(logs: Iterable[Sequence[Deployment]], decided: Collection[str] | None) -> Iterator[Finding]:
    """Check that each deployment log is complete, in order and unchanged."""
    for log in logs:
        yield from check_entries(log, decided)


def audited_deployment(entry: Deployment) -> AuditedDeployment:
    """Return an entry of the ledger as it is reported."""
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


def history_rewritten(branch: str, commit: CommitId, *, is_merged: bool = False) -> Finding:
    """Return the finding of a branch that lacks a commit of an earlier audit.

    Args:
        branch: the branch.
        commit: the commit.
        is_merged: whether the branch still has it, as of a history that was merged into another one.
    """
    what = "the first-parent history of " if is_merged else ""
    return Finding(
        "history-rewritten",
        f"{what}{branch} no longer has commit {commit[:12]}",
        why="an earlier audit had it, and neither branch may lose a commit",
        fix="compare with other clones and restore the branch; once it is explained, run `mlgit audit --no-cache` to start again",
    )
