"""List open promotions, in the order in which they can be merged."""

import click

from mlgit.cli.params import session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural
from mlgit.ops.promotion import queue


@click.command()
@session_command
def command(session: Session) -> int:
    """List open promotions, in the order in which they can be merged.

    Each is verified against the base branch with the ones before it merged. Nothing is merged or written. `mlgit merge` itself
    evaluates the gates again.

    \b
    Examples:
      mlgit queue
      mlgit queue --json
    """
    return session.answer(queue.run(session), _show)


def _show(outcome: queue.PromotionQueue) -> str:
    where = f"{text.clean(outcome.base)} {outcome.commit[:7]}"
    if not outcome.waiting:
        return f"No promotion is open for {where}." + text.following("mlgit promote MODEL@N --to ENV")
    order = sorted(outcome.waiting, key=lambda waiting: (waiting.place is None, waiting.place or 0))
    names = {waiting.promotion: f"{waiting.candidate} for {waiting.environment}" for waiting in order}
    rows = [
        [
            str(waiting.place or "-"),
            waiting.candidate,
            waiting.environment,
            waiting.promotion,
            _status(waiting),
        ]
        for waiting in order
    ]
    parts = [
        f"{plural(len(outcome.waiting), 'promotion is', 'promotions are')} open for {where}",
        text.table(["PLACE", "CANDIDATE", "ENVIRONMENT", "PROMOTION", "STATUS"], rows),
    ]
    notes = [
        f"{names[waiting.promotion]} conflicts with {names[other]}"
        for waiting in order
        for other in waiting.conflicts
        if waiting.promotion < other
    ]
    notes += [
        f"{names[waiting.promotion]} has to be evaluated and approved again once {names[other]} is merged"
        for waiting in order
        for other in waiting.stale_after
    ]
    parts += ["\n".join(map(text.clean, notes))] if notes else []
    return "\n\n".join(parts) + text.following(outcome.next)


def _status(waiting: queue.QueuedPromotion) -> str:
    if waiting.place is not None:
        return "can be merged" if waiting.place == 1 else "can be merged after those"
    return "; ".join(dict.fromkeys(finding.message for finding in waiting.findings))
