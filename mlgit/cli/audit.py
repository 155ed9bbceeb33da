"""Check again every promotion that there was, offline."""

import hashlib
from pathlib import Path
from typing import Literal

import click
import msgspec

from mlgit.cli.params import ENVIRONMENT, at_option, session_command
from mlgit.cli.session import Session
from mlgit.errors import inconclusive
from mlgit.ops import audit
from mlgit.ops.audit import Audit
from mlgit.ops.audit.checkpoint import pack

Format = Literal["text", "json", "html", "md"]
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--since", metavar="REV", help="Tell only of changes after a commit, a branch, a tag or a date.")
@click.option("--env", "environment", type=ENVIRONMENT, help="Tell only of this environment.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html", "md"]),
    default="text",
    show_default=True,
    help="Output format; html and md are evidence reports.",
)
@click.option("--output", type=_FILE, help="Write it to a file, and its sha256 beside it.")
@click.option("--full", is_flag=True, help="Begin with the first commit, whatever an earlier audit concluded.")
@click.option(
    "--fetch", is_flag=True, help="Judge every gate again, on data from DVC's cache or remote; implies --full."
)
@click.option("--checkpoint", "given", type=_FILE, help="Go on from this checkpoint, an auditor's own.")
@click.option("--write-checkpoint", "kept", type=_FILE, help="Write what the next audit may go on from.")
@at_option
@session_command
def command(
    session: Session,
    since: str | None,
    environment: str | None,
    form: Format,
    output: Path | None,
    given: Path | None,
    kept: Path | None,
    at: str | None,
    *,
    full: bool,
    fetch: bool,
) -> int:
    """Check again every promotion that there was, offline.

    Each commit of the base branch that changed what an environment is to run is judged by the rules of the commit before
    it: PROVEN, OVERRIDDEN (a gate was waived as the rules allow), UNPROVEN (evidence is missing) or VIOLATION. The history
    as a whole is checked too: nothing immutable was touched, and the ledger only grew.

    The same commits give the same answer, byte for byte. What was audited before is not replayed, unless --full is given.

    \b
    Examples:
      mlgit audit
      mlgit audit --env production --since 2026-01-01
      mlgit audit --full --format html --output audit.html
    """
    with session.progress("commits") as say:
        found = audit.run(
            session,
            at=at,
            since=since,
            environment=environment,
            full=full,
            fetch=fetch,
            given=None if given is None else _read(given),
            on_progress=say,
        )
    if kept is not None and found.checkpoint is not None:
        _write(kept, pack(found.checkpoint))
    written = _written(found.audit, "json" if session.as_json else form)
    if output is None:
        click.echo(written, nl=False)
        return int(found.audit.exit)
    _write(output, written.encode())
    digest = hashlib.sha256(written.encode()).hexdigest()
    _write(output.with_name(f"{output.name}.sha256"), f"{digest}  {output.name}\n".encode())
    click.echo(_written(found.audit, "text"), nl=False)
    click.echo(f"Written to {output}, and its sha256 beside it.")
    return int(found.audit.exit)


def _written(found: Audit, form: Format) -> str:
    """Return an audit in a format, with a newline at its end."""
    from mlgit.pages import audit as pages  # noqa: PLC0415 - only once there is an audit to show

    match form:
        case "json":
            return msgspec.json.format(msgspec.json.encode(found.stamped()), indent=2).decode() + "\n"
        case "md":
            from mlgit.pages import markdown  # noqa: PLC0415 - one format at a time

            return pages.with_checksum(markdown.write(pages.report(found.stamped())) + "\n")
        case "html":
            from mlgit.pages import html  # noqa: PLC0415 - one format at a time

            return pages.with_checksum(html.write(pages.report(found.stamped())))
        case "text":
            from mlgit.cli.render import document, text  # noqa: PLC0415 - one format at a time

            page = pages.summary(found)
            shown = document.write(page, width=document.UNLIMITED, rows=document.UNLIMITED)
            return shown + text.following(pages.next_step(found)) + "\n"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise inconclusive(
            "file-unreadable", f"{path} cannot be read", why=error.strerror or str(error), fix="name a file that can"
        ) from error


def _write(path: Path, content: bytes) -> None:
    from mlgit.edges import workfiles  # noqa: PLC0415 - only where something is written

    workfiles.write(path.parent, {path.name: content})
