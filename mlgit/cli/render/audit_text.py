"""An audit for people at a terminal: the changes with their verdicts, what is wrong, and the next step."""

from mlgit.cli.render import text
from mlgit.cli.render.audit_document import minute, moved
from mlgit.domain.audit.records import AuditedChange
from mlgit.errors import Finding
from mlgit.ops.audit import Audit

_SHOWN = 50  # changes that are told in full even where nothing is wrong with them


def render(audit: Audit) -> str:
    """Return the text; of a long history the newest changes and all that are not proven."""
    ledger = "no ledger" if audit.ledger is None else f"ledger at {audit.ledger[:7]}"
    parts = [f"{text.clean(audit.project)}: {text.clean(audit.branch)} at {audit.commit[:7]}, {ledger}"]
    told = audit.changes[-_SHOWN:]
    older = [change for change in audit.changes[:-_SHOWN] if change.verdict != "PROVEN"]
    if audit.changes:
        parts.append(_table([*older, *told]))
    else:
        parts.append("No environment was changed.")
    hidden = len(audit.changes) - len(told) - len(older)
    if hidden:
        parts.append(
            f"{text.plural(hidden, 'older change')} PROVEN, not shown; `mlgit audit --format md` tells of each."
        )
    parts += [_why(change) for change in (*older, *told) if change.findings]
    parts += [text.finding(finding) for finding in audit.findings]
    parts.append(_summary(audit))
    return "\n\n".join(parts) + text.following(_next(audit))


def _table(changes: list[AuditedChange]) -> str:
    rows = [
        [
            minute(change.at),
            f"{change.environment}/{change.model}",
            moved(change),
            change.commit[:7],
            ", ".join(one.person for one in change.approvals) or "-",
            change.verdict,
        ]
        for change in changes
    ]
    return text.table(["WHEN (UTC)", "WHERE", "CHANGE", "COMMIT", "APPROVED BY", "VERDICT"], rows)


def _why(change: AuditedChange) -> str:
    head = f"{change.verdict} {change.commit[:7]} {text.clean(f'{change.environment}/{change.model}: {moved(change)}')}"
    return "\n".join([head, *(text.finding(finding) for finding in change.findings)])


def _summary(audit: Audit) -> str:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in audit.counts.items() if count)
    history = text.plural(len(audit.findings), "finding") if audit.findings else "nothing wrong"
    changes = text.plural(len(audit.changes), "change")
    return f"{changes}: {counts or 'none'}; on the history as a whole: {history}."


def _next(audit: Audit) -> str:
    findings: list[Finding] = [one for change in audit.changes for one in change.findings] + list(audit.findings)
    if audit.exit:
        return f"mlgit explain {findings[0].id}" if findings else "mlgit audit --format md"
    return "mlgit audit --format html --output audit.html"
