"""A brief as a page, in the order in which a reviewer reads it.

Lists begin with what matters most, so that a long one can be cut.
"""

from collections.abc import Iterator
from typing import Final

from mlgit.domain.brief import MetricComparison
from mlgit.domain.formatting import (
    first_names,
    metric_gain,
    metric_value,
    plural,
    utc_time,
)
from mlgit.domain.records.environment import ChangeWindow, WeeklyHours
from mlgit.ops.promotion.brief_result import Brief, HoldSummary, MergeEffect
from mlgit.ops.review.approvals_view import VoteView
from mlgit.pages.brief_changes import changes
from mlgit.pages.brief_evidence import gates, interval, metrics
from mlgit.pages.document import Block, BulletList, FindingList, Page, PageSection, Paragraph, ShellCommand, Table

_EVIDENCE: Final = {
    "none": "approvals are not required, and none are counted",
    "signed": "signatures on the ledger count",
    "forge": "reviews at the forge count, and signatures on the ledger",
}


def page(brief: Brief) -> Page:
    """Return a brief as a page."""
    return Page(_title(brief), list(_blocks(brief)))


def pull_request_page(brief: Brief) -> Page:
    """Return a brief as the page that a pull request shows: of an open promotion, the next step comes last."""
    blocks = list(_blocks(brief))
    if brief.state == "open" and brief.next:
        blocks.append(PageSection("Next step", [ShellCommand(brief.next)]))
    return Page(_title(brief), blocks)


def _blocks(brief: Brief) -> Iterator[Block]:
    yield Paragraph(_status(brief), strong=True)
    primary = next((metric for metric in brief.metrics if metric.is_primary), None)
    if primary is not None:
        yield Paragraph(_headline(brief, primary), strong=True)
    yield Paragraph(_proposal(brief))
    blocking = [*brief.problems, *brief.timing.waiting_for]
    if blocking:
        yield PageSection("Blocked by", [FindingList(blocking)])
    yield from metrics(brief)
    yield from gates(brief)
    yield from changes(brief)
    yield PageSection("Approvals", list(_approvals(brief)))
    yield PageSection("Timing", [BulletList(list(_timing(brief)))])
    yield PageSection("What the merge did" if brief.state == "merged" else "What merging will do", list(_effect(brief)))
    yield PageSection("Rollback", list(_rollback(brief)))
    yield PageSection("Decision inputs", [Table(("Item", "Value"), list(_inputs(brief)))], collapsed=True)


# The first lines


def _title(brief: Brief) -> str:
    if brief.candidate is None:
        return f"Remove {first_names(brief.effect.stops_running) or brief.model} from {brief.environment}"
    if brief.change == "rollback":
        return f"Roll back {brief.environment} to {brief.candidate}"
    if brief.change == "recertify":
        return f"Re-approve {brief.candidate} in {brief.environment}"
    slot = "" if brief.slot == "champion" else f", as {brief.slot}"
    return f"{brief.change.capitalize()} {brief.candidate} to {brief.environment}{slot}"


def _status(brief: Brief) -> str:
    missing = "; ".join(brief.approvals.missing)
    lacking = f" Missing: {missing}." if missing else ""
    if brief.state == "merged":
        met = "were met" if brief.readiness == "ready" else "were not met"
        return f"Merged. At the merge, {utc_time(brief.as_of)}, the merge rules {met}.{lacking}"
    earliest = brief.timing.mergeable_from
    until = f" until {utc_time(earliest)}, if nothing changes before" if earliest else ""
    return {
        "ready": "Ready to merge.",
        "needs-approval": f"Needs approval.{lacking}",
        "waiting": f"Has to wait{until}.{lacking}",
        "blocked": f"Cannot be merged as it is.{lacking}",
    }[brief.readiness]


def _headline(brief: Brief, metric: MetricComparison) -> str:
    value = f"{metric.metric} {metric_value(metric.candidate)}"
    if metric.champion is None or brief.champion is None:
        return f"{value}; there is no champion to compare with."
    if brief.champion == brief.candidate:
        return f"{value}; {brief.champion} stays champion."
    against = f"{value} against {metric_value(metric.champion)} for {brief.champion}"
    if metric.gain is None:
        return f"{against}; not comparable, as they were tested on different rows."
    bounds = interval(metric)
    gain = metric_gain(metric.gain) + (f" ({bounds})" if bounds else "")
    return f"{against}: {gain}, {_significance(metric)}."


def _significance(metric: MetricComparison) -> str:
    gain = metric.gain or 0.0
    if metric.low is not None and metric.high is not None:
        if metric.low > 0:
            return "significantly better"
        return "significantly worse" if metric.high < 0 else "no significant difference"
    return "better" if gain > 0 else "worse" if gain < 0 else "equal"


def _proposal(brief: Brief) -> str:
    by = f" by {first_names(brief.proposed_by)}" if brief.proposed_by else ""
    ticket = f", ticket {brief.ticket}" if brief.ticket else ""
    champion = f" Champion of {brief.environment} until then: {brief.champion or 'none'}."
    unchanged = brief.state == "merged" or brief.change == "recertify"
    reason = f" Reason: {brief.reason}" if brief.reason else " No reason was given."
    return f"Proposed {utc_time(brief.proposed_at)}{by}{ticket}.{'' if unchanged else champion}{reason}"


# People and time


