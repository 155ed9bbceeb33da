"""Propose a version for an environment."""

from collections.abc import Iterator

import click
import msgspec

from mlgit.cli import pull_requests
from mlgit.cli.params import ENVIRONMENT, REASON, VERSION_OR_MODEL, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef, is_duration
from mlgit.domain.records.promotion import Ramp
from mlgit.domain.slots import BESIDE_NAMES, SLOT_NAMES, BesideName, SlotName
from mlgit.errors import UsageError, usage_error
from mlgit.ops.promotion import promote
from mlgit.ops.promotion.proposed import Proposed


@click.command()
@click.argument("version", type=VERSION_OR_MODEL, metavar="MODEL[@N]")
@click.option("--to", "environment", required=True, type=ENVIRONMENT, metavar="ENV", help="Destination environment.")
@click.option("--reason", type=REASON, help="Reason; recorded in the manifest.")
@click.option("--ticket", help="Ticket in another system; recorded in the manifest.")
@click.option(
    "--as",
    "slot",
    type=click.Choice(SLOT_NAMES),
    default="champion",
    show_default=True,
    help="Slot: a challenger answers a share of the requests, a shadow none.",
)
@click.option(
    "--traffic", type=click.IntRange(1, 99), metavar="PERCENT", help="Share of the requests for a challenger."
)
@click.option("--clear", type=click.Choice(BESIDE_NAMES), multiple=True, help="Empty a slot beside the champion.")
@click.option("--ramp", metavar="PERCENT,...", help="Shares of the requests, step by step: 10,50,100.")
@click.option(
    "--interval", metavar="DURATION", help="Duration of each step of the ramp: a whole number and m, h, d or w."
)
@pull_requests.replace_option
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def command(
    session: Session,
    version: VersionRef | str,
    environment: str,
    reason: str | None,
    ticket: str | None,
    slot: SlotName,
    traffic: int | None,
    clear: tuple[BesideName, ...],
    ramp: str | None,
    interval: str | None,
    *,
    replace_open: bool,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Propose a version for an environment: evaluate the gates, and commit the proposal on a branch of its own.

    The work tree and the index are not touched. Nothing is deployed before the proposal is merged and applied.

    Without @N it is the newest version of the model. The version becomes champion, unless --as names another slot. It leaves
    any slot that it has now; other versions beside the champion stay. To only empty a slot, name the champion and --clear.

    Where the project has a forge, one pull request of the branch is opened or updated.

    Git's commit hooks (pre-commit, commit-msg) do not run, since the commit is created outside of the work tree. Hooks for refs
    and pushes do.

    \b
    Examples:
      mlgit promote churn --to staging
      mlgit promote churn@10 --to production --reason "quarterly retrain" --ticket RISK-42
      mlgit promote churn@10 --to production --ramp 10,50,100 --interval 24h
      mlgit promote churn@11 --to production --as challenger --traffic 10
      mlgit promote churn@10 --to production --clear challenger
    """
    _check_slot(slot, traffic, clear, ramp)
    session.reuse_evidence()
    outcome = promote.run(
        session,
        version,
        environment,
        reason=reason,
        ticket=ticket,
        slot=slot,
        traffic=traffic,
        clear=clear,
        ramp=_ramp(ramp, interval),
        replace_open=replace_open,
        render_brief=None if no_pull_request else pull_requests.brief_renderer(session),
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, _show)


def _check_slot(slot: SlotName, traffic: int | None, clear: tuple[BesideName, ...], ramp: str | None) -> None:
    options = (
        f"--as {slot}" + (f" --traffic {traffic}" if traffic else "") + "".join(f" --clear {name}" for name in clear)
    )
    if (slot == "challenger") != (traffic is not None) or slot in clear or (slot != "champion" and ramp is not None):
        raise usage_error(
            "slot-options-conflict",
            "the options of the slot contradict one another",
            why=options + (f" --ramp {ramp}" if ramp else ""),
            fix="for example `--as challenger --traffic 10`, or `--as shadow`; a ramp is for a champion",
        )


def _ramp(ramp: str | None, interval: str | None) -> Ramp | None:
    if ramp is None and interval is None:
        return None
    if ramp is None or interval is None:
        given, missing = ("--interval", "--ramp") if ramp is None else ("--ramp", "--interval")
        raise _ramp_error(f"{given} is given without {missing}", "give both")
    if not is_duration(interval):
        raise _ramp_error(f"--interval {interval} is not a duration", "write a whole number and m, h, d or w")
    try:
        return msgspec.convert({"steps": [int(share) for share in ramp.split(",")], "interval": interval}, type=Ramp)
    except ValueError as error:
        why, fix = f"--ramp {ramp} is not a list of shares", "write whole numbers from 1 to 100, separated by commas"
        raise _ramp_error(why, fix) from error


def _ramp_error(why: str, fix: str) -> UsageError:
    return usage_error(
        "ramp-options-invalid",
        "--ramp and --interval do not make a ramp",
        why=why,
        fix=f"{fix}, for example `--ramp 10,50,100 --interval 24h`",
    )


def _headline(outcome: Proposed) -> str:
    now = outcome.champion or "nothing"
    if outcome.slot != "champion":
        return f"Plan: {outcome.candidate} becomes {outcome.slot} in {outcome.environment} (champion {now})"
    if outcome.candidate == outcome.champion:
        return f"Plan: {outcome.candidate} stays champion of {outcome.environment}"
    return f"Plan: {outcome.candidate} becomes champion of {outcome.environment} (now {now})"


def _beside(outcome: Proposed) -> Iterator[str]:
    if outcome.beside:
        yield (
            f"  beside it: {', '.join(map(str, outcome.beside))}"
            if outcome.slot == "champion"
            else (f"  beside the champion: {', '.join(map(str, outcome.beside))}")
        )
    if outcome.cleared:
        yield f"  no longer: {', '.join(map(str, outcome.cleared))}"


def _show(outcome: Proposed) -> str:
    if outcome.state == "runs-already":
        done = f"{outcome.candidate} is {outcome.slot} of {outcome.environment} already; nothing was changed."
        return done + text.following("mlgit status")
    lines = [_headline(outcome), *_beside(outcome)]
    if outcome.ramp is not None:
        shares = ", ".join(map(str, outcome.ramp.steps))
        lines.append(f"  by {shares} per cent of the requests, {outcome.ramp.interval} each")
    lines += [f"  {mark} {text.clean(path)}" for path, mark in outcome.files.items()]
    if outcome.gates:
        lines += [f"Gates (policies/{outcome.policy}.yaml)", gates(outcome.gates)]
    if outcome.state == "refused":
        fails = [verdict.gate for verdict in outcome.gates if verdict.blocks]
        lines += [f"Refused by {', '.join(fails)}. Nothing was proposed and nothing was changed."]
        ways = [verdict.fix for verdict in outcome.gates if verdict.gate in fails and verdict.fix]
        return "\n".join(lines) + text.following(text.clean(ways[0]) if ways else f"mlgit explain {fails[0]}")
    end = pull_requests.proposal_footer(
        outcome,
        f"{outcome.environment}/{outcome.candidate.partition('@')[0]}",
        what=outcome.candidate,
        effect="Merging makes it the desired state. Nothing has been deployed yet.",
        none_missing=f"{outcome.approvals_needed} needed",
    )
    return "\n".join([*lines, end])
