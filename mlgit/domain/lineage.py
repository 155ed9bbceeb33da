"""Lineage graph: what versions were made from, and where they ran. Built from records only."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, Self

import msgspec

from mlgit.domain.codec import canonical, sha256
from mlgit.domain.names import Digest, PromotionId, VersionRef, is_name
from mlgit.domain.records.ledger import Deployment
from mlgit.domain.records.version import StoredFile, Version
from mlgit.domain.slots import observed_beside
from mlgit.errors import usage_error

NodeKind = Literal["version", "data", "code", "params", "packages", "problem", "split", "person", "environment"]
EdgeRole = Literal[
    "data", "code", "parameters", "packages", "problem", "test split", "trained by", "supersedes", "ran in"
]
WalkDirection = Literal["up", "down"]

_PREFIX = re.compile(r"(?:(?P<hash>md5|sha256):)?(?P<digits>[0-9a-f]{4,64}(?:\.dir)?)")


class LineageNode(msgspec.Struct, frozen=True, kw_only=True):
    """A version, something that a version was made from, or an environment that ran one."""

    id: str
    kind: NodeKind
    label: str
    facts: dict[str, Any] = {}


class LineageEdge(msgspec.Struct, frozen=True, kw_only=True):
    """The role of the source for the target, which came later; `since` and `until` are when a version ran.

    `traffic` is its share of the requests, in per cent, if it never answered all of them in that time.
    """

    source: str
    target: str
    role: EdgeRole
    since: datetime | None = None
    until: datetime | None = None
    traffic: int | None = None


class LineageGraph(msgspec.Struct, frozen=True):
    """Nodes and edges without duplicates."""

    nodes: list[LineageNode]
    edges: list[LineageEdge]


class LineageStep(msgspec.Struct, frozen=True):
    """A node on a walk: its distance from the root in edges, and the edge that led to it."""

    depth: int
    edge: LineageEdge
    node: LineageNode


class RunPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """A time during which an environment ran a version. `version` is its number if the ledger has it.

    `until` is None if it was still running at the last entry of the ledger. `traffic` is its last share of requests, in per
    cent, if it never answered all of them and ran beside another version; 0 for a shadow.
    """

    digest: Digest
    version: int | None
    promotion: PromotionId
    since: datetime
    until: datetime | None = None
    traffic: int | None = None


class DataRef(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to data: the name of a dataset, a digest or a prefix of one, or both."""

    dataset: str | None = None
    prefix: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `flights`, `flights@3f9a`, `flights@md5:3f9a`, `md5:3f9a` or `sha256:3f9a`.

        Raises:
            UsageError: the text has none of these forms (`data-reference-invalid`).
        """
        name, at, prefix = ("", "", text) if _is_digest(text) else text.partition("@")
        if (name and not is_name(name)) or not (name or prefix) or ((at or not name) and not _PREFIX.fullmatch(prefix)):
            raise usage_error(
                "data-reference-invalid",
                f"{text!r} is not a reference to data",
                why="a digest is hexadecimal, with at least 4 digits",
                fix="write DATASET, DATASET@DIGEST, md5:DIGEST or sha256:DIGEST; a digest may be abbreviated",
            )
        return cls(dataset=name or None, prefix=prefix or None)

    def matches(self, dataset: str, stored: StoredFile) -> bool:
        """Return whether this refers to a content of a dataset."""
        if self.dataset not in {None, dataset}:
            return False
        match = None if self.prefix is None else _PREFIX.fullmatch(self.prefix)
        if match is None:
            return True
        digests = {"md5": stored.md5, "sha256": stored.sha256.removeprefix("sha256:")}
        return any(
            digest.startswith(match["digits"]) for hash_, digest in digests.items() if match["hash"] in {None, hash_}
        )

    def __str__(self) -> str:
        return "@".join(part for part in (self.dataset, self.prefix) if part)


def run_periods(entries: Iterable[Deployment]) -> list[RunPeriod]:
    """Return which versions of one model an environment ran and when, from its deployment log in order.

    Every entry states what the target was observed to run, also a blocked one; a period ends at the first entry with
    another version, or none. In a ramp, a version runs from its first share of requests on. Versions in other slots run
    until an entry no longer contains them.
    """
    entries = list(entries)
    ended: list[RunPeriod] = []
    running: RunPeriod | None = None
    beside: RunPeriod | None = None

    def end(period: RunPeriod | None, at: datetime) -> None:
        if period is not None:
            ended.append(msgspec.structs.replace(period, until=at))

    for entry in entries:
        now = _began(entry)
        if now is not None and now.traffic is not None:
            if beside is not None and beside.digest != now.digest:
                end(beside, entry.at)
                beside = None
            beside = now if beside is None else msgspec.structs.replace(beside, traffic=now.traffic)
        elif now is not None and running is not None and now.digest == running.digest:
            if entry.status != "blocked":  # which does not change what runs
                end(beside, entry.at)
                beside = None
        else:
            end(running, entry.at)
            if beside is not None and now is not None and beside.digest == now.digest:
                running = msgspec.structs.replace(beside, traffic=None)
            else:
                end(beside, entry.at)
                running = now
            beside = None
    return sorted(
        [*ended, *_periods_of_other_slots(entries), *filter(None, (running, beside))], key=lambda period: period.since
    )


def _periods_of_other_slots(entries: Iterable[Deployment]) -> Iterator[RunPeriod]:
    """Yield the periods of versions in other slots, beside the champion."""
    running: dict[Digest, RunPeriod] = {}
    for entry in entries:
        if entry.status == "blocked":  # which does not change what runs
            continue
        observed = {version.digest: version for version in observed_beside(entry).values()}
        for digest in running.keys() - observed.keys():
            yield msgspec.structs.replace(running.pop(digest), until=entry.at)
        for digest, version in observed.items():
            began = RunPeriod(
                digest=digest,
                version=version.version,
                promotion=entry.promotion,
                since=entry.at,
                traffic=version.traffic,
            )
            running[digest] = msgspec.structs.replace(running.get(digest, began), traffic=version.traffic)
    yield from running.values()


def _began(entry: Deployment) -> RunPeriod | None:
    """Return the period that starts with an entry; None if nothing runs."""
    if entry.digest is None:
        return None
    return RunPeriod(
        digest=entry.digest,
        version=entry.version,
        promotion=entry.promotion,
        since=entry.at,
        traffic=entry.traffic,
    )


def version_node(version: Version) -> LineageNode:
    """Return the node of a version."""
    ref = str(VersionRef(version.model, version.version))
    facts = {"digest": version.digest, "registered_at": version.registered_at}
    return LineageNode(id=version_id(ref), kind="version", label=ref, facts=facts)


def version_id(ref: str) -> str:
    """Return the id of the node of a version, `version:churn@10`."""
    return f"version:{ref}"


def data_node(dataset: str, stored: StoredFile) -> LineageNode:
    """Return the node of one content of a dataset."""
    facts = {"dataset": dataset, "sha256": stored.sha256, "md5": stored.md5, "size": stored.size}
    return LineageNode(id=f"data:{dataset}@{stored.sha256}", kind="data", label=dataset, facts=facts)


def code_node(version: Version, commit: Mapping[str, Any] | None = None) -> LineageNode:
    """Return the node of the training commit of a version, with more facts of the commit if given."""
    inputs = version.inputs
    facts = {"digest": inputs.code, **(commit or {})}
    return LineageNode(id=f"code:{inputs.commit}", kind="code", label=inputs.commit, facts=facts)


def build_origins_graph(version: Version, *, problem: str, commit: Mapping[str, Any] | None = None) -> LineageGraph:
    """Return the graph of everything that a version was made from.

    Args:
        version: the version.
        problem: name of the problem that it solves.
        commit: more facts of its training commit.
    """
    inputs, trainer, split = version.inputs, version.trained_by, version.evaluation.split
    params, packages = sha256(canonical(inputs.params)), inputs.lock
    parts: list[tuple[EdgeRole, LineageNode]] = [
        *(("data", data_node(name, stored)) for name, stored in inputs.data.items()),
        ("code", code_node(version, commit)),
        ("parameters", LineageNode(id=f"params:{params}", kind="params", label=params, facts=dict(inputs.params))),
        ("problem", LineageNode(id=f"problem:{problem}", kind="problem", label=problem)),
        (
            "test split",
            LineageNode(id=f"split:{split}", kind="split", label=split, facts={"rows": version.evaluation.rows}),
        ),
        (
            "trained by",
            LineageNode(id=f"person:{trainer.email}", kind="person", label=f"{trainer.name} <{trainer.email}>"),
        ),
    ]
    if packages is not None:
        parts.insert(-3, ("packages", LineageNode(id=f"packages:{packages}", kind="packages", label=packages)))
    own = version_node(version)
    edges = [LineageEdge(source=node.id, target=own.id, role=role) for role, node in parts]
    return LineageGraph([own, *(node for _, node in parts)], edges)


def build_runs_graph(version: Version, ran: Mapping[tuple[str, str], Iterable[RunPeriod]]) -> LineageGraph:
    """Return the graph of the environments that ran a version, and when.

    Args:
        version: the version.
        ran: periods by environment and model.
    """
    own = version_node(version)
    nodes, edges = [own], []
    for key, times in ran.items():
        label = "/".join(key)
        node = LineageNode(id=f"environment:{label}", kind="environment", label=label)
        for time in times:
            if time.digest == version.digest:
                nodes.append(node)
                edges.append(
                    LineageEdge(
                        source=own.id,
                        target=node.id,
                        role="ran in",
                        since=time.since,
                        until=time.until,
                        traffic=time.traffic,
                    )
                )
    return merge_graphs([LineageGraph(nodes, edges)])


def merge_graphs(graphs: Iterable[LineageGraph]) -> LineageGraph:
    """Merge graphs; of a node that is in several, the one with the most facts is kept."""
    nodes: dict[str, LineageNode] = {}
    edges: dict[tuple[str, str, str, datetime | None], LineageEdge] = {}
    for graph in graphs:
        for node in graph.nodes:
            if node.id not in nodes or len(node.facts) > len(nodes[node.id].facts):
                nodes[node.id] = node
        edges.update({(edge.source, edge.target, edge.role, edge.since): edge for edge in graph.edges})
    return LineageGraph(list(nodes.values()), list(edges.values()))


def walk(graph: LineageGraph, root: str, direction: WalkDirection) -> Iterator[LineageStep]:
    """Yield the ancestors of a node (what it was made from) or its descendants, depth first, in the order of the edges.

    A node is yielded once for each edge that leads to it. Cycles are not followed.
    """
    nodes = {node.id: node for node in graph.nodes}
    onward: dict[str, list[tuple[LineageEdge, str]]] = {}
    for edge in graph.edges:
        here, there = (edge.target, edge.source) if direction == "up" else (edge.source, edge.target)
        onward.setdefault(here, []).append((edge, there))
    path = {root: None}
    waiting = [iter(onward.get(root, ()))]  # an explicit stack: a path may be longer than the recursion limit
    while waiting:
        step = next(waiting[-1], None)
        if step is None:
            waiting.pop()
            path.popitem()
        elif step[1] not in path:
            edge, there = step
            yield LineageStep(len(path), edge, nodes[there])
            path[there] = None
            waiting.append(iter(onward.get(there, ())))


def _is_digest(text: str) -> bool:
    return text.startswith(("md5:", "sha256:"))
