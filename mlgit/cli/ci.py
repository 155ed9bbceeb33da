"""Run the checks of a CI workflow."""

from pathlib import Path

import click
import msgspec

from mlgit.cli.params import FILE, PLACE, Place, dry_run_option, session_command
from mlgit.cli.render import annotations, text
from mlgit.cli.session import Session
from mlgit.domain import layout
from mlgit.domain.formatting import plural
from mlgit.edges.runner import Runner
from mlgit.errors import Location, refused
from mlgit.ops.ci import apply, check, drift_issue, gate, report, verdict
from mlgit.ops.ci.event import WorkflowEvent
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.monitoring import observe
from mlgit.pages import applications, ci, markdown, policy_replay


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
    event = WorkflowEvent.parse(runner.event_name, runner.event_payload())
    forge = _forge(session) if posted else None
    outcome = verdict.run(session, event)
    summary = ci.verdict_summary(outcome)
    if forge is not None:
        marked = annotations.check_annotations(outcome.findings)
        outcome = check.post(forge, outcome, title=ci.verdict_title(outcome), summary=summary, annotations=marked)
    runner.add_summary(summary)
    runner.set_outputs({"answer": outcome.exit.name.lower(), "promotions": " ".join(outcome.promotions)})
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
    outcome = gate.run(session, WorkflowEvent.parse(runner.event_name, runner.event_payload()), on_step=session.step)
    for replayed in outcome.replayed:
        runner.add_summary(markdown.forge_body(policy_replay.page(replayed)))
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
    summary = report.read(runner.read_report(session.directory / place, report.MAX_REPORT_BYTES))
    event = WorkflowEvent.parse(runner.event_name, runner.event_payload())
    return session.answer(
        report.run(_forge(session), event, summary, ci.verdict_comment, dry_run=dry_run), _show_report
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
    Runner().add_summary(ci.apply_summary(outcome))
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
    return session.answer(drift_issue.run(_forge(session), seen, ci.observation_issue, dry_run=dry_run), _show_observed)


def _forge(session: Session) -> Forge:
    forge = session.forge()
    if forge is None:
        raise refused(
            "forge-not-configured",
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
    base = f" onto {outcome.base or 'nothing'} {outcome.base_commit[:12]}" if outcome.base_commit else ""
    promotions = f", {plural(len(outcome.promotions), 'promotion')}" if outcome.promotions else ""
    summary = f"{outcome.event}: {outcome.head[:12]}{base}{promotions}: {plural(len(outcome.findings), 'finding')}"
    return annotations.annotate(outcome.findings, summary)


def _show_gate(outcome: gate.GateReruns) -> str:
    if not outcome.results and not outcome.replayed:
        return "The change brings no promotion."
    words = {"same": "same as its report", "differs": "differs from its report", "inconclusive": "inconclusive"}
    lines = [f"{one.candidate} for {one.environment}: {words[one.result]}" for one in outcome.results]
    return annotations.annotate(outcome.findings, *lines)


def _show_report(outcome: report.VerdictComment) -> str:
    summary = {
        "posted": "Posted the verdict as a comment on pull request {}.",
        "planned": "The verdict would be posted on pull request {}. Nothing was written (dry run).",
        "outdated": "Pull request {} has new commits, or is closed: this verdict is outdated.",
    }[outcome.state]
    return summary.format(outcome.pull_request)


def _show_applied(outcome: apply.CiApplied) -> str:
    rows = text.table(applications.HEADER, map(applications.row, outcome.applied.results)).splitlines()
    return annotations.annotate(
        outcome.findings, *(rows if outcome.applied.results else ["Nothing has been promoted yet."])
    )


def _show_observed(outcome: drift_issue.DriftIssue) -> str:
    rows = [f"{one.environment}/{one.model}: {one.health} {one.message}".rstrip() for one in outcome.observed.results]
    issue = {
        "none": f"Issue {outcome.issue} is up to date." if outcome.issue else "No issue is needed.",
        "opened": f"Opened issue {outcome.issue}.",
        "updated": f"Updated issue {outcome.issue}.",
        "closed": f"Closed issue {outcome.issue}.",
        "planned": "Nothing was written (dry run).",
    }[outcome.state]
    findings = [finding for one in outcome.observed.results for finding in one.findings]
    return annotations.annotate(findings, *rows, issue)
