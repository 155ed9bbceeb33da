"""What an examination looks at, and what a check says."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Literal, Protocol

import msgspec

from mlgit.domain.forge import BranchRules
from mlgit.domain.records import Environment
from mlgit.domain.records.project import Project
from mlgit.errors import Finding
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.workspace import Workspace

Group = Literal["machine", "you", "data", "repository", "rules", "workflows", "forge"]


class SignerLine(Protocol):
    """A line of `.mlgit/allowed_signers`."""

    @property
    def principals(self) -> tuple[str, ...]:
        """The addresses that the key stands for."""
        ...

    @property
    def line(self) -> int:
        """Its number, counted from 1."""
        ...

    def may_sign(self, namespace: str) -> bool:
        """Tell whether the key may make signatures for a namespace."""
        ...

    def valid_at(self, at: datetime) -> bool:
        """Tell whether the key is valid at a moment."""
        ...


class RemoteSettings(msgspec.Struct, frozen=True):
    """How DVC's remote is set: what kind it is, whether DVC verifies, and which credentials are in the committed file.

    `committed` are the names of settings; no value of one ever leaves the edge that reads them.
    """

    kind: str
    verifies: bool
    committed: tuple[str, ...]


class Machine(Protocol):
    """The machine that mlgit runs on, and what a person has set on it."""

    @property
    def approvals(self) -> str:
        """The namespace of signatures on approvals."""
        ...

    def python(self) -> str:
        """Return the version of Python."""
        ...

    def git(self) -> str:
        """Return the version of Git.

        Raises:
            Unjudged: it is not there (`tool-missing`), or too old (`git-too-old`).
        """
        ...

    def dvc(self) -> str:
        """Return the version of DVC.

        Raises:
            Unjudged: there is none that will do (`dvc-missing`, `dvc-old`).
        """
        ...

    def ssh(self) -> str:
        """Return the version of OpenSSH.

        Raises:
            Unjudged: ssh-keygen is not installed (`ssh-keygen-missing`).
        """
        ...

    def lines_of_key(self, signers: bytes) -> tuple[str, Sequence[SignerLine]]:
        """Return the fingerprint of the key that the person signs with, and the lines that a file of signers has for it.

        Raises:
            MlgitError: there is no key (`signing-key-missing`), or the file cannot be trusted.
        """
        ...

    def remote(self, name: str) -> RemoteSettings:
        """Return how a DVC remote is set.

        Raises:
            MlgitError: there is none of that name (`remote-missing`), or no DVC set up.
        """
        ...

    def probe(self, name: str) -> None:
        """Write a small object of no meaning into a DVC remote, read it back, and remove it.

        Raises:
            MlgitError: the remote lacks its base folder (`remote-folder-missing`), takes nothing (`remote-read-only`), gives
                back something else (`data-corrupt`), or does not let it be removed (`probe-left`).
            Unjudged: it does not answer.
        """
        ...

    def verify_remote(self, name: str) -> None:
        """Let DVC verify what comes from a remote, in the settings that everybody shares."""
        ...


class Mend(msgspec.Struct, frozen=True):
    """What can be put right without asking: what it is, in words, and the doing of it."""

    what: str
    do: Callable[[], None]


class Said(msgspec.Struct, frozen=True):
    """What a check found: how things are, in one line, what is wrong with that, and what of it can be mended."""

    what: str
    findings: Sequence[Finding] = ()
    mends: Sequence[Mend] = ()
    unjudged: bool = False


class Subject:
    """A repository under examination; what several checks ask for is found out once."""

    def __init__(self, workspace: Workspace, machine: Machine, shipped: Mapping[str, bytes]) -> None:
        """Take the repository, the machine, and the files that `init` writes into every project, by path."""
        self.workspace = workspace
        self.machine = machine
        self.shipped = shipped

    @cached_property
    def base(self) -> tuple[str, Lifecycle]:
        """The base branch and its state: rules count as they are there, whatever is checked out."""
        return snapshot.base_of(self.workspace)

    @property
    def state(self) -> Lifecycle:
        """The state of the base branch."""
        return self.base[1]

    @cached_property
    def project(self) -> Project:
        """The project."""
        return self.state.project()

    @cached_property
    def environments(self) -> list[Environment]:
        """The environments, in their order."""
        return [self.state.environment(name) for name in self.state.environments()]

    @cached_property
    def forge(self) -> Forge | None:
        """The forge; None where the project has none."""
        return None if self.project.forge == "none" else self.workspace.forge()

    def rules(self, branch: str) -> BranchRules:
        """Return what the forge enforces on a branch."""
        assert self.forge is not None  # noqa: S101 - only asked where there is one
        return self.forge.rules(branch)
