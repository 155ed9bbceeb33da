"""What operations ask of DVC and of tables: stored content, the pipeline, reproduction."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlgit.domain.records.version import StoredFile

if TYPE_CHECKING:
    from pandas import DataFrame

from mlgit.ops.kernel.ports.git import Tree


class DataStore(Protocol):
    """Where DVC keeps content."""

    def missing(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Return those that the remote does not have."""
        ...

    def upload(self, files: Sequence[tuple[Path, StoredFile]]) -> None:
        """Put files into the cache and the remote, and make sure that they are there."""
        ...

    def fetch(self, file: StoredFile) -> AbstractContextManager[Path]:
        """Give a private, verified copy of a file: its sha256 and size are those recorded.

        Raises:
            MlgitError: it is in neither cache nor remote (`data-missing`), or is not what was recorded (`data-corrupt`).
        """
        ...


class Pipeline(Protocol):
    """The stages that make a version."""

    @property
    def lock_file(self) -> str:
        """Path of the file that says what each stage last used and made."""
        ...

    def out_of_date(self, stages: Sequence[str]) -> Sequence[str]:
        """Return what changed since the stages, and all before them, last ran; nothing when all is as it was."""
        ...

    def metrics(self, stages: Sequence[str]) -> Mapping[str, float]:
        """Return the numbers in the files of metrics that stages wrote."""
        ...

    def reproduce(self, stages: Sequence[str], settings: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        """Run what is out of date; hand every line of output on; return the exit code."""
        ...


class Tables(Protocol):
    """Tables in files."""

    def frame(self, path: Path) -> "DataFrame":
        """Return a Parquet or CSV file as a table; the content says which it is.

        Raises:
            MlgitError: it is neither (`table-unreadable`).
        """
        ...


class Reproduction(Protocol):
    """Trains again what was recorded."""

    def __call__(
        self, tree: Tree, data: Mapping[str, Path], stages: Sequence[str], output: str, *, seconds: float
    ) -> AbstractContextManager[Path]:
        """Run stages, and all that they need, in a private checkout of a tree; give a file that they wrote, for a while.

        Args:
            tree: the files of a commit.
            data: content to put beside them, by path.
            stages: what to run.
            output: path of the file that is wanted.
            seconds: after which it is stopped.

        Raises:
            MlgitError: the stages did not succeed in time, or did not write the file (`reproduction-failed`).
        """
        ...
