"""Propose a version for an environment."""

import click
import msgspec

from mlgit.cli.params import ENVIRONMENT, VERSION, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef
from mlgit.domain.records.promotion import Ramp
from mlgit.errors import misuse
from mlgit.ops import promote


@click.command()
@click.argument("version", type=VERSION, metavar="MODEL@N")
@click.option("--to", "environment", required=True, type=ENVIRONMENT, help="The environment.")
@click.option("--reason", help="Why now; it goes into the manifest.")
@click.option("--ticket", help="Number in another system; it goes into the manifest.")
@click.option("--ramp", metavar="10,50,100", help="Shares of the requests, in per cent, by which it takes over.")
@click.option("--hold", metavar="24h", help="How long each step of the ramp lasts: a whole number and m, h, d or w.")
@dry_run_option
@session_command
def command(
    session: Session,
    version: VersionRef,
    environment: str,
    reason: str | None,
    ticket: str | None,
    ramp: str | None,
    hold: str | None,
    *,
    dry_run: bool,
) -> int:
    """Propose a version for an environment: judge it by the gates, and put the proposal on a branch of its own.

    The work tree and what is staged in it are not touched. Nothing is deployed before the proposal is merged and applied.

    Git's hooks for commits (pre-commit, commit-msg) are not run: the commit is made beside the work tree, which they judge.
    Those for refs and pushes are.

    \b
    Examples:
      mlgit promote churn@10 --to staging
      mlgit promote churn@10 --to production --reason "quarterly retrain" --ticket RISK-42
      mlgit promote churn@10 --to production --ramp 10,50,100 --hold 24h
    """
    outcome = promote.run(
        session,
        version,
        environment,
        reason=reason,
        ticket=ticket,
        ramp=_plan(ramp, hold),
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, _show)


def _plan(ramp: str | None, hold: str | None) -> Ramp | None:
    if ramp is None and hold is None:
        return None
    try:
        return msgspec.convert({"steps": [int(share) for share in (ramp or "").split(",")], "hold": hold}, type=Ramp)
    except ValueError as error:
        raise misuse(
            "ramp-words",
            "the words of the ramp do not fit",
            why=f"--ramp {ramp} --hold {hold}",
            fix="give both, for example `--ramp 10,50,100 --hold 24h`",
        ) from error


def _show(found: promote.Promoted) -> str:
    where = f"{found.environment}/{found.candidate.partition('@')[0]}"
    if found.state == "runs-already":
        return f"{found.candidate} is champion of {found.environment} already; nothing was changed." + text.following(
            "mlgit status"
        )
    lines = [f"Plan: {found.candidate} becomes champion of {found.environment} (now {found.champion or 'nothing'})"]
    if found.ramp is not None:
        shares = ", ".join(map(str, found.ramp.steps))
        lines.append(f"  by {shares} per cent of the requests, {found.ramp.hold} each")
    lines += [f"  {mark} {path}" for path, mark in found.files.items()]
    lines += [f"Gates (policies/{found.policy}.yaml)", gates(found.gates)]
    if found.state == "refused":
        fails = [verdict.gate for verdict in found.gates if verdict.refuses]
        lines += [f"Refused by {', '.join(fails)}. Nothing was proposed and nothing was changed."]
        ways = [verdict.fix for verdict in found.gates if verdict.gate in fails and verdict.fix]
        return "\n".join(lines) + text.following(text.clean(ways[0]) if ways else f"mlgit explain {fails[0]}")
    missing = "; ".join(found.approvals_missing)
    lines.append(
        f"  {text.word('wait' if missing else 'pass', 6)}  approvals: {missing or f'{found.approvals_needed} needed'}"
    )
    if found.state == "planned":
        return "\n".join([*lines, "Nothing was changed (dry run)."])
    deed = "was proposed already, as" if found.state == "proposed-already" else "is proposed as"
    lines += [
        f"{found.candidate} {deed} {found.promotion}",
        f"  on branch {found.branch}" + (", pushed to origin" if found.pushed else ""),
        "Merging it is the act. Nothing has been deployed yet.",
    ]
    if not missing:
        return "\n".join(lines) + text.following(f"mlgit merge {where}")
    who = " or ".join(found.may_approve) or "somebody else"
    return "\n".join(lines) + text.following(f"mlgit approve {where}, run by {text.clean(who)}")
