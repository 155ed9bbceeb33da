"""Try a policy on the promotions of the past."""

from pathlib import Path

import click

from mlgit.cli.params import ENVIRONMENT, session_command
from mlgit.cli.session import Session
from mlgit.errors import usage_error
from mlgit.ops.policies import replay


@click.group()
def command() -> None:
    """Try a policy on the promotions of the past.

    \b
    Examples:
      mlgit policy replay production --with stricter.yaml
    """


@command.command("replay")
@click.argument("name", metavar="NAME")
@click.option(
    "--with", "file", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The policy to try."
)
@click.option(
    "--last", type=click.IntRange(1), default=20, show_default=True, help="How many promotions, newest first."
)
@click.option("--env", "environment", type=ENVIRONMENT, help="Only this environment.")
@session_command
def _replay(session: Session, name: str, file: Path, last: int, environment: str | None) -> int:
    """Judge the promotions that were merged under a policy by the gates of another file.

    Each is judged on the evidence of its time. Exit code 3 means that some evidence is gone, so that not all could be judged.

    \b
    Examples:
      mlgit policy replay production --with stricter.yaml
      mlgit policy replay production --with stricter.yaml --last 40 --env production --json
    """
    try:
        content = (session.directory / file.expanduser()).read_bytes()
    except OSError as error:
        raise usage_error(
            "file-unreadable", f"{file} cannot be read", why=error.strerror or "", fix="name a policy's file"
        ) from error
    with session.progress("promotions judged") as done:
        found = replay.run(session, name, str(file), content, last=last, environment=environment, on_done=done)
    return session.answer(found, _show)


def _show(found: replay.PolicyReplay) -> str:
    from mlgit.cli.render import document  # noqa: PLC0415 - only where something is replayed
    from mlgit.pages import policy_replay  # noqa: PLC0415 - likewise

    return document.write(policy_replay.page(found), rows=document.UNLIMITED)
