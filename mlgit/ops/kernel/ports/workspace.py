"""The workspace: every port that an operation may use, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # annotations only: commands import what they use
    from mlgit.domain.records import Environment
    from mlgit.domain.records.version import StoredFile
    from mlgit.ops.kernel.ports.data import DataStore, Pipeline, Reproduction, Tables, VersionStore
    from mlgit.ops.kernel.ports.forge import Forge
    from mlgit.ops.kernel.ports.formats import Formats
    from mlgit.ops.kernel.ports.git import Repository
    from mlgit.ops.kernel.ports.model import ModelFiles
    from mlgit.ops.kernel.ports.signing import Signatures
    from mlgit.ops.kernel.ports.target import Target
    from mlgit.ops.kernel.ports.team_gates import TeamGates
    from mlgit.ops.kernel.ports.timestamps import Timestamps


class Clock(Protocol):
    """The current time."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        ...


class Cache(Protocol):
    """A cache on disk for results that can be computed again. An entry may be lost at any time."""

    def get(self, name: str, key: str) -> bytes | None:
        """Return the content of an entry; None if there is none, or if it was put with another key.

        Args:
            name: name of the entry.
            key: everything that the content depends on.
        """
        ...

    def put(self, name: str, key: str, content: bytes) -> None:
        """Replace an entry. Does nothing if there is no space or no permission to write."""
        ...


class Workspace(Protocol):
    """Everything that an operation works with. Each part is opened when it is first used.

    A property raises MlgitError or Inconclusive if its part cannot be opened: for example `not-a-repository` for `repository`.
    """

    @property
    def repository(self) -> Repository:
        """The Git repository."""
        ...

    @property
    def root(self) -> Path:
        """The work tree.

        Raises:
            UsageError: the repository is bare (`repository-bare`).
        """
        ...

    @property
    def formats(self) -> Formats:
        """Readers and writers of records, cards, pointers and parameters."""
        ...

    @property
    def clock(self) -> Clock:
        """The current time; a constant in tests."""
        ...

    @property
    def cache(self) -> Cache:
        """Results that can be computed again."""
        ...

    @property
    def evidence_cache(self) -> Cache:
        """Evidence that was computed before; empty for commands that compute everything again."""
        ...

    @property
    def signatures(self) -> Signatures:
        """SSH signatures."""
        ...

    @property
    def timestamps(self) -> Timestamps:
        """Timestamps by an authority."""
        ...

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that trains models."""
        ...

    @property
    def model_files(self) -> ModelFiles:
        """Model files, which are opened in a sandbox."""
        ...

    @property
    def tables(self) -> Tables:
        """Tables in CSV and Parquet files."""
        ...

    @property
    def team_gates(self) -> TeamGates:
        """Gates that a team provides."""
        ...

    @property
    def reproduction(self) -> Reproduction:
        """Runs stages of the pipeline again in a private checkout."""
        ...

    def store(self, remote: str) -> DataStore:
        """Return the content that DVC stores.

        Args:
            remote: name of the DVC remote.
        """
        ...

    def versions(self, remote: str) -> VersionStore:
        """Return the content of registered versions.

        Args:
            remote: name of the DVC remote.
        """
        ...

    def hash_file(self, path: Path, name: str) -> StoredFile:
        """Return the hashes and the size of a file, as DVC would store it under a name.

        Raises:
            MlgitError: the file is empty or cannot be read (`file-empty`, `file-unreadable`).
        """
        ...

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """Write files into the work tree in the given order, each one atomically; an identical file is left alone.

        Args:
            files: content by path from the root.

        Raises:
            MlgitError: a folder on a path is a symbolic link (`path-is-link`). Nothing was written.
            Inconclusive: the disk is full or not writable (`disk-io-failed`). The file at hand was not changed.
        """
        ...

    def target(self, environment: Environment) -> Target | None:
        """Return the target of an environment; None if it has none that mlgit deploys to."""
        ...

    def forge(self) -> Forge | None:
        """Return the forge with the pull requests, as the base branch states it; None if the project has none.

        Raises:
            Inconclusive: the address of the remote does not determine it (`forge-address-unknown`), or its token is not valid
                (`forge-token-invalid`).
        """
        ...

    def scratch(self) -> AbstractContextManager[Workspace]:
        """Return this workspace with a repository whose new objects and refs are discarded at the end.

        Raises:
            Inconclusive: there is no space for it (`disk-io-failed`).
        """
        ...
