"""Show a model or a version."""

import click
import msgspec

from mlgit.cli.params import at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import metric_value, size, utc_date, utc_time
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel import snapshot
from mlgit.ops.queries import show


@click.command()
@click.argument("name", metavar="MODEL[@N]")
@click.option("--card", "as_card", is_flag=True, help="Print the card of a version.")
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
    _, state = snapshot.base_of(session) if at is None else (at, snapshot.state_at(session, at))
    if as_card:
        return session.answer(show.card(state, VersionRef.parse(name)), _show_card)
    if "@" in name:
        return session.answer(show.version(session, state, VersionRef.parse(name)), _show_version)
    return session.answer(show.model(state, name), _show_model)


def _show_model(found: show.ModelShown) -> str:
    facts = [
        ("problem", f"{found.problem}, owned by {found.owner}, risk {found.risk}"),
        ("datasets", ", ".join(found.datasets)),
        ("reads", ", ".join(found.reads)),
    ]
    if not found.versions:
        return f"{found.model}\n\n{_facts(facts)}\n\nIt has no version yet." + text.following(
            f"mlgit train {found.model}"
        )
    rows = [
        [
            one.version,
            metric_value(one.value),
            size(one.size),
            utc_date(one.registered_at),
            one.trained_by,
            _places(one) or "-",
        ]
        for one in found.versions
    ]
    table = text.table(["VERSION", found.metric.upper(), "SIZE", "REGISTERED", "BY", "CHAMPION OF"], rows)
    more = f"\nand {found.total - len(found.versions):,} older" if found.total > len(found.versions) else ""
    return f"{found.model}\n\n{_facts(facts)}\n\n{table}{more}" + text.following(
        f"mlgit show {found.versions[0].version}"
    )


def _places(one: show.VersionLine) -> str:
    beside = [f"{name} (challenger)" for name in one.challenger_of] + [f"{name} (shadow)" for name in one.shadow_of]
    return ", ".join([*one.champion_of, *beside])


def _show_version(found: show.VersionShown) -> str:
    facts = [
        ("digest", found.digest),
        ("problem", found.problem),
        ("champion of", ", ".join(found.champion_of) or "no environment"),
        *([("challenger of", ", ".join(found.challenger_of))] if found.challenger_of else []),
        *([("shadow of", ", ".join(found.shadow_of))] if found.shadow_of else []),
        ("trained by", f"{found.trained_by} at commit {found.commit[:7]}"),
        ("registered", utc_time(found.registered_at)),
        (
            "model file",
            f"{found.artifact.path}, {found.format}, {size(found.artifact.size)}, {found.artifact.sha256[:19]}",
        ),
        *([("types", ", ".join(found.types))] if found.types else []),
        *(
            (f"data {name}", f"{stored.path}, {size(stored.size)}, md5 {stored.md5[:12]}")
            for name, stored in found.data.items()
        ),
        ("params", msgspec.json.encode(found.params).decode()),
        ("latency", f"p95 {found.p95_ms:.1f} ms" if found.p95_ms is not None else "not measured"),
        ("card", f"{found.sections_written} of {found.sections} sections written"),
    ]
    metrics = text.table(["METRIC", "VALUE"], [[name, f"{value:.4f}"] for name, value in found.metrics.items()])
    parts = [found.version, _facts(facts), f"On {found.rows:,} rows of the test split:\n{metrics}"]
    if found.weakest:
        rows = [[f"{one.column}={one.value}", f"{one.rows:,}", f"{one.metric:.4f}"] for one in found.weakest]
        parts.append(f"Weakest slices:\n{text.table(['SLICE', 'ROWS', found.primary.upper()], rows)}")
    parts += [text.finding(finding) for finding in found.findings] or ["Its files are as they were registered."]
    return "\n\n".join(parts)


def _show_card(found: show.CardShown) -> str:
    lines = [text.clean(line) for line in found.text.rstrip().split("\n")]
    return "\n\n".join(["\n".join(lines), *map(text.finding, found.findings)])


def _facts(facts: list[tuple[str, str]]) -> str:
    width = max(len(label) for label, _ in facts)
    return "\n".join(f"  {text.clean(label).ljust(width)}  {text.clean(value)}" for label, value in facts)
