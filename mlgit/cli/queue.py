"""Show all open promotions, and the order in which they can be merged."""

import click

from mlgit.cli.params import session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural
from mlgit.ops.promotion import queue


@click.command()
@session_command
def command(session: Session) -> int:
    """Show all open promotions, and the order in which they can be merged.

    Each is judged on the base branch with those merged that come before it; nothing is merged, and nothing is written. The
    gates are judged again by `mlgit merge` itself.

    \b
    Examples:
      mlgit queue
      mlgit queue --json
    """
    return session.answer(queue.run(session), _show)


def _show(found: queue.PromotionQueue) -> str:
    where = f"{text.clean(found.base)} {found.commit[:7]}"
    if not found.waiting:
        return f"No promotion is open for {where}." + text.following("mlgit promote MODEL@N --to ENVIRONMENT")
    order = sorted(found.waiting, key=lambda one: (one.place is None, one.place or 0))
    names = {one.promotion: f"{one.candidate} for {one.environment}" for one in order}
    rows = [[str(one.place or "-"), one.candidate, one.environment, one.promotion, _standing(one)] for one in order]
    parts = [
        f"{plural(len(found.waiting), 'promotion is', 'promotions are')} open for {where}",
        text.table(["PLACE", "CANDIDATE", "ENVIRONMENT", "PROMOTION", "STANDING"], rows),
    ]
    notes = [
        f"{names[one.promotion]} conflicts with {names[other]}"
        for one in order
        for other in one.conflicts
        if one.promotion < other
    ]
    notes += [
        f"{names[one.promotion]} has to be judged and approved again once {names[other]} is merged"
        for one in order
        for other in one.stale_after
    ]
    parts += ["\n".join(map(text.clean, notes))] if notes else []
    return "\n\n".join(parts) + text.following(found.next)


def _standing(one: queue.QueuedPromotion) -> str:
    if one.place is not None:
        return "can be merged" if one.place == 1 else "can be merged then"
    return "; ".join(dict.fromkeys(finding.message for finding in one.findings))
