"""The evidence report of an audit as sections, tables and paragraphs; `audit_markdown` and `audit_html` write them out."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from mlgit.domain.audit.frameworks import FRAMEWORK_POINTS
from mlgit.domain.audit.records import AuditedChange, RunningVersion
from mlgit.errors import Finding
from mlgit.ops.audit import Audit


class Heading(msgspec.Struct, frozen=True):
    """A heading; level 1 is the title."""

    level: int
    text: str


class Paragraph(msgspec.Struct, frozen=True):
    """A paragraph; `tone` is the verdict that it is about, if any."""

    text: str
    tone: str = ""


class Items(msgspec.Struct, frozen=True):
    """A list of sentences."""

    items: Sequence[str]


class Table(msgspec.Struct, frozen=True):
    """A table: a header, and rows of as many cells."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Paragraph | Items | Table


def document(audit: Audit) -> Iterator[Block]:
    """Yield the report, block by block."""
    yield Heading(1, f"Audit of {audit.project}")
    yield from _summary(audit)
    yield from _inventory(audit)
    yield Heading(2, "Changes")
    if not audit.changes:
        yield Paragraph("No environment was changed.")
    else:
        yield Table(
            ("When (UTC)", "Environment", "Change", "By", "Verdict"), [_row(change) for change in audit.changes]
        )
    for change in audit.changes:
        yield from _change(change)
    yield from _deployments(audit)
    yield from _standing(audit)
    yield from _rules(audit)
    yield from _integrity(audit)
    yield from _unchecked(audit)
    yield from _frameworks()


def minute(moment: datetime | None) -> str:
    """Return a moment to the minute, in UTC."""
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def moved(change: AuditedChange) -> str:
    """Return what a change brought in the place of what."""
    return ", ".join([f"{change.before or 'nothing'} -> {change.after or 'nothing'}", *change.beside])


def said(finding: Finding) -> str:
    """Return a finding as one sentence."""
    where = f" ({finding.at})" if finding.at else ""
    return f"{finding.severity}[{finding.id}]: {finding.message}{where}" + (f"; {finding.why}" if finding.why else "")


def sealed(page: str) -> str:
    """Return a page with a last line, a comment, that has the sha256 of all the lines before it."""
    return f"{page}<!-- sha256 of all lines above: {hashlib.sha256(page.encode()).hexdigest()} -->\n"


def _summary(audit: Audit) -> Iterator[Block]:
    scope = [f"environment {audit.environment}"] if audit.environment else []
    scope += [f"changes after {audit.since}"] if audit.since else []
    yield Table(
        ("What", "Which"),
        [
            ("Base branch", f"{audit.branch} at {audit.commit}"),
            ("Ledger", audit.ledger or "none"),
            ("Scope", ", ".join(scope) or "every change from the first commit on"),
            ("Audited with", audit.tool),
            *((verdict, str(count)) for verdict, count in audit.counts.items()),
            ("Made by a commit with a good signature", f"{_good(audit)} of {len(audit.changes)}"),
            ("Findings on the history", str(len(audit.findings))),
            ("Digest of the data", audit.digest),
        ],
    )
    yield Paragraph(
        "PROVEN: every condition held when it was merged, and the evidence is here. OVERRIDDEN: the same, with a gate that was "
        "waived as the rules allow. UNPROVEN: evidence is missing or cannot be judged here. VIOLATION: something contradicts it."
    )


def _inventory(audit: Audit) -> Iterator[Block]:
    yield Heading(2, "Inventory")
    rows = [
        (
            one.model,
            one.problem,
            one.risk,
            one.owner,
            one.decision,
            f"{one.versions}, newest {one.newest}" if one.versions else "none",
            "; ".join(f"{run.environment}: {_runs(run)} since {minute(run.since)} ({run.verdict})" for run in one.runs)
            or "nowhere",
        )
        for one in audit.inventory
    ]
    yield Table(("Model", "Problem", "Risk", "Owner", "What is done with it", "Versions", "Is to run"), rows)


def _runs(run: RunningVersion) -> str:
    return ", ".join([run.version or "nothing", *run.beside])


def _row(change: AuditedChange) -> tuple[str, ...]:
    return (minute(change.at), f"{change.environment}/{change.model}", moved(change), change.merged_by, change.verdict)


