"""Show why an environment runs what it runs."""

from collections.abc import Iterator

import click
import msgspec

from mlgit.cli.params import ENVIRONMENT, MODEL, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.domain.formatting import size, utc_date, utc_time
from mlgit.ops.kernel import snapshot
from mlgit.ops.queries import why


@click.command()
@click.argument("environment", type=ENVIRONMENT)
@click.argument("model", type=MODEL)
@at_option
@session_command
def command(session: Session, environment: str, model: str, at: str | None) -> int:
    """Show why an environment runs what it runs: who proposed it, who agreed, on which evidence.

    The promotion is examined again as of its merge: signatures, digests and rules. The answer is no where one does not hold.

    \b
    Examples:
      mlgit why production churn
      mlgit why production churn --at 2026-03-31
      mlgit why production churn --json
    """
    then = snapshot.take_snapshot(session, at)
    return session.answer(why.run(session, then, environment, model), _show)


def _show(found: why.Why) -> str:
    parts = [f"{found.environment}/{found.model} at {text.clean(found.at)} {found.commit[:7]}", _facts(_what(found))]
    if found.brought is not None and found.brought.commit is not None:
        parts.append(_agreement(found))
    if found.evidence is not None:
        one = found.evidence
        holds = "as the manifest names it" if one.holds else "NOT the one that the manifest names"
        when = f", {utc_time(one.at)}" if one.at else ""
        head = f"Gates of policy {one.policy}: {one.report}, {one.digest[7:19]}, {holds}{when}"
        parts.append("\n".join([text.clean(head), *([gates(one.results)] if one.results else [])]))
    if found.made_from is not None:
        parts.append(f"Made from\n{_facts(_made_from(found.made_from))}")
    parts += [text.finding(finding) for finding in found.findings]
    if found.brought is not None and not found.findings:
        parts.append("All that it rests on was checked again, and holds.")
    return "\n\n".join(parts) + text.following(found.next)


def _what(found: why.Why) -> Iterator[tuple[str, str]]:
    brought, seen = found.brought, found.seen
    since = f" since {utc_time(brought.merged_at)}" if brought and brought.merged_at else ""
    yield "wanted", f"{', '.join([found.wanted or 'nothing', *map(str, found.beside)])}{since}"
    yield "runs", _seen(seen) if seen else "not seen by the ledger yet"
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
    if found.certified is not None:
        yield "agreed again", f"{found.certified.state}, by {utc_date(found.certified.until)}"


def _seen(seen: why.LastObservation) -> str:
    runs = seen.version or (f"something else, {seen.digest[7:19]}" if seen.digest else "nothing")
    since = f" since {utc_time(seen.since)}" if seen.since else ""
    since += f", beside it {seen.beside} with {seen.traffic} per cent of the requests" if seen.beside else ""
    since += f", beside it {', '.join(map(str, seen.standing))}" if seen.standing else ""
    trouble = "" if seen.status == "verified" else f"; {seen.status}: {seen.message or 'no reason given'}"
    return f"{runs}{since} (entry {seen.entry} of the ledger){trouble}"


def _agreement(found: why.Why) -> str:
    counted = sum(one.holds for one in found.agreed)
    decision = found.recorded or found.decision
    state = "" if found.recorded else ", not on the ledger yet"
    lines = [
        f"Approvals: {counted} of {found.needed} needed, on decision {decision[7:19] if decision else 'unknown'}{state}"
    ]
    for one in found.agreed:
        comment = f'  "{one.comment}"' if one.comment else ""
        roles = f" ({', '.join(one.roles)})" if one.roles else ""
        said = f"{one.person}{roles}  {utc_time(one.at, 'unknown')}  {one.key or one.review}{comment}"
        lines.append(f"  {text.word('pass' if one.holds else 'fail', 6)}  {text.clean(said)}")
    lines += [f"  {text.word('skip', 6)}  {text.clean(f'{one.person}: {one.reason}')}" for one in found.uncounted]
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
