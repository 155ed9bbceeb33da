"""Try a policy on past promotions."""

from pathlib import Path

import click

from mlgit.cli.params import FILE, POLICY, env_option, last_option, session_command
from mlgit.cli.session import Session
from mlgit.errors import usage_error
from mlgit.ops.policies import replay


@click.group()
def command() -> None:
    """Try a policy on past promotions.

    \b
    Examples:
      mlgit policy replay production --with stricter.yaml
    """


@command.command("replay")
@click.argument("name", type=POLICY, metavar="POLICY")
@click.option("--with", "file", required=True, metavar="FILE", type=FILE, help="The policy to try.")
@env_option("Only this environment.")
@last_option(20, "promotions")
@session_command
def _replay(session: Session, name: str, file: Path, last: int, environment: str | None) -> int:
    """Evaluate the promotions that were merged under a policy by the gates of another one.

    Each is evaluated on the evidence of its time. Exit code 3 means that some results are inconclusive because evidence is gone.

    \b
    Examples:
      mlgit policy replay production --with stricter.yaml
      mlgit policy replay production --with stricter.yaml --last 40 --env production --json
    """
    name = name.removeprefix("policies/").removesuffix(".yaml")  # people also name a policy by its file
    try:
        content = (session.directory / file.expanduser()).read_bytes()
    except OSError as error:
        raise usage_error(
            "file-unreadable", f"{file} cannot be read", why=error.strerror or "", fix="name the file of a policy"
        ) from error
    with session.progress("promotions evaluated") as done:
        outcome = replay.run(session, name, str(file), content, last=last, environment=environment, on_done=done)
    return session.answer(outcome, _show)


def _show(found: replay.PolicyReplay) -> str:
    from mlgit.cli.render import document  # noqa: PLC0415 - only where something is replayed
    from mlgit.pages import policy_replay  # noqa: PLC0415 - likewise

    return document.write(policy_replay.page(found), rows=document.UNLIMITED)
