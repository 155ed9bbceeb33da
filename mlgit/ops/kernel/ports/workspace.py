"""The workspace: every neighbour that an operation may ask, in one place."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlgit.domain.records import Environment
from mlgit.domain.records.version import StoredFile

if TYPE_CHECKING:
    from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.data import DataStore, Pipeline, Reproduction, Tables
from mlgit.ops.kernel.ports.formats import Formats
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.model import ModelFiles
from mlgit.ops.kernel.ports.signing import Signatures
from mlgit.ops.kernel.ports.target import Target
from mlgit.ops.kernel.ports.team_gates import TeamGates


class Clock(Protocol):
    """The time, in UTC."""

    def now(self) -> datetime: ...


class Cache(Protocol):
    """A place for what can be found out again: may be lost at any time, and is asked by a key of all that it rests on."""

    def get(self, name: str, key: str) -> bytes | None:
        """Return what was put under a name, if it was put with the same key."""
        ...

    def put(self, name: str, key: str, content: bytes) -> None:
        """Keep the newest content of a name. Does nothing where there is no room or no right to write."""
        ...


class Workspace(Protocol):
    """All that an operation works with; each part is opened when it is first asked for."""

    @property
    def repository(self) -> Repository: ...
    @property
    def formats(self) -> Formats: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def signatures(self) -> Signatures: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def model_files(self) -> ModelFiles: ...
    @property
    def tables(self) -> Tables: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def team_gates(self) -> TeamGates: ...
    @property
    def reproduction(self) -> Reproduction: ...
    @property
    def root(self) -> Path: ...
    def store(self, remote: str) -> DataStore: ...
    def hash_file(self, path: Path, name: str) -> StoredFile: ...
    def write_files(self, files: Mapping[str, bytes]) -> None: ...
    def target(self, environment: Environment) -> Target | None: ...
    def forge(self) -> "Forge | None":
        """Return where pull requests are kept, as the base branch says; None where it says that there are none.

        Raises:
            Inconclusive: where it is cannot be told (`forge-address-unknown`), or its token is none (`forge-token-invalid`).
        """
        ...

    def scratch(self) -> "AbstractContextManager[Workspace]":
        """Give the workspace with a repository that forgets what is written to it."""
        ...
