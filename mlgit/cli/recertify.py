"""Propose that what runs is agreed to again."""

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_date
from mlgit.errors import usage_error
from mlgit.ops.promotion import recertify
from mlgit.ops.promotion.proposed import Proposed


@click.command()
@click.argument("where", metavar="ENVIRONMENT/MODEL")
@click.option("--reason", help="Why now; it goes into the manifest.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def command(session: Session, where: str, reason: str | None, *, no_pull_request: bool, dry_run: bool) -> int:
    """Propose that what runs is agreed to again.

    A policy with `recertify: 180d` lets no approval of what runs grow older than that. The champion is judged again by the gates
    of today's policy; those that compare with a champion compare with the one that it took the place of. Nothing that runs
    changes: once people have approved it and it is merged, `mlgit apply` records the decision.

    \b
    Examples:
      mlgit recertify production/churn
      mlgit recertify production/churn --reason "yearly review" --dry-run
    """
    environment, slash, model = where.partition("/")
    if not slash:
        raise usage_error(
            "recertify-words",
            f"{where!r} does not name what runs",
            fix="write it as ENVIRONMENT/MODEL, for example production/churn",
        )
    outcome = recertify.run(
        session,
        environment,
        model,
        reason=reason,
        body=None if no_pull_request else pull_requests.body_of(session),
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, _show)


def _show(found: Proposed) -> str:
    where = f"{found.environment}/{found.model}"
    against = f"against {found.compared_with}" if found.compared_with else "with no version to compare it with"
    lines = [f"Plan: {found.candidate} is agreed to again in {found.environment}, judged {against}"]
    if found.approval_due is not None:
        lines.append(f"  {found.approval_age}, to be agreed to again by {utc_date(found.approval_due)}")
    lines += [f"  {mark} {text.clean(path)}" for path, mark in found.files.items()]
    lines += [f"Gates (policies/{found.policy}.yaml)", gates(found.gates)]
    if found.state == "refused":
        fails = [verdict.gate for verdict in found.gates if verdict.blocks]
        lines.append(f"Refused by {', '.join(fails)}. Nothing was proposed and nothing was changed.")
        return "\n".join(lines) + text.following(f"mlgit explain {fails[0]}")
    if found.state == "planned":
        return "\n".join([*lines, "Nothing was changed (dry run)."])
    act = "Merging it is the act. Nothing that runs changes by it."
    end = pull_requests.ending(found, where, what="The recertification", act=act, enough="nobody is missing")
    return "\n".join([*lines, end])
