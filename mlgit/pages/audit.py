"""An audit as a page: `report` is the evidence report with everything in it, `summary` what a terminal shows."""

import hashlib
from collections.abc import Iterator, Sequence

from mlgit.domain.audit.frameworks import FRAMEWORK_POINTS
from mlgit.domain.audit.records import AuditedChange, AuditedRules, RunningVersion
from mlgit.domain.formatting import plural, short_version, utc_date, utc_minute
from mlgit.errors import Finding
from mlgit.ops.audit import Audit
from mlgit.pages.document import Block, BulletList, FindingList, Page, PageSection, Paragraph, Table

_SHOWN = 50  # changes that a summary shows even where they are proven

_VERDICTS = (
    "PROVEN: every merge rule was met when the change was merged, and the evidence is in this repository.",
    "OVERRIDDEN: the same, but for gates that a signed override waived.",
    "UNAPPROVED: every rule was met, and the rules asked nobody to approve it.",
    "UNPROVEN: evidence is missing, or cannot be verified here.",
    "VIOLATION: evidence contradicts the change.",
)


def report(audit: Audit) -> Page:
    """Return the evidence report."""
    return Page(
        f"Audit of {audit.project}",
        [
            *_scope(audit),
            _inventory(audit),
            _changes(audit),
            _deployments(audit),
            _exceptions(audit),
            _rules(audit),
            _integrity(audit),
            PageSection("Not checked", [BulletList(audit.not_checked)]),
            _frameworks(),
        ],
    )


def summary(audit: Audit) -> Page:
    """Return the newest changes, every older one that is not proven, and all findings."""
    changes: list[AuditedChange | AuditedRules] = sorted((*audit.changes, *audit.rules), key=lambda change: change.at)
    newest = changes[-_SHOWN:]
    older = [change for change in changes[:-_SHOWN] if change.verdict != "PROVEN"]
    hidden = len(changes) - len(newest) - len(older)
    blocks: list[Block] = [_summary_table([*older, *newest]) if changes else _no_changes()]
    if hidden:
        blocks.append(
            Paragraph(f"{plural(hidden, 'older change')} PROVEN, not shown; `mlgit audit --format md` has all.")
        )
    blocks += [
        PageSection(
            f"{change.verdict} {change.commit[:7]} {_where(change)}: {_transition(change)}",
            [FindingList(change.findings)],
        )
        for change in (*older, *newest)
        if change.findings
    ]
    if audit.findings:
        blocks.append(PageSection("Repository history", [FindingList(audit.findings)]))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in audit.counts.items() if count)
    history = plural(len(audit.findings), "finding") if audit.findings else "no findings"
    blocks += [
        Paragraph(f"{plural(len(changes), 'change')} at depth {audit.depth}{counts and f': {counts}'}."),
        Paragraph(f"Repository history: {history}."),
    ]
    ledger = "no ledger" if audit.ledger is None else f"ledger at {audit.ledger[:7]}"
    return Page(f"{audit.project}: {audit.branch} at {audit.commit[:7]}, {ledger}", blocks)


def next_step(audit: Audit) -> str:
    """Return the command that a reader runs next."""
    changes: list[AuditedChange | AuditedRules] = [*audit.changes, *audit.rules]
    findings: list[Finding] = [finding for change in changes for finding in change.findings]
    findings += audit.findings
    if audit.exit:
        return f"mlgit explain {findings[0].id}" if findings else "mlgit audit --format md"
    return "mlgit audit --format html --output audit.html"


def with_checksum(written: str) -> str:
    """Return a report with a last line, a comment, that has the sha256 of all lines before it."""
    return f"{written}<!-- sha256 of all lines above: {hashlib.sha256(written.encode()).hexdigest()} -->\n"


# Summary


def _summary_table(changes: Sequence[AuditedChange | AuditedRules]) -> Table:
    return Table(
        ("Day (UTC)", "Where", "Version", "Commit", "Approver", "Verdict"),
        [
            (
                utc_date(change.at),
                _where(change),
                _numbers(change),
                change.commit[:7],
                ", ".join(approval.person for approval in change.approvals) or "-",
                change.verdict,
            )
            for change in changes
        ],
    )


# Report


