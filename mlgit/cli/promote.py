"""Propose a version for an environment."""

from collections.abc import Iterator

import click
import msgspec

from mlgit.cli import pull_requests
from mlgit.cli.params import ENVIRONMENT, VERSION, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef
from mlgit.domain.records.promotion import Ramp
from mlgit.domain.slots import BESIDE, NAMES, BesideName, SlotName
from mlgit.errors import usage_error
from mlgit.ops.promotion import promote
from mlgit.ops.promotion.proposed import Proposed


@click.command()
@click.argument("version", type=VERSION, metavar="MODEL@N")
@click.option("--to", "environment", required=True, type=ENVIRONMENT, help="The environment.")
@click.option("--reason", help="Why now; it goes into the manifest.")
@click.option("--ticket", help="Number in another system; it goes into the manifest.")
@click.option(
    "--as",
    "slot",
    type=click.Choice(NAMES),
    default="champion",
    show_default=True,
    help="Where it runs: a challenger answers a share of the requests, a shadow none.",
)
@click.option("--traffic", type=click.IntRange(1, 99), metavar="10", help="The challenger's share, in per cent.")
@click.option(
    "--clear", type=click.Choice(BESIDE), multiple=True, help="Take away what runs beside the champion in a slot."
)
@click.option("--ramp", metavar="10,50,100", help="Shares of the requests, in per cent, by which it takes over.")
@click.option("--hold", metavar="24h", help="How long each step of the ramp lasts: a whole number and m, h, d or w.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def command(
    session: Session,
    version: VersionRef,
    environment: str,
    reason: str | None,
    ticket: str | None,
    slot: SlotName,
    traffic: int | None,
    clear: tuple[BesideName, ...],
    ramp: str | None,
    hold: str | None,
    *,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Propose a version for an environment: judge it by the gates, and put the proposal on a branch of its own.

    The work tree and what is staged in it are not touched. Nothing is deployed before the proposal is merged and applied.

    It becomes champion, unless `--as` names another slot; it leaves any other slot that it has, and what else runs beside the
    champion stays. To do nothing but take a slot away, name the champion and `--clear`.

    Where the project has a forge, the branch has one pull request, which is opened or brought up to date.

    Git's hooks for commits (pre-commit, commit-msg) are not run: the commit is made beside the work tree, which they judge.
    Those for refs and pushes are.

    \b
    Examples:
      mlgit promote churn@10 --to staging
      mlgit promote churn@10 --to production --reason "quarterly retrain" --ticket RISK-42
      mlgit promote churn@10 --to production --ramp 10,50,100 --hold 24h
      mlgit promote churn@11 --to production --as challenger --traffic 10
      mlgit promote churn@10 --to production --clear challenger
    """
    _check_words(slot, traffic, clear, ramp)
    outcome = promote.run(
        session,
        version,
        environment,
        reason=reason,
        ticket=ticket,
        slot=slot,
        traffic=traffic,
        clear=clear,
        ramp=_plan(ramp, hold),
        body=None if no_pull_request else pull_requests.body_of(session),
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, _show)


def _check_words(slot: SlotName, traffic: int | None, clear: tuple[BesideName, ...], ramp: str | None) -> None:
    said = f"--as {slot}" + (f" --traffic {traffic}" if traffic else "") + "".join(f" --clear {one}" for one in clear)
    if (slot == "challenger") != (traffic is not None) or slot in clear or (slot != "champion" and ramp is not None):
        raise usage_error(
            "slot-words",
            "the words of the slot do not fit",
            why=said + (f" --ramp {ramp}" if ramp else ""),
            fix="for example `--as challenger --traffic 10`, or `--as shadow`; a ramp is for a champion",
        )


def _plan(ramp: str | None, hold: str | None) -> Ramp | None:
    if ramp is None and hold is None:
        return None
    try:
        return msgspec.convert(
            {"steps": [int(share) for share in (ramp or "").split(",")], "interval": hold}, type=Ramp
        )
    except ValueError as error:
        raise usage_error(
            "ramp-words",
            "the words of the ramp do not fit",
            why=f"--ramp {ramp} --hold {hold}",
            fix="give both, for example `--ramp 10,50,100 --hold 24h`",
        ) from error


def _deed(found: Proposed) -> str:
    now = found.champion or "nothing"
    if found.slot != "champion":
        return f"Plan: {found.candidate} becomes {found.slot} in {found.environment} (champion {now})"
    if found.candidate == found.champion:
        return f"Plan: {found.candidate} stays champion of {found.environment}"
    return f"Plan: {found.candidate} becomes champion of {found.environment} (now {now})"


def _beside(found: Proposed) -> Iterator[str]:
    if found.beside:
        yield (
            f"  beside it: {', '.join(map(str, found.beside))}"
            if found.slot == "champion"
            else (f"  beside the champion: {', '.join(map(str, found.beside))}")
        )
    if found.cleared:
        yield f"  no longer: {', '.join(map(str, found.cleared))}"


def _show(found: Proposed) -> str:
    if found.state == "runs-already":
        done = f"{found.candidate} is {found.slot} of {found.environment} already; nothing was changed."
        return done + text.following("mlgit status")
    lines = [_deed(found), *_beside(found)]
    if found.ramp is not None:
        shares = ", ".join(map(str, found.ramp.steps))
        lines.append(f"  by {shares} per cent of the requests, {found.ramp.interval} each")
    lines += [f"  {mark} {text.clean(path)}" for path, mark in found.files.items()]
    if found.gates:
        lines += [f"Gates (policies/{found.policy}.yaml)", gates(found.gates)]
    if found.state == "refused":
        fails = [verdict.gate for verdict in found.gates if verdict.blocks]
        lines += [f"Refused by {', '.join(fails)}. Nothing was proposed and nothing was changed."]
        ways = [verdict.fix for verdict in found.gates if verdict.gate in fails and verdict.fix]
        return "\n".join(lines) + text.following(text.clean(ways[0]) if ways else f"mlgit explain {fails[0]}")
    end = pull_requests.ending(
        found,
        f"{found.environment}/{found.candidate.partition('@')[0]}",
        what=found.candidate,
        act="Merging it is the act. Nothing has been deployed yet.",
        enough=f"{found.approvals_needed} needed",
    )
    return "\n".join([*lines, end])
