"""Judge a version by an environment's gates, changing nothing."""

from typing import Any

import click

from mlgit.cli.params import ENVIRONMENT, VersionType, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates, reports
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef
from mlgit.ops.evaluation import gate
from mlgit.ops.kernel import snapshot
from mlgit.ops.review import gate_reports, waivers


class _What(VersionType):
    """A version; with `--verify` a promotion or the path of a report as well."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave the word as it is: what it may be depends on `--verify`."""
        return value


@click.command()
@click.argument("name", type=_What(), metavar="MODEL@N", required=False)
@click.option("--to", "environment", type=ENVIRONMENT, help="The environment.")
@click.option(
    "--verify", is_flag=True, help="Judge a gate report of the past again: MODEL@N, a promotion, or its path."
)
@click.option("--all", "every", is_flag=True, help="With --verify: every report of the base branch.")
@at_option
@session_command
def command(
    session: Session, name: str | None, environment: str | None, at: str | None, *, verify: bool, every: bool
) -> int:
    """Judge a version by an environment's gates, changing nothing.

    With --verify, the gates are asked again as they were for a gate report of the past: on the state before the commit that
    brought the report, as of the time that it states, from content found by its digest. Exit code 0 means that every answer is
    the same, 1 that one differs, 3 that something is missing.

    \b
    Examples:
      mlgit gate churn@10 --to production
      mlgit gate churn@10 --to production --json
      mlgit gate --verify churn@10
      mlgit gate --verify --all
    """
    if verify:
        if every == (name is not None) or environment or at:
            raise click.UsageError("--verify takes a version, a promotion or the path of a report, or else --all.")
        with session.progress("reports judged again") as done:
            found = gate_reports.run(session, name, on_done=done)
        return session.answer(found, reports)
    if name is None or every:
        raise click.UsageError("--all goes with --verify." if every else "Missing argument 'MODEL@N'.")
    if environment is None:
        raise click.UsageError("Missing option '--to'.")
    version = VersionRef.parse(name)
    moment = snapshot.take_snapshot(session, at)
    session.step(f"judging {version} by the gates of {environment}")
    waived = waivers.waivers(
        session,
        moment.state,
        moment.state.version(version),
        environment,
        at=session.clock.now(),
        ledger=snapshot.ledger_of(session),
    )
    return session.answer(gate.run(session, moment.state, version, environment, waivers=waived), _show)


def _show(found: gate.GateResults) -> str:
    against = f"against {found.champion}" if found.champion else "with no champion to compare with"
    head = f"{found.candidate} by the gates of {found.environment} (policies/{found.policy}.yaml), {against}"
    refused = [one.gate for one in found.results if one.blocks]
    verdict = f"Refused by {', '.join(refused)}." if refused else "All gates let it through."
    after = f"mlgit promote {found.candidate} --to {found.environment}" if found.outcome == "pass" else None
    return f"{head}\n{gates(found.results)}\n{verdict}" + text.following(after)
