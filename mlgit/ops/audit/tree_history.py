"""The files at each commit of a history, computed from the changes between commits, so that no tree is read twice."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mlgit.domain.names import CommitId
from mlgit.domain.records import Record
from mlgit.errors import Finding, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.formats import RecordReader
from mlgit.ops.kernel.ports.git import REGULAR, PathChange, Repository, Tree, TreeEntry
from mlgit.ops.kernel.record_tree import R


class BlobReader:
    """Reads blobs and the records in them, each once.

    Prefetched contents are kept until the next `fetch`, records until they are dropped.
    """

    def __init__(self, repository: Repository, reader: RecordReader) -> None:
        self._repository = repository
        self._reader = reader
        self._contents: dict[str, bytes] = {}
        self._permanent: dict[str, bytes] = {}
        self._records: dict[tuple[str, str], Record] = {}

    def fetch(self, blobs: Iterable[str]) -> None:
        """Prefetch contents in one round, and drop those that were prefetched before."""
        ids = list(dict.fromkeys(blobs))
        self._contents = dict(zip(ids, self._repository.contents(ids), strict=True))

    def fetch_more(self, blobs: Iterable[str]) -> None:
        """Prefetch more contents, and keep those that were prefetched before."""
        ids = [blob for blob in dict.fromkeys(blobs) if blob not in self._contents]
        self._contents.update(zip(ids, self._repository.contents(ids), strict=True))

    def keep(self, blobs: Iterable[str]) -> None:
        """Prefetch contents that are needed many times, and never drop them."""
        ids = list(dict.fromkeys(blobs))
        self._permanent.update(zip(ids, self._repository.contents(ids), strict=True))

    def content(self, blob: str) -> bytes:
        """Return the content of a blob.

        Raises:
            Inconclusive: the blob is missing (`git-object-missing`).
        """
        for contents in (self._contents, self._permanent):
            if blob in contents:
                return contents[blob]
        self.fetch_more([blob])
        return self._contents[blob]

    def record(self, path: str, blob: str) -> Record:
        """Return the record in a blob, as the file at a path.

        Raises:
            MlgitError: with every problem of the file.
        """
        key = (path, blob)
        if key not in self._records:
            self._records[key] = self._reader(path, self.content(blob))
        return self._records[key]

    def read(self, file: str, content: bytes) -> Record:
        """Return the record in a content, as the file at a path."""
        return self._reader(file, content)

    def drop(self, keys: Iterable[tuple[str, str]]) -> None:
        """Drop records that are not needed again, by path and blob."""
        for key in keys:
            self._records.pop(key, None)


class TreeOverlay:
    """A tree (see `ops.kernel.ports.Tree`) with the changes of commits on top of another tree."""

    def __init__(self, blobs: BlobReader, base: Tree | None, commit: CommitId | None = None) -> None:
        """Take the reader of blobs, the tree below, if any, and the commit of it."""
        self._blobs = blobs
        self._base = base
        self._commit = commit
        self._entries: dict[str, TreeEntry | None] = {}
        self._folders: dict[str, set[str]] = {}
        """Names that were added or removed directly in each folder, sub-folders with a slash at the end."""

    def advance(self, commit: CommitId | None, changes: Iterable[PathChange]) -> None:
        """Apply the changes of a commit."""
        self._commit = commit
        for change in changes:
            self._entries[change.path] = (
                None if change.after is None else TreeEntry(change.path, change.mode, change.after)
            )
            self._record_in_folders(change.path)

    @property
    def commit(self) -> CommitId | None:
        """The commit."""
        return self._commit

    def overrides(self, path: str) -> bool:
        """Return whether a path was changed on top of the tree below."""
        return path in self._entries

    def id_of(self, path: str) -> str | None:
        """Return the id of the blob that a path was changed to; None if it was deleted, or is not changed."""
        if path not in self._entries and isinstance(self._base, TreeOverlay):
            return self._base.id_of(path)
        entry = self._entries.get(path)
        return None if entry is None else entry.blob

    def names(self, folder: str = "") -> Sequence[str]:
        """Return the names directly in a folder, sorted, sub-folders with a `/` at the end."""
        return self.names_of([folder])[0]

    def names_of(self, folders: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return `names` of many folders."""
        below = [()] * len(folders) if self._base is None else self._base.names_of(folders)
        return [self._names(folder, names) for folder, names in zip(folders, below, strict=True)]

    def entries(self, under: Sequence[str] = ()) -> Iterator[TreeEntry]:
        """Yield the files below some paths, sorted, including symbolic links and submodules, which have their own modes."""
        entries = {} if self._base is None else {entry.path: entry for entry in self._base.entries(under)}
        for path, entry in self._entries.items():
            if not under or any(path == top or path.startswith(f"{top}/") for top in under):
                entries.pop(path, None)
                if entry is not None:
                    entries[path] = entry
        yield from (entries[path] for path in sorted(entries))

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield the files at some paths that are larger than a size in bytes, each with its size."""
        for path, content in self.read_many(paths):
            if content is not None and len(content) > than:
                yield path, len(content)

    def blobs(self, contents: Sequence[bytes]) -> Sequence[str] | None:  # noqa: ARG002 - the signature of `Tree`
        """Return None: some entries may be from a tree without ids."""
        return None

    def read(self, path: str) -> bytes | None:
        """Return the content of a regular file; None if there is none."""
        if path not in self._entries:
            return None if self._base is None else self._base.read(path)
        entry = self._entries[path]
        return None if entry is None or not is_regular(entry) else self._blobs.content(entry.blob or "")

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content; unchanged files are read from the tree below in one round."""
        requested = list(paths)
        unchanged = [path for path in requested if path not in self._entries]
        contents = dict(self._base.read_many(unchanged)) if self._base is not None and unchanged else {}
        for path in requested:
            yield path, contents[path] if path in contents else self.read(path)

    def record(self, path: str) -> Record | None:
        """Return the record at a path; None if there is no such file.

        Raises:
            MlgitError: with every problem of the file.
        """
        entry = self._entries.get(path)
        if entry is not None and entry.blob is not None and is_regular(entry):
            return self._blobs.record(path, entry.blob)
        if entry is None and path not in self._entries and isinstance(self._base, TreeOverlay):
            return self._base.record(path)
        content = self.read(path)
        return None if content is None else self._blobs.read(path, content)

    def _record_in_folders(self, path: str) -> None:
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
        deleted = {name for name in changed if self._is_deleted(prefix + name)}
        return sorted({*below, *changed} - deleted)

    def _is_deleted(self, path: str) -> bool:
        if path.endswith("/"):
            return not self.names(path.removesuffix("/"))
        return path in self._entries and self._entries[path] is None