def _scope(audit: Audit) -> Iterator[Block]:
    scope = [f"environment {audit.environment}"] if audit.environment else []
    scope += [f"changes after {audit.since}"] if audit.since else []
    signed = sum(change.signature is not None and change.signature.by is not None for change in audit.changes)
    yield Table(
        ("Item", "Value"),
        [
            ("Base branch", f"{audit.branch} at {audit.commit}"),
            ("Ledger", audit.ledger or "none"),
            ("Scope", ", ".join(scope) or "every change since the first commit"),
            ("Audited with", audit.tool),
            ("Depth", audit.depth),
            *((verdict, str(count)) for verdict, count in audit.counts.items()),
            ("Changes with a verified commit signature", f"{signed} of {len(audit.changes)}"),
            ("Findings on the repository history", str(len(audit.findings))),
            ("Digest of the audit data", audit.digest),
        ],
    )
    yield BulletList(_VERDICTS)


def _inventory(audit: Audit) -> PageSection:
    rows = [
        (
            model.model,
            model.problem,
            model.risk,
            model.owner,
            model.decision,
            f"{model.versions}, newest {model.newest}" if model.versions else "none",
            "; ".join(map(_running, model.environments)) or "nowhere",
        )
        for model in audit.inventory
    ]
    header = ("Model", "Problem", "Risk", "Owner", "Use of predictions", "Versions", "Promoted to")
    return PageSection("Inventory", [Table(header, rows)])


def _running(running: RunningVersion) -> str:
    versions = ", ".join([running.version or "nothing", *running.beside])
    verdict = f" ({running.verdict})" if running.verdict else ""
    return f"{running.environment}: {versions} since {utc_minute(running.since)}{verdict}"


def _changes(audit: Audit) -> PageSection:
    if not audit.changes:
        return PageSection("Changes", [_no_changes()])
    rows = [
        (utc_minute(change.at), _where(change), _transition(change), change.merged_by, change.verdict)
        for change in audit.changes
    ]
    table = Table(("When (UTC)", "Where", "Change", "Merged by", "Verdict"), rows)
    return PageSection("Changes", [table, *map(_change, audit.changes)])


def _no_changes() -> Paragraph:
    return Paragraph("No environment was changed.")


def _change(change: AuditedChange) -> PageSection:
    evidence = change.decoded_evidence()
    facts = [
        ("Commit", change.commit),
        ("Promotion", f"{change.promotion or '-'} ({change.kind or 'unknown'})"),
        ("Proposed by", ", ".join(change.proposed_by) or "-"),
        ("Merged by", change.merged_by or "-"),
        ("Commit signature", _signature(change)),
        ("Reason", change.reason or "-"),
        ("Ticket", change.ticket or "-"),
        ("Policy in force", f"{change.policy or '-'} {evidence.reads.get('policy') or ''}".strip()),
        ("Decision digest", change.decision or "could not be computed"),
        ("Decision on the ledger", "recorded" if change.decision_recorded else "not recorded"),
        *(("Override", override) for override in change.overrides),
        *([("Standing approval", change.standing_approval)] if change.standing_approval else []),
    ]
    blocks: list[Block] = [Paragraph(change.verdict, strong=True), Table(("Fact", "Value"), facts)]
    if change.findings:
        blocks.append(FindingList(change.findings))
    if evidence.gates:
        gates = [(gate.gate, gate.outcome, gate.message) for gate in evidence.gates]
        blocks.append(Table(("Gate", "Outcome", "Message"), gates))
    blocks += _approvers(change)
    if evidence.reads:
        inputs = [(name, digest or "none") for name, digest in evidence.reads.items()]
        blocks.append(Table(("Decision input", "Digest"), inputs))
    return PageSection(f"{_where(change)}: {_transition(change)}, {utc_minute(change.at)} UTC", blocks)


def _where(change: AuditedChange | AuditedRules) -> str:
    return "rules" if isinstance(change, AuditedRules) else f"{change.environment}/{change.model}"


def _transition(change: AuditedChange | AuditedRules) -> str:
    """Return which version a change replaced by which, and what was to run beside it; or which rules it changed."""
    if isinstance(change, AuditedRules):
        first, *others = change.kinds
        return f"{first} and {len(others)} more" if others else first
    return ", ".join([f"{change.before or 'nothing'} -> {change.after or 'nothing'}", *change.beside])


