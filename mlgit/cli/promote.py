"""Propose a version for an environment."""

import click

from mlgit.cli.params import ENVIRONMENT, VERSION, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef
from mlgit.ops import promote


@click.command()
@click.argument("version", type=VERSION, metavar="MODEL@N")
@click.option("--to", "environment", required=True, type=ENVIRONMENT, help="The environment.")
@click.option("--reason", help="Why now; it goes into the manifest.")
@click.option("--ticket", help="Number in another system; it goes into the manifest.")
@dry_run_option
@session_command
def command(
    session: Session, version: VersionRef, environment: str, reason: str | None, ticket: str | None, *, dry_run: bool
) -> int:
    """Propose a version for an environment: judge it by the gates, and put the proposal on a branch of its own.

    The work tree and what is staged in it are not touched. Nothing is deployed before the proposal is merged and applied.

    Git's hooks for commits (pre-commit, commit-msg) are not run: the commit is made beside the work tree, which they judge.
    Those for refs and pushes are.

    \b
    Examples:
      mlgit promote churn@10 --to staging
      mlgit promote churn@10 --to production --reason "quarterly retrain" --ticket RISK-42
    """
    outcome = promote.run(
        session, version, environment, reason=reason, ticket=ticket, dry_run=dry_run, on_step=session.step
    )
    return session.answer(outcome, _show)


def _show(found: promote.Promoted) -> str:
    where = f"{found.environment}/{found.candidate.partition('@')[0]}"
    if found.state == "runs-already":
        return f"{found.candidate} is champion of {found.environment} already; nothing was changed." + text.following(
            "mlgit status"
        )
    lines = [f"Plan: {found.candidate} becomes champion of {found.environment} (now {found.champion or 'nothing'})"]
    lines += [f"  {mark} {path}" for path, mark in found.files.items()]
    lines += [f"Gates (policies/{found.policy}.yaml)", gates(found.gates)]
    if found.state == "refused":
        fails = [verdict.gate for verdict in found.gates if verdict.outcome in {"fail", "error", "wait"}]
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
