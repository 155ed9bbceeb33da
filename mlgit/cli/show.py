"""Show a model or a version."""

import click
import msgspec

from mlgit.cli.params import SHOWABLE, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import size, utc_date, utc_time
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.queries import show

_SMALL_SLICES = 8  # named, of those without a metric


@click.command()
@click.argument("name", type=SHOWABLE, metavar="MODEL[@N]")
@click.option("--card", "as_card", is_flag=True, help="Print the model card of a version.")
@at_option
@session_command
def command(session: Session, name: str, at: str | None, *, as_card: bool) -> int:
    """Show a model or a version.

    \b
    Examples:
      mlgit show churn
      mlgit show churn@10
      mlgit show churn@10 --card
      mlgit show churn@10 --at v2.0 --json
    """
    state = take_snapshot(session, at).state
    if as_card:
        return session.answer(show.card(state, VersionRef.parse(name)), _show_card)
    if "@" in name:
        return session.answer(show.version(session, state, VersionRef.parse(name)), _show_version)
    return session.answer(show.model(state, name), _show_model)


def _show_model(outcome: show.ModelShown) -> str:
    facts = [
        ("problem", f"{outcome.problem}, owned by {outcome.owner}, risk {outcome.risk}"),
        ("datasets", ", ".join(outcome.datasets)),
        ("reads", ", ".join(outcome.reads)),
    ]
    if not outcome.versions:
        return f"{outcome.model}\n\n{_facts(facts)}\n\nIt has no version yet." + text.following(
            f"mlgit train {outcome.model}"
        )
    rows = [
        [
            version.version,
            f"{version.value:.4f}" if version.value is not None else "-",
            size(version.size),
            utc_date(version.registered_at),
            version.trained_by,
            _places(version) or "-",
        ]
        for version in outcome.versions
    ]
    table = text.table(["VERSION", outcome.primary_metric.upper(), "SIZE", "REGISTERED", "BY", "CHAMPION OF"], rows)
    more = f"\nand {outcome.total - len(outcome.versions):,} older" if outcome.total > len(outcome.versions) else ""
    return f"{outcome.model}\n\n{_facts(facts)}\n\n{table}{more}" + text.following(
        f"mlgit show {outcome.versions[0].version}"
    )


def _places(version: show.VersionLine) -> str:
    beside = [f"{name} (challenger)" for name in version.challenger_of] + [
        f"{name} (shadow)" for name in version.shadow_of
    ]
    return ", ".join([*version.champion_of, *beside])


def _show_version(outcome: show.VersionShown) -> str:
    facts = [
        ("digest", outcome.digest),
        ("problem", outcome.problem),
        ("champion of", ", ".join(outcome.champion_of) or "no environment"),
        *([("challenger of", ", ".join(outcome.challenger_of))] if outcome.challenger_of else []),
        *([("shadow of", ", ".join(outcome.shadow_of))] if outcome.shadow_of else []),
        ("trained by", f"{outcome.trained_by} at commit {outcome.commit[:7]}"),
        ("registered", utc_time(outcome.registered_at)),
        (
            "model file",
            f"{outcome.artifact.path}, {outcome.format}, {size(outcome.artifact.size)}, {outcome.artifact.sha256[:19]}",
        ),
        *([("types", ", ".join(outcome.types))] if outcome.types else []),
        *(
            (f"data {name}", f"{stored.path}, {size(stored.size)}, md5 {stored.md5[:12]}")
            for name, stored in outcome.data.items()
        ),
        ("params", msgspec.json.encode(outcome.params).decode()),
        ("latency", _latency(outcome)),
        ("card", f"{outcome.card_sections_written} of {outcome.card_sections} sections written"),
    ]
    metrics = text.table(["METRIC", "VALUE"], [[name, f"{value:.4f}"] for name, value in outcome.metrics.items()])
    parts = [outcome.version, _facts(facts), f"On {outcome.rows:,} rows of the test split:\n{metrics}"]
    if outcome.weakest_slices:
        rows = [
            [f"{part.column}={part.value}", f"{part.rows:,}", f"{part.metric:.4f}"] for part in outcome.weakest_slices
        ]
        parts.append(f"Weakest slices:\n{text.table(['SLICE', 'ROWS', outcome.primary_metric.upper()], rows)}")
    if outcome.small_slices:
        listed = [f"{part.column}={part.value} ({part.rows:,})" for part in outcome.small_slices[:_SMALL_SLICES]]
        more = len(outcome.small_slices) - len(listed)
        shown = ", ".join(map(text.clean, listed)) + (f" and {more:,} more" if more else "")
        parts.append(f"Without a metric, since it is undefined or they have too few rows: {shown}")
    parts += [text.finding(finding) for finding in outcome.findings] or ["Its files are as they were registered."]
    return "\n\n".join(parts)


def _latency(outcome: show.VersionShown) -> str:
    if outcome.p95_ms is None:
        return "not measured"
    return f"p95 {outcome.p95_ms:.1f} ms" + (f", on {outcome.machine}" if outcome.machine else "")


def _show_card(outcome: show.CardShown) -> str:
    lines = [text.clean(line) for line in outcome.text.rstrip().split("\n")]
    return "\n\n".join(["\n".join(lines), *map(text.finding, outcome.findings)])


def _facts(facts: list[tuple[str, str]]) -> str:
    width = max(len(label) for label, _ in facts)
    return "\n".join(f"  {text.clean(label).ljust(width)}  {text.clean(value)}" for label, value in facts)
