"""The files of a commit, read as Git objects: nothing is checked out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from mlgit.domain.names import CommitId
from mlgit.edges.git.command import Git
from mlgit.edges.git.objects import FOLDER, REGULAR, Objects, TreeObject, object_id
from mlgit.edges.git.paths import clean, split
from mlgit.errors import refused
from mlgit.ops.kernel.ports.git import Entry

_AT_ONCE: Final = 512
_KEPT_FOLDERS: Final = 50_000
_REGULAR: Final = REGULAR.decode()


class GitTree:
    """The files of one commit (see `ops.kernel.ports.Tree`).

    Paths are followed through tree objects, so neither a symbolic link nor a submodule leads anywhere.
    """

    def __init__(self, git: Git, objects: Objects, commit: CommitId) -> None:
        """Take Git, its objects, and a whole commit id."""
        self._git = git
        self._objects = objects
        self._commit = commit
        self._known: dict[str, TreeObject | None] = {}
        self._files: dict[str, str] | None = None
        """The ids of all regular files by path, once they have been listed."""

    @property
    def commit(self) -> CommitId:
        """The commit."""
        return self._commit

    def names(self, folder: str = "") -> Sequence[str]:
        """Return the names directly in a folder."""
        return self.names_of([folder])[0]

    def names_of(self, folders: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return `names` of many folders, in one round of requests for each level."""
        self._open(folders)
        return [_names(self._known[folder] or {}) for folder in folders]

    def entries(self, under: Sequence[str] = ()) -> Iterator[Entry]:
        """Yield the files below some places, sorted by path; symbolic links and submodules too, told by their mode."""
        places = clean(under)
        only = [] if "" in places else places
        files: dict[str, str] = {}
        for block in self._git.records("ls-tree", "-r", "-z", "--full-tree", self._commit, "--", *only):
            for entry in map(self._entry, map(_text, block)):
                if not only and entry.blob is not None and entry.mode.startswith(_REGULAR):
                    files[entry.path] = entry.blob
                yield entry
        if not only:
            self._files = files

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of the files at some paths that have more bytes than that, each with its size."""
        listed = list(paths)
        wanted = [(path, blob) for path, blob in zip(listed, self._blobs(listed), strict=True) if blob is not None]
        if not wanted:
            return
        asked = "".join(f"{blob}\n" for _, blob in wanted).encode()
        sizes = self._git.run("cat-file", "--batch-check=%(objectsize)", input=asked).stdout.split()
        for (path, _), size in zip(wanted, sizes, strict=True):
            if int(size) > than:
                yield path, int(size)

    def blobs(self, contents: Sequence[bytes]) -> Sequence[str]:
        """Return the ids that Git gives to contents."""
        algorithm = "sha1" if len(self._commit) == 40 else "sha256"  # noqa: PLR2004 - digits of a sha1
        return [object_id(algorithm, b"blob", content) for content in contents]

    def entry(self, path: str) -> Entry | None:
        """Return what a path is; None if there is nothing. A folder's mode is `40000`."""
        folder, name = split(path)
        self._open([folder])
        found = (self._known[folder] or {}).get(_bytes(name))
        return None if found is None else Entry(path, found[0].decode(), found[1].hex())

    def folders(self, folders: Iterable[str]) -> dict[str, TreeObject]:
        """Return the tree objects of those folders that are there."""
        wanted = list(folders)
        self._open(wanted)
        return {folder: tree for folder in wanted if (tree := self._known[folder]) is not None}

    def read(self, path: str) -> bytes | None:
        """Return the content of a regular file; None if there is none."""
        return next(self.read_many([path]))[1]

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content."""
        paths = iter(paths)
        while some := list(islice(paths, _AT_ONCE)):
            blobs = self._blobs(some)
            contents = self._objects.read([blob for blob in blobs if blob is not None])
            for path, blob in zip(some, blobs, strict=True):
                if blob is None:
                    yield path, None
                elif (found := next(contents)) is None:
                    raise self._objects.damaged(blob)
                else:
                    yield path, found.content

    def _blobs(self, paths: Sequence[str]) -> list[str | None]:
        """Return the ids of regular files; None for what is none."""
        if self._files is not None:  # a listing of everything spares a look at each folder
            return [self._files.get(path) for path in paths]
        places = [split(path) for path in paths]
        self._open({folder for folder, _ in places})
        blobs: list[str | None] = []
        for folder, name in places:
            found = (self._known[folder] or {}).get(_bytes(name))
            blobs.append(found[1].hex() if found is not None and found[0].startswith(REGULAR) else None)
        return blobs

    def _entry(self, record: str) -> Entry:
        """Read `100644 blob <id>` and a path, or `160000 commit <id>` and a path."""
        start = 14 if record.startswith("160000") else 12
        end = start + len(self._commit)
        return Entry(record[end + 1 :], record[:6], record[start:end])

    def _open(self, folders: Iterable[str]) -> None:
        """Read the trees of folders, and those on the way to them, level by level."""
        if len(self._known) > _KEPT_FOLDERS:
            self._known.clear()
        if "" not in self._known:
            self._known[""] = self._root()
        levels: dict[int, set[str]] = {}
        for folder in folders:
            while folder not in self._known:
                level = levels.setdefault(folder.count("/"), set())
                if folder in level:
                    break
                level.add(folder)
                folder = split(folder)[0]  # noqa: PLW2901 - climbs
        for _, level in sorted(levels.items()):
            self._open_level(level)

    def _open_level(self, level: Iterable[str]) -> None:
        """Read the trees of folders whose parents are known."""
        wanted: dict[str, str] = {}
        for folder in level:
            parent, name = split(folder)
            found = (self._known[parent] or {}).get(_bytes(name))
            if found is not None and found[0] == FOLDER:
                wanted[folder] = found[1].hex()
            else:
                self._known[folder] = None
        trees = self._objects.trees(wanted.values())
        self._known.update((folder, trees[tree]) for folder, tree in wanted.items())

    def _root(self) -> TreeObject:
        found = self._objects.tree(self._commit)
        if found is None:
            raise refused(
                "revision-unknown",
                f"there is no commit {self._commit} here",
                fix="fetch it: `git fetch`; in a shallow clone, `git fetch --unshallow`",
            )
        return found[1]


def _names(tree: TreeObject) -> list[str]:
    # Git sorts a tree by bytes, with a slash behind the names of folders: our order.
    return [_text(name) + "/" if mode == FOLDER else _text(name) for name, (mode, _) in tree.items()]


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _bytes(name: str) -> bytes:
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair is in no file's name
        return b""