def _approvals(brief: Brief) -> Iterator[Block]:
    approvals = brief.approvals
    evidence = _EVIDENCE.get(approvals.evidence, approvals.evidence)
    yield Paragraph(f"Policy {brief.policy}: {evidence}. Excluded: {', '.join(approvals.excludes) or 'nobody'}.")
    rows = [
        (
            need.role or "any",
            f"{len(need.counted)} of {need.needed}",
            first_names(need.counted) or "-",
            first_names(need.may_approve) or "-",
        )
        for need in approvals.requirements
    ]
    if rows:
        yield Table(("Role", "Counted", "Approved by", "May approve"), rows)
    if approvals.standing_approval is not None:
        yield Paragraph(
            f"Covered by standing approval {approvals.standing_approval}, whose signers approve in advance."
        )
    votes = [*(_vote(vote) for vote in approvals.counted if vote.comment), *map(_vote, approvals.uncounted)]
    if votes:
        yield BulletList(votes)


def _vote(vote: VoteView) -> str:
    verb = {"approve": "approved", "reject": "rejected"}.get(vote.verdict, vote.verdict)
    comment = f": {vote.comment}" if vote.comment else ""
    uncounted = ""
    if vote.reason:
        changed = f" ({', '.join(vote.changed)})" if vote.changed else ""
        uncounted = f"; not counted: {vote.reason}{changed}"
    return f"{vote.person} {verb}, {utc_time(vote.at, 'unknown')}{comment}{uncounted}"


def _timing(brief: Brief) -> Iterator[str]:
    timing = brief.timing
    if timing.soak_environment is not None:
        complete = timing.soak_complete_at
        state = f"complete at {utc_time(complete)}" if complete else f"not healthy in {timing.soak_environment} yet"
        yield f"Soak: {timing.soak_duration} healthy in {timing.soak_environment}; {state}."
    for window in timing.windows:
        yield from _window(window)
    yield from map(_hold, brief.holds)
    if timing.mergeable_from == brief.as_of:
        yield "Nothing to wait for." if brief.state == "open" else "There was nothing to wait for."
    elif timing.mergeable_from is not None:
        yield f"Nothing to wait for from {utc_time(timing.mergeable_from)} on, if nothing changes before."
    else:
        yield "The time cannot be known yet: something has to happen first."


def _window(window: ChangeWindow) -> Iterator[str]:
    for label, span in (("Allowed only", window.allow), ("Not allowed", window.deny)):
        if span is not None:
            yield f"{label}: {_span(span)}."


def _span(span: WeeklyHours) -> str:
    rollbacks = ", rollbacks too" if span.rollback else ""
    return f"{', '.join(span.days)} from {span.from_} to {span.to or '24:00'} {span.zone}{rollbacks}"


def _hold(hold: HoldSummary) -> str:
    blocks = "blocks this change" if hold.blocks else "does not block this change"
    until = f" until {utc_time(hold.until)}" if hold.until else ""
    return f"Hold {hold.name} {blocks}{until}: {hold.reason} ({hold.by})"


# What it does, and how to undo it


def _effect(brief: Brief) -> Iterator[Block]:
    yield BulletList(list(_consequences(brief, brief.effect)))
    yield Paragraph(f"{plural(len(brief.effect.files), 'file changes', 'files change')}:")
    yield BulletList([f"{status} {path}" for path, status in brief.effect.files.items()])


def _consequences(brief: Brief, effect: MergeEffect) -> Iterator[str]:
    for slot in effect.slots:
        share = (
            "receives requests, and its answers are not used"
            if slot.slot == "shadow"
            else f"answers {slot.traffic}% of requests"
        )
        yield f"{brief.environment}: {slot.version} ({slot.slot}) {share}."
    if effect.stops_running:
        yield f"{brief.environment}: {first_names(effect.stops_running)} stops running."
    if effect.ramp is not None:
        steps = ", ".join(f"{step}%" for step in effect.ramp.steps)
        yield f"Traffic moves in steps of {effect.ramp.interval}: {steps} of requests."
    if effect.hold_file:
        yield f"A hold is added, so that the removed version is not promoted again: {effect.hold_file}"
    if effect.target == "none":
        yield "Merging deploys nothing. This environment is deployed outside of mlgit."
    else:
        yield f"Merging deploys nothing. Run mlgit apply to deploy to the target, of kind {effect.target}."


def _rollback(brief: Brief) -> Iterator[Block]:
    rollback = brief.rollback
    if rollback is not None:
        verified = f"last verified in {brief.environment} at {utc_time(rollback.verified_at)}"
        yield Paragraph(f"This command rolls back to {rollback.version}, {verified}:")
        yield ShellCommand(rollback.command)
    elif brief.change == "recertify":
        yield Paragraph("Nothing to roll back: only approvals change.")
    elif brief.change == "rollback":
        yield Paragraph(f"This is a rollback. To bring {brief.champion} back, lift the hold on it and promote it.")
    else:
        yield Paragraph(f"No version to roll back to: none has been verified in {brief.environment} yet.")


def _inputs(brief: Brief) -> Iterator[tuple[str, str]]:
    yield "decision digest", brief.decision
    yield "promotion", brief.promotion
    yield "gate report", brief.gate_report or "none"
    yield "policy", brief.policy
    yield "base commit", brief.base
    yield "proposed commit", brief.head
