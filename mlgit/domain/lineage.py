"""What a version was made from, and where it ran: a graph that follows from records alone."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, Self

import msgspec

from mlgit.domain.codec import canonical, sha256
from mlgit.domain.names import Digest, PromotionId, VersionRef, is_name
from mlgit.domain.records.ledger import Deployment
from mlgit.domain.records.version import StoredFile, Version
from mlgit.domain.slots import seen
from mlgit.errors import usage_error

NodeKind = Literal["version", "data", "code", "params", "packages", "problem", "split", "person", "environment"]
EdgeRole = Literal[
    "data", "code", "parameters", "packages", "problem", "test split", "trained by", "supersedes", "ran in"
]
Direction = Literal["up", "down"]

_PREFIX = re.compile(r"(?:(?P<hash>md5|sha256):)?(?P<digits>[0-9a-f]{4,64}(?:\.dir)?)")


class LineageNode(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a version was made from, a version, or an environment that ran one."""

    id: str
    kind: NodeKind
    label: str
    facts: dict[str, Any] = {}


class LineageEdge(msgspec.Struct, frozen=True, kw_only=True):
    """What the source is to the target, which came after it; `since` and `until` say when a version ran.

    `traffic` is its share of the requests, in per cent, where it never answered all of them in that time.
    """

    source: str
    target: str
    role: EdgeRole
    since: datetime | None = None
    until: datetime | None = None
    traffic: int | None = None


class LineageGraph(msgspec.Struct, frozen=True):
    """Nodes and edges, each once."""

    nodes: list[LineageNode]
    edges: list[LineageEdge]


class LineageStep(msgspec.Struct, frozen=True):
    """A node on a walk from a root, by how many edges it is away from it, and the edge that led to it."""

    depth: int
    edge: LineageEdge
    node: LineageNode


class RunPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """A time during which one environment ran one content. `version` is its label where the ledger tells it.

    `until` is None for what was still running when the ledger was last written. `traffic` is the last share of the requests,
    in per cent, of what never answered all of them; it ran beside something else, a shadow without any share.
    """

    digest: Digest
    version: int | None
    promotion: PromotionId
    since: datetime
    until: datetime | None = None
    traffic: int | None = None


class DataRef(msgspec.Struct, frozen=True, kw_only=True):
    """Data that is asked for: by the name of its dataset, by the beginning of its digest, or by both."""

    dataset: str | None = None
    prefix: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `flights`, `flights@3f9a`, `flights@md5:3f9a`, `md5:3f9a` or `sha256:3f9a`.

        Raises:
            Misuse: the text is of none of these forms (`data-name`).
        """
        name, at, prefix = ("", "", text) if _is_digest(text) else text.partition("@")
        if (name and not is_name(name)) or not (name or prefix) or ((at or not name) and not _PREFIX.fullmatch(prefix)):
            raise usage_error(
                "data-name",
                f"{text!r} names no data",
                why="a digest is hexadecimal, 4 digits at the least",
                fix="write DATASET, DATASET@DIGEST, md5:DIGEST or sha256:DIGEST; a digest may be cut short",
            )
        return cls(dataset=name or None, prefix=prefix or None)

    def matches(self, dataset: str, stored: StoredFile) -> bool:
        """Tell whether the content of a dataset is what is asked for."""
        if self.dataset not in {None, dataset}:
            return False
        found = None if self.prefix is None else _PREFIX.fullmatch(self.prefix)
        if found is None:
            return True
        digests = {"md5": stored.md5, "sha256": stored.sha256.removeprefix("sha256:")}
        return any(
            digest.startswith(found["digits"]) for hash_, digest in digests.items() if found["hash"] in {None, hash_}
        )

    def __str__(self) -> str:
        return "@".join(part for part in (self.dataset, self.prefix) if part)


def run_periods(entries: Iterable[Deployment]) -> list[RunPeriod]:
    """Return what one environment ran of one model and when, from all its entries on the ledger in their order.

    Every entry says what the target was seen to run, also one that was blocked; a time ends where an entry sees something
    else, or nothing. A version that takes over step by step runs from its first share of the requests on. What runs beside
    the champion for good does so until an entry does not see it any longer.
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
            if entry.status != "blocked":  # which leaves all that runs alone
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
    return sorted([*ended, *_standing(entries), *filter(None, (running, beside))], key=lambda period: period.since)


def _standing(entries: Iterable[Deployment]) -> Iterator[RunPeriod]:
    """Yield when something ran beside the champion for good."""
    running: dict[Digest, RunPeriod] = {}
    for entry in entries:
        if entry.status == "blocked":  # which leaves all that runs alone
            continue
        there = {one.digest: one for one in seen(entry).values()}
        for digest in running.keys() - there.keys():
            yield msgspec.structs.replace(running.pop(digest), until=entry.at)
        for digest, one in there.items():
            began = RunPeriod(
                digest=digest, version=one.version, promotion=entry.promotion, since=entry.at, traffic=one.traffic
            )
            running[digest] = msgspec.structs.replace(running.get(digest, began), traffic=one.traffic)
    yield from running.values()


def _began(entry: Deployment) -> RunPeriod | None:
    """Return the time that begins with an entry; None where it has seen nothing run."""
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
    """Return the node of the commit whose code a version was trained with, with what else is known of the commit."""
    inputs = version.inputs
    facts = {"digest": inputs.code, **(commit or {})}
    return LineageNode(id=f"code:{inputs.commit}", kind="code", label=inputs.commit, facts=facts)


def build_origins_graph(version: Version, *, problem: str, commit: Mapping[str, Any] | None = None) -> LineageGraph:
    """Return all that a version was made from.

    Args:
        version: the version.
        problem: name of the problem that it solves.
        commit: what is known of the commit whose code it was trained with.
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
    """Return the environments that ran a version, and when.

    Args:
        version: the version.
        ran: what each environment ran of each model, by both names.
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
    """Return one graph of several; of a node that is in more than one, the one with the most facts."""
    nodes: dict[str, LineageNode] = {}
    edges: dict[tuple[str, str, str, datetime | None], LineageEdge] = {}
    for graph in graphs:
        for node in graph.nodes:
            if node.id not in nodes or len(node.facts) > len(nodes[node.id].facts):
                nodes[node.id] = node
        edges.update({(edge.source, edge.target, edge.role, edge.since): edge for edge in graph.edges})
    return LineageGraph(list(nodes.values()), list(edges.values()))


def walk(graph: LineageGraph, root: str, direction: Direction) -> Iterator[LineageStep]:
    """Yield what is above a node (what it was made from) or below it, depth first, in the order of the edges.

    A node that several edges lead to comes once for each. What leads back to where the walk came from is left out.
    """
    nodes = {node.id: node for node in graph.nodes}
    onward: dict[str, list[tuple[LineageEdge, str]]] = {}
    for edge in graph.edges:
        here, there = (edge.target, edge.source) if direction == "up" else (edge.source, edge.target)
        onward.setdefault(here, []).append((edge, there))
    path = {root: None}
    waiting = [iter(onward.get(root, ()))]  # a stack of its own: a chain may be longer than Python recurses
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            path.popitem()
        elif found[1] not in path:
            edge, there = found
            yield LineageStep(len(path), edge, nodes[there])
            path[there] = None
            waiting.append(iter(onward.get(there, ())))


def _is_digest(text: str) -> bool:
    return text.startswith(("md5:", "sha256:"))
