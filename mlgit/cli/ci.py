"""Judge a change, and say so, in a workflow of a forge."""

from pathlib import Path

import click
import msgspec

from mlgit.cli.params import ENVIRONMENT, dry_run_option, session_command
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

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """Judge a change, and say so, in a workflow of a forge.

    These commands read what GitHub says started the workflow, and do there what the plain commands do at a desk. The workflows
    that `mlgit init --forge github` writes call them.

    \b
    Examples:
      mlgit ci verdict --report verdict.json
      mlgit ci gate
    """


@command.command("verdict")
@click.option("--report", "place", metavar="FILE", type=_FILE, help="Write the verdict there as well.")
@click.option("--check", "posted", is_flag=True, help="Post the verdict as the check mlgit/verdict.")
@session_command
def _verdict(session: Session, place: Path | None, *, posted: bool) -> int:
    """Judge the change that started the workflow, by the rules of the base branch.

    What merging it would bring is held against what `mlgit merge` asks for, approvals and all; gates are not judged again,
    which needs the data: `mlgit ci gate` does that. Nothing of the change is run, so that it is safe for changes of strangers.

    With --check it is posted on the commit that was judged, which takes a token that may write checks, or statuses. That is
    for a CI that is not the forge's own, and gets the event by a webhook: there the result of a job is no check. A check that
    the forge refuses is a warning.

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
    found = verdict.run(session, event)
    said = ci.verdict_summary(found)
    if forge is not None:
        marked = annotations.check_annotations(found.findings)
        found = check.post(forge, found, title=ci.verdict_title(found), summary=said, annotations=marked)
    runner.add_summary(said)
    runner.set_outputs({"answer": found.exit.name.lower(), "promotions": " ".join(found.promotions)})
    if place is not None:
        _write(session.directory / place, found)
    return session.answer(found, _show_verdict)


@command.command("gate")
@session_command
def _gate(session: Session) -> int:
    """Judge the gates of the promotions in a change again, where the data can be read.

    It reads data, and runs what the policy asks for: a team's own gates, and the pipeline where it is to be reproduced. So it
    is not for changes of strangers. Where the change touches a policy, it tells what that would have said of the last 40
    promotions, unless the policy runs something of its own.

    \b
    Examples:
      mlgit ci gate
      mlgit ci gate --json
    """
    runner = Runner()
    found = gate.run(session, WorkflowEvent.parse(runner.event_name, runner.event_payload()), on_step=session.step)
    for replayed in found.replayed:
        runner.add_summary(markdown.forge_body(policy_replay.page(replayed)))
    return session.answer(found, _show_gate)


@command.command("report")
@click.option("--input", "place", required=True, metavar="FILE", type=_FILE, help="The report that the other run left.")
@dry_run_option
@session_command
def _report(session: Session, place: Path, *, dry_run: bool) -> int:
    """Say the verdict of another run in a comment on its pull request.

    The other run may have been a stranger's, and so may be what it left: the report is read as text alone, and counts only for
    the pull request that proposes the commit which GitHub says the run was of. No check is posted.

    \b
    Examples:
      mlgit ci report --input verdict.json
      mlgit ci report --input verdict.json --dry-run
    """
    runner = Runner()
    said = report.read(runner.read_report(session.directory / place, report.MAX_REPORT_BYTES))
    event = WorkflowEvent.parse(runner.event_name, runner.event_payload())
    return session.answer(report.run(_forge(session), event, said, ci.verdict_comment, dry_run=dry_run), _show_report)


@command.command("apply")
@click.argument("environment", required=False, type=ENVIRONMENT)
@dry_run_option
@session_command
def _apply(session: Session, environment: str | None, *, dry_run: bool) -> int:
    """Make environments run what the base branch says, and tell the forge what became of it.

    It does what `mlgit apply` does, and exits as that does. What was applied, blocked or failed is shown at the forge as a
    deployment of `ENVIRONMENT/MODEL`, where it has such; the summary of the job has a table of all. A forge that refuses is
    a warning.

    \b
    Examples:
      mlgit ci apply production
      mlgit ci apply --dry-run
    """
    found = apply.run(session, environment, dry_run=dry_run, on_step=session.step)
    Runner().add_summary(ci.apply_summary(found))
    return session.answer(found, _show_applied)


@command.command("observe")
@click.argument("environment", required=False, type=ENVIRONMENT)
@dry_run_option
@session_command
def _observe(session: Session, environment: str | None, *, dry_run: bool) -> int:
    """See whether what was applied still runs as it was given, and keep an issue about what does not.

    It does what `mlgit observe` does; the issue is opened once, renewed while something is wrong, and closed when nothing is.

    \b
    Examples:
      mlgit ci observe
      mlgit ci observe production --dry-run
    """
    seen = observe.run(session, environment, dry_run=dry_run, on_step=session.step)
    return session.answer(drift_issue.run(_forge(session), seen, ci.observation_issue, dry_run=dry_run), _show_observed)


def _forge(session: Session) -> Forge:
    forge = session.forge()
    if forge is None:
        raise refused(
            "forge-none",
            "this project keeps no pull requests at a forge",
            why="its mlgit.yaml says `forge: none` on the base branch",
            fix="write `forge: github` there, in a change that is reviewed",
            at=Location(layout.PROJECT, path="forge"),
        )
    return forge


def _write(place: Path, found: verdict.Verdict) -> None:
    from mlgit.edges import workfiles  # noqa: PLC0415 - only where a report is asked for

    workfiles.write(place.parent, {place.name: msgspec.json.encode(found)})


def _show_verdict(found: verdict.Verdict) -> str:
    held = f" onto {found.base or 'nothing'} {found.base_commit[:12]}" if found.base_commit else ""
    brought = f", {plural(len(found.promotions), 'promotion')}" if found.promotions else ""
    summary = f"{found.event}: {found.head[:12]}{held}{brought}: {plural(len(found.findings), 'finding')}"
    return annotations.annotate(found.findings, summary)


def _show_gate(found: gate.GateReruns) -> str:
    if not found.results and not found.replayed:
        return "The change brings no promotion."
    words = {"same": "as its report says", "differs": "not as its report says", "inconclusive": "inconclusive"}
    lines = [f"{one.candidate} for {one.environment}: {words[one.result]}" for one in found.results]
    return annotations.annotate(found.findings, *lines)


def _show_report(found: report.VerdictComment) -> str:
    said = {
        "posted": "Posted the verdict as a comment on pull request {}.",
        "planned": "The verdict would be posted on pull request {}. Nothing was written (dry run).",
        "outdated": "Pull request {} has new commits, or is closed: this verdict is outdated.",
    }[found.state]
    return said.format(found.pull_request)


def _show_applied(found: apply.CiApplied) -> str:
    rows = text.table(applications.HEADER, map(applications.row, found.applied.results)).splitlines()
    return annotations.annotate(
        found.findings, *(rows if found.applied.results else ["Nothing has been promoted yet."])
    )


def _show_observed(found: drift_issue.DriftIssue) -> str:
    rows = [f"{one.environment}/{one.model}: {one.health} {one.message}".rstrip() for one in found.observed.results]
    issue = {
        "none": f"Issue {found.issue} is up to date." if found.issue else "No issue is needed.",
        "opened": f"Opened issue {found.issue}.",
        "updated": f"Updated issue {found.issue}.",
        "closed": f"Closed issue {found.issue}.",
        "planned": "Nothing was written (dry run).",
    }[found.state]
    findings = [finding for one in found.observed.results for finding in one.findings]
    return annotations.annotate(findings, *rows, issue)
