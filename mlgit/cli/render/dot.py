"""Render a graph as DOT, the language of Graphviz (https://graphviz.org/doc/info/lang.html)."""

from collections.abc import Iterable

from mlgit.cli.render.text import clean


def graph(nodes: Iterable[tuple[str, str]], edges: Iterable[tuple[str, str, str]]) -> str:
    """Return a directed graph.

    Args:
        nodes: id and label of each node.
        edges: ids of source and target of each edge, and its label.
    """
    lines = ["digraph lineage {", "  rankdir=LR;", "  node [shape=box];"]
    lines += [f"  {_quoted(id_)} [label={_quoted(label, escape=True)}];" for id_, label in nodes]
    lines += [
        f"  {_quoted(source)} -> {_quoted(target)} [label={_quoted(label, escape=True)}];"
        for source, target, label in edges
    ]
    return "\n".join([*lines, "}"])


def _quoted(value: str, *, escape: bool = False) -> str:
    """Return a quoted string. With `escape`, for a label: there `&...;` is an HTML entity, which would be replaced."""
    plain = clean(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain.replace("&", "&amp;") if escape else plain}"'
