"""Try a policy on the promotions of the past."""

from pathlib import Path

import click

from mlgit.cli.params import ENVIRONMENT, session_command
from mlgit.cli.render import text
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
    others = [one for one in found.judged if one.now != "pass"]
    rows = [
        [
            one.candidate,
            one.environment,
            f"{one.at:%Y-%m-%d}",
            one.then or "-",
            one.now,
            "yes" if one.rolled_back else "",
            _why(one),
        ]
        for one in [*others, *(one for one in found.judged if one.now == "pass" and one.rolled_back)]
    ]
    header = ["VERSION", "ENVIRONMENT", "JUDGED", "THEN", "NOW", "ROLLED BACK", "WHY"]
    parts = [text.table(header, rows, words={3, 4})] if rows else []
    parts += [f"cannot be read: {text.clean(path)}" for path in found.unread]
    return "\n".join([*parts, *_summary(found)])


def _summary(found: replay.PolicyReplay) -> list[str]:
    last = f"the last {text.plural(len(found.judged), 'promotion')} under policy {found.policy}"
    lines = [f"It would have blocked {found.blocked} of {last}."]
    if found.let_through_and_rolled_back:
        lines.append(f"It would have let through {found.let_through_and_rolled_back} that was later rolled back.")
    if found.unjudged:
        lines.append(f"{found.unjudged} cannot be judged: evidence is gone.")
    return lines


def _why(one: replay.ReplayedPromotion) -> str:
    return "; ".join(f"{refusal.gate}: {refusal.message}" for refusal in one.refused_by)
