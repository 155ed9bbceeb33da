"""Try a policy on past promotions."""

from pathlib import Path

import click

from mlgit.cli.params import FILE, env_option, last_option, session_command
from mlgit.cli.render import text
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
@click.argument("name", metavar="POLICY")
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
    try:
        content = (session.directory / file.expanduser()).read_bytes()
    except OSError as error:
        raise usage_error(
            "file-unreadable", f"{file} cannot be read", why=error.strerror or "", fix="name the file of a policy"
        ) from error
    with session.progress("promotions evaluated") as done:
        outcome = replay.run(session, name, str(file), content, last=last, environment=environment, on_done=done)
    return session.answer(outcome, _show)


def _show(outcome: replay.PolicyReplay) -> str:
    not_passed = [promotion for promotion in outcome.judged if promotion.now != "pass"]
    rows = [
        [
            promotion.candidate,
            promotion.environment,
            f"{promotion.at:%Y-%m-%d}",
            promotion.then or "-",
            promotion.now,
            "yes" if promotion.rolled_back else "",
            _why(promotion),
        ]
        for promotion in [
            *not_passed,
            *(promotion for promotion in outcome.judged if promotion.now == "pass" and promotion.rolled_back),
        ]
    ]
    header = ["VERSION", "ENVIRONMENT", "DATE", "THEN", "NOW", "ROLLED BACK", "REASON"]
    parts = [text.table(header, rows, words={3, 4})] if rows else []
    parts += [f"cannot be read: {text.clean(path)}" for path in outcome.unread]
    return "\n".join([*parts, *_summary(outcome)])


def _summary(outcome: replay.PolicyReplay) -> list[str]:
    last = f"the last {text.plural(len(outcome.judged), 'promotion')} under policy {outcome.policy}"
    lines = [f"It would have blocked {outcome.blocked} of {last}."]
    if outcome.let_through_and_rolled_back:
        lines.append(f"It would have allowed {outcome.let_through_and_rolled_back} that was later rolled back.")
    if outcome.unjudged:
        lines.append(f"{outcome.unjudged} inconclusive: evidence is gone.")
    return lines


def _why(promotion: replay.ReplayedPromotion) -> str:
    return "; ".join(f"{refusal.gate}: {refusal.message}" for refusal in promotion.refused_by)
