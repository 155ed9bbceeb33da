"""Check the files of a project: all of them, or what a change touches. A pure parser: nothing of the project is run."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from mlgit.domain import governance, layout
from mlgit.domain.merge_rules.slots import check_layout
from mlgit.domain.names import Digest
from mlgit.domain.records import (
    Environment,
    Hold,
    Model,
    Override,
    Policy,
    Problem,
    Project,
    Promotion,
    Record,
    Roles,
    StandingApproval,
    Version,
)
from mlgit.domain.records.governance import RoleHolder
from mlgit.domain.rules.changes import check_immutable, check_kept, check_separation
from mlgit.domain.rules.paths import LARGEST, check_clashes, check_paths, check_sizes, check_unplaced
from mlgit.domain.rules.promotions import check_described, check_replaces, check_slots
from mlgit.domain.rules.versions import check_card, check_version, stated_blobs, stored_files
from mlgit.domain.rules.written import (
    check_enforced,
    check_environment,
    check_model,
    check_policy,
    check_problem,
    check_project,
    check_roles,
)
from mlgit.errors import Exit, Finding, Location, MlgitError, Severity
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.formats import Formats
from mlgit.ops.kernel.ports.git import PathChange, Tree
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.policies import impact

R = TypeVar("R", bound=Record)

_BATCH = 256  # versions read at once: enough to read in bulk, few enough to keep memory flat
_MANY = {"version", "gate-report"}  # kinds of which there may be hundreds of thousands

_KNOWN_BY_ID = (".dvc", "/card.md", "/profile.json")  # what a version says the id of, or what its id follows from

Progress = Callable[[int], None]


class Validated(Outcome, frozen=True, kw_only=True, tag="mlgit/validate.v1"):
    """What was checked, and what was found."""

    tree: str
    base: str | None
    records_checked: int
    paths_changed: int | None
    findings: list[Finding]

    @property
    def exit(self) -> Exit:
        """No where there is an error; warnings let pass."""
        return Exit.NO if any(found.severity is Severity.ERROR for found in self.findings) else Exit.YES


def run(
    workspace: Workspace, *, base: str | None = None, at: str | None = None, on_progress: Progress = lambda _: None
) -> Validated:
    """Check the work tree, or a commit; all of it, or what changed since a base.

    Without a base, the whole tree is checked, and its registered versions are held against those of the base branch.

    Raises:
        MlgitError: a revision names no commit.
    """
    repository = workspace.repository
    tree = repository.work_tree() if at is None else snapshot.state_at(workspace, at).tree
    head = Lifecycle(tree, workspace.formats.record)
    head.project()
    onto = snapshot.state_at(workspace, base) if base is not None else _base_branch(workspace, head)
    since = None if onto is None else _since(workspace, onto, tree)
    changes = [] if since is None else repository.changes(since, tree.commit)
    if base is not None and onto is not None:
        checked, findings = check_change(onto, head, changes, workspace.formats)
        findings += impact.notes(onto, head, changes)
    else:
        checked, findings = check_all(head, workspace.formats, on_progress)
        findings += _check_kept(changes)
    return Validated(
        tree="the work tree" if tree.commit is None else tree.commit[:12],
        base=base,
        records_checked=checked,
        paths_changed=None if since is None else len(changes),
        findings=sorted(findings, key=_order),
    )


def _base_branch(workspace: Workspace, head: Lifecycle) -> Lifecycle | None:
    commit = workspace.repository.resolve(f"refs/heads/{head.project().base}")
    return None if commit is None else Lifecycle(workspace.repository.tree(commit), workspace.formats.record)


def _since(workspace: Workspace, onto: Lifecycle, tree: Tree) -> str | None:
    """Return the commit that a change began at: where its line left the base."""
    commit = onto.tree.commit
    assert commit is not None  # noqa: S101 - a base is a commit
    head = tree.commit or workspace.repository.resolve("HEAD")
    return commit if head is None else workspace.repository.merge_base(commit, head) or commit


def _check_kept(changes: Sequence[PathChange]) -> list[Finding]:
    """Check that a change leaves alone what has to stay."""
    differences = [(change.path, change.status) for change in changes]
    return [*check_immutable(differences), *check_kept(differences)]


def check_all(head: Lifecycle, formats: Formats, on_progress: Progress = lambda _: None) -> tuple[int, list[Finding]]:
    """Check every file of a tree.

    The digest of a card proves that it is the one that was judged when it came in, so the content is read again only for
    versions that an environment names, and for the newest of each model.

    Returns:
        The number of records that were read, and the findings.
    """
    entries = list(head.tree.entries())
    check = _Check(head, formats)
    check.add(check_paths((entry.path, entry.mode) for entry in entries))
    check.add(check_sizes(head.tree.larger(LARGEST, _unread(entry.path for entry in entries))))
    check.pointers(entry.path for entry in entries)
    kinds, others = _by_kind(entry.path for entry in entries)
    check.ids = {
        entry.path: entry.blob for entry in entries if entry.blob is not None and entry.path.endswith(_KNOWN_BY_ID)
    }
    del entries
    check.unplaced(others)
    small = check.references({kind: paths for kind, paths in kinds.items() if kind not in _MANY})
    manifests = _of(Promotion, small.get("promotion", {}))
    folders = {path.removesuffix("/version.json"): path for path in kinds.get("version", [])}
    with_cards = _named(manifests) | _newest(folders)
    digests: dict[str, dict[int, Digest]] = {}
    for batch in _batches(folders):
        for version in check.versions(batch, with_cards):
            digests.setdefault(version.model, {})[version.version] = version.digest
        on_progress(check.done)
    for batch in _batches(kinds.get("gate-report", [])):
        check.records(batch, keep=False)
        on_progress(check.done)
    for manifest in manifests:
        there = {number: None for number in _numbers(manifest) if _folder(manifest, number) in folders}
        check.add(check_slots(manifest, {**there, **digests.get(manifest.model, {})}))
        check.add(check_layout(manifest))
    return check.done, list(check.findings)


def check_change(
    base: Lifecycle, head: Lifecycle, changes: Sequence[PathChange], formats: Formats
) -> tuple[int, list[Finding]]:
    """Check what a change touches: its own files, what refers to them, and what it may not do.

    Args:
        base: the tree that the change is made to.
        head: the tree with the change.
        changes: how the paths of the two differ.
        formats: how files are read.

    Returns:
        The number of records that were read, and the findings.
    """
    check = _Check(head, formats)
    check.add(_check_kept(changes))
    check.add(check_separation(change.path for change in changes))
    there = [change.path for change in changes if change.status != "D"]
    check.add(check_paths((entry.path, entry.mode) for entry in head.tree.entries(there)) if there else ())
    check.add(_clashes(head.tree, there))
    check.add(check_sizes(head.tree.larger(LARGEST, there)))
    check.pointers(there)
    if _by_kind(change.path for change in changes)[0].keys() - _MANY - {"promotion"}:
        check.references(_small_paths(head))
    changed, others = _by_kind(there)
    check.unplaced(others)
    check.overrides_kept(base, [change.path for change in changes if change.status != "A"])
    folders = {"/".join(path.split("/")[:4]) for path in there if layout.is_immutable(path)}
    folders = {folder for folder in folders if layout.parse_path(f"{folder}/version.json") is not None}
    list(check.versions(sorted(folders), folders))
    check.records(changed.get("gate-report", []))
    for manifest in _of(Promotion, check.records(changed.get("promotion", []))):
        check.add(check_described(manifest, _described(head)))
        check.add(check_slots(manifest, check.digests(manifest)))
        check.add(check_layout(manifest))
        check.add(check_replaces(manifest, base.promotion(manifest.environment, manifest.model)))
    return check.done, list(check.findings)


class _Check:
    """One check of one tree: what was read, and what was found so far."""

    def __init__(self, lifecycle: Lifecycle, formats: Formats) -> None:
        self.done = 0
        self.ids: dict[str, str] = {}
        """Ids of files by path, where they are there without a look at each."""
        self.findings: dict[Finding, None] = {}
        """In the order in which they were found, each once, however many ways lead to it."""
        self._lifecycle = lifecycle
        self._formats = formats

    def add(self, findings: Iterable[Finding]) -> None:
        """Keep findings."""
        self.findings.update(dict.fromkeys(findings))

    def records(self, paths: Collection[str], *, keep: bool = True) -> dict[str, Record | None]:
        """Read records; what is none becomes findings."""
        records, problems = self._lifecycle.read_each(paths, keep=keep)
        self.add(problems)
        self.done += len(paths)
        return records

    def pointers(self, paths: Iterable[str]) -> None:
        """Check the pointers to data among some paths."""
        found = (path for path in paths if path.startswith("datasets/") and path.endswith(".dvc"))
        for path, content in self._lifecycle.tree.read_many(found):
            try:
                if content is not None:
                    self._formats.check_pointer(path, content)
            except MlgitError as error:
                self.add(error.findings)

    def overrides_kept(self, base: Lifecycle, paths: Iterable[str]) -> None:
        """Check that the overrides among some paths say what they said on the base, but for the review."""
        known = _by_kind(paths)[0].get("override", [])
        before, _ = base.read_each(known)
        after, problems = self._lifecycle.read_each(known)
        self.add(problems)
        for path, override in before.items():
            now = after.get(path)
            if isinstance(override, Override) and path in after:
                kept = governance.check_override_unchanged(
                    _name(path), override, now if isinstance(now, Override) else None
                )
                self.add(kept)

    def unplaced(self, paths: Collection[str]) -> None:
        """Check paths at which no record belongs: some look as if one did."""
        self.add(check_unplaced(paths))
        self.records([path for path in paths if layout.is_version_like(path)])

    def references(self, paths: Mapping[str, Collection[str]]) -> dict[str, dict[str, Record | None]]:
        """Read the records that people write, by kind; check each against those that it names; return them by kind and path.

        What is there and cannot be read is no reason to say that it is not there.
        """
        small = {kind: self.records(some) for kind, some in paths.items()}
        names = {kind: {_name(path) for path in some} for kind, some in paths.items()}
        projects = _of(Project, small.get("project", {}))
        for problem in _of(Problem, small.get("problem", {})):
            self.add(check_problem(problem))
        for model in _of(Model, small.get("model", {})):
            self.add(check_model(model, names.get("problem", ()), names.get("dataset", ())))
        for policy in _of(Policy, small.get("policy", {})):
            self.add(check_policy(policy))
        for project in projects:
            self.add(check_project(project, names.get("environment", ())))
            for environment in _of(Environment, small.get("environment", {})):
                self.add(check_environment(environment, project, names.get("policy", ())))
                guard = small.get("policy", {}).get(layout.policy(environment.policy))
                self.add(check_enforced(guard) if isinstance(guard, Policy) else ())
        for roles in _of(Roles, small.get("roles", {})):
            self.add(check_roles(roles))
        for manifest in _of(Promotion, small.get("promotion", {})):
            self.add(check_described(manifest, names.get("environment", ())))
        self._exceptions(small, names)
        return small

    def _exceptions(self, small: Mapping[str, Mapping[str, Record | None]], names: Mapping[str, set[str]]) -> None:
        """Check holds, overrides and standing approvals against what they name."""
        environments = {one.name: one for one in _of(Environment, small.get("environment", {}))}
        people = {name: holder for roles in _of(Roles, small.get("roles", {})) for name, holder in roles.people.items()}
        there, models = names.get("environment", set()), names.get("model", set())
        for path, hold in small.get("hold", {}).items():
            if isinstance(hold, Hold):
                digest = self._digest(hold.model, hold.version, hold.digest)
                self.add(governance.check_hold(_name(path), hold, environments=there, models=models, digest=digest))
        for path, override in small.get("override", {}).items():
            if isinstance(override, Override):
                where = environments.get(override.environment)
                policy = small.get("policy", {}).get(layout.policy(where.policy)) if where else None
                digest = self._digest(override.model, override.version, override.digest)
                self.add(
                    governance.check_override(
                        _name(path),
                        override,
                        environments=there,
                        policy=policy if isinstance(policy, Policy) else None,
                        models=models,
                        digest=digest,
                        people=people,
                    )
                )
        for path, standing in small.get("standing-approval", {}).items():
            if isinstance(standing, StandingApproval):
                self.add(self._standing(_name(path), standing, small, names, people))

    def _standing(
        self,
        name: str,
        standing: StandingApproval,
        small: Mapping[str, Mapping[str, Record | None]],
        names: Mapping[str, set[str]],
        people: Mapping[str, RoleHolder],
    ) -> Iterator[Finding]:
        where = small.get("environment", {}).get(layout.environment(standing.environment))
        policy = small.get("policy", {}).get(layout.policy(where.policy)) if isinstance(where, Environment) else None
        model = small.get("model", {}).get(layout.model(standing.model))
        problem = small.get("problem", {}).get(layout.problem(model.problem)) if isinstance(model, Model) else None
        yield from governance.check_standing_approval(
            name,
            standing,
            environments=names.get("environment", set()),
            models=names.get("model", set()),
            policy=policy if isinstance(policy, Policy) else None,
            risk=problem.risk if isinstance(problem, Problem) else None,
            people=people,
        )

    def _digest(self, model: str | None, version: int | None, stated: Digest | None) -> Digest | None:
        """Return the digest of a version; None if there is none, and what is stated of one that cannot be read."""
        if model is None or version is None:
            return None
        path = layout.version(model, version)
        records, problems = self._lifecycle.read_each([path])
        self.add(problems)
        record = records.get(path)
        return record.digest if isinstance(record, Version) else stated if problems else None

    def versions(self, folders: Collection[str], with_cards: Collection[str]) -> Iterator[Version]:
        """Check versions and every file that they name; yield those that can be read."""
        records = self.records([f"{folder}/version.json" for folder in folders], keep=False)
        versions = _of(Version, records)
        pointers = [
            {f"{stored.path}.dvc": self._formats.pointer(stored) for stored in stored_files(version)}
            for version in versions
        ]
        known = self._known(versions, pointers)
        unread = []
        for version, named, same in zip(versions, pointers, known, strict=True):
            folder = layout.version_folder(version.model, version.version)
            if folder in with_cards:
                same.discard("card.md")
            unread.append([f"{folder}/{name}" for name in ("card.md", "profile.json", *named) if name not in same])
        contents = self._lifecycle.tree.read_many(path for paths in unread for path in paths)
        for version, named, same, paths in zip(versions, pointers, known, unread, strict=True):
            folder = layout.version_folder(version.model, version.version)
            files = {path.removeprefix(f"{folder}/"): content for path, content in islice(contents, len(paths))}
            self.add(check_version(version, files, named, known=same, ids=self._ids(version, files)))
            if folder in with_cards and (card := files["card.md"]) is not None:
                self._card(version, f"{folder}/card.md", card)
            yield version

    def _known(self, versions: Sequence[Version], pointers: Sequence[Mapping[str, bytes]]) -> list[set[str]]:
        """Return, for each version, the names of the files whose ids in Git say, unread, that they are what they must be."""
        if not self.ids:
            return [set() for _ in versions]
        blobs = iter(self._lifecycle.tree.blobs([pointer for named in pointers for pointer in named.values()]) or ())
        known = []
        for version, named in zip(versions, pointers, strict=True):
            folder = layout.version_folder(version.model, version.version)
            stated = dict(zip(named, blobs, strict=False)) | stated_blobs(version)
            known.append({name for name, blob in stated.items() if self.ids.get(f"{folder}/{name}") == blob})
        return known

    def _ids(self, version: Version, files: Mapping[str, bytes | None]) -> dict[str, str]:
        """Return the ids of those files of a version that were read and that it states the ids of."""
        read = {name: content for name in stated_blobs(version) if (content := files.get(name)) is not None}
        return dict(zip(read, self._lifecycle.tree.blobs(list(read.values())) or (), strict=False)) if read else {}

    def digests(self, manifest: Promotion) -> dict[int, Digest | None]:
        """Return the digests of the versions that a manifest names, and the labels of all others."""
        paths = {number: f"{_folder(manifest, number)}/version.json" for number in _numbers(manifest)}
        records = self.records(paths.values())
        missing = {number for number, path in paths.items() if path in records and records[path] is None}
        there = [number for number in self._lifecycle.numbers(manifest.model) if number not in missing]
        return dict.fromkeys(there) | {version.version: version.digest for version in _of(Version, records)}

    def _card(self, version: Version, file: str, content: bytes) -> None:
        try:
            card, _ = self._formats.card(file, content)
            problem = self._lifecycle.problem_of(version.model)
        except MlgitError as error:
            self.add(error.findings)
        else:
            self.add(check_card(card, version, problem))


def _unread(paths: Iterable[str]) -> list[str]:
    """Return the paths of files that nothing else accounts for: whatever is no record, card, profile or pointer."""
    read = ("/version.json", "/card.md", "/profile.json", ".dvc", ".yaml")
    return [path for path in paths if not path.endswith(read) and "/gates/" not in path]


def _order(found: Finding) -> tuple[str, int, str, str]:
    at = found.at or Location("")
    return at.file, at.line or 0, at.path or "", found.id


def _of(kind: type[R], records: Mapping[str, Record | None]) -> list[R]:
    return [record for record in records.values() if isinstance(record, kind)]


def _by_kind(paths: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return paths by the kind of record that belongs there, and those of no kind."""
    kinds: dict[str, list[str]] = {}
    others = []
    for path in paths:
        if (place := layout.parse_path(path)) is not None:
            kinds.setdefault(place.kind, []).append(path)
        else:
            others.append(path)
    return kinds, others


