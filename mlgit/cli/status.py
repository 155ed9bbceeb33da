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

    The desired state comes from the base branch, the observed state from the ledger.

    \b
    Examples:
      mlgit status
      mlgit status --at 2026-03-31
      mlgit status --json
    """
    return session.answer(status.run(session, at=at), _show)


def _show(outcome: Status) -> str:
    parts = [f"{text.clean(outcome.project)} at {text.clean(outcome.branch)} {outcome.commit[:7]}"]
    if outcome.rows:
        rows = [
            [row.model, row.environment, row.champion or "-", utc_date(row.since), row.deployed] for row in outcome.rows
        ]
        heads = ["MODEL", "ENVIRONMENT", "CHAMPION", "SINCE", "DEPLOYED"]
        if any(row.beside for row in outcome.rows):
            heads.append("BESIDE IT")
            beside = [", ".join(map(str, row.beside)) or "-" for row in outcome.rows]
            rows = [[*row, more] for row, more in zip(rows, beside, strict=True)]
        parts.append(text.table(heads, rows))
        parts += [f"{row.environment}/{row.model}: {text.clean(row.message)}" for row in outcome.rows if row.message]
        parts += [
            f"{row.environment}/{row.model}: recertification {row.approval_age.state}, by {utc_date(row.approval_age.until)}"
            for row in outcome.rows
            if row.approval_age is not None and row.approval_age.state != "good"
        ]
    else:
        parts.append("Nothing has been promoted yet." if outcome.models else "There is no model yet.")
    if outcome.open:
        waiting = [
            [
                f"{promotion.environment}/{promotion.candidate.partition('@')[0]}",
                promotion.candidate,
                promotion.gates
                if promotion.is_stale or promotion.evaluated_at is None
                else f"{promotion.gates} on {utc_date(promotion.evaluated_at)}",
                promotion.approvals,
            ]
            for promotion in outcome.open
        ]
        parts.append(text.table(["OPEN PROMOTION", "CANDIDATE", "GATES", "APPROVALS"], waiting))
    if outcome.candidates:
        newer = [
            [
                candidate.version,
                candidate.metric,
                metric_value(candidate.value),
                metric_gain(candidate.gain),
                candidate.champion or "-",
                candidate.environment,
            ]
            for candidate in outcome.candidates
        ]
        parts.append(text.table(["CANDIDATE", "METRIC", "VALUE", "GAIN", "AGAINST", "NOT YET IN"], newer))
    return "\n\n".join(parts) + text.following(outcome.next)
