"""Show the history of promotions and deployments."""

import click

from mlgit.cli.params import MODEL, at_option, env_option, last_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_minute
from mlgit.ops.queries import log


@click.command()
@env_option("Only this environment.")
@click.option("--model", type=MODEL, metavar="MODEL", help="Only this model.")
@last_option(30, "events")
@at_option
@session_command
def command(session: Session, environment: str | None, model: str | None, last: int, at: str | None) -> int:
    """Show the history of promotions and deployments.

    APPROVED BY is what the ledger says of exactly this manifest, which `mlgit audit` verifies. COMMITTED BY is what
    Git was told about whoever merged, edited or applied, which nothing proves.

    \b
    Examples:
      mlgit log
      mlgit log --env production -n 5
    """
    return session.answer(
        log.run(session, at=at, environment=environment, model=model, limit=last),
        lambda history: _show(history, environment, model),
    )


def _what(event: log.Event) -> str:
    if event.kind not in {"deployed", "blocked", "degraded"}:
        return f"{event.before or 'nothing'} -> {event.after or 'nothing'}"
    return (event.after or "-") + (f" ({event.traffic} %)" if event.traffic else "")


def _show(history: log.History, environment: str | None, model: str | None) -> str:
    if not history.events:
        where = f" in {environment}" if environment else ""
        never = f"{model} has never been promoted{where}" if model else f"Nothing has been promoted{where} yet"
        return f"{never}." + text.following("mlgit promote MODEL@N --to ENV")
    rows = [
        [
            utc_minute(event.at),
            event.kind,
            event.environment,
            ", ".join([_what(event), *map(str, event.beside)]),
            event.promotion or "-",
            ", ".join(event.approved_by) or "-",
            event.committed_by,
        ]
        for event in history.events
    ]
    header = ["WHEN (UTC)", "EVENT", "ENVIRONMENT", "VERSION", "PROMOTION", "APPROVED BY", "COMMITTED BY"]
    shown = text.table(header, rows)
    return shown + ("\nThere is more: `mlgit log -n 100`" if history.has_more else "")
