"""The files of a history at each of its commits, told by what changes from one to the next: no tree is read twice."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mlgit.domain.names import CommitId
from mlgit.domain.records import Record
from mlgit.errors import Finding, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.formats import RecordReader
from mlgit.ops.kernel.ports.git import Entry, PathChange, Repository, Tree
from mlgit.ops.kernel.record_tree import R

_REGULAR = "100"
"""How the mode of a regular file begins; symbolic links and submodules do not."""


class BlobReader:
    """Contents by the ids of their blobs, and the records that they hold, each read once.

    What is fetched ahead stays until more is fetched ahead; records stay until they are dropped.
    """

    def __init__(self, repository: Repository, reader: RecordReader) -> None:
        self._repository = repository
        self._reader = reader
        self._contents: dict[str, bytes] = {}
        self._kept: dict[str, bytes] = {}
        self._records: dict[tuple[str, str], Record] = {}

    def fetch(self, blobs: Iterable[str]) -> None:
        """Read contents ahead, in one go; those that were read ahead before are dropped."""
        wanted = list(dict.fromkeys(blobs))
        self._contents = dict(zip(wanted, self._repository.contents(wanted), strict=True))

    def fetch_more(self, blobs: Iterable[str]) -> None:
        """Read more contents ahead, beside those that were."""
        wanted = [blob for blob in dict.fromkeys(blobs) if blob not in self._contents]
        self._contents.update(zip(wanted, self._repository.contents(wanted), strict=True))

    def keep(self, blobs: Iterable[str]) -> None:
        """Read contents ahead that are asked for again and again; they stay."""
        wanted = list(dict.fromkeys(blobs))
        self._kept.update(zip(wanted, self._repository.contents(wanted), strict=True))

    def content(self, blob: str) -> bytes:
        """Return the content of a blob.

        Raises:
            Inconclusive: it is not there (`git-object-missing`).
        """
        for known in (self._contents, self._kept):
            if blob in known:
                return known[blob]
        self.fetch_more([blob])
        return self._contents[blob]

    def record(self, path: str, blob: str) -> Record:
        """Return the record that a blob holds, as that of a path.

        Raises:
            MlgitError: with every problem of the file.
        """
        key = (path, blob)
        if key not in self._records:
            self._records[key] = self._reader(path, self.content(blob))
        return self._records[key]

    def read(self, file: str, content: bytes) -> Record:
        """Return the record that a content holds, as that of a path."""
        return self._reader(file, content)

    def drop(self, paths: Iterable[tuple[str, str]]) -> None:
        """Forget records that nobody will ask for again, by path and blob."""
        for key in paths:
            self._records.pop(key, None)


class TreeOverlay:
    """Files over other files (see `ops.kernel.ports.Tree`): what commits changed, over the tree that they began with."""

    def __init__(self, library: BlobReader, under: Tree | None, commit: CommitId | None = None) -> None:
        """Take what reads blobs, the files that these lie over, if any, and the commit that they are those of."""
        self._library = library
        self._under = under
        self._commit = commit
        self._entries: dict[str, Entry | None] = {}
        self._folders: dict[str, set[str]] = {}
        """What was added or taken away directly in each folder, sub-folders with a slash."""

    def advance(self, commit: CommitId | None, changes: Iterable[PathChange]) -> None:
        """Become the files of a commit that makes these changes."""
        self._commit = commit
        for change in changes:
            self._entries[change.path] = None if change.after is None else Entry(change.path, change.mode, change.after)
            self._note(change.path)

    @property
    def commit(self) -> CommitId | None:
        """The commit."""
        return self._commit

    def changes(self, path: str) -> bool:
        """Tell whether a path is not simply as in the files below."""
        return path in self._entries

    def id_of(self, path: str) -> str | None:
        """Return the id of what a path was made; None where it was taken away, or is as in the files below."""
        if path not in self._entries and isinstance(self._under, TreeOverlay):
            return self._under.id_of(path)
        entry = self._entries.get(path)
        return None if entry is None else entry.blob

    def names(self, folder: str = "") -> Sequence[str]:
        """Return the names directly in a folder, sorted, sub-folders with a `/` at the end."""
        return self.names_of([folder])[0]

    def names_of(self, folders: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return `names` of many folders."""
        below = [()] * len(folders) if self._under is None else self._under.names_of(folders)
        return [self._names(folder, names) for folder, names in zip(folders, below, strict=True)]

    def entries(self, under: Sequence[str] = ()) -> Iterator[Entry]:
        """Yield the files below some places, sorted by path; symbolic links and submodules too, told by their mode."""
        found = {} if self._under is None else {entry.path: entry for entry in self._under.entries(under)}
        for path, entry in self._entries.items():
            if not under or any(path == place or path.startswith(f"{place}/") for place in under):
                found.pop(path, None)
                if entry is not None:
                    found[path] = entry
        yield from (found[path] for path in sorted(found))

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of the files at some paths that have more bytes than that, each with its size."""
        for path, content in self.read_many(paths):
            if content is not None and len(content) > than:
                yield path, len(content)

    def blobs(self, contents: Sequence[bytes]) -> Sequence[str] | None:  # noqa: ARG002 - as `Tree` has it
        """Return None: some entries may come from files without ids."""
        return None

    def read(self, path: str) -> bytes | None:
        """Return the content of a regular file; None if there is none."""
        if path not in self._entries:
            return None if self._under is None else self._under.read(path)
        entry = self._entries[path]
        return None if entry is None or not is_regular(entry) else self._library.content(entry.blob or "")

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content; those of the files below in as few reads as these take."""
        wanted = list(paths)
        below = [path for path in wanted if path not in self._entries]
        there = dict(self._under.read_many(below)) if self._under is not None and below else {}
        for path in wanted:
            yield path, there[path] if path in there else self.read(path)

    def record(self, path: str) -> Record | None:
        """Return the record at a path; None if there is no such file.

        Raises:
            MlgitError: with every problem of the file.
        """
        entry = self._entries.get(path)
        if entry is not None and entry.blob is not None and is_regular(entry):
            return self._library.record(path, entry.blob)
        if entry is None and path not in self._entries and isinstance(self._under, TreeOverlay):
            return self._under.record(path)
        content = self.read(path)
        return None if content is None else self._library.read(path, content)

    def _note(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        while folder not in self._folders:
            self._folders[folder] = {name}
            if not folder:
                return
            folder, _, name = folder.rpartition("/")
            name += "/"
        self._folders[folder].add(name)

    def _names(self, folder: str, below: Sequence[str]) -> list[str]:
        changed = self._folders.get(folder)
        if not changed:
            return list(below)
        prefix = f"{folder}/" if folder else ""
        gone = {name for name in changed if self._is_gone(prefix + name)}
        return sorted({*below, *changed} - gone)

    def _is_gone(self, path: str) -> bool:
        if path.endswith("/"):
            return not self.names(path.removesuffix("/"))
        return path in self._entries and self._entries[path] is None


class LifecycleHistory(Lifecycle):
    """The state of every model's life in files that change: a record is read once for as long as its file stays the same."""

    def __init__(self, files: TreeOverlay, library: BlobReader, under: "LifecycleHistory | None" = None) -> None:
        """Take the files, what reads their blobs, and the state of the files that these lie over, if there is one."""
        super().__init__(files, library.read)
        self.files = files
        self._library = library
        self._under = under
        self._found: dict[str, Record | None] = {}
        self._tops: dict[str, dict[str, Any]] = {}
        """All records below a folder, as long as nothing in it changes: each promotion asks for holds and overrides."""

    def above(self, commit: CommitId, changes: Sequence[PathChange]) -> "LifecycleHistory":
        """Return the state after a commit that makes these changes; this one stays as it is."""
        files = TreeOverlay(self._library, self.files)
        files.advance(commit, changes)
        return LifecycleHistory(files, self._library, self)

    def advance(self, commit: CommitId, changes: Iterable[PathChange]) -> None:
        """Become the state after a commit that makes these changes."""
        changed = list(changes)
        self.files.advance(commit, changed)
        for change in changed:
            self._found.pop(change.path, None)
            self._tops.pop(change.path.partition("/")[0], None)

    def find(self, kind: type[R], path: str) -> R | None:
        """Return the record at a path; None if there is no such file."""
        record = self._record(path)
        return record if record is None or isinstance(record, kind) else super().find(kind, path)

    def read_each(
        self,
        paths: Iterable[str],
        *,
        keep: bool = True,  # noqa: ARG002 - all are kept
    ) -> tuple[dict[str, Record | None], list[Finding]]:
        """Return what can be read at many paths, and every problem of what cannot."""
        records: dict[str, Record | None] = {}
        problems: list[Finding] = []
        for path in paths:
            try:
                records[path] = self._record(path)
            except MlgitError as error:
                problems.extend(error.findings)
        return records, problems

    def read_folder(self, top: str, kind: type[R]) -> dict[str, R]:
        """Return the records below a folder, read again only after a change in it."""
        if top not in self._tops:
            self._tops[top] = super().read_folder(top, kind)
        return self._tops[top]

    def _record(self, path: str) -> Record | None:
        if path in self._found:
            return self._found[path]
        as_below = self._under is not None and not self.files.changes(path)
        found = self._under._record(path) if self._under and as_below else self.files.record(path)  # noqa: SLF001 - its own
        self._found[path] = found
        return found


def is_regular(entry: Entry) -> bool:
    """Tell whether a path is a regular file, so that what is written in it is all that there is to it."""
    return entry.mode.startswith(_REGULAR)
