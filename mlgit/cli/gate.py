"""Judge a version by an environment's gates, changing nothing."""

import click

from mlgit.cli.params import ENVIRONMENT, VERSION, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef
from mlgit.ops import gate, proposal


@click.command()
@click.argument("version", type=VERSION, metavar="MODEL@N")
@click.option("--to", "environment", required=True, type=ENVIRONMENT, help="The environment.")
@at_option
@session_command
def command(session: Session, version: VersionRef, environment: str, at: str | None) -> int:
    """Judge a version by an environment's gates, changing nothing.

    \b
    Examples:
      mlgit gate churn@10 --to production
      mlgit gate churn@10 --to production --json
    """
    _, state = proposal.base_of(session) if at is None else (at, proposal.state_at(session, at))
    session.step(f"judging {version} by the gates of {environment}")
    return session.answer(gate.run(session, state, version, environment), _show)


def _show(found: gate.Judged) -> str:
    against = f"against {found.champion}" if found.champion else "with no champion to compare with"
    head = f"{found.candidate} by the gates of {found.environment} (policies/{found.policy}.yaml), {against}"
    refused = [one.gate for one in found.results if one.outcome in {"fail", "error", "wait"}]
    verdict = f"Refused by {', '.join(refused)}." if refused else "All gates let it through."
    after = f"mlgit promote {found.candidate} --to {found.environment}" if found.outcome == "pass" else None
    return f"{head}\n{gates(found.results)}\n{verdict}" + text.following(after)
