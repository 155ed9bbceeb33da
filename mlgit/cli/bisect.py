"""Find the version that made a metric worse."""

import math
from typing import Any

import click

from mlgit.cli.params import MODEL, VERSION, at_option, number_of, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural
from mlgit.domain.metrics import METRICS
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.queries import bisect


@click.command()
@click.argument("model", type=MODEL)
@click.option(
    "--metric", type=click.Choice(sorted(METRICS)), metavar="METRIC", help="The metric; by default the primary one."
)
@click.option("--good", type=VERSION, metavar="MODEL@N", help="Start from this version; by default the first.")
@click.option("--bad", type=VERSION, metavar="MODEL@N", help="End with this version; by default the newest.")
@click.option("--slice", "part", metavar="COLUMN=VALUE", help="Only the rows of a slice in `mlgit show`.")
@click.option(
    "--below",
    "limit",
    type=float,
    metavar="X",
    help="Binary search for the first version below X (above, where less is better).",
)
@click.option(
    "--drop",
    type=click.FloatRange(min=0),
    metavar="D",
    help="Measure all versions; find the first that is worse by more than D.  [default: 0]",
)
@at_option
@session_command
def command(
    session: Session,
    model: str,
    metric: str | None,
    good: VersionRef | None,
    bad: VersionRef | None,
    part: str | None,
    limit: float | None,
    drop: float | None,
    at: str | None,
) -> int:
    """Find the version that made a metric worse, and what was different about it.

    Metrics are computed from the stored predictions of each version. With --below only a few versions are measured, which
    assumes that none after the first bad one is good again. --good and --bad limit the range, as in `git bisect`. The exit
    code is 1 where no version is worse.

    \b
    Examples:
      mlgit bisect churn
      mlgit bisect churn --metric recall --slice carrier=AA --drop 0.02
      mlgit bisect churn --metric roc_auc --below 0.85
      mlgit bisect churn --good churn@3 --bad churn@10
    """
    if limit is not None and drop is not None:
        raise click.UsageError("Name --below or --drop, not both.")
    if not all(map(math.isfinite, (limit or 0.0, drop or 0.0))):
        raise click.UsageError("--below and --drop are finite numbers.")
    state = take_snapshot(session, at).state
    with session.progress("versions measured") as on_progress:
        outcome = bisect.run(
            session,
            state,
            model,
            metric=metric,
            part=None if part is None else _slice(part),
            limit=limit,
            drop=drop or 0.0,
            good=None if good is None else number_of(good, model, "--good"),
            bad=None if bad is None else number_of(bad, model, "--bad"),
            on_progress=on_progress,
        )
    return session.answer(outcome, _show)


def _slice(part: str) -> bisect.MeasuredSlice:
    column, equals, value = part.partition("=")
    if not (column and equals):
        raise click.BadParameter("write it as COLUMN=VALUE, for example carrier=AA", param_hint="--slice")
    return bisect.MeasuredSlice(column, value)


def _show(outcome: bisect.Bisection) -> str:
    where = f" on {outcome.slice}" if outcome.slice else ""
    rows = [_row(measured, outcome) for measured in outcome.measured]
    parts = [
        text.clean(
            f"{outcome.metric}{where} of {len(outcome.measured)} of {plural(outcome.total, 'version')} of {outcome.model}"
        ),
        text.table(["VERSION", outcome.metric.upper(), "ROWS", ""], rows),
        text.clean(_answer(outcome)),
    ]
    if outcome.unmeasured_between:
        parts.append(
            f"Not measured in between, so it may have been one of them: {', '.join(outcome.unmeasured_between)}"
        )
    if outcome.difference is None:
        return "\n\n".join(parts)
    compared = outcome.difference
    if not compared.same_split:
        parts.append("The two were not tested on the same rows, so a part of the change may be the rows'.")
    changes = [[change.field, _short(change.before), _short(change.after)] for change in compared.changes]
    parts.append(
        text.table(["DIFFERS", compared.before, compared.after], changes)
        if changes
        else "They were made from the same code, data and parameters."
    )
    return "\n\n".join(parts) + text.following(f"mlgit diff {compared.before} {compared.after}")


def _row(measured: bisect.MeasuredVersion, outcome: bisect.Bisection) -> list[str]:
    if measured.value is None:
        return [measured.version, "-", "-", f"skipped: {measured.reason}"]
    word = ("bad" if measured.bad else "good") if outcome.method == "search" else ("worse" if measured.bad else "")
    return [
        measured.version,
        f"{measured.value:.4f}",
        f"{measured.rows:,}",
        "<- first" if measured.version == outcome.first else word,
    ]


def _answer(outcome: bisect.Bisection) -> str:
    beyond = _beyond(outcome)
    if outcome.first is None and outcome.method == "scan":
        return f"No version is {beyond}."
    if outcome.first is None:
        return f"The newest is not {beyond}. A search sees nothing that came back; without --below all are measured."
    if outcome.predecessor is None:
        return f"{outcome.first}, the first of all that could be measured, is {beyond} already."
    return f"{outcome.first} is the first that is {beyond}; the one before it is {outcome.predecessor}."


def _beyond(outcome: bisect.Bisection) -> str:
    if outcome.limit is not None:
        return f"{'below' if METRICS[outcome.metric].direction == 'max' else 'above'} {outcome.limit:g}"
    return "worse than the one before" + (f" by more than {outcome.drop:g}" if outcome.drop else "")


def _short(value: Any) -> str:
    words = "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
    return words[7:19] if words.startswith("sha256:") else words[:40]
