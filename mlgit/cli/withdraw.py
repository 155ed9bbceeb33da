"""Withdraw an open proposal."""

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import PROMOTION, REASON, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.promotion import withdraw


@click.command()
@click.argument("promotion", required=False, type=PROMOTION, metavar="[ENV/MODEL|PROMOTION|BRANCH]")
@click.option("--reason", type=REASON, help="Reason; shown in the pull request.")
@dry_run_option
@session_command
def command(session: Session, promotion: str | None, reason: str | None, *, dry_run: bool) -> int:
    """Withdraw an open proposal: delete its branch, here and at the remote, and close its pull request.

    Without a name it is the only open promotion. With the name of a branch it may be any proposal, such as that of a hold. What
    is merged already stays: `mlgit rollback` takes back a promotion.

    A withdrawal ends a proposal, it is no vote. To have your objection count against a promotion, use `mlgit approve --reject`.

    \b
    Examples:
      mlgit withdraw production/churn --reason "trained on the wrong month"
      mlgit withdraw mlgit/hold/production/churn@11
      mlgit withdraw --dry-run
    """
    outcome = withdraw.run(
        session, promotion, reason=reason, render=pull_requests.render_body, dry_run=dry_run, on_step=session.step
    )
    return session.answer(outcome, _show)


def _show(outcome: withdraw.Withdrawn) -> str:
    what = f"the promotion of {outcome.candidate}, {outcome.promotion}" if outcome.promotion else outcome.branch
    where = ", here and at origin" if outcome.at_remote else ""
    done = f"Withdrew {what}"
    if outcome.state == "planned":
        done = f"{what[0].upper()}{what[1:]} would be withdrawn. Nothing was changed (dry run)."
    lines = [
        *map(text.clean, [done, f"  branch  {outcome.branch} at {outcome.head[:12]}{where}"]),
        *pull_requests.pull_request_lines(outcome.pull_request, outcome.warnings),
    ]
    return "\n".join(lines) + text.following("mlgit status")
