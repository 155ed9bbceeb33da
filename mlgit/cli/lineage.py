"""Trace a version to its data and code, or data and code to versions."""

from collections.abc import Iterator

import click
import msgspec

from mlgit.cli.params import DATASET, REVISION, SUBJECT, at_option, format_option, session_command
from mlgit.cli.render import dot, text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural, size, utc_time
from mlgit.domain.lineage import DataRef, LineageEdge, LineageNode, WalkDirection, walk
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.queries import lineage

_DOWN = {"supersedes": "corrected by"}  # the label of a role, seen from the other end
_LONGEST_PARAMS = 200


@click.command()
@click.argument("what", type=SUBJECT, metavar="[MODEL@N|md5:DIGEST|sha256:DIGEST]", required=False)
@click.option(
    "--dataset",
    type=DATASET,
    metavar="DATASET[@DIGEST]",
    help="Every version made from this data; the digest may be abbreviated.",
)
@click.option("--code", type=REVISION, metavar="COMMIT", help="Every version trained with the code of this commit.")
@at_option
@session_command
@format_option("dot")
def command(
    session: Session, what: str | None, dataset: str | None, code: str | None, at: str | None, *, form: str
) -> int:
    """Trace a version to its data and code, or data and code to the versions made from them: running where, and when.

    The exit code is 1 where no version was found, so that a mistyped digest is noticed.

    \b
    Examples:
      mlgit lineage churn@10
      mlgit lineage --dataset flights@3f9a
      mlgit lineage md5:9b1c04ee --json
      mlgit lineage --code 4be1c20 --format dot
    """
    if sum(value is not None for value in (what, dataset, code)) != 1:
        raise click.UsageError("Name one thing: MODEL@N, a digest, --dataset DATASET or --code COMMIT.")
    snapshot = take_snapshot(session, at)
    with session.progress("reading records") as on_progress:
        if code is not None:
            outcome = lineage.of_code(session, snapshot, code, on_progress=on_progress)
        elif dataset is not None or (what or "").startswith(("md5:", "sha256:")):
            outcome = lineage.of_data(snapshot, DataRef.parse(dataset or what or ""), on_progress=on_progress)
        else:
            outcome = lineage.of_version(session, snapshot, VersionRef.parse(what or ""), on_progress=on_progress)
    return session.answer(outcome, _dot if form == "dot" else _show)


def _show(outcome: lineage.Lineage) -> str:
    nodes = {node.id: node for node in outcome.graph.nodes}
    parts = ["\n".join(_tree(outcome, nodes[root])) for root in outcome.roots]
    if not outcome.versions:
        parts.append(f"None of {plural(outcome.records_read, 'version')} comes from {text.clean(outcome.query)}.")
    parts += [text.finding(finding) for finding in (*outcome.findings, *outcome.unreadable)]
    shown = "\n\n".join(parts)
    return shown + (text.following(f"mlgit show {outcome.versions[-1]}") if outcome.versions else "")


def _tree(outcome: lineage.Lineage, root: LineageNode) -> Iterator[str]:
    yield text.clean(f"{root.label if root.kind == 'version' else _named(root)}{_facts(root)}")
    for direction in ("up", "down"):
        yield from _branch(outcome, root, direction)


def _branch(outcome: lineage.Lineage, root: LineageNode, direction: WalkDirection) -> Iterator[str]:
    steps = list(walk(outcome.graph, root.id, direction))
    is_version = root.kind == "version"
    indent = 1
    if steps and is_version:
        yield "  made from" if direction == "up" else "  led to"
        indent = 2
    ran = {edge.source for edge in outcome.edges if edge.role == "ran in"}
    width = max((len(_label(step.edge, direction)) for step in steps), default=0)
    for step in steps:
        shown = f"{_named(step.node)}{_when(step.edge)}{_facts(step.node)}"
        label = f"{_label(step.edge, direction).ljust(width)}  " if is_version else ""
        pad = "  " * (step.depth - 1 + indent)
        yield text.clean(f"{pad}{label}{shown}")
        if step.node.kind == "version" and direction == "down" and step.node.id not in ran:
            yield f"{pad}  never deployed"
    if is_version and direction == "down" and root.id not in ran:
        yield "  never deployed"


def _label(edge: LineageEdge, direction: WalkDirection) -> str:
    return _DOWN.get(edge.role, edge.role) if direction == "down" else edge.role


def _named(node: LineageNode) -> str:
    """Return what a node is called, digests and commits cut short."""
    if node.kind == "code":
        return f"commit {node.label[:12]}"
    if node.kind == "params":
        shown = msgspec.json.encode(node.facts).decode()
        return shown if len(shown) <= _LONGEST_PARAMS else f"{shown[:_LONGEST_PARAMS]}..."
    return node.label[:19] if node.label.startswith("sha256:") else node.label


def _facts(node: LineageNode) -> str:
    """Return the facts of a node, for people."""
    facts = node.facts
    if node.kind == "version":
        return f"  {facts['digest'][:19]}, registered {utc_time(facts['registered_at'])}"
    if node.kind == "data":
        return f"  {facts['sha256'][:19]}, md5 {facts['md5'][:12]}, {size(facts['size'])}"
    if node.kind == "code":
        if "author" in facts:
            return f"  by {facts['author']}, {utc_time(facts['at'])}: {facts['subject']}"
        return f"  {facts['digest'][:19]}{'' if facts['in_repository'] else ', not in this repository'}"
    return f"  {plural(facts['rows'], 'row')}" if node.kind == "split" else ""


def _when(edge: LineageEdge) -> str:
    if edge.since is None:
        return ""
    share = "" if edge.traffic is None else f", with {edge.traffic} per cent of the requests at last"
    if edge.traffic == 0:
        share = ", as a shadow"
    return f"  {utc_time(edge.since)} until {utc_time(edge.until, 'now')}{share}"


def _dot(outcome: lineage.Lineage) -> str:
    nodes = [(node.id, f"{node.kind} {_named(node)}") for node in outcome.nodes]
    edges = [(edge.source, edge.target, f"{edge.role}{_when(edge)}") for edge in outcome.edges]
    return dot.graph(nodes, edges)
