"""Show what a version was made from, and what became of data or code."""

from collections.abc import Iterator
from typing import Literal

import click
import msgspec

from mlgit.cli.params import at_option, session_command
from mlgit.cli.render import dot, text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural, size, utc_time
from mlgit.domain.lineage import DataRef, Direction, LineageEdge, LineageNode, walk
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel import snapshot
from mlgit.ops.queries import lineage

_DOWN = {"supersedes": "corrected by"}  # the words for a role, seen from the other end
_LONGEST_PARAMS = 200


@click.command()
@click.argument("what", metavar="[MODEL@N|md5:DIGEST|sha256:DIGEST]", required=False)
@click.option(
    "--data", metavar="DATASET[@DIGEST]", help="Every version made from this data; a digest may be cut short."
)
@click.option("--code", metavar="COMMIT", help="Every version trained with the code of this commit.")
@click.option(
    "--format", "form", type=click.Choice(["text", "dot"]), default="text", show_default=True, help="How it is shown."
)
@at_option
@session_command
def command(
    session: Session, what: str | None, data: str | None, code: str | None, form: Literal["text", "dot"], at: str | None
) -> int:
    """Show what a version was made from, and what became of data or code: which versions, running where, and when.

    The answer is no where no version was found, so that a mistyped digest does not look like good news.

    \b
    Examples:
      mlgit lineage churn@10
      mlgit lineage --data flights@3f9a
      mlgit lineage md5:9b1c04ee --json
      mlgit lineage --code 4be1c20 --format dot
    """
    if sum(one is not None for one in (what, data, code)) != 1:
        raise click.UsageError("Name one thing: MODEL@N, a digest, --data DATASET or --code COMMIT.")
    then = snapshot.take_snapshot(session, at)
    with session.progress("reading records") as on_progress:
        if code is not None:
            found = lineage.of_code(session, then, code, on_progress=on_progress)
        elif data is not None or (what or "").startswith(("md5:", "sha256:")):
            found = lineage.of_data(then, DataRef.parse(data or what or ""), on_progress=on_progress)
        else:
            found = lineage.of_version(session, then, VersionRef.parse(what or ""), on_progress=on_progress)
    return session.answer(found, _dot if form == "dot" else _show)


def _show(found: lineage.Lineage) -> str:
    nodes = {node.id: node for node in found.graph.nodes}
    parts = ["\n".join(_tree(found, nodes[root])) for root in found.roots]
    if not found.versions:
        parts.append(f"None of {plural(found.read, 'version')} comes from {text.clean(found.question)}.")
    parts += [text.finding(finding) for finding in (*found.findings, *found.unread)]
    shown = "\n\n".join(parts)
    return shown + (text.following(f"mlgit show {found.versions[-1]}") if found.versions else "")


def _tree(found: lineage.Lineage, root: LineageNode) -> Iterator[str]:
    yield text.clean(f"{root.label if root.kind == 'version' else _named(root)}{_known(root)}")
    for direction in ("up", "down"):
        yield from _branch(found, root, direction)


def _branch(found: lineage.Lineage, root: LineageNode, direction: Direction) -> Iterator[str]:
    steps = list(walk(found.graph, root.id, direction))
    is_version = root.kind == "version"
    indent = 1
    if steps and is_version:
        yield "  made from" if direction == "up" else "  led to"
        indent = 2
    ran = {edge.source for edge in found.edges if edge.role == "ran in"}
    width = max((len(_word(step.edge, direction)) for step in steps), default=0)
    for step in steps:
        said = f"{_named(step.node)}{_when(step.edge)}{_known(step.node)}"
        word = f"{_word(step.edge, direction).ljust(width)}  " if is_version else ""
        pad = "  " * (step.depth - 1 + indent)
        yield text.clean(f"{pad}{word}{said}")
        if step.node.kind == "version" and direction == "down" and step.node.id not in ran:
            yield f"{pad}  never seen to run"
    if is_version and direction == "down" and root.id not in ran:
        yield "  never seen to run"


def _word(edge: LineageEdge, direction: Direction) -> str:
    return _DOWN.get(edge.role, edge.role) if direction == "down" else edge.role


def _named(node: LineageNode) -> str:
    """Return what a node is called, digests and commits cut short."""
    if node.kind == "code":
        return f"commit {node.label[:12]}"
    if node.kind == "params":
        shown = msgspec.json.encode(node.facts).decode()
        return shown if len(shown) <= _LONGEST_PARAMS else f"{shown[:_LONGEST_PARAMS]}..."
    return node.label[:19] if node.label.startswith("sha256:") else node.label


def _known(node: LineageNode) -> str:
    """Return what else is known of a node, in words."""
    facts = node.facts
    if node.kind == "version":
        return f"  {facts['digest'][:19]}, registered {utc_time(facts['registered_at'])}"
    if node.kind == "data":
        return f"  {facts['sha256'][:19]}, md5 {facts['md5'][:12]}, {size(facts['size'])}"
    if node.kind == "code":
        if "author" in facts:
            return f"  by {facts['author']}, {utc_time(facts['at'])}: {facts['subject']}"
        return f"  {facts['digest'][:19]}{'' if facts['here'] else ', not in this repository'}"
    return f"  {plural(facts['rows'], 'row')}" if node.kind == "split" else ""


def _when(edge: LineageEdge) -> str:
    if edge.since is None:
        return ""
    share = "" if edge.traffic is None else f", with {edge.traffic} per cent of the requests at last"
    if edge.traffic == 0:
        share = ", as a shadow"
    return f"  {utc_time(edge.since)} until {utc_time(edge.until, 'now')}{share}"


def _dot(found: lineage.Lineage) -> str:
    nodes = [(node.id, f"{node.kind} {_named(node)}") for node in found.nodes]
    edges = [(edge.source, edge.target, f"{edge.role}{_when(edge)}") for edge in found.edges]
    return dot.graph(nodes, edges)
