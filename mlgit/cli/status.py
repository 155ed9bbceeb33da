"""Show what runs where, and what is proposed."""

from datetime import datetime

import click

from mlgit.cli.params import at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.queries import status
from mlgit.ops.queries.status_outcome import Status


@click.command()
@at_option
@session_command
def command(session: Session, at: str | None) -> int:
    """Show what runs where, and what is proposed.

    The desired state comes from the base branch, what was seen to run from the ledger.

    \b
    Examples:
      mlgit status
      mlgit status --at 2026-03-31
      mlgit status --json
    """
    return session.answer(status.run(session, at=at), _show)


def _show(found: Status) -> str:
    parts = [f"{text.clean(found.project)} at {text.clean(found.branch)} {found.commit[:7]}"]
    if found.rows:
        rows = [[row.model, row.environment, row.champion or "-", day(row.since), row.deployed] for row in found.rows]
        heads = ["MODEL", "ENVIRONMENT", "CHAMPION", "SINCE", "DEPLOYED"]
        if any(row.beside for row in found.rows):
            heads.append("BESIDE IT")
            beside = [", ".join(map(str, row.beside)) or "-" for row in found.rows]
            rows = [[*row, more] for row, more in zip(rows, beside, strict=True)]
        parts.append(text.table(heads, rows))
        parts += [f"{row.environment}/{row.model}: {text.clean(row.message)}" for row in found.rows if row.message]
        parts += [
            f"{row.environment}/{row.model}: recertification {row.certified.state}, by {day(row.certified.until)}"
            for row in found.rows
            if row.certified is not None and row.certified.state != "good"
        ]
    else:
        parts.append("Nothing has been promoted yet." if found.models else "There is no model yet.")
    if found.open:
        waiting = [
            [f"{one.environment}/{one.candidate.partition('@')[0]}", one.candidate, one.gates, one.approvals]
            for one in found.open
        ]
        parts.append(text.table(["OPEN PROMOTION", "CANDIDATE", "GATES", "APPROVALS"], waiting))
    if found.candidates:
        newer = [
            [
                one.version,
                one.metric,
                number(one.value),
                f"{one.gain:+.4f}" if one.gain is not None else "-",
                one.against or "-",
                one.environment,
            ]
            for one in found.candidates
        ]
        parts.append(text.table(["CANDIDATE", "METRIC", "VALUE", "GAIN", "AGAINST", "NOT YET IN"], newer))
    return "\n\n".join(parts) + text.following(found.next)


def day(moment: datetime | None) -> str:
    """Return a day, or a dash."""
    return moment.strftime("%Y-%m-%d") if moment else "-"


def number(value: float | None) -> str:
    """Return four decimals, or a dash."""
    return f"{value:.4f}" if value is not None else "-"