def _numbers(change: AuditedChange | AuditedRules) -> str:
    """Return the same in a few characters: the place names the model, so numbers are enough."""
    if isinstance(change, AuditedRules):
        return _transition(change)
    before, after = (short_version(version, change.model) for version in (change.before, change.after))
    return ", ".join([f"{before} -> {after}", *(text.replace(f"{change.model}@", "") for text in change.beside)])


def _signature(change: AuditedChange) -> str:
    signature = change.signature
    if signature is None:
        return "none"
    return f"by {signature.by}, {signature.key}" if signature.by else f"not verified: {signature.problem}"


def _deployments(audit: Audit) -> PageSection:
    if not audit.deployments:
        return PageSection("Deployments", [Paragraph("The ledger has no deployments.")])
    rows = [
        (
            utc_minute(deployment.at),
            f"{deployment.environment}/{deployment.model}",
            str(deployment.seq),
            deployment.status,
            "-" if deployment.version is None else f"{deployment.model}@{deployment.version}",
            deployment.promotion,
            deployment.message or "",
        )
        for deployment in audit.deployments
    ]
    header = ("When (UTC)", "Where", "Entry", "Status", "Version", "Promotion", "Message")
    return PageSection("Deployments", [Table(header, rows)])


def _exceptions(audit: Audit) -> PageSection:
    title = "Holds, overrides, standing approvals, retirements"
    if not audit.governance:
        return PageSection(title, [Paragraph("There are none.")])
    rows = [
        (record.kind, record.name, record.subject, record.by, record.reason, record.until or "-")
        for record in audit.governance
    ]
    return PageSection(title, [Table(("Kind", "Name", "Subject", "By", "Reason", "Until (UTC)"), rows)])


def _rules(audit: Audit) -> PageSection:
    rows = [
        (utc_minute(change.at), change.kind, change.action, change.path, change.by, change.commit[:12])
        for change in audit.rule_changes
    ]
    header = ("When (UTC)", "Kind", "Action", "File", "By", "Commit")
    listed = Table(header, rows) if rows else Paragraph("No rule was changed.")
    return PageSection("Rule changes", [listed, *map(_rule_change, audit.rules)])


def _rule_change(change: AuditedRules) -> PageSection:
    facts = [
        ("Commit", change.commit),
        ("Proposed by", ", ".join(change.proposed_by) or "-"),
        ("Merged by", change.merged_by or "-"),
        ("Decision digest", change.decision or "could not be computed"),
        ("Approvals required", "unknown" if change.needed is None else str(change.needed)),
        *((path, f"{file.before or 'nothing'} -> {file.after or 'nothing'}") for path, file in change.files.items()),
    ]
    blocks: list[Block] = [Paragraph(change.verdict, strong=True), Table(("Fact", "Value"), facts)]
    if change.findings:
        blocks.append(FindingList(change.findings))
    blocks += _approvers(change)
    return PageSection(f"{_transition(change)}, {utc_minute(change.at)} UTC", blocks)


def _approvers(change: AuditedChange | AuditedRules) -> Iterator[Block]:
    people = [
        (approval.person, ", ".join(approval.roles) or "-", "counted", approval.source) for approval in change.approvals
    ]
    people += [(vote.person, "-", f"not counted: {vote.reason}", "-") for vote in change.uncounted]
    if people:
        yield Table(("Approver", "Roles", "Status", "Key or review"), people)


def _integrity(audit: Audit) -> PageSection:
    intact = Paragraph(
        "No file of a registered version was changed or deleted. The ledger was only appended to, its chains of entries are "
        "unbroken, and each branch contains every commit that the other one names."
    )
    return PageSection("Repository history", [FindingList(audit.findings) if audit.findings else intact])


def _frameworks() -> PageSection:
    note = (
        "The table shows where to find evidence. Whether a requirement is met is for the people responsible to decide."
    )
    table = Table(("Section of this report", "EU AI Act", "SR 11-7", "ISO/IEC 42001", "NIST AI RMF"), FRAMEWORK_POINTS)
    return PageSection("Regulatory frameworks", [Paragraph(note), table])
