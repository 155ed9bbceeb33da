"""Run the checks of a CI workflow."""

from pathlib import Path

import click
import msgspec

from mlgit.cli.params import FILE, PLACE, Place, dry_run_option, session_command
from mlgit.cli.render import annotations, applications, brief_markdown, ci_markdown, text
from mlgit.cli.session import Session
from mlgit.domain import layout
from mlgit.edges.runner import Runner
from mlgit.errors import Location, refused
from mlgit.ops.ci import apply, check, gate, report, verdict, watch
from mlgit.ops.ci.event import Event
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.monitoring import observe


@click.group()
def command() -> None:
    """Run the checks of a CI workflow.

    These commands read the event that started the workflow, and report to the forge. The workflows that `mlgit init --forge
    github` writes call them.

    \b
    Examples:
      mlgit ci verdict --report verdict.json
      mlgit ci gate
    """


@command.command("verdict")
@click.option(
    "--report", "place", metavar="FILE", type=FILE, help="Also write the verdict to this file, for `mlgit ci report`."
)
@click.option("--check", "posted", is_flag=True, help="Post the verdict as the check mlgit/verdict.")
@session_command
def _verdict(session: Session, place: Path | None, *, posted: bool) -> int:
    """Verify the change that started the workflow, by the rules of the base branch.

    The merged result has to meet everything that `mlgit merge` requires, approvals included. Gates are not evaluated again,
    which needs the data: `mlgit ci gate` does that. No code of the change is run, so it is safe for pull requests from forks.

    --check posts the verdict on the verified commit, with a token that may write checks or statuses. Use it in a CI system that
    is not the forge's own and receives the event by a webhook, where the result of a job is not a check. If the forge refuses
    the check, that is a warning.

    \b
    Examples:
      mlgit ci verdict
      mlgit ci verdict --report verdict.json
      mlgit ci verdict --check
      mlgit ci verdict --json
    """
    runner = Runner()
    event = Event.parse(runner.event_name, runner.event())
    forge = _forge(session) if posted else None
    outcome = verdict.run(session, event)
    markdown = ci_markdown.verdict(outcome)
    if forge is not None:
        marked = annotations.of_check(outcome.findings)
        outcome = check.post(forge, outcome, title=ci_markdown.answer(outcome), summary=markdown, annotations=marked)
    runner.summarise(markdown)
    runner.output({"answer": outcome.exit.name.lower(), "promotions": " ".join(outcome.promotions)})
    if place is not None:
        _write(session.directory / place, outcome)
    return session.answer(outcome, _show_verdict)


@command.command("gate")
@session_command
def _gate(session: Session) -> int:
    """Evaluate the gates of the promotions in a change again, with the data.

    This reads data, and runs what the policy requires: a team's own gates, and the pipeline where it has to be reproduced. Do
    not use it for pull requests from forks. Where the change touches a policy, the last 40 promotions are replayed under the
    new one, unless the policy runs code of its own.

    \b
    Examples:
      mlgit ci gate
      mlgit ci gate --json
    """
    runner = Runner()
    outcome = gate.run(session, Event.parse(runner.event_name, runner.event()), on_step=session.step)
    for replayed in outcome.replayed:
        runner.summarise(brief_markdown.policy_replay_markdown(replayed))
    return session.answer(outcome, _show_gate)


@command.command("report")
@click.option(
    "--input", "place", required=True, metavar="FILE", type=FILE, help="The verdict that the other run wrote."
)
@dry_run_option
@session_command
def _report(session: Session, place: Path, *, dry_run: bool) -> int:
    """Post the verdict of another run as a comment on its pull request.

    The other run may be of a fork, so its file is not trusted: it is read as plain text, and only used for the pull request of
    the commit that the forge reports for that run. No check is posted.

    \b
    Examples:
      mlgit ci report --input verdict.json
      mlgit ci report --input verdict.json --dry-run
    """
    runner = Runner()
    verdict_read = report.read(runner.left(session.directory / place, report.LARGEST))
    event = Event.parse(runner.event_name, runner.event())
    return session.answer(
        report.run(_forge(session), event, verdict_read, ci_markdown.comment, dry_run=dry_run), _show_report
    )


