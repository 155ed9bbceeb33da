"""Compare two versions."""

from typing import Any

import click

from mlgit.cli.params import VERSION, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import size
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel import snapshot
from mlgit.ops.queries import diff


@click.command()
@click.argument("before", type=VERSION, metavar="A")
@click.argument("after", type=VERSION, metavar="B")
@at_option
@session_command
def command(session: Session, before: VersionRef, after: VersionRef, at: str | None) -> int:
    """Compare two versions: their metrics, and what they were made from.

    \b
    Examples:
      mlgit diff churn@9 churn@10
      mlgit diff churn@9 churn@10 --json
    """
    _, state = snapshot.base_of(session) if at is None else (at, snapshot.state_at(session, at))
    return session.answer(diff.run(state, before, after), _show)


def _show(found: diff.VersionDiff) -> str:
    rows = [[one.metric, _short(one.before), _short(one.after), _moved(one)] for one in found.metrics]
    parts = [f"{found.before} -> {found.after}", text.table(["METRIC", found.before, found.after, "CHANGE"], rows)]
    if not found.same_split:
        parts.append("They were not tested on the same rows, so the metrics cannot be compared.")
    if found.changes:
        changes = [[one.what, _short(one.before, one.what), _short(one.after, one.what)] for one in found.changes]
        parts.append(text.table(["DIFFERS", found.before, found.after], changes))
    else:
        parts.append("They were made from the same code, data and parameters.")
    return "\n\n".join(parts)


def _moved(one: diff.MetricChange) -> str:
    if one.before is None or one.after is None:
        return "-"
    words = {True: " better", False: " worse", None: ""}
    return f"{one.after - one.before:+.4f}{words[one.better]}"


def _short(value: Any, what: str = "") -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    if what == "size":
        return size(value)
    words = str(value)
    return words[7:19] if words.startswith("sha256:") else words[:40]
