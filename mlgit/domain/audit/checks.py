"""What an audit finds wrong with a change, beyond what a merge asks: how it came, and whether the ledger agrees."""

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

_LOOK_AGAIN = "have those who answer for the model look at it again, as a new promotion"


def check_commit(changes: Collection[tuple[str, str]], own: Iterable[str]) -> Iterator[Finding]:
    """A commit that changes a manifest brings no rules, edits nothing immutable, and merges only what was proposed.

    Args:
        changes: path and status (`A`, `M`, `D`, `T`) of each change.
        own: the paths that a merge has otherwise than what it merged.
    """
    yield from check_separation(path for path, _ in changes)
    yield from check_immutable(changes)
    for path in own:
        if layout.parse_path(path) is not None:
            yield Finding(
                "merge-content-unreviewed",
                f"the merge brings {path} as nobody proposed it",
                why="neither of the merged sides has it so; it was made in the merge itself",
                fix="revert the merge, propose it again, and merge what was proposed",
                at=Location(path),
            )


def check_manifest_file(path: str, status: str, mode: str) -> Iterator[Finding]:
    """A manifest is there, and is a file."""
    yield from check_manifests_kept([(path, status)])
    if status != "D" and mode in LINKS:
        yield link_finding(path, mode)


def check_identity(
    manifest: Promotion, before: Promotion | None, seen: Collection[str], commit: CommitId
) -> Iterator[Finding]:
    """A manifest is a promotion of its own, made for this one change.

    Args:
        manifest: the manifest.
        before: the one that it takes the place of.
        seen: the ids of all promotions that were there before.
        commit: the commit that brings it.
    """
    at = Location(layout.promotion(manifest.environment, manifest.model), path="promotion")
    if before is not None and before.promotion == manifest.promotion:
        yield Finding(
            "manifest-changed",
            f"the manifest of promotion {manifest.promotion} was changed after it was merged",
            why=f"commit {commit[:12]} keeps its id and changes what it says",
            fix="take the change back, and propose it with `mlgit promote`",
            at=at,
        )
    elif manifest.promotion in seen:
        yield Finding(
            "promotion-replayed",
            f"promotion {manifest.promotion} was there before, and came again",
            why="what was agreed to once, at another moment, is no agreement to a way back",
            fix=f"run `mlgit rollback {manifest.environment}/{manifest.model}`, or `mlgit promote` the version again",
            at=at,
        )


def check_approvals(manifest: Promotion, tally: ApprovalResult) -> Iterator[Finding]:
    """Enough people agreed. Where words are there that do not count, that is another matter than where there are none."""
    if tally.complete:
        return
    where = f"{manifest.environment}/{manifest.model}"
    what = f"{where} was merged, and lacks {'; '.join(tally.missing)}"
    if tally.uncounted:
        others = "; ".join(f"{one.person}: {one.reason}" for one in tally.uncounted)
        yield Finding("approvals-missing", what, why=f"not counted: {others}", fix=_LOOK_AGAIN)
    else:
        fix = f"run `git fetch origin mlgit-ledger`, if others have more of it; else {_LOOK_AGAIN}"
        yield Finding("approvals-not-on-ledger", what, why="the ledger has no more approvals of it", fix=fix)


def reviewed_commit_missing(manifest: Promotion, tally: ApprovalResult) -> Finding:
    """Return the finding of reviews that the ledger states, of commits that are not here, so that nobody can check them."""
    others = "; ".join(f"{one.person}: {one.reason}" for one in tally.uncounted)
    return Finding(
        "reviewed-commit-missing",
        f"that {manifest.environment}/{manifest.model} was agreed to rests on the word of the ledger alone",
        why=f"{others}; the ledger says that they were of this decision",
        fix="fetch the commits from whoever has them, as from a clone of the time, and run this again",
    )


def approved_after_merge(manifest: Promotion) -> Finding:
    """Return the warning that a rule was complete only after the merge."""
    return Finding(
        "approvals-after-merge",
        f"{manifest.environment}/{manifest.model} was merged before enough people had agreed",
        why="the last approvals came to the ledger after the merge, and before it was applied",
        fix="merge with `mlgit merge`, which waits for them; protect the base branch against other ways",
        severity=Severity.WARNING,
    )