@command.command("apply")
@click.argument("place", required=False, type=PLACE, metavar="[ENV[/MODEL]]")
@dry_run_option
@session_command
def _apply(session: Session, place: Place | None, *, dry_run: bool) -> int:
    """Make environments run what the base branch says, and report the deployments to the forge.

    Same as `mlgit apply`, with the same exit code. What was applied, blocked or failed appears at the forge as a deployment of
    `ENV/MODEL`, where the forge has deployments; the job summary has a table of all. If the forge refuses, that is a warning.

    \b
    Examples:
      mlgit ci apply production
      mlgit ci apply --dry-run
    """
    environment, model = place or (None, None)
    outcome = apply.run(session, environment, model, dry_run=dry_run, on_step=session.step)
    Runner().summarise(ci_markdown.applied(outcome))
    return session.answer(outcome, _show_applied)


@command.command("observe")
@click.argument("place", required=False, type=PLACE, metavar="[ENV[/MODEL]]")
@dry_run_option
@session_command
def _observe(session: Session, place: Place | None, *, dry_run: bool) -> int:
    """Check deployments for drift, and keep an issue about it.

    Same as `mlgit observe`. The issue is opened once, updated while there is drift, and closed when there is none.

    \b
    Examples:
      mlgit ci observe
      mlgit ci observe production --dry-run
    """
    environment, model = place or (None, None)
    seen = observe.run(session, environment, model, dry_run=dry_run, on_step=session.step)
    return session.answer(watch.run(_forge(session), seen, ci_markdown.observed, dry_run=dry_run), _show_observed)


def _forge(session: Session) -> Forge:
    forge = session.forge()
    if forge is None:
        raise refused(
            "forge-none",
            "this project has no forge",
            why="its mlgit.yaml says `forge: none` on the base branch",
            fix="write `forge: github` there, in a reviewed change",
            at=Location(layout.PROJECT, path="forge"),
        )
    return forge


def _write(place: Path, outcome: verdict.Verdict) -> None:
    from mlgit.edges import workfiles  # noqa: PLC0415 - only where a report is asked for

    workfiles.write(place.parent, {place.name: msgspec.json.encode(outcome)})


def _show_verdict(outcome: verdict.Verdict) -> str:
    held = f" onto {outcome.base or 'nothing'} {outcome.onto[:12]}" if outcome.onto else ""
    brought = f", {text.plural(len(outcome.promotions), 'promotion')}" if outcome.promotions else ""
    summary = f"{outcome.event}: {outcome.head[:12]}{held}{brought}: {text.plural(len(outcome.findings), 'finding')}"
    return annotations.said(outcome.findings, summary)


def _show_gate(outcome: gate.Regated) -> str:
    if not outcome.results and not outcome.replayed:
        return "The change brings no promotion."
    answers = {"same": "same as its report", "differs": "differs from its report", "unjudged": "inconclusive"}
    lines = [f"{result.candidate} for {result.environment}: {answers[result.answer]}" for result in outcome.results]
    return annotations.said(outcome.findings, *lines)


def _show_report(outcome: report.Reported) -> str:
    messages = {
        "said": "Posted the verdict as a comment on pull request {}.",
        "planned": "Would post the verdict on pull request {}. Nothing was written (dry run).",
        "outdated": "Pull request {} has newer commits or is closed; its own run reports on it.",
    }[outcome.state]
    return messages.format(outcome.number)


def _show_applied(outcome: apply.AppliedHere) -> str:
    rows = text.table(applications.HEADER, map(applications.row, outcome.applied.results)).splitlines()
    return annotations.said(
        outcome.findings, *(rows if outcome.applied.results else ["Nothing has been promoted yet."])
    )


def _show_observed(outcome: watch.Watched) -> str:
    rows = [
        f"{result.environment}/{result.model}: {result.health} {result.message}".rstrip()
        for result in outcome.seen.results
    ]
    issue = {
        "none": f"Issue {outcome.issue} is up to date." if outcome.issue else "No issue is needed.",
        "opened": f"Opened issue {outcome.issue}.",
        "updated": f"Updated issue {outcome.issue}.",
        "closed": f"Closed issue {outcome.issue}.",
        "planned": "Nothing was written (dry run).",
    }[outcome.state]
    findings = [finding for result in outcome.seen.results for finding in result.findings]
    return annotations.said(findings, *rows, issue)