class LifecycleHistory(Lifecycle):
    """The state of all models at a commit of a history; a record is read once as long as its file does not change."""

    def __init__(self, files: TreeOverlay, blobs: BlobReader, base: "LifecycleHistory | None" = None) -> None:
        """Take the files, the reader of their blobs, and the state of the tree below, if there is one."""
        super().__init__(files, blobs.read)
        self.files = files
        self._blobs = blobs
        self._base = base
        self._cache: dict[str, Record | None] = {}
        self._folders: dict[str, dict[str, Any]] = {}
        """All records below a folder, as long as nothing in it changes: each promotion needs all holds and overrides."""

    def with_changes(self, commit: CommitId, changes: Sequence[PathChange]) -> "LifecycleHistory":
        """Return the state after a commit, and leave this one unchanged."""
        files = TreeOverlay(self._blobs, self.files)
        files.advance(commit, changes)
        return LifecycleHistory(files, self._blobs, self)

    def advance(self, commit: CommitId, changes: Iterable[PathChange]) -> None:
        """Become the state after a commit."""
        changed = list(changes)
        self.files.advance(commit, changed)
        for change in changed:
            self._cache.pop(change.path, None)
            self._folders.pop(change.path.partition("/")[0], None)

    def find(self, kind: type[R], path: str) -> R | None:
        """Return the record at a path; None if there is no such file."""
        record = self._record(path)
        return record if record is None or isinstance(record, kind) else super().find(kind, path)

    def read_each(
        self,
        paths: Iterable[str],
        *,
        keep: bool = True,  # noqa: ARG002 - all records are kept
    ) -> tuple[dict[str, Record | None], list[Finding]]:
        """Return the records that can be read at many paths, and every problem of the others."""
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
        if top not in self._folders:
            self._folders[top] = super().read_folder(top, kind)
        return self._folders[top]

    def _record(self, path: str) -> Record | None:
        if path in self._cache:
            return self._cache[path]
        if self._base is not None and not self.files.overrides(path):
            record = self._base._record(path)  # noqa: SLF001 - of the same class
        else:
            record = self.files.record(path)
        self._cache[path] = record
        return record


def is_regular(entry: TreeEntry) -> bool:
    """Return whether an entry is a regular file, and not a link whose content is elsewhere."""
    return entry.mode.startswith(REGULAR)
