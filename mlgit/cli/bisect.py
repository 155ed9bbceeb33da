"""Find the version with which a metric first got worse."""

import math
from typing import Any

import click

from mlgit.cli.params import MODEL, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural
from mlgit.domain.metrics import METRICS
from mlgit.ops.kernel import snapshot
from mlgit.ops.queries import bisect


@click.command()
@click.argument("model", type=MODEL)
@click.option(
    "--metric", type=click.Choice(sorted(METRICS)), metavar="METRIC", help="The metric; else the one that decides."
)
@click.option("--slice", "part", metavar="COLUMN=VALUE", help="Only on these rows, named as `mlgit show` names slices.")
@click.option(
    "--below",
    "limit",
    type=float,
    metavar="X",
    help="Search by halves for the first below X (above, where less is better).",
)
@click.option(
    "--drop",
    type=click.FloatRange(min=0),
    metavar="D",
    help="Measure all; find the first worse by more than D.  [default: 0]",
)
@at_option
@session_command
def command(
    session: Session,
    model: str,
    metric: str | None,
    part: str | None,
    limit: float | None,
    drop: float | None,
    at: str | None,
) -> int:
    """Find the version with which a metric first got worse, and what was different about it.

    Metrics are computed from the stored predictions of each version. With `--below` a few versions are enough, if none after
    the first bad one is good again. The answer is no where no version is worse.

    \b
    Examples:
      mlgit bisect churn
      mlgit bisect churn --metric recall --slice carrier=AA --drop 0.02
      mlgit bisect churn --metric roc_auc --below 0.85
    """
    if limit is not None and drop is not None:
        raise click.UsageError("Name --below or --drop, not both.")
    if not all(map(math.isfinite, (limit or 0.0, drop or 0.0))):
        raise click.UsageError("--below and --drop are finite numbers.")
    _, state = snapshot.base_of(session) if at is None else (at, snapshot.state_at(session, at))
    with session.progress("versions measured") as on_progress:
        found = bisect.run(
            session,
            state,
            model,
            metric=metric,
            part=None if part is None else _slice(part),
            limit=limit,
            drop=drop or 0.0,
            on_progress=on_progress,
        )
    return session.answer(found, _show)


def _slice(part: str) -> bisect.MeasuredSlice:
    column, equals, value = part.partition("=")
    if not (column and equals):
        raise click.BadParameter("write it as COLUMN=VALUE, for example carrier=AA", param_hint="--slice")
    return bisect.MeasuredSlice(column, value)


def _show(found: bisect.Bisection) -> str:
    where = f" on {found.slice}" if found.slice else ""
    rows = [_row(one, found) for one in found.measured]
    parts = [
        text.clean(
            f"{found.metric}{where} of {len(found.measured)} of {plural(found.total, 'version')} of {found.model}"
        ),
        text.table(["VERSION", found.metric.upper(), "ROWS", ""], rows),
        text.clean(_answer(found)),
    ]
    if found.between:
        parts.append(f"Not measured in between, so it may have been one of them: {', '.join(found.between)}")
    if found.difference is None:
        return "\n\n".join(parts)
    compared = found.difference
    if not compared.same_split:
        parts.append("The two were not tested on the same rows, so a part of the change may be the rows'.")
    changes = [[one.what, _short(one.before), _short(one.after)] for one in compared.changes]
    parts.append(
        text.table(["DIFFERS", compared.before, compared.after], changes)
        if changes
        else "They were made from the same code, data and parameters."
    )
    return "\n\n".join(parts) + text.following(f"mlgit diff {compared.before} {compared.after}")


def _row(one: bisect.MeasuredVersion, found: bisect.Bisection) -> list[str]:
    if one.value is None:
        return [one.version, "-", "-", f"skipped: {one.reason}"]
    word = ("bad" if one.bad else "good") if found.how == "search" else ("worse" if one.bad else "")
    return [one.version, f"{one.value:.4f}", f"{one.rows:,}", "<- first" if one.version == found.first else word]


def _answer(found: bisect.Bisection) -> str:
    beyond = _beyond(found)
    if found.first is None and found.how == "scan":
        return f"No version is {beyond}."
    if found.first is None:
        return f"The newest is not {beyond}. A search sees nothing that came back; without --below all are measured."
    if found.predecessor is None:
        return f"{found.first}, the first of all that could be measured, is {beyond} already."
    return f"{found.first} is the first that is {beyond}; the one before it is {found.predecessor}."


def _beyond(found: bisect.Bisection) -> str:
    if found.limit is not None:
        return f"{'below' if METRICS[found.metric].direction == 'max' else 'above'} {found.limit:g}"
    return "worse than the one before" + (f" by more than {found.drop:g}" if found.drop else "")


def _short(value: Any) -> str:
    words = "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
    return words[7:19] if words.startswith("sha256:") else words[:40]
