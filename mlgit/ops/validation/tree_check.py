"""What one validation of one tree has in common: its findings, and how many records it read."""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from mlgit.domain import layout
from mlgit.domain.records import Record, Roles
from mlgit.domain.rules.paths import check_no_pointers, check_unplaced
from mlgit.domain.rules.texts import check_secrets, check_visible, is_reviewed
from mlgit.domain.signers import check_signers
from mlgit.errors import Finding, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.formats import Formats

R = TypeVar("R", bound=Record)

Records = Mapping[str, Record | None]
"""Records by path; None for a missing file. An invalid record is left out, because it has findings of its own."""


class TreeCheck:
    """One validation of one tree."""

    def __init__(self, state: Lifecycle, formats: Formats) -> None:
        self.state = state
        self.formats = formats
        self.records_read = 0
        self.findings: dict[Finding, None] = {}
        """Each finding once, however often it was reported, in the order of the first report."""

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings."""
        self.findings.update(dict.fromkeys(findings))

    def read(self, paths: Collection[str], *, keep: bool = True) -> Records:
        """Read records; problems of invalid ones become findings.

        Args:
            paths: paths of records.
            keep: whether the state keeps the records in memory.
        """
        records, problems = self.state.read_each(paths, keep=keep)
        self.add(problems)
        self.records_read += len(paths)
        return records

    def check_pointers(self, paths: Iterable[str]) -> None:
        """Check the DVC pointers of datasets among paths, and that no version has one."""
        paths = list(paths)
        self.add(check_no_pointers(paths))
        pointers = (path for path in paths if path.startswith("datasets/") and path.endswith(".dvc"))
        for path, content in self.state.tree.read_many(pointers):
            try:
                if content is not None:
                    self.formats.check_pointer(path, content)
            except MlgitError as error:
                self.add(error.findings)

    def check_signers(self) -> None:
        """Check the keys, their principals and the people against each other; a project without the file has no keys."""
        content = self.state.tree.read(layout.SIGNERS)
        if content is None:
            return
        records, _ = self.state.read_each([layout.ROLES])
        roles = records.get(layout.ROLES)
        try:
            lines = self.formats.signers(content)
            self.add(check_signers(lines, roles if isinstance(roles, Roles) else Roles(schema=1, people={})))
        except MlgitError as error:
            self.add(error.findings)

    def check_other_paths(self, paths: Collection[str]) -> None:
        """Check paths at which no record belongs: report those that look like a misplaced or misnamed record."""
        self.add(check_unplaced(paths))
        self._check_texts(path for path in paths if is_reviewed(path))
        self.read(
            [path for path in paths if layout.is_version_like(path)]
        )  # the reader says what is wrong with the path

    def _check_texts(self, paths: Iterable[str]) -> None:
        """Check text that no record is in, such as cards, code owners, signers and requirements: what is seen is what is read."""
        for path, content in self.state.tree.read_many(paths):
            if content is not None:
                self.add(check_visible(content, path))
                self.add(check_secrets(content, path))
                if layout.is_model_card(path):
                    self._check_model_card(content, path)

    def _check_model_card(self, content: bytes, path: str) -> None:
        try:
            self.formats.model_card(path, content)
        except MlgitError as error:
            self.add(error.findings)


def of_kind(kind: type[R], records: Records) -> list[R]:
    """Return the records of a kind."""
    return [record for record in records.values() if isinstance(record, kind)]


def by_kind(paths: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return paths by the kind of record that belongs there, and the paths at which none belongs."""
    kinds: dict[str, list[str]] = {}
    others = []
    for path in paths:
        if (place := layout.parse_path(path)) is not None:
            kinds.setdefault(place.kind, []).append(path)
        else:
            others.append(path)
    return kinds, others


def record_name(path: str) -> str:
    """Return the name in the path of a record; an empty text for a kind without names."""
    place = layout.parse_path(path)
    assert place is not None  # noqa: S101 - a path of `by_kind`
    return place.fields.get("name", "")
