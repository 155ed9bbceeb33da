"""Agree to promotions in advance, for a stated time."""

from datetime import datetime, timedelta

import click

from mlgit.cli import pull_requests
from mlgit.cli.moments import MOMENT
from mlgit.cli.params import ENVIRONMENT, MODEL, at_option, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural, utc_time
from mlgit.ops.exceptions import standing_approval


@click.group()
def command() -> None:
    """Agree to promotions in advance, for a stated time.

    A standing approval is a file under standing/ on the base branch: it names an environment, a model, people and an end. Where
    the environment has `auto_promote: true`, `mlgit advance` promotes on it what passes every gate. Deleting the file ends it.

    \b
    Examples:
      mlgit standing new production churn --by ben --by cara --until 90d --reason "weekly retrain on the same pipeline"
      mlgit standing approve production/churn
      mlgit standing list
    """


@command.command("new")
@click.argument("environment", type=ENVIRONMENT)
@click.argument("model", type=MODEL)
@click.option("--by", "people", multiple=True, required=True, metavar="PERSON", help="Who agrees; may be repeated.")
@click.option("--until", type=MOMENT, required=True, help="When it stops to hold: 90d, 2026-12-01; a year at most.")
@click.option("--most", type=click.IntRange(min=1), metavar="N", help="How many promotions may rest on it.")
@click.option("--reason", required=True, help="Why they need not be agreed to one by one.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def _new(
    session: Session,
    environment: str,
    model: str,
    people: tuple[str, ...],
    until: datetime | timedelta,
    most: int | None,
    reason: str,
    *,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Draft a standing approval, on a branch of its own.

    PERSON is as .mlgit/roles.yaml calls them. They are as many, and have the roles, that the environment's policy asks of a
    promotion. Each of them signs it with `mlgit standing approve`.

    \b
    Examples:
      mlgit standing new production churn --by ben --until 90d --reason "weekly retrain on the same pipeline"
      mlgit standing new production churn --by ben --until 2026-12-01 --most 10 --reason "until the new contract" --dry-run
    """
    outcome = standing_approval.new(
        session,
        environment,
        model,
        people=people,
        until=until,
        most=most,
        reason=reason,
        say=None if no_pull_request else pull_requests.said,
        dry_run=dry_run,
    )
    return session.answer(outcome, _show_new)


@command.command("approve")
@click.argument("name")
@click.option("--comment", help="What you add; it is signed too.")
@dry_run_option
@session_command
def _approve(session: Session, name: str, comment: str | None, *, dry_run: bool) -> int:
    """Sign a standing approval as one of its people, with your SSH key, onto the ledger.

    NAME is as `mlgit standing new` said it. What is signed is a digest over all of it.

    \b
    Examples:
      mlgit standing approve production/churn
      mlgit standing approve production/churn --comment "as long as the pipeline stays as it is"
    """
    return session.answer(standing_approval.approve(session, name, comment=comment, dry_run=dry_run), _show_approved)


@command.command("list")
@at_option
@session_command
def _list(session: Session, at: str | None) -> int:
    """List every standing approval of the base branch, and how each stands.

    \b
    Examples:
      mlgit standing list
      mlgit standing list --at 2026-03-31 --json
    """
    return session.answer(standing_approval.listed(session, at=at), _show_list)


def _show_new(found: standing_approval.StandingDrafted) -> str:
    people = " and ".join(found.people)
    lines = [
        f"Plan: {_carries(found.most)} of {found.model} to {found.environment} agreed to in advance",
        f"  until {utc_time(found.until)}, by {people}",
        f"  + {found.file}",
    ]
    if not found.auto_promote:
        lines.append(f"{found.environment} has no `auto_promote: true`, so that nothing can rest on it yet.")
    if found.state == "planned":
        return "\n".join([*map(text.clean, lines), "Nothing was changed (dry run)."])
    if found.must_sign:
        each = people if len(found.people) == 1 else f"Each of {people}"
        lines.append(f"{each} signs it: mlgit standing approve {found.name}")
    first = f"mlgit standing approve {found.name}, run by {found.must_sign[0]}" if found.must_sign else None
    shown = "\n".join(map(text.clean, lines))
    return shown + pull_requests.proposed(
        found.branch or "",
        found.base,
        pushed=found.pushed,
        url=found.pull_request,
        warnings=found.warnings,
        first=first,
    )


def _show_approved(found: standing_approval.StandingSigned) -> str:
    said = {
        "added": f"{found.person} agreed to standing approval {found.name}",
        "there-already": f"{found.person} agreed to standing approval {found.name} already; nothing was changed",
        "planned": f"{found.person} would have agreed to standing approval {found.name} (dry run)",
    }[found.state]
    lines = [
        said,
        f"  carries  {_carries(found.most)} of {found.model} to {found.environment}, until {utc_time(found.until)}",
        f"  reason   {found.reason}",
        f"  digest   {found.digest}",
        f"  missing  {', '.join(found.missing) or 'nobody'}",
    ]
    shown = "\n".join(map(text.clean, lines))
    if found.missing:
        return shown + text.following(f"mlgit standing approve {found.name}, run by {found.missing[0]}")
    if not found.on_base:
        return shown + text.following(f"git switch {found.base} && git merge --no-ff {found.branch}")
    return shown + text.following(f"mlgit advance --to {found.environment}")


def _show_list(found: standing_approval.StandingApprovals) -> str:
    if not found.standing:
        return "There is no standing approval."
    rows = [
        [
            one.name,
            " and ".join(one.people),
            _state(one),
            f"{one.used} of {one.most}" if one.most is not None else str(one.used),
            utc_time(one.until),
            one.reason,
        ]
        for one in found.standing
    ]
    return text.table(["STANDING APPROVAL", "BY", "STATE", "USED", "UNTIL", "REASON"], rows)


def _state(one: standing_approval.StandingShown) -> str:
    if one.state == "unsigned":
        return f"unsigned by {', '.join(one.missing)}"
    return one.state if one.auto_promote or one.state != "in-force" else "no auto_promote"


def _carries(most: int | None) -> str:
    return "promotions" if most is None else plural(most, "promotion")
