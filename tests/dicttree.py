"""A tree that is not on disk: a dict of files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlgit.edges.git.paths import byte_order, is_under, strip_slashes
from mlgit.ops.kernel.ports.git import TreeEntry

_REGULAR = "100644"


class DictTree:
    """Files in a dict (see `ops.kernel.ports.Tree`)."""

    def __init__(self, files: Mapping[str, bytes | str]) -> None:
        """Take content by path; text is encoded as UTF-8."""
        self._files = {
            path: content.encode() if isinstance(content, str) else content for path, content in files.items()
        }
        self._folders = _listing(self._files)

    @property
    def commit(self) -> None:
        """None: a dict is no commit."""
        return

    def names(self, folder: str = "") -> Sequence[str]:
        """Return the names directly in a folder."""
        return sorted(self._folders.get(folder, ()), key=byte_order)

    def names_of(self, folders: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return `names` of many folders."""
        return [self.names(folder) for folder in folders]

    def entries(self, under: Sequence[str] = ()) -> Iterator[TreeEntry]:
        """Yield the files below some places, sorted by path."""
        places = strip_slashes(under)
        for path in sorted(self._files, key=byte_order):
            if is_under(path, places):
                yield TreeEntry(path, _REGULAR)

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of the files at some paths that have more bytes than that, each with its size."""
        sizes = ((path, len(self._files.get(path, b""))) for path in paths)
        yield from ((path, size) for path, size in sizes if size > than)

    def blobs(self, contents: Sequence[bytes]) -> None:
        """Return None: these files have no ids."""
        return

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        return self._files.get(path)

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content."""
        for path in paths:
            yield path, self._files.get(path)


def _listing(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return the names directly in each folder, sub-folders with a `/` at the end."""
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        while name not in (names := folders.setdefault(folder, set())):
            names.add(name)
            if not folder:
                break
            folder, _, name = folder.rpartition("/")
            name += "/"
    return folders