def _change(change: AuditedChange) -> Iterator[Block]:
    yield Heading(3, f"{change.environment}/{change.model}: {moved(change)}, {minute(change.at)}")
    yield Paragraph(change.verdict, tone=change.verdict)
    evidence = change.rests_on()
    facts = [
        ("Commit", change.commit),
        ("Promotion", f"{change.promotion or '-'} ({change.kind or 'unknown'})"),
        ("Proposed by", ", ".join(change.proposed_by) or "-"),
        ("Merged by", change.merged_by or "-"),
        ("Signature on the commit", _signed(change)),
        ("Reason", change.reason or "-"),
        ("Ticket", change.ticket or "-"),
        ("Policy in force", f"{change.policy or '-'} {evidence.reads.get('policy') or ''}".strip()),
        ("Decision", change.decision or "could not be computed"),
        ("On the ledger", "decided" if change.decided else "no decision"),
        *(("Override", one) for one in change.overrides),
        *([("Standing approval", change.standing)] if change.standing else []),
    ]
    yield Table(("Fact", "Value"), facts)
    if change.findings:
        yield Items([said(finding) for finding in change.findings])
    if evidence.gates:
        yield Table(("Gate", "Outcome", "Message"), [(one.gate, one.outcome, one.message) for one in evidence.gates])
    people = [(one.person, ", ".join(one.roles) or "-", "counted", one.proof) for one in change.approvals]
    people += [(one.person, "-", one.reason, "-") for one in change.uncounted]
    if people:
        yield Table(("Approval of", "Roles", "Counted", "Key or review"), people)
    if evidence.reads:
        yield Table(
            ("The decision rests on", "Digest"), [(name, one or "none") for name, one in evidence.reads.items()]
        )


def _good(audit: Audit) -> int:
    return sum(one.signature is not None and one.signature.by is not None for one in audit.changes)


def _signed(change: AuditedChange) -> str:
    signature = change.signature
    if signature is None:
        return "none"
    return f"by {signature.by}, {signature.key}" if signature.by else f"proves nothing: {signature.doubt}"


def _deployments(audit: Audit) -> Iterator[Block]:
    yield Heading(2, "Deployments")
    if not audit.deployments:
        yield Paragraph("The ledger has none.")
        return
    rows = [
        (
            minute(one.at),
            f"{one.environment}/{one.model}",
            str(one.seq),
            one.status,
            "-" if one.version is None else f"{one.model}@{one.version}",
            one.promotion,
            one.message or "",
        )
        for one in audit.deployments
    ]
    yield Table(("When (UTC)", "Where", "Entry", "Seen", "Version", "Promotion", "Message"), rows)


def _standing(audit: Audit) -> Iterator[Block]:
    yield Heading(2, "Holds, overrides, standing approvals, retirements")
    if not audit.standing:
        yield Paragraph("There are none.")
        return
    rows = [(one.kind, one.name, one.subject, one.by, one.reason, one.until or "-") for one in audit.standing]
    yield Table(("Kind", "Name", "On", "By", "Reason", "Until"), rows)


def _rules(audit: Audit) -> Iterator[Block]:
    yield Heading(2, "Rules: who changed them, and when")
    rows = [(minute(one.at), one.kind, one.deed, one.path, one.by, one.commit[:12]) for one in audit.rules]
    yield Table(("When (UTC)", "Kind", "Deed", "File", "By", "Commit"), rows)


def _integrity(audit: Audit) -> Iterator[Block]:
    yield Heading(2, "Integrity of the history")
    if audit.findings:
        yield Items([said(finding) for finding in audit.findings])
    else:
        yield Paragraph(
            "No file of a registered version was ever changed or deleted, the ledger only grew, its entries form whole chains, "
            "and each branch has every commit that the other names."
        )


def _unchecked(audit: Audit) -> Iterator[Block]:
    yield Heading(2, "What could not be checked")
    yield Items(audit.unchecked)


def _frameworks() -> Iterator[Block]:
    yield Heading(2, "Where frameworks ask for this")
    yield Paragraph("This says where to look; whether a requirement is met is for the people who answer for it.")
    yield Table(("Section", "EU AI Act", "SR 11-7", "ISO/IEC 42001", "NIST AI RMF"), FRAMEWORK_POINTS)
