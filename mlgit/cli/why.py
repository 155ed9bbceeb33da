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
    then = snapshot.take_snapshot(session, at)
    assert place.model is not None  # noqa: S101 - MODEL_PLACE has one
    return session.answer(why.run(session, then, place.environment, place.model), _show)


def _show(outcome: why.Why) -> str:
    parts = [
        f"{outcome.environment}/{outcome.model} at {text.clean(outcome.at)} {outcome.commit[:7]}",
        _facts(_what(outcome)),
    ]
    if outcome.brought is not None and outcome.brought.commit is not None:
        parts.append(_approvals(outcome))
    if outcome.evidence is not None:
        evidence = outcome.evidence
        holds = "as named in the manifest" if evidence.holds else "NOT the one named in the manifest"
        when = f", {utc_time(evidence.at)}" if evidence.at else ""
        head = f"Gates of policy {evidence.policy}: {evidence.report}, {evidence.digest[7:19]}, {holds}{when}"
        parts.append("\n".join([text.clean(head), *([gates(evidence.results)] if evidence.results else [])]))
    if outcome.made_from is not None:
        parts.append(f"Made from\n{_facts(_made_from(outcome.made_from))}")
    parts += [text.finding(finding) for finding in outcome.findings]
    if outcome.brought is not None and not outcome.findings:
        parts.append("Verified again: signatures, digests and rules are in order.")
    return "\n\n".join(parts) + text.following(outcome.next)


def _what(outcome: why.Why) -> Iterator[tuple[str, str]]:
    brought, seen = outcome.brought, outcome.seen
    since = f" since {utc_time(brought.merged_at)}" if brought and brought.merged_at else ""
    yield "wanted", f"{', '.join([outcome.wanted or 'nothing', *map(str, outcome.beside)])}{since}"
    yield "runs", _seen(seen) if seen else "not observed yet"
    if brought is None:
        return
    by = f" by {', '.join(brought.proposed_by)}" if brought.proposed_by else ""
    yield (
        "promotion",
        f"{brought.promotion} ({brought.change}), proposed {utc_time(brought.proposed_at, 'unknown')}{by}",
    )
    if brought.commit is not None:
        yield "merged", f"{utc_time(brought.merged_at, 'unknown')} by {brought.merged_by}, in {brought.commit[:7]}"
    yield (
        "replaced",
        f"{brought.replaced or 'nothing'} ({brought.replaced_promotion})" if brought.replaced_promotion else "nothing",
    )
    yield "reason", (brought.reason or "none given") + (f", ticket {brought.ticket}" if brought.ticket else "")
    if outcome.approval_age is not None:
        yield "re-approval", f"{outcome.approval_age.state}, by {utc_date(outcome.approval_age.until)}"


def _seen(seen: why.LastObservation) -> str:
    runs = seen.version or (f"something else, {seen.digest[7:19]}" if seen.digest else "nothing")
    since = f" since {utc_time(seen.since)}" if seen.since else ""
    since += f", beside it {seen.beside} with {seen.traffic} per cent of the requests" if seen.beside else ""
    since += f", beside it {', '.join(map(str, seen.standing))}" if seen.standing else ""
    trouble = "" if seen.status == "verified" else f"; {seen.status}: {seen.message or 'no reason given'}"
    return f"{runs}{since} (entry {seen.entry} of the ledger){trouble}"


def _approvals(outcome: why.Why) -> str:
    counted = sum(approval.holds for approval in outcome.agreed)
    decision = outcome.recorded or outcome.decision
    state = "" if outcome.recorded else ", not on the ledger yet"
    lines = [
        f"Approvals: {counted} of {outcome.needed} needed, on decision {decision[7:19] if decision else 'unknown'}{state}"
    ]
    for approval in outcome.agreed:
        comment = f'  "{approval.comment}"' if approval.comment else ""
        roles = f" ({', '.join(approval.roles)})" if approval.roles else ""
        line = (
            f"{approval.person}{roles}  {utc_time(approval.at, 'unknown')}  {approval.key or approval.review}{comment}"
        )
        lines.append(f"  {text.word('pass' if approval.holds else 'fail', 6)}  {text.clean(line)}")
    lines += [
        f"  {text.word('skip', 6)}  {text.clean(f'{approval.person}: {approval.reason}')}"
        for approval in outcome.uncounted
    ]
    return "\n".join(lines)


def _made_from(made: why.InputStory) -> Iterator[tuple[str, str]]:
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
