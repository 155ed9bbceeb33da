"""Verify every past promotion, offline."""

import hashlib
from pathlib import Path
from typing import get_args

import click
import msgspec

from mlgit.cli.params import FILE, REVISION, at_option, env_option, format_option, session_command
from mlgit.cli.session import Session
from mlgit.domain.audit.verdict import AuditDepth
from mlgit.errors import inconclusive
from mlgit.ops import audit
from mlgit.ops.audit import Audit
from mlgit.ops.audit.checkpoint import GivenCheckpoint, pack


@click.command()
@click.option("--since", type=REVISION, metavar="REV", help="Report only changes after a commit, branch, tag or date.")
@env_option("Report only this environment.")
@click.option("--output", type=FILE, metavar="FILE", help="Write the report to a file, and its sha256 beside it.")
@click.option(
    "--depth",
    type=click.Choice(get_args(AuditDepth)),
    default="record",
    show_default=True,
    help="How deep to look: at records and signatures; evaluating the gates again that run no code; or all gates.",
)
@click.option("--no-cache", is_flag=True, help="Start from the first commit; use no earlier audit.")
@click.option(
    "--checkpoint", "given", type=FILE, metavar="FILE", help="Continue from this checkpoint of an earlier audit."
)
@click.option(
    "--checkpoint-key",
    metavar="KEY",
    help="Who must have signed the checkpoint: a fingerprint (SHA256:...) or the file of a public key. By default the key in "
    "Git's setting mlgit.checkpointKey, else your own.",
)
@click.option(
    "--write-checkpoint",
    "checkpoint_file",
    type=FILE,
    metavar="FILE",
    help="Write a checkpoint for the next audit, signed with your key.",
)
@at_option
@session_command
@format_option("html", "md")
def command(
    session: Session,
    since: str | None,
    environment: str | None,
    output: Path | None,
    given: Path | None,
    checkpoint_key: str | None,
    checkpoint_file: Path | None,
    at: str | None,
    *,
    form: str,
    depth: AuditDepth,
    no_cache: bool,
) -> int:
    """Verify every past promotion, offline.

    Each commit of the base branch that changed what an environment is to run, or a rule, is verified by the rules of the commit
    before it: PROVEN, OVERRIDDEN (a gate was waived as the rules allow), UNAPPROVED (the rules asked nobody to approve it),
    UNPROVEN (evidence is missing) or VIOLATION. The history as a whole is verified too: nothing immutable was changed, and the
    ledger is append-only.

    The same commits give the same report, byte for byte. Commits of an earlier audit are not replayed, unless --no-cache is
    given. --format html and md are evidence reports. --depth recompute and full need the data, from DVC's cache or remote; the
    verdict says how deep the audit looked.

    \b
    Examples:
      mlgit audit
      mlgit audit --env production --since 2026-01-01
      mlgit audit --depth full --format html --output audit.html
    """
    with session.progress("commits") as say:
        outcome = audit.run(
            session,
            at=at,
            since=since,
            environment=environment,
            depth=depth,
            use_cache=not no_cache,
            given_checkpoint=None if given is None else _given(session, given, checkpoint_key),
            on_progress=say,
        )
    if checkpoint_file is not None and outcome.checkpoint is not None:
        _write(checkpoint_file, pack(session, outcome.checkpoint))
    report = _render(outcome.audit, form)
    if output is None:
        click.echo(report, nl=False)
        return int(outcome.audit.exit)
    _write(output, report.encode())
    digest = hashlib.sha256(report.encode()).hexdigest()
    _write(output.with_name(f"{output.name}.sha256"), f"{digest}  {output.name}\n".encode())
    click.echo(_render(outcome.audit, "text"), nl=False)
    click.echo(f"Written to {output}, and its sha256 beside it.")
    return int(outcome.audit.exit)


def _render(outcome: Audit, form: str) -> str:
    """Return an audit in a format, with a newline at its end."""
    from mlgit.pages import audit as pages  # noqa: PLC0415 - only once there is an audit to show

    match form:
        case "json":
            return msgspec.json.format(msgspec.json.encode(outcome.with_digest()), indent=2).decode() + "\n"
        case "md":
            from mlgit.pages import markdown  # noqa: PLC0415 - one format at a time

            return pages.with_checksum(markdown.write(pages.report(outcome.with_digest())) + "\n")
        case "html":
            from mlgit.pages import html  # noqa: PLC0415 - one format at a time

            return pages.with_checksum(html.write(pages.report(outcome.with_digest())))
        case _:
            from mlgit.cli.render import document, text  # noqa: PLC0415 - one format at a time

            page = pages.summary(outcome)
            shown = document.write(page, width=document.UNLIMITED, rows=document.UNLIMITED)
            return shown + text.following(pages.next_step(outcome)) + "\n"


def _given(session: Session, file: Path, key: str | None) -> GivenCheckpoint:
    """Return a checkpoint file, with the key that must have signed it."""
    content = _read(file)
    key = key or session.repository.config("mlgit.checkpointKey")
    if key is None:
        key = session.signatures.public_key()
    elif not key.startswith("SHA256:"):
        key = _read(Path(key).expanduser()).decode(errors="replace")
    return GivenCheckpoint(content, key)


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