def _name(path: str) -> str:
    place = layout.parse_path(path)
    assert place is not None  # noqa: S101 - _by_kind kept only what has a place
    return place.fields.get("name", "")


def _clashes(tree: Tree, paths: Iterable[str]) -> list[Finding]:
    """Hold paths, and the folders on the way to them, against what lies beside them; other clashes were there before."""
    parts = [path.split("/") for path in paths]
    touched = {"/".join(some[:depth]) for some in parts for depth in range(1, len(some) + 1)}
    folders = sorted({path.rpartition("/")[0] for path in touched})
    listings = zip(folders, tree.names_of(folders), strict=True)
    beside = [f"{folder}/{name}".strip("/") for folder, names in listings for name in names]
    clashes = check_clashes(sorted(beside, key=touched.__contains__))  # what is touched last, so that it is named
    return [clash for clash in clashes if clash.at is not None and clash.at.file in touched]


def _small_paths(head: Lifecycle) -> dict[str, list[str]]:
    folders = [
        f"{top}/{name}".rstrip("/") for top in ("datasets", "models", "environments") for name in head.tree.names(top)
    ]
    files = [f"{top}/{name}" for top in ("problems", "policies") for name in head.tree.names(top)]
    listed = [
        f"{folder}/{name}" for folder, names in zip(folders, head.tree.names_of(folders), strict=True) for name in names
    ]
    exceptions = [entry.path for entry in head.tree.entries(["holds", "overrides", "standing-approvals"])]
    return _by_kind([layout.PROJECT, layout.ROLES, *files, *listed, *exceptions])[0]


def _described(head: Lifecycle) -> set[str]:
    """Return the environments that are described."""
    folders = [name.removesuffix("/") for name in head.tree.names("environments") if name.endswith("/")]
    listings = head.tree.names_of([f"environments/{folder}" for folder in folders])
    return {folder for folder, names in zip(folders, listings, strict=True) if "environment.yaml" in names}


def _numbers(manifest: Promotion) -> list[int]:
    """Return the labels of the versions that a manifest names."""
    slots = (manifest.slots.champion, manifest.slots.challenger, manifest.slots.shadow)
    return [slot.version for slot in slots if slot is not None]


def _folder(manifest: Promotion, number: int) -> str:
    return layout.version_folder(manifest.model, number)


def _named(manifests: Iterable[Promotion]) -> set[str]:
    return {_folder(manifest, number) for manifest in manifests for number in _numbers(manifest)}


def _newest(folders: Iterable[str]) -> set[str]:
    newest: dict[str, tuple[int, str]] = {}
    for folder in folders:
        versions, _, label = folder.rpartition("/")
        newest[versions] = max(newest.get(versions, (0, "")), (int(label[1:]), folder))
    return {folder for _, folder in newest.values()}


def _batches(paths: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(paths)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
