"""The records in the files of one tree, each parsed at most once."""

from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

from mlgit.domain.records import Record
from mlgit.errors import Finding, Location, MlgitError, refused
from mlgit.ops.kernel.ports.formats import RecordReader
from mlgit.ops.kernel.ports.git import Tree

R = TypeVar("R", bound=Record)


class RecordTree:
    """The records of a tree, by path. Parsed records are kept, so the tree must not change while this is used.

    Reading one blob from Git costs a round trip, so callers with many paths pass all of them to one call.
    """

    def __init__(self, tree: Tree, reader: RecordReader) -> None:
        self.tree = tree
        self._reader = reader
        self._records: dict[str, Record | None] = {}

    def find(self, kind: type[R], path: str) -> R | None:
        """Return the record at a path; None if there is no such file.

        Raises:
            MlgitError: as `read`.
        """
        return self.read(kind, [path])[path]

    def read(self, kind: type[R], paths: Iterable[str]) -> Mapping[str, R | None]:
        """Return the records at many paths, None for each missing file.

        Raises:
            MlgitError: with every problem of every file that is not a valid record, or a record of another kind
                (`record-kind-mismatch`).
        """
        records, problems = self.read_each(paths)
        if problems:
            raise MlgitError(*problems)
        for path, record in records.items():
            # Most paths come from `layout`, which fits the kind; one that another record states may not.
            if record is not None and not isinstance(record, kind):
                raise _kind_mismatch(path, record, kind)
        return cast("Mapping[str, R | None]", records)

    def read_each(self, paths: Iterable[str], *, keep: bool = True) -> tuple[dict[str, Record | None], list[Finding]]:
        """Return the valid records at many paths, and every problem of the others.

        Args:
            paths: paths of records.
            keep: whether to keep the parsed records; if not, memory holds only what is returned.

        Returns:
            The records by path, None for each missing file and nothing for an invalid one; and the findings.
        """
        paths = list(paths)
        records = {path: self._records[path] for path in paths if path in self._records}
        problems: list[Finding] = []
        for path, content in self.tree.read_many(path for path in paths if path not in records):
            try:
                records[path] = None if content is None else self._reader(path, content)
            except MlgitError as error:
                problems.extend(error.findings)
        if keep:
            self._records.update(records)
        return {path: records[path] for path in paths if path in records}, problems

    def read_folder(self, top: str, kind: type[R]) -> dict[str, R]:
        """Return the YAML records below a folder, at any depth, each by its path without `top` and extension.

        Raises:
            MlgitError: a file is a symbolic link (`path-is-link`), so a rule in it could not be read; or as `read`.
        """
        paths: list[str] = []
        folders = [top]
        while folders:
            listings = zip(folders, self.tree.names_of(folders), strict=True)
            found = [f"{folder}/{name}" for folder, names in listings for name in names]
            paths += [path for path in found if path.endswith(".yaml")]
            folders = [path.removesuffix("/") for path in found if path.endswith("/")]
        records = {}
        for path, record in self.read(kind, sorted(paths)).items():
            if record is None:
                raise not_a_file(path)
            records[path.removeprefix(f"{top}/").removesuffix(".yaml")] = record
        return records


def not_a_file(path: str) -> MlgitError:
    """Return the error for a path that the tree has, but not as a regular file."""
    return refused(
        "path-is-link",
        f"{path} is not a regular file",
        why="neither symbolic links nor submodules are followed, so its content cannot be read",
        fix="replace it with a regular file",
        at=Location(path),
    )


def _kind_mismatch(path: str, record: Record, expected: type[Record]) -> MlgitError:
    actual_tag, expected_tag = (kind.__struct_config__.tag for kind in (type(record), expected))
    return refused(
        "record-kind-mismatch",
        f"{path} is a record of kind {actual_tag}, expected {expected_tag}",
        why="the path of a record determines its kind",
        fix=f"name the path of a record of kind {expected_tag}",
        at=Location(path),
    )
