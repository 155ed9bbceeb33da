"""What a version was made from and where it ran; and what became of data, or of a commit, in one pass over all records."""

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
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot

_BATCH = 1000  # records that are held at a time
_ID = re.compile(r"[0-9a-f]{7,64}")

Progress = Callable[[int], None]
Ran = dict[tuple[str, str], list[RunPeriod]]


class Lineage(Outcome, frozen=True, kw_only=True, tag="mlgit/lineage.v1"):
    """A graph whose edges lead from what came first to what came of it.

    `roots` are what was asked for, `versions` those that were found, oldest label first; `read` is how many records were
    looked through for them, and `unread` says which could not be. `findings` are about the versions that were found.
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
        """Not judged where a record cannot be read, for it could be one of them; no where none was found, or one is not sound."""
        if self.unreadable:
            return Exit.INCONCLUSIVE
        return Exit.YES if self.versions and not self.findings else Exit.NO


def of_version(
    workspace: Workspace, then: Snapshot, ref: VersionRef, *, on_progress: Progress = lambda _: None
) -> Lineage:
    """Tell what a version was made from, what it corrects, what corrects it, and where it ran.

    Raises:
        MlgitError: there is no such version (`version-unknown`).
    """
    version = then.state.version(ref)
    search = _Search(then, on_progress)
    later = [number for number in then.state.numbers(ref.model) if number > ref.number]
    corrections = list(search.find(lambda one: one.supersedes == ref.number, {ref.model: later}))
    ran = search.ran([ref.model])
    problem = then.state.model(ref.model).problem
    graph = lineage.merge_graphs(
        [
            lineage.build_origins_graph(version, problem=problem, commit=_told(workspace, version.inputs.commit)),
            _corrected(then, version),
            *(_superseding(one) for one in corrections),
            *(lineage.build_runs_graph(one, ran) for one in (version, *corrections)),
        ]
    )
    return search.answer(str(ref), [lineage.version_id(str(ref))], [version], graph)


def of_data(then: Snapshot, content: DataRef, *, on_progress: Progress = lambda _: None) -> Lineage:
    """Tell which versions were made from data, and where each of them ran.

    Args:
        then: the moment to tell it of.
        content: the data.
        on_progress: called with how many records were read.

    Raises:
        MlgitError: no version was made from it, and there is no dataset of that name (`dataset-unknown`).
    """

    def data(version: Version) -> dict[str, Any]:
        return {name: one for name, one in version.inputs.data.items() if content.matches(name, one)}

    search = _Search(then, on_progress)
    found = list(search.find(lambda version: bool(data(version))))
    if not found and content.dataset is not None:
        then.state.dataset(content.dataset)
    ran = search.ran(version.model for version in found)
    parts = []
    for version in found:
        nodes = [lineage.data_node(name, stored) for name, stored in data(version).items()]
        parts += [_feeding(nodes, version, "data"), lineage.build_runs_graph(version, ran)]
    graph = lineage.merge_graphs(parts)
    return search.answer(f"data {content}", [node.id for node in graph.nodes if node.kind == "data"], found, graph)


def of_code(workspace: Workspace, then: Snapshot, commit: str, *, on_progress: Progress = lambda _: None) -> Lineage:
    """Tell which versions were trained with the code of a commit, at that commit or at another that has the same code.

    Args:
        workspace: where.
        then: the moment to tell it of.
        commit: what names the commit; an id, whole or cut short, may be of one that is not in the repository any more.
        on_progress: called with how many records were read.

    Raises:
        MlgitError: it names no commit, and is no id of one (`revision-unknown`).
    """
    wanted = workspace.repository.resolve(commit) or commit
    if _ID.fullmatch(wanted) is None:
        snapshot.state_at(workspace, commit)  # says that it names no commit
    search = _Search(then, on_progress)
    by_code: dict[Digest, list[str]] = {}
    codes: dict[Digest, None] = {}
    for version in search.find(lambda _: True):
        by_code.setdefault(version.inputs.code, []).append(layout.version(version.model, version.version))
        if version.inputs.commit.startswith(wanted):
            codes[version.inputs.code] = None
    records = then.state.read(Version, [path for code in codes for path in by_code[code]])
    found = [version for version in records.values() if version is not None]
    ran = search.ran(version.model for version in found)
    commits = dict.fromkeys(version.inputs.commit for version in found)
    told = {one: _told(workspace, one, author=one == wanted) for one in commits}
    parts = []
    for version in found:
        nodes = [lineage.code_node(version, told[version.inputs.commit])]
        parts += [_feeding(nodes, version, "code"), lineage.build_runs_graph(version, ran)]
    graph = lineage.merge_graphs(parts)
    return search.answer(f"code {wanted}", [node.id for node in graph.nodes if node.kind == "code"], found, graph)


class _Search:
    """One pass over the records of versions."""

    def __init__(self, then: Snapshot, on_progress: Progress) -> None:
        self._then = then
        self._on_progress = on_progress
        self._read = 0
        self._unread: list[Finding] = []

    def find(self, fits: Callable[[Version], bool], numbers: dict[str, list[int]] | None = None) -> Iterator[Version]:
        """Yield the versions that fit; of all there are, or of those with these labels."""
        state = self._then.state
        listed = state.numbers_of(state.models()) if numbers is None else numbers
        paths = iter([layout.version(model, number) for model, labels in listed.items() for number in labels])
        while batch := list(islice(paths, _BATCH)):
            records, problems = state.read_each(batch, keep=False)
            self._unread += problems
            self._read += len(batch)
            self._on_progress(self._read)
            yield from (one for one in records.values() if isinstance(one, Version) and fits(one))

    def ran(self, models: Iterable[str]) -> Ran:
        """Return what each environment ran of some models, and when."""
        ledger = self._then.ledger
        folders = () if ledger.tree is None else ledger.tree.names("deployments")
        environments = [name.removesuffix("/") for name in folders if name.endswith("/")]
        keys = [(environment, model) for model in dict.fromkeys(models) for environment in self._ordered(environments)]
        return {key: lineage.run_periods(entries) for key, entries in ledger.deployments_of(keys).items()}

    def answer(self, query: str, roots: list[str], found: Sequence[Version], graph: LineageGraph) -> Lineage:
        """Put the answer together."""
        unsound = [
            finding
            for version in found
            for finding in check_version(version, {}, {})
            if finding.id == "version-tampered"
        ]
        return Lineage(
            query=query,
            revision=self._then.name,
            commit=self._then.commit,
            roots=roots,
            versions=[f"{version.model}@{version.version}" for version in found],
            records_read=self._read,
            nodes=graph.nodes,
            edges=graph.edges,
            findings=unsound,
            unreadable=self._unread,
        )

    def _ordered(self, environments: list[str]) -> list[str]:
        """Return environments in the order of the project; those that it has no more come last."""
        known = self._then.state.environments()
        return sorted(environments, key=lambda name: (known.index(name) if name in known else len(known), name))


def _feeding(nodes: Sequence[LineageNode], version: Version, role: lineage.EdgeRole) -> LineageGraph:
    own = lineage.version_node(version)
    return LineageGraph([*nodes, own], [LineageEdge(source=node.id, target=own.id, role=role) for node in nodes])


def _superseding(version: Version) -> LineageGraph:
    """Return a version with the edge from the one that it corrects."""
    own = lineage.version_node(version)
    before = lineage.version_id(f"{version.model}@{version.supersedes}")
    return LineageGraph([own], [LineageEdge(source=before, target=own.id, role="supersedes")])


def _corrected(then: Snapshot, version: Version) -> LineageGraph:
    """Return what a version corrects, what that corrects, and so on; a label lower than the one before it, each time."""
    graphs = []
    while version.supersedes is not None and version.supersedes < version.version:
        before = then.state.find_version(version.model, version.supersedes)
        if before is None:
            break
        graphs += [LineageGraph([lineage.version_node(before)], []), _superseding(version)]
        version = before
    return lineage.merge_graphs(graphs)


def _told(workspace: Workspace, commit: CommitId, *, author: bool = True) -> dict[str, Any]:
    """Return what the repository knows of a commit, its author only if wanted; after a rebase it may not be here."""
    repository = workspace.repository
    here = repository.resolve(commit) is not None
    if not (here and author):
        return {"here": here}
    one, _ = next(iter(repository.commits(commit)))
    return {"here": True, "author": one.author, "email": one.author_email, "at": one.at, "subject": one.subject}
