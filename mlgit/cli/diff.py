"""Compare two versions."""

from typing import Any

import click

from mlgit.cli.params import VERSION, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import size
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.queries import diff


@click.command()
@click.argument("before", type=VERSION, metavar="MODEL@N")
@click.argument("after", type=VERSION, metavar="MODEL@M")
@at_option
@session_command
def command(session: Session, before: VersionRef, after: VersionRef, at: str | None) -> int:
    """Compare two versions: their metrics, and what they were made from.

    \b
    Examples:
      mlgit diff churn@9 churn@10
      mlgit diff churn@9 churn@10 --json
    """
    state = take_snapshot(session, at).state
    return session.answer(diff.run(state, before, after), _show)


def _show(outcome: diff.VersionDiff) -> str:
    rows = [[change.metric, _short(change.before), _short(change.after), _moved(change)] for change in outcome.metrics]
    parts = [
        f"{outcome.before} -> {outcome.after}",
        text.table(["METRIC", outcome.before, outcome.after, "CHANGE"], rows),
    ]
    if not outcome.same_split:
        parts.append("They were not tested on the same rows, so the metrics cannot be compared.")
    if outcome.changes:
        changes = [
            [change.field, _short(change.before, change.field), _short(change.after, change.field)]
            for change in outcome.changes
        ]
        parts.append(text.table(["DIFFERS", outcome.before, outcome.after], changes))
    else:
        parts.append("They were made from the same code, data and parameters.")
    return "\n\n".join(parts)


def _moved(change: diff.MetricChange) -> str:
    if change.before is None or change.after is None:
        return "-"
    words = {True: " better", False: " worse", None: ""}
    return f"{change.after - change.before:+.4f}{words[change.better]}"


def _short(value: Any, what: str = "") -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    if what == "size":
        return size(value)
    words = str(value)
    return words[7:19] if words.startswith("sha256:") else words[:40]
