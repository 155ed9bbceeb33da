"""Trees that are not on disk: a dict of files, and another tree with some of its files replaced."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlgit.edges.git.paths import byte_order, clean, is_under
from mlgit.ops.ports import Entry, Files, Tree

_REGULAR = "100644"


class DictTree:
    """Files in a dict, for tests and dry runs."""

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

    def entries(self, under: Sequence[str] = ()) -> Iterator[Entry]:
        """Yield the files below some places, sorted by path."""
        places = clean(under)
        for path in sorted(self._files, key=byte_order):
            if is_under(path, places):
                yield Entry(path, _REGULAR)

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of the files at some paths that have more bytes than that, each with its size."""
        sizes = ((path, len(self._files.get(path, b""))) for path in paths)
        yield from ((path, size) for path, size in sizes if size > than)

    def blobs(self, contents: Sequence[bytes]) -> None:  # noqa: ARG002 - as the port has it
        """Return None: these files have no ids."""
        return

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        return self._files.get(path)

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content."""
        for path in paths:
            yield path, self._files.get(path)


class Overlay:
    """A tree with some files replaced, added or (None) deleted: a commit that does not exist yet."""

    def __init__(self, tree: Tree, files: Files) -> None:
        """Take the tree below, and content by path."""
        self._tree = tree
        self._files = dict(files)
        self._added = _listing(path for path, content in files.items() if content is not None)
        self._touched = _listing(files)

    @property
    def commit(self) -> None:
        """None: the commit is still to be made."""
        return

    def names(self, folder: str = "") -> Sequence[str]:
        """Return the names directly in a folder."""
        return self.names_of([folder])[0]

    def names_of(self, folders: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return `names` of many folders."""
        below = self._tree.names_of(folders)
        return [self._patched(folder, names) for folder, names in zip(folders, below, strict=True)]

    def entries(self, under: Sequence[str] = ()) -> Iterator[Entry]:
        """Yield the files below some places, sorted by path."""
        places = clean(under)
        added = sorted(
            (path for path, content in self._files.items() if content is not None and is_under(path, places)),
            key=byte_order,
        )
        kept = (entry for entry in self._tree.entries(under) if entry.path not in self._files)
        return heapq.merge(kept, (Entry(path, _REGULAR) for path in added), key=lambda entry: byte_order(entry.path))

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of the files at some paths that have more bytes than that, each with its size."""
        wanted = list(paths)
        added = DictTree({path: content for path, content in self._files.items() if content is not None})
        yield from self._tree.larger(than, [path for path in wanted if path not in self._files])
        yield from added.larger(than, [path for path in wanted if path in self._files])

    def blobs(self, contents: Sequence[bytes]) -> None:  # noqa: ARG002 - as the port has it
        """Return None: not all of these files have ids."""
        return

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        return self._files[path] if path in self._files else self._tree.read(path)

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content."""
        wanted = list(paths)
        below = self._tree.read_many([path for path in wanted if path not in self._files])
        for path in wanted:
            yield (path, self._files[path]) if path in self._files else next(below)

    def _patched(self, folder: str, names: Sequence[str]) -> Sequence[str]:
        touched = self._touched.get(folder)
        if touched is None:
            return names
        prefix = f"{folder}/" if folder else ""
        patched = {name for name in names if name not in touched} | self._added.get(folder, set())
        # A folder where something was deleted is there only as long as it holds something.
        patched |= {
            name
            for name in touched.intersection(names) - patched
            if name.endswith("/") and self.names(prefix + name[:-1])
        }
        return sorted(patched, key=byte_order)


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
