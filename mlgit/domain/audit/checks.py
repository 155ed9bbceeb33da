"""Checks that an audit adds to those of a merge: the form of the commit, and whether the ledger has the evidence."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from mlgit.domain import layout, policy
from mlgit.domain.approvals import ApprovalResult
from mlgit.domain.decision import ReadSet, changed
from mlgit.domain.names import CommitId, Digest
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.ledger import DecisionRecord
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.rules.changes import check_immutable, check_manifests_kept, check_separation
from mlgit.domain.rules.paths import LINKS, link_finding
from mlgit.errors import Finding, Location, Severity

_REVIEW_AGAIN = "promote the version again, so that the responsible people review it"


def check_commit(changes: Collection[tuple[str, str]], merge_changes: Iterable[str]) -> Iterator[Finding]:
    """Check that a commit that changes a manifest changes no rules and nothing immutable, and merges only what was proposed.

    Args:
        changes: path and Git status (`A`, `M`, `D`, `T`) of each change.
        merge_changes: paths whose content was made by the merge itself.
    """
    yield from check_separation(path for path, _ in changes)
    yield from check_immutable(changes)
    for path in merge_changes:
        if layout.parse_path(path) is not None:
            yield Finding(
                "merge-content-unreviewed",
                f"the merge commit itself changes {path}",
                why="none of its parents has this content, so nobody reviewed it",
                fix="revert the merge, propose the change again, and merge it unchanged",
                at=Location(path),
            )


def check_manifest_file(path: str, status: str, mode: str) -> Iterator[Finding]:
    """Check that a manifest was not deleted, and is a regular file."""
    yield from check_manifests_kept([(path, status)])
    if status != "D" and mode in LINKS:
        yield link_finding(path, mode)


def check_identity(
    manifest: Promotion, before: Promotion | None, earlier: Collection[str], commit: CommitId
) -> Iterator[Finding]:
    """Check that a manifest is a new promotion: neither an edit of a merged one, nor an earlier one that was restored.

    Args:
        manifest: the manifest.
        before: the manifest that it replaces.
        earlier: the ids of all earlier promotions of the base branch.
        commit: the commit that adds it.
    """
    at = Location(layout.promotion(manifest.environment, manifest.model), path="promotion")
    if before is not None and before.promotion == manifest.promotion:
        yield Finding(
            "manifest-changed",
            f"the manifest of promotion {manifest.promotion} was changed after it was merged",
            why=f"commit {commit[:12]} changes its content, but not its id",
            fix="revert the change, and propose it with `mlgit promote`",
            at=at,
        )
    elif manifest.promotion in earlier:
        yield Finding(
            "promotion-replayed",
            f"promotion {manifest.promotion} was merged before, and is restored",
            why="its approvals were for that time, and do not approve a rollback",
            fix=f"run `mlgit rollback {manifest.environment}/{manifest.model}`, or `mlgit promote` the version again",
            at=at,
        )


def check_approvals(manifest: Promotion, approvals: ApprovalResult) -> Iterator[Finding]:
    """Check that enough people approved. Votes that do not count contradict the change; if there are none, it is a gap."""
    if approvals.complete:
        return
    message = f"{manifest.environment}/{manifest.model} was merged, but lacks {'; '.join(approvals.missing)}"
    if approvals.uncounted:
        why = f"not counted: {_reasons(approvals)}"
        yield Finding("approvals-missing", message, why=why, fix=_REVIEW_AGAIN)
    else:
        fix = f"run `git fetch origin mlgit-ledger`, in case others have more approvals; otherwise {_REVIEW_AGAIN}"
        yield Finding("approvals-not-on-ledger", message, why="the ledger has no other approvals of it", fix=fix)


def check_rule_approvals(subject: str, commit: str, approvals: ApprovalResult) -> Iterator[Finding]:
    """Check that enough people approved a change of rules, as `check_approvals`.

    Args:
        subject: the changed rules.
        commit: the commit that merged the change.
        approvals: its approvals, counted again.
    """
    if approvals.complete:
        return
    message = f"the change of {subject} was merged, but lacks {'; '.join(approvals.missing)}"
    fix = f"read the change; somebody who may approve it runs `mlgit approve {commit}`, or it is reverted"
    if approvals.uncounted:
        yield Finding("rule-approvals-missing", message, why=f"not counted: {_reasons(approvals)}", fix=fix)
    else:
        yield Finding("approvals-not-on-ledger", message, why="the ledger has no other approvals of it", fix=fix)


def rules_approved_after_merge(subject: str) -> Finding:
    """Return the warning that the approvals of a change of rules were complete only after the merge."""
    return Finding(
        "approvals-after-merge",
        f"the change of {subject} was merged before enough people had approved it",
        why="the last approvals were added to the ledger after the merge",
        fix="merge with `mlgit merge`, which requires them first; protect the base branch against other merges",
        severity=Severity.WARNING,
    )


def reviewed_commit_missing(subject: str, approvals: ApprovalResult) -> Finding:
    """Return the finding of reviews whose commits are missing, so that their decisions are only claimed by the ledger."""
    return Finding(
        "reviewed-commit-missing",
        f"the approval of {subject} is only claimed by the ledger",
        why=f"{_reasons(approvals)}; the ledger claims that they were of this decision",
        fix="fetch the commits from a clone that has them, and run this again",
    )


def approved_after_merge(manifest: Promotion) -> Finding:
    """Return the warning that the approvals were complete only after the merge."""
    return Finding(
        "approvals-after-merge",
        f"{manifest.environment}/{manifest.model} was merged before enough people had approved it",
        why="the last approvals were added to the ledger after the merge, but before it was applied",
        fix="merge with `mlgit merge`, which requires them first; protect the base branch against other merges",
        severity=Severity.WARNING,
    )


def check_decision_record(
    record: DecisionRecord, manifest: Promotion, *, reads: ReadSet, decision: Digest, approvals: ApprovalResult
) -> Iterator[Finding]:
    """Check that the decision record on the ledger equals the decision computed from the base branch.

    Args:
        record: the record of the ledger.
        manifest: the promotion.
        reads: the computed digest of each record that the decision depends on.
        decision: the digest over them.
        approvals: the approvals, counted again.
    """
    counted = {approval.approval for approval in approvals.counted}
    differing = changed(record.reads, reads)
    checks = (
        (record.decision != decision, f"it has the digest {record.decision[:19]}"),
        (bool(differing), f"these differ: {', '.join(differing)}"),
        (
            (record.environment, record.model) != (manifest.environment, manifest.model),
            "it is for another environment or model",
        ),
        (
            {approval.approval for approval in record.approvals} - counted,
            "it counts approvals that do not exist or do not count",
        ),
    )
    reasons = [reason for differs, reason in checks if differs]
    if reasons:
        yield Finding(
            "decision-mismatch",
            f"the decision record of promotion {manifest.promotion} is not the computed decision",
            why=f"{'; '.join(reasons)}; the computed digest is {decision[:19]}",
            fix="compare the ledger and the base branch with another clone of the team",
            at=Location(layout.decision(manifest.promotion)),
        )


def check_applied(manifest: Promotion, refused: str | None) -> Iterator[Finding]:
    """Check that `mlgit apply`, which evaluates the gates again on the data, did not refuse a promotion.

    Args:
        manifest: the promotion.
        refused: why it was refused; None if it was not, or if the ledger has a decision record for it.
    """
    if refused is not None:
        yield Finding(
            "apply-rejected",
            f"promotion {manifest.promotion} was merged, but `mlgit apply` refused it",
            why=f"the ledger has the reason: {refused}",
            fix="fix the cause and run `mlgit apply`, or restore the previous version with `mlgit rollback`",
            at=Location(layout.promotion(manifest.environment, manifest.model)),
        )


def refused_before(manifest: Promotion, refusal: str, *, is_vouched: bool) -> Finding:
    """Return the finding of a promotion that `mlgit apply` refused, and that the ledger has a decision of nevertheless.

    Args:
        manifest: the promotion.
        refusal: why it was refused.
        is_vouched: whether an applier signed the decision, or this audit evaluated the gates again; else it is a gap.
    """
    at = Location(layout.promotion(manifest.environment, manifest.model))
    if is_vouched:
        return Finding(
            "apply-rejected-once",
            f"`mlgit apply` also refused promotion {manifest.promotion}",
            why=f"the ledger has the reason: {refusal}; it has a decision to apply it, too",
            fix="compare both entries; the promotion was verified again for this audit",
            at=at,
            severity=Severity.WARNING,
        )
    return Finding(
        "apply-rejected",
        f"`mlgit apply` refused promotion {manifest.promotion}, and nobody signed the decision to apply it",
        why=f"the ledger has the reason: {refusal}",
        fix=f"run `mlgit audit --depth recompute`, which evaluates the gates again, or `mlgit rollback` "
        f"{manifest.environment}/{manifest.model}",
        at=at,
    )


def unsigned_entry(path: str, problem: str) -> Finding:
    """Return the finding of a file of the ledger that no applier signed."""
    return Finding(
        "ledger-entry-unsigned",
        f"{path} on the ledger is not signed by an applier",
        why=f"{problem}; anybody who may push to the ledger could have written it",
        fix="find out who wrote it, and promote again; give whoever applies a key for `mlgit-ledger`",
        at=Location(path),
    )


def check_gate_results(
    manifest: Promotion, then: Sequence[GateVerdict], now: Sequence[GateVerdict]
) -> Iterator[Finding]:
    """Check that the gates have the results of the report; a gate that can no longer be evaluated, without its data, is a gap.

    Args:
        manifest: the promotion.
        then: the results in its report.
        now: the results when evaluated again.
    """
    at = Location(layout.promotion(manifest.environment, manifest.model), path="gates")
    inconclusive = {
        new.gate: new.message for new, old in zip(now, then, strict=False) if new.outcome == "error" != old.outcome
    }
    if inconclusive:
        yield Finding(
            "gates-inconclusive",
            f"gates of promotion {manifest.promotion} cannot be evaluated again",
            why="; ".join(f"{gate}: {message}" for gate, message in inconclusive.items()),
            fix="restore the data in DVC's cache or remote, and run the audit again",
            at=at,
        )
    comparable = [[verdict for verdict in results if verdict.gate not in inconclusive] for results in (then, now)]
    if differences := policy.outcome_differences(*comparable):
        yield Finding(
            "gate-report-mismatch",
            "the gates have other results than the report states",
            why="; ".join(differences),
            fix="find out who wrote the report, and promote the version again with `mlgit promote`, which computes it",
            at=at,
        )


def without_report_reference(finding: Finding, manifest: Promotion) -> Finding:
    """Return a finding with another id if it is `gate-report-missing` and the manifest names no report.

    A report that cannot be found is a gap. A manifest that names none was not written by mlgit, and contradicts the change.
    """
    if finding.id == "gate-report-missing" and manifest.gates is None:
        why = "the manifest names no gate report"
        return Finding("gate-report-reference-missing", finding.message, why=why, fix=finding.fix, at=finding.at)
    return finding


def in_first_commit(path: str) -> Finding:
    """Return the finding of a manifest that the first commit already has."""
    return Finding(
        "promotion-commit-missing",
        f"{path} is in the first commit",
        why="there is no state before it whose rules could apply",
        fix="audit the repository in which it was promoted, or promote it here",
        at=Location(path),
    )


def unreadable(finding: Finding) -> Finding:
    """Return an error that prevents verification as a finding of the audit: a gap, unless the version does not exist."""
    if finding.id == "version-unknown":
        return finding
    return Finding(
        "audit-record-unreadable",
        f"the change cannot be verified: {finding.message}",
        why=finding.id + (f": {finding.why}" if finding.why else ""),
        fix=finding.fix,
        at=finding.at,
    )


def _reasons(approvals: ApprovalResult) -> str:
    return "; ".join(f"{vote.person}: {vote.reason}" for vote in approvals.uncounted)
