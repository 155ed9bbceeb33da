"""Evaluate the gates of an environment for a version."""

from typing import Any

import click

from mlgit.cli.names import ProjectNames
from mlgit.cli.params import VERSION_OR_MODEL, VersionOrModelType, at_option, env_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates, reports
from mlgit.cli.session import Session
from mlgit.ops.evaluation import gate
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.review import gate_reports, waivers


class _SubjectType(VersionOrModelType):
    """A version; with `--verify` a promotion or the path of a report as well."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Leave the text as it is: what it may be depends on `--verify`."""
        return value


_SUBJECT = _SubjectType("version", ProjectNames.models, ProjectNames.versions)


@click.command()
@click.argument("name", type=_SUBJECT, metavar="MODEL[@N]", required=False)
@env_option("The environment whose gates are evaluated.")
@click.option("--verify", is_flag=True, help="Evaluate a past gate report again: MODEL@N, a promotion, or its path.")
@click.option("--all", "every", is_flag=True, help="With --verify: every report on the base branch.")
@at_option
@session_command
def command(
    session: Session, name: str | None, environment: str | None, at: str | None, *, verify: bool, every: bool
) -> int:
    """Evaluate the gates of an environment for a version. Changes nothing.

    Without @N it is the newest version of the model.

    With --verify, the gates of a past gate report are evaluated again: on the state before the commit that added the report, as
    of the time in it, from content found by its digest. Exit code 0 means that every result is the same, 1 that one differs, 3
    that something is missing.

    \b
    Examples:
      mlgit gate churn --env production
      mlgit gate churn@10 --env production --json
      mlgit gate --verify churn@10
      mlgit gate --verify --all
    """
    if verify:
        if every == (name is not None) or environment or at:
            raise click.UsageError("--verify takes a version, a promotion or the path of a report, or else --all.")
        with session.progress("reports evaluated again") as done:
            outcome = gate_reports.run(session, name, on_done=done)
        return session.answer(outcome, reports)
    if name is None or every:
        raise click.UsageError("--all goes with --verify." if every else "Missing argument 'MODEL[@N]'.")
    if environment is None:
        raise click.UsageError("Missing option '--env'.")
    session.reuse_evidence()
    snapshot = take_snapshot(session, at)
    version = snapshot.state.resolve_version(VERSION_OR_MODEL.convert(name, None, None))
    session.step(f"evaluating the gates of {environment} for {version}")
    state = snapshot.state
    waived = waivers.waivers(
        session, state, state.version(version), environment, at=snapshot.at, ledger=snapshot.ledger
    )
    return session.answer(gate.run(session, state, version, environment, at=snapshot.at, waivers=waived), _show)


def _show(outcome: gate.GateResults) -> str:
    against = f"against {outcome.champion}" if outcome.champion else "without a champion to compare with"
    head = f"{outcome.candidate} by the gates of {outcome.environment} (policies/{outcome.policy}.yaml), {against}"
    refused = [verdict.gate for verdict in outcome.results if verdict.blocks]
    verdict = f"Refused by {', '.join(refused)}." if refused else "No gate refused it."
    after = f"mlgit promote {outcome.candidate} --to {outcome.environment}" if outcome.outcome == "pass" else None
    return f"{head}\n{gates(outcome.results)}\n{verdict}" + text.following(after)
