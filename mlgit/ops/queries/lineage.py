"""Lineage: what a version was made from and where it ran, and which versions were made from data or code."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from mlgit.domain import layout, lineage
from mlgit.domain.lineage import DataRef, LineageEdge, LineageGraph, LineageNode, RunPeriod
from mlgit.domain.names import CommitId, Digest, VersionRef
from mlgit.domain.records import Version
from mlgit.domain.rules.versions import check_version
from mlgit.errors import Exit, Finding
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.progress import Progress
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, state_at

_BATCH = 1000  # records in memory at a time
_COMMIT_ID = re.compile(r"[0-9a-f]{7,64}")

RunPeriods = dict[tuple[str, str], list[RunPeriod]]
"""When each version ran, by environment and model."""


class Lineage(Outcome, frozen=True, kw_only=True, tag="mlgit/lineage.v1"):
    """A graph with edges from inputs to versions, and from versions to the environments that ran them.

    `query` is what was asked for, and `roots` are its nodes. `versions` are the matching versions, lowest number first.
    `records_read` is the number of records that were searched, and `unreadable` has a finding for each that could not be read.
    `findings` are about the matching versions.
    """

    query: str
    revision: str
    commit: str
    roots: list[str]
    versions: list[str]
    records_read: int
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    findings: list[Finding] = []
    unreadable: list[Finding] = []

    @property
    def graph(self) -> LineageGraph:
        """The nodes and edges."""
        return LineageGraph(self.nodes, self.edges)

    @property
    def exit(self) -> Exit:
        """Inconclusive if a record cannot be read, because it could match; no if no version matches, or one was tampered with."""
        if self.unreadable:
            return Exit.INCONCLUSIVE
        return Exit.YES if self.versions and not self.findings else Exit.NO


def of_version(
    workspace: Workspace, snapshot: Snapshot, ref: VersionRef, *, on_progress: Progress = lambda _: None
) -> Lineage:
    """Trace a version to what it was made from, the versions that it supersedes or that supersede it, and where it ran.

    Args:
        workspace: the workspace.
        snapshot: the state and the ledger to read.
        ref: the version.
        on_progress: called with the number of records that were read.

    Raises:
        MlgitError: the version does not exist (`version-unknown`).
    """
    version = snapshot.state.version(ref)
    search = _Search(snapshot, on_progress)
    later = [number for number in snapshot.state.numbers(ref.model) if number > ref.number]
    successors = list(search.find(lambda other: other.supersedes == ref.number, {ref.model: later}))
    runs = search.runs([ref.model])
    problem = snapshot.state.model(ref.model).problem
    graph = lineage.merge_graphs(
        [
            lineage.build_origins_graph(
                version, problem=problem, commit=_commit_facts(workspace, version.inputs.commit)
            ),
            _superseded(snapshot, version),
            *(_superseding(successor) for successor in successors),
            *(lineage.build_runs_graph(node, runs) for node in (version, *successors)),
        ]
    )
    return search.result(str(ref), [lineage.version_id(str(ref))], [version], graph)


def of_data(snapshot: Snapshot, data: DataRef, *, on_progress: Progress = lambda _: None) -> Lineage:
    """Trace data to the versions that were made from it, and to where they ran.

    Args:
        snapshot: the state and the ledger to read.
        data: a dataset, a digest, or both.
        on_progress: called with the number of records that were read.

    Raises:
        MlgitError: no version was made from it, and the dataset does not exist (`dataset-unknown`).
    """

    def inputs(version: Version) -> dict[str, Any]:
        return {name: stored for name, stored in version.inputs.data.items() if data.matches(name, stored)}

    search = _Search(snapshot, on_progress)
    versions = list(search.find(lambda version: bool(inputs(version))))
    if not versions and data.dataset is not None:
        snapshot.state.dataset(data.dataset)  # raises if it does not exist
    runs = search.runs(version.model for version in versions)
    parts = []
    for version in versions:
        nodes = [lineage.data_node(name, stored) for name, stored in inputs(version).items()]
        parts += [_inputs_graph(nodes, version, "data"), lineage.build_runs_graph(version, runs)]
    graph = lineage.merge_graphs(parts)
    return search.result(f"data {data}", [node.id for node in graph.nodes if node.kind == "data"], versions, graph)


def of_code(
    workspace: Workspace, snapshot: Snapshot, commit: str, *, on_progress: Progress = lambda _: None
) -> Lineage:
    """Trace the code of a commit to the versions that were trained with it, also at another commit with the same code.

    Args:
        workspace: the workspace.
        snapshot: the state and the ledger to read.
        commit: the commit. An id, which may be abbreviated, may also be of a commit that is no longer in the repository.
        on_progress: called with the number of records that were read.

    Raises:
        MlgitError: this is neither a commit nor the form of an id (`revision-unknown`).
    """
    commit_id = workspace.repository.resolve(commit) or commit
    if _COMMIT_ID.fullmatch(commit_id) is None:
        state_at(workspace, commit)  # raises, because it does not exist
    search = _Search(snapshot, on_progress)
    # Which code the commit has is known only after the pass, so note the paths of all versions, and read the matching ones again.
    by_code: dict[Digest, list[str]] = {}
    codes: dict[Digest, None] = {}
    for version in search.find(lambda _: True):
        by_code.setdefault(version.inputs.code, []).append(layout.version(version.model, version.version))
        if version.inputs.commit.startswith(commit_id):
            codes[version.inputs.code] = None
    records = snapshot.state.read(Version, [path for code in codes for path in by_code[code]])
    versions = [version for version in records.values() if version is not None]
    runs = search.runs(version.model for version in versions)
    commits = dict.fromkeys(version.inputs.commit for version in versions)
    facts = {trained_at: _commit_facts(workspace, trained_at, author=trained_at == commit_id) for trained_at in commits}
    parts = []
    for version in versions:
        nodes = [lineage.code_node(version, facts[version.inputs.commit])]
        parts += [_inputs_graph(nodes, version, "code"), lineage.build_runs_graph(version, runs)]
    graph = lineage.merge_graphs(parts)
    return search.result(f"code {commit_id}", [node.id for node in graph.nodes if node.kind == "code"], versions, graph)


class _Search:
    """One pass over the records of versions."""

    def __init__(self, snapshot: Snapshot, on_progress: Progress) -> None:
        self._snapshot = snapshot
        self._on_progress = on_progress
        self._records_read = 0
        self._unreadable: list[Finding] = []

    def find(
        self, matches: Callable[[Version], bool], numbers: dict[str, list[int]] | None = None
    ) -> Iterator[Version]:
        """Yield the matching versions.

        Args:
            matches: whether a version matches.
            numbers: the version numbers to search, by model; None for all.
        """
        state = self._snapshot.state
        numbers = state.numbers_of(state.models()) if numbers is None else numbers
        paths = iter([layout.version(model, number) for model, listed in numbers.items() for number in listed])
        while batch := list(islice(paths, _BATCH)):
            records, problems = state.read_each(batch, keep=False)
            self._unreadable += problems
            self._records_read += len(batch)
            self._on_progress(self._records_read)
            yield from (record for record in records.values() if isinstance(record, Version) and matches(record))

    def runs(self, models: Iterable[str]) -> RunPeriods:
        """Return when each environment ran versions of these models."""
        ledger = self._snapshot.ledger
        folders = () if ledger.tree is None else ledger.tree.names("deployments")
        environments = [name.removesuffix("/") for name in folders if name.endswith("/")]
        keys = [(environment, model) for model in dict.fromkeys(models) for environment in self._ordered(environments)]
        return {key: lineage.run_periods(entries) for key, entries in ledger.deployments_of(keys).items()}

    def result(self, query: str, roots: list[str], versions: Sequence[Version], graph: LineageGraph) -> Lineage:
        """Return the outcome of the search."""
        tampered = [
            finding
            for version in versions
            for finding in check_version(version, {})
            if finding.id == "version-tampered"
        ]
        return Lineage(
            query=query,
            revision=self._snapshot.name,
            commit=self._snapshot.commit,
            roots=roots,
            versions=[f"{version.model}@{version.version}" for version in versions],
            records_read=self._records_read,
            nodes=graph.nodes,
            edges=graph.edges,
            findings=tampered,
            unreadable=self._unreadable,
        )

    def _ordered(self, environments: list[str]) -> list[str]:
        """Return environments in the order of the project; removed ones come last."""
        current = self._snapshot.state.environments()
        return sorted(environments, key=lambda name: (current.index(name) if name in current else len(current), name))


def _inputs_graph(inputs: Sequence[LineageNode], version: Version, role: lineage.EdgeRole) -> LineageGraph:
    """Return a version with an edge from each input."""
    node = lineage.version_node(version)
    edges = [LineageEdge(source=source.id, target=node.id, role=role) for source in inputs]
    return LineageGraph([*inputs, node], edges)


def _superseding(version: Version) -> LineageGraph:
    """Return a version with the edge from the one that it supersedes."""
    node = lineage.version_node(version)
    before = lineage.version_id(f"{version.model}@{version.supersedes}")
    return LineageGraph([node], [LineageEdge(source=before, target=node.id, role="supersedes")])


def _superseded(snapshot: Snapshot, version: Version) -> LineageGraph:
    """Return the version that a version supersedes, the one that this supersedes, and so on."""
    graphs = []
    # The numbers have to decrease, so that edited records which supersede each other cannot cause an endless loop.
    while version.supersedes is not None and version.supersedes < version.version:
        before = snapshot.state.find_version(version.model, version.supersedes)
        if before is None:
            break
        graphs += [LineageGraph([lineage.version_node(before)], []), _superseding(version)]
        version = before
    return lineage.merge_graphs(graphs)


def _commit_facts(workspace: Workspace, commit: CommitId, *, author: bool = True) -> dict[str, Any]:
    """Return whether the repository has a commit, which after a rebase it may not, and its author, time and subject."""
    repository = workspace.repository
    exists = repository.resolve(commit) is not None
    if not (exists and author):
        return {"in_repository": exists}
    found, _ = next(iter(repository.commits(commit)))
    return {
        "in_repository": True,
        "author": found.author,
        "email": found.author_email,
        "at": found.at,
        "subject": found.subject,
    }
