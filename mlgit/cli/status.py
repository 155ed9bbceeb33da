"""Show what runs where, and what is proposed."""

import click

from mlgit.cli.params import at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import metric_gain, metric_value, utc_date
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
        rows = [
            [row.model, row.environment, row.champion or "-", utc_date(row.since), row.deployed] for row in found.rows
        ]
        heads = ["MODEL", "ENVIRONMENT", "CHAMPION", "SINCE", "DEPLOYED"]
        if any(row.beside for row in found.rows):
            heads.append("BESIDE IT")
            beside = [", ".join(map(str, row.beside)) or "-" for row in found.rows]
            rows = [[*row, more] for row, more in zip(rows, beside, strict=True)]
        parts.append(text.table(heads, rows))
        parts += [f"{row.environment}/{row.model}: {text.clean(row.message)}" for row in found.rows if row.message]
        parts += [
            f"{row.environment}/{row.model}: recertification {row.certified.state}, by {utc_date(row.certified.until)}"
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
                metric_value(one.value),
                metric_gain(one.gain),
                one.against or "-",
                one.environment,
            ]
            for one in found.candidates
        ]
        parts.append(text.table(["CANDIDATE", "METRIC", "VALUE", "GAIN", "AGAINST", "NOT YET IN"], newer))
    return "\n\n".join(parts) + text.following(found.next)
