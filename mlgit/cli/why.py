"""Show why an environment runs what it runs."""

from collections.abc import Iterator

import click
import msgspec

from mlgit.cli.params import MODEL_PLACE, Place, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.domain.formatting import size, utc_date, utc_time
from mlgit.ops.kernel import snapshot
from mlgit.ops.queries import why
from mlgit.ops.review.approvals_view import ApprovalsView, VoteView


@click.command()
@click.argument("place", type=MODEL_PLACE, metavar="ENV/MODEL")
@at_option
@session_command
def command(session: Session, place: Place, at: str | None) -> int:
    """Show why an environment runs what it runs: who proposed it, who approved it, on which evidence.

    The promotion is verified again as of its merge: signatures, digests and rules. The exit code is 1 where something is wrong.

    \b
    Examples:
      mlgit why production/churn
      mlgit why production/churn --at 2026-03-31
      mlgit why production/churn --json
    """
    assert place.model is not None  # noqa: S101 - MODEL_PLACE has one
    state = snapshot.take_snapshot(session, at)
    return session.answer(why.run(session, state, place.environment, place.model), _show)


def _show(outcome: why.Why) -> str:
    parts = [
        f"{outcome.environment}/{outcome.model} at {text.clean(outcome.at)} {outcome.commit[:7]}",
        _facts(_summary(outcome)),
    ]
    if outcome.approvals is not None:
        parts.append(_approvals(outcome, outcome.approvals))
    if outcome.gate_report is not None:
        parts.append(_gate_report(outcome.gate_report))
    if outcome.made_from is not None:
        parts.append(f"Made from\n{_facts(_made_from(outcome.made_from))}")
    parts += [text.finding(finding) for finding in outcome.findings]
    if outcome.promotion is not None and not outcome.findings:
        parts.append("Verified again: signatures, digests and rules are in order.")
    return "\n\n".join(parts) + text.following(outcome.next)


def _summary(outcome: why.Why) -> Iterator[tuple[str, str]]:
    promotion, observed = outcome.promotion, outcome.observed
    since = f" since {utc_time(promotion.merged_at)}" if promotion and promotion.merged_at else ""
    yield "desired", f"{', '.join([outcome.desired or 'nothing', *map(str, outcome.beside)])}{since}"
    yield "runs", _observed(observed) if observed else "not observed yet"
    if promotion is None:
        return
    by = f" by {', '.join(promotion.proposed_by)}" if promotion.proposed_by else ""
    proposed = f"proposed {utc_time(promotion.proposed_at, 'unknown')}{by}"
    yield "promotion", f"{promotion.id} ({promotion.change}), {proposed}"
    if promotion.commit is not None:
        merged_at = utc_time(promotion.merged_at, "unknown")
        yield "merged", f"{merged_at} by {promotion.merged_by}, in {promotion.commit[:7]}"
    replaced = f"{promotion.replaced or 'nothing'} ({promotion.replaced_promotion})"
    yield "replaced", replaced if promotion.replaced_promotion else "nothing"
    ticket = f", ticket {promotion.ticket}" if promotion.ticket else ""
    yield "reason", (promotion.reason or "none given") + ticket
    if outcome.approval_age is not None:
        yield "re-approval", f"{outcome.approval_age.state}, by {utc_date(outcome.approval_age.until)}"


def _observed(observed: why.LastObservation) -> str:
    unknown = f"something else, {observed.digest[7:19]}" if observed.digest else "nothing"
    since = f" since {utc_time(observed.since)}" if observed.since else ""
    ramp = f", beside it {observed.ramp_version} with {observed.ramp_traffic} per cent of the requests"
    beside = f", beside it {', '.join(map(str, observed.beside))}" if observed.beside else ""
    runs = (observed.version or unknown) + since + (ramp if observed.ramp_version else "") + beside
    problem = f"; {observed.status}: {observed.message or 'no reason given'}" if observed.status != "verified" else ""
    return f"{runs} (entry {observed.entry} of the deployment log){problem}"


def _approvals(outcome: why.Why, approvals: ApprovalsView) -> str:
    decision = outcome.recorded_decision or outcome.decision
    unrecorded = "" if outcome.recorded_decision else ", not on the ledger yet"
    counted = f"{len(approvals.counted)} of {approvals.needed} needed"
    head = f"Approvals: {counted}, on decision {decision[7:19] if decision else 'unknown'}{unrecorded}"
    return "\n".join([head, *map(_counted, approvals.counted), *map(_uncounted, approvals.uncounted)])


def _counted(vote: VoteView) -> str:
    comment = f'  "{vote.comment}"' if vote.comment else ""
    roles = f" ({', '.join(vote.roles)})" if vote.roles else ""
    line = f"{vote.person}{roles}  {utc_time(vote.at, 'unknown')}  {vote.key or vote.review}{comment}"
    return f"  {text.word('pass', 6)}  {text.clean(line)}"


def _uncounted(vote: VoteView) -> str:
    recorded = ", though the ledger's decision record counts it" if vote.recorded else ""
    return f"  {text.word('fail' if vote.recorded else 'skip', 6)}  {text.clean(f'{vote.person}: {vote.reason}{recorded}')}"


def _gate_report(report: why.NamedGateReport) -> str:
    named = "as named in the manifest" if report.matches_manifest else "NOT the one named in the manifest"
    when = f", {utc_time(report.at)}" if report.at else ""
    head = f"Gates of policy {report.policy}: {report.path}, {report.digest[7:19]}, {named}{when}"
    return "\n".join([text.clean(head), *([gates(report.results)] if report.results else [])])


def _made_from(made: why.MadeFrom) -> Iterator[tuple[str, str]]:
    for name, stored in made.data.items():
        yield f"data {name}", f"{stored.path}, {size(stored.size)}, {stored.sha256[:19]}, md5 {stored.md5[:12]}"
    yield "code", f"commit {made.commit[:7]}, {made.code[:19]}"
    yield "params", msgspec.json.encode(made.params).decode()
    if made.environment:
        yield "packages", made.environment[:19]
    yield "trained by", f"{made.trained_by}, registered {utc_time(made.registered_at)}"


def _facts(facts: Iterator[tuple[str, str]]) -> str:
    listed = list(facts)
    width = max(len(label) for label, _ in listed)
    return "\n".join(f"  {text.clean(label).ljust(width)}  {text.clean(value)}" for label, value in listed)