def check_decision_record(
    record: DecisionRecord, manifest: Promotion, *, reads: ReadSet, decision: Digest, tally: ApprovalResult
) -> Iterator[Finding]:
    """The decision on the ledger is the one that follows from what is on the base branch.

    Args:
        record: the decision on the ledger.
        manifest: the promotion.
        reads: what the decision rests on, computed again.
        decision: its digest, computed again.
        tally: the approvals, counted again.
    """
    counted = {one.approval for one in tally.counted}
    others = changed(record.reads, reads)
    checks = (
        (record.decision != decision, f"it says {record.decision[:19]}"),
        (bool(others), f"it rests on another {', '.join(others)}"),
        ((record.environment, record.model) != (manifest.environment, manifest.model), "it is about something else"),
        (
            {one.approval for one in record.approvals} - counted,
            "it counts approvals that are not there or do not count",
        ),
    )
    differing = [words for differs, words in checks if differs]
    if differing:
        yield Finding(
            "decision-mismatch",
            f"the decision on the ledger is not the one that promotion {manifest.promotion} leads to",
            why=f"{'; '.join(differing)}; computed again it is {decision[:19]}",
            fix="compare the ledger and the base branch with another clone of the team",
            at=Location(layout.decision(manifest.promotion)),
        )


def check_applied(manifest: Promotion, refused: str | None) -> Iterator[Finding]:
    """`mlgit apply`, which judges the gates again on the data, did not refuse it.

    Args:
        manifest: the promotion.
        refused: why it was refused, where the ledger says so and has no decision to apply it.
    """
    if refused is not None:
        yield Finding(
            "apply-rejected",
            f"promotion {manifest.promotion} was merged, and `mlgit apply` refused it",
            why=f"the ledger says: {refused}",
            fix="see whether it was right to; `mlgit rollback` leads back to what ran before",
            at=Location(layout.promotion(manifest.environment, manifest.model)),
        )


def check_gate_results(
    manifest: Promotion, then: Sequence[GateVerdict], now: Sequence[GateVerdict]
) -> Iterator[Finding]:
    """The gates answer as the report says; one that cannot be judged any more, for want of data, proves nothing.

    Args:
        manifest: the promotion.
        then: the answers in its report.
        now: the answers when judged again.
    """
    at = Location(layout.promotion(manifest.environment, manifest.model), path="gates")
    lost = {
        one.gate: one.message for one, other in zip(now, then, strict=False) if one.outcome == "error" != other.outcome
    }
    if lost:
        yield Finding(
            "gates-inconclusive",
            f"gates of promotion {manifest.promotion} cannot be judged again",
            why="; ".join(f"{gate}: {message}" for gate, message in lost.items()),
            fix="bring the data back to DVC's cache or remote, and run `mlgit audit --fetch` again",
            at=at,
        )
    kept = [[one for one in answers if one.gate not in lost] for answers in (then, now)]
    if differing := policy.outcome_differences(*kept):
        yield Finding(
            "gate-report-mismatch",
            "the gates do not answer as the report says",
            why="; ".join(differing),
            fix="find out who wrote the report; `mlgit promote` computes one, and nobody types it",
            at=at,
        )


def without_report_reference(finding: Finding, manifest: Promotion) -> Finding:
    """Return the finding of a missing report by what it is: a manifest that names none was not made by mlgit."""
    if finding.id == "gate-report-missing" and manifest.gates is None:
        why = "the manifest itself names none"
        return Finding("gate-report-reference-missing", finding.message, why=why, fix=finding.fix, at=finding.at)
    return finding


def in_first_commit(path: str) -> Finding:
    """Return the finding of a manifest that the first commit brought."""
    return Finding(
        "promotion-commit-missing",
        f"{path} came with the first commit",
        why="nothing was there before it that could have judged it",
        fix="audit the repository in which it was promoted, or promote it here",
        at=Location(path),
    )


def unreadable(finding: Finding) -> Finding:
    """Return what stopped the judging as a finding of the audit: a gap, unless it is a version that never was."""
    if finding.id == "version-unknown":
        return finding
    return Finding(
        "audit-record-unreadable",
        f"the change cannot be judged: {finding.message}",
        why=finding.id + (f": {finding.why}" if finding.why else ""),
        fix=finding.fix,
        at=finding.at,
    )
