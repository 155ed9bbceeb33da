"""The files on disk, as Git would store them."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mlgit.edges.git.command import Git
from mlgit.edges.git.paths import byte_order, split, strip_slashes
from mlgit.errors import Location, inconclusive
from mlgit.ops.kernel.ports.git import TreeEntry

_SUBMODULE: Final = "160000"
_UNTRACKED: Final = b"? "
_TEXT: Final = (".yaml", ".md", ".json")
# O_NONBLOCK: opening a named pipe would otherwise wait for a writer.
_NOT_FOLLOWED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)


class WorkTree:
    """The files below a repository's root (see `ops.kernel.ports.Tree`). No symbolic link is followed, in no part of a path."""

    def __init__(self, git: Git, root: Path) -> None:
        """Store the Git to use, and the folder at the top of the work tree."""
        self._git = git
        self._root = os.fspath(root)
        self._folders = {""}

    @property
    def commit(self) -> None:
        """None: files on disk are not those of a commit."""
        return

    def names(self, folder: str = "") -> Sequence[str]:
        """Return the names directly in a folder, whether or not Git ignores them."""
        if not self._is_folder(folder):
            return []
        names = []
        with os.scandir(self._on_disk(folder)) as entries:
            for entry in entries:
                if entry.name.lower() == ".git":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name if _is_repository(entry.path) else f"{entry.name}/")
                elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                    names.append(entry.name)
        return sorted(names, key=byte_order)

    def names_of(self, folders: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return `names` of many folders."""
        return [self.names(folder) for folder in folders]

    def entries(self, under: Sequence[str] = ()) -> Iterator[TreeEntry]:
        """Yield the tracked and untracked files below some paths, sorted; ignored ones are left out.

        A submodule is one by the index, whether or not its folder is there. A repository that is not tracked is one as well: Git
        adds it as such.
        """
        prefixes = strip_slashes(under)
        only = [] if "" in prefixes else prefixes
        listing = ("ls-files", "-z", "-t", "--stage", "--others", "--exclude-standard", "--", *only)
        # By path, because Git lists one in conflict once for each side.
        listed = dict(_listed(record) for block in self._git.records(*listing) for record in block)
        for path, is_submodule in sorted(listed.items(), key=lambda item: byte_order(item[0])):
            mode = _SUBMODULE if is_submodule else self._mode(path)
            if mode is not None:
                yield TreeEntry(path, mode)

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of the files at some paths that have more bytes than that, each with its size."""
        for path in paths:
            size = _size(self._on_disk(path))
            if size > than:
                yield path, size

    def blobs(self, contents: Sequence[bytes]) -> None:  # noqa: ARG002 - as the port has it
        """Return None: files on disk have no ids."""
        return

    def read(self, path: str) -> bytes | None:
        """Return the content of a regular file, with the line ends that Git stores; None if there is none.

        Raises:
            Inconclusive: the file is there, but may not be read (`file-unreadable`).
        """
        folder, name = split(path)
        if not _is_plain(name) or not self._is_folder(folder):
            return None
        try:
            content = _read(self._on_disk(path))
        except PermissionError as error:
            raise inconclusive(
                "file-unreadable", f"{path} cannot be read", why=error.strerror or "", at=Location(path)
            ) from error
        if content is not None and b"\r\n" in content and path.endswith(_TEXT):
            return content.replace(b"\r\n", b"\n")
        return content

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content."""
        for path in paths:
            yield path, self.read(path)

    def _on_disk(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _is_folder(self, folder: str) -> bool:
        """Tell whether every part of a path is a real folder of this repository. Real folders are cached."""
        if folder in self._folders:
            return True
        parent, name = split(folder)
        if not _is_plain(name) or not self._is_folder(parent):
            return False
        path = self._on_disk(folder)
        if not stat.S_ISDIR(_lstat_mode(path)) or _is_repository(path):
            return False
        self._folders.add(folder)
        return True

    def _mode(self, path: str) -> str | None:
        if not self._is_folder(split(path)[0]):
            return None
        mode = _lstat_mode(self._on_disk(path))
        if stat.S_ISREG(mode):
            return "100755" if mode & stat.S_IXUSR else "100644"
        if stat.S_ISLNK(mode):
            return "120000"
        return _SUBMODULE if stat.S_ISDIR(mode) else None


def _listed(record: bytes) -> tuple[str, bool]:
    """Parse `? path`, or `H 100644 <id> 0` and a path after a tab; return the path, and whether it is or would be a submodule."""
    if record.startswith(_UNTRACKED):
        path = os.fsdecode(record.removeprefix(_UNTRACKED))
        return path.rstrip("/"), path.endswith("/")
    entry, _, tracked = record.partition(b"\t")
    return os.fsdecode(tracked), entry.split(b" ")[1] == _SUBMODULE.encode()


def _is_plain(name: str) -> bool:
    return name not in {"", ".", ".."} and name.lower() != ".git" and "\0" not in name


def _is_repository(folder: str) -> bool:
    return os.path.lexists(f"{folder}/.git")


def _lstat_mode(path: str) -> int:
    """Return the mode of a path; 0 if it does not exist."""
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):
        return 0


def _size(path: str) -> int:
    """Return the size of a regular file or a link; 0 for all else, and for a file that was deleted meanwhile."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    return 0 if stat.S_ISDIR(status.st_mode) else status.st_size


def _read(path: str) -> bytes | None:
    try:
        file = os.open(path, os.O_RDONLY | _NOT_FOLLOWED | _BINARY)
    except PermissionError:
        raise
    except (OSError, ValueError):  # no such file, a link, or a name that no file can have
        return None
    try:
        # Checked on the open file and not on its path, which may be another file by now.
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            return None
        # Most files take a single read, which is faster than creating a file object.
        blocks = []
        while block := os.read(file, status.st_size + 1):
            blocks.append(block)
        return b"".join(blocks)
    finally:
        os.close(file)
