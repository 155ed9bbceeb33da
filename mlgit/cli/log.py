"""Show the history of promotions and deployments."""

import click

from mlgit.cli.params import MODEL, at_option, env_option, last_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import short_version, utc_minute
from mlgit.ops.queries import log


@click.command()
@env_option("Only this environment.")
@click.option("--model", type=MODEL, metavar="MODEL", help="Only this model.")
@last_option(30, "events")
@click.option("--wide", is_flag=True, help="Show the promotion and who committed, too.")
@at_option
@session_command
def command(
    session: Session, environment: str | None, model: str | None, last: int, at: str | None, *, wide: bool
) -> int:
    """Show the history of promotions and deployments.

    APPROVED BY is what the ledger says of exactly this manifest, which `mlgit audit` verifies. COMMITTED BY, with --wide, is
    what Git was told about whoever merged, edited or applied, which nothing proves.

    \b
    Examples:
      mlgit log
      mlgit log --env production -n 5
      mlgit log --wide
    """
    return session.answer(
        log.run(session, at=at, environment=environment, model=model, limit=last),
        lambda history: _show(history, environment, model, wide=wide),
    )


def _what(event: log.Event) -> str:
    if event.kind not in {"deployed", "blocked", "degraded"}:
        return f"{short_version(event.before, event.model)} -> {short_version(event.after, event.model)}"
    return short_version(event.after, event.model) + (f" ({event.traffic} %)" if event.traffic else "")


def _show(history: log.History, environment: str | None, model: str | None, *, wide: bool) -> str:
    if not history.events:
        where = f" in {environment}" if environment else ""
        never = f"{model} has never been promoted{where}" if model else f"Nothing has been promoted{where} yet"
        return f"{never}." + text.following("mlgit promote MODEL@N --to ENV")
    rows = [
        [
            utc_minute(event.at),
            event.kind,
            f"{event.environment}/{event.model}",
            ", ".join([_what(event), *(str(beside).replace(f"{event.model}@", "") for beside in event.beside)]),
            ", ".join(event.approved_by) or "-",
            *([event.promotion or "-", event.committed_by] if wide else []),
        ]
        for event in history.events
    ]
    header = [
        "WHEN (UTC)",
        "EVENT",
        "WHERE",
        "VERSION",
        "APPROVED BY",
        *(["PROMOTION", "COMMITTED BY"] if wide else []),
    ]
    shown = text.table(header, rows)
    return shown + ("\nThere is more: `mlgit log -n 100`" if history.has_more else "")
