"""The ports to DVC and to tables: stored content, the pipeline, and its reproduction."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from mlgit.domain.records import Dataset
from mlgit.domain.records.dataset import CsvFormat
from mlgit.domain.records.version import StoredFile
from mlgit.ops.kernel.ports.git import Tree

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyarrow import Table

    from mlgit.ml.source import TableSource


class DataStore(Protocol):
    """Content in the cache and in one remote of DVC.

    Every method may raise MlgitError if the remote is not configured (`dvc-remote-unknown`) or of an unsupported kind
    (`dvc-remote-unsupported`), and Inconclusive if it does not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`).
    """

    def cached(self, file: StoredFile) -> Path | None:
        """Return the path of a file's object in the cache, whose content was not verified; None if it is not there."""
        ...

    def missing(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Return the files that the remote does not have.

        Raises:
            MlgitError: the remote has one with another size (`data-corrupt`).
        """
        ...

    def require_folder(self) -> None:
        """Refuse a remote that is a folder of this machine and does not exist.

        Raises:
            MlgitError: there is no such folder (`dvc-remote-folder-missing`).
        """
        ...

    def upload(self, files: Sequence[tuple[Path, StoredFile]]) -> None:
        """Put files into the cache and the remote, and verify that the remote has them.

        Args:
            files: each file with the hashes that were computed when it was read.

        Raises:
            MlgitError: a file has changed since then (`data-corrupt`), or did not arrive (`dvc-upload-failed`).
            Inconclusive: the disk is full or broken (`disk-io-failed`).
        """
        ...

    def fetch(self, file: StoredFile) -> AbstractContextManager[Path]:
        """Return a private copy of a file, deleted at the end, whose sha256 and size were verified.

        Raises:
            MlgitError: neither the cache nor the remote has it (`data-missing`), or its content is not the recorded one
                (`data-corrupt`).
            Inconclusive: the disk is full or broken (`disk-io-failed`).
        """
        ...

    def verify(self, file: StoredFile) -> None:
        """Check that a file is in the cache or else in the remote, with the recorded sha256 and size.

        It may have been checked by this object before.

        Raises:
            MlgitError: as for `fetch`.
            Inconclusive: as for `fetch`.
        """
        ...


class VersionStore(Protocol):
    """The content of registered versions, which no garbage collection of DVC removes, in the cache and in one remote.

    Every method may raise as those of `DataStore`.
    """

    def missing(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Return the files that the remote does not have."""
        ...

    def fetch(self, file: StoredFile) -> AbstractContextManager[Path]:
        """Return a private copy of a file, deleted at the end, whose sha256 and size were verified."""
        ...

    def verify(self, file: StoredFile) -> None:
        """Check that a file is in the cache or else in the remote, with the recorded sha256 and size."""
        ...

    def upload(self, files: Sequence[tuple[Path, StoredFile]], data: Sequence[tuple[Path, StoredFile]]) -> None:
        """Put the files of a version, and the data that it was made from, into the cache and the remote.

        Args:
            files: each file with the hashes that were computed when it was read.
            data: the content of datasets, which is put where `dvc pull` finds it, too.
        """
        ...

    def cached(self, file: StoredFile) -> Path | None:
        """Return the path of a file in a cache, whose content was not verified; None if none has it."""
        ...

    def restore(self, files: Sequence[StoredFile]) -> None:
        """Upload files that a cache has."""
        ...

    def download(self, file: StoredFile, destination: Path) -> None:
        """Write a verified copy of a file to a path, atomically; folders on the way are created."""
        ...


class Pipeline(Protocol):
    """The stages of dvc.yaml, in the work tree."""

    @property
    def lock_file(self) -> str:
        """Path of the file with the hashes of what each stage last read and wrote (`dvc.lock`)."""
        ...

    def out_of_date(self, stages: Sequence[str]) -> Sequence[str]:
        """Return the changes since stages, and those that they depend on, last ran; none if they are up to date.

        Raises:
            Inconclusive: DVC failed, for example because there is no such stage (`dvc-failed`).
        """
        ...

    def metrics(self, stages: Sequence[str]) -> Mapping[str, float]:
        """Return the numbers in the metrics files of stages, by name."""
        ...

    def reproduce(self, stages: Sequence[str], settings: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        """Run the stages that are out of date.

        Args:
            stages: names of the stages.
            settings: parameters to write first, by name; their files are restored if the stages fail.
            on_line: called with each line of the output.

        Returns:
            The exit code of DVC.

        Raises:
            UsageError: a parameter does not exist or has an invalid value (`param-unknown`, `param-value-invalid`). Nothing
                was changed.
            Inconclusive: DVC cannot be started (`dvc-missing`, `dvc-too-old`), or another run sets parameters
                (`train-running`).
        """
        ...


class Tables(Protocol):
    """Tables in CSV and Parquet files; the content decides which it is, not the name.

    Every method raises MlgitError if the file is neither, or its rows do not fit its header (`table-unreadable`).
    """

    def open(self, path: Path, csv: CsvFormat | None = None) -> "TableSource":
        """Open a table to read it in batches; reading raises too.

        Args:
            path: the file.
            csv: how a CSV file is written; None to find out, but for the decimal separator.
        """
        ...

    def arrow(self, path: Path, contract: Dataset | None = None) -> "Table":
        """Return a whole table. The columns of a CSV file have the types of its contract, or else of its values."""
        ...

    def frame(self, path: Path, contract: Dataset | None = None) -> "DataFrame":
        """Return a whole table as `arrow`, for libraries that need pandas."""
        ...

    def spill(self) -> IO[bytes]:
        """Open a temporary file, which is deleted when it is closed."""
        ...


class Reproduction(Protocol):
    """Runs recorded stages again."""

    def __call__(
        self, tree: Tree, data: Mapping[str, Path], stages: Sequence[str], output: str, *, seconds: float
    ) -> AbstractContextManager[Path]:
        """Run stages, and those that they depend on, in a private checkout; return one output, deleted at the end.

        Args:
            tree: the files of a commit.
            data: content to add to the checkout, by path.
            stages: names of the stages.
            output: path of the file to return.
            seconds: time limit.

        Raises:
            MlgitError: the stages failed, took too long, or did not write the file (`reproduction-failed`).
            Inconclusive: there is no space for a checkout (`disk-io-failed`).
        """
        ...
