"""The files of a commit, read as Git objects: nothing is checked out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from mlgit.domain.names import CommitId
from mlgit.edges.git.command import Git
from mlgit.edges.git.objects import FOLDER, REGULAR, Objects, TreeObject, object_id
from mlgit.edges.git.paths import split, strip_slashes
from mlgit.errors import refused
from mlgit.ops.kernel.ports.git import TreeEntry

_READ_AT_ONCE: Final = 512
_CACHED_FOLDERS: Final = 50_000
_REGULAR: Final = REGULAR.decode()
_NOTHING: Final = (b"", b"")


class GitTree:
    """The files of one commit (see `ops.kernel.ports.Tree`).

    Paths are followed through tree objects, so neither a symbolic link nor a submodule leads anywhere.
    """

    def __init__(self, git: Git, objects: Objects, commit: CommitId) -> None:
        """Store the Git to use, its objects, and a full commit id."""
        self._git = git
        self._objects = objects
        self._commit = commit
        self._folders: dict[str, TreeObject | None] = {}
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
        """Return `names` of many folders, with one batch of requests for each level."""
        self._open(folders)
        return [_names(self._folders[folder] or {}) for folder in folders]

    def entries(self, under: Sequence[str] = ()) -> Iterator[TreeEntry]:
        """Yield the files below some paths, sorted; symbolic links and submodules, which have other modes, are included."""
        prefixes = strip_slashes(under)
        only = [] if "" in prefixes else prefixes
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
        requests = "".join(f"{blob}\n" for _, blob in wanted).encode()
        sizes = self._git.run("cat-file", "--batch-check=%(objectsize)", input=requests).stdout.split()
        for (path, _), size in zip(wanted, sizes, strict=True):
            if int(size) > than:
                yield path, int(size)

    def blobs(self, contents: Sequence[bytes]) -> Sequence[str]:
        """Return the ids that Git gives to contents."""
        algorithm = "sha1" if len(self._commit) == 40 else "sha256"  # noqa: PLR2004 - digits of a SHA-1
        return [object_id(algorithm, b"blob", content) for content in contents]

    def entry(self, path: str) -> TreeEntry | None:
        """Return mode and id of a path; None if it does not exist. A folder's mode is `40000`."""
        folder, name = split(path)
        self._open([folder])
        mode_and_id = (self._folders[folder] or {}).get(_bytes(name))
        return None if mode_and_id is None else TreeEntry(path, mode_and_id[0].decode(), mode_and_id[1].hex())

    def folders(self, folders: Iterable[str]) -> dict[str, TreeObject]:
        """Return the tree objects of those folders that exist."""
        wanted = list(folders)
        self._open(wanted)
        return {folder: tree for folder in wanted if (tree := self._folders[folder]) is not None}

    def read(self, path: str) -> bytes | None:
        """Return the content of a regular file; None if there is none."""
        return next(self.read_many([path]))[1]

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content."""
        paths = iter(paths)
        while batch := list(islice(paths, _READ_AT_ONCE)):
            blobs = self._blobs(batch)
            contents = self._objects.read([blob for blob in blobs if blob is not None])
            for path, blob in zip(batch, blobs, strict=True):
                if blob is None:
                    yield path, None
                elif (git_object := next(contents)) is None:
                    raise self._objects.damaged(blob)
                else:
                    yield path, git_object.content

    def _blobs(self, paths: Sequence[str]) -> list[str | None]:
        """Return the ids of regular files; None for every other path."""
        if self._files is not None:  # everything was listed before, so no folder needs to be read
            return [self._files.get(path) for path in paths]
        folders_and_names = [split(path) for path in paths]
        self._open({folder for folder, _ in folders_and_names})
        blobs: list[str | None] = []
        for folder, name in folders_and_names:
            mode, blob = (self._folders[folder] or {}).get(_bytes(name), _NOTHING)
            blobs.append(blob.hex() if mode.startswith(REGULAR) else None)
        return blobs

    def _entry(self, record: str) -> TreeEntry:
        """Parse `100644 blob <id>` and a path, or `160000 commit <id>` and a path."""
        start = 14 if record.startswith("160000") else 12
        end = start + len(self._commit)
        return TreeEntry(record[end + 1 :], record[:6], record[start:end])

    def _open(self, folders: Iterable[str]) -> None:
        """Read the trees of folders and of their parents, level by level."""
        if len(self._folders) > _CACHED_FOLDERS:
            self._folders.clear()
        if "" not in self._folders:
            self._folders[""] = self._root()
        levels: dict[int, set[str]] = {}
        for folder in folders:
            while folder not in self._folders:
                level = levels.setdefault(folder.count("/"), set())
                if folder in level:
                    break
                level.add(folder)
                folder = split(folder)[0]  # noqa: PLW2901 - goes up
        for _, level in sorted(levels.items()):
            self._open_level(level)

    def _open_level(self, level: Iterable[str]) -> None:
        """Read the trees of folders whose parents have been read."""
        wanted: dict[str, str] = {}
        for folder in level:
            parent, name = split(folder)
            mode, tree = (self._folders[parent] or {}).get(_bytes(name), _NOTHING)
            if mode == FOLDER:
                wanted[folder] = tree.hex()
            else:
                self._folders[folder] = None
        trees = self._objects.trees(wanted.values())
        self._folders.update((folder, trees[tree]) for folder, tree in wanted.items())

    def _root(self) -> TreeObject:
        id_and_tree = self._objects.tree(self._commit)
        if id_and_tree is None:
            raise refused(
                "revision-unknown",
                f"there is no commit {self._commit} here",
                fix="fetch it: `git fetch`; in a shallow clone, `git fetch --unshallow`",
            )
        return id_and_tree[1]


def _names(tree: TreeObject) -> list[str]:
    # In the order of the tree object: by bytes, folders with a slash at the end.
    return [_text(name) + "/" if mode == FOLDER else _text(name) for name, (mode, _) in tree.items()]


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _bytes(name: str) -> bytes:
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair: no file has such a name
        return b""
