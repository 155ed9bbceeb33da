"""What the checks of the doctor work on, and what each returns."""

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
        """The e-mail addresses that the key belongs to."""
        ...

    @property
    def line(self) -> int:
        """Its line number, counted from 1."""
        ...

    def may_sign(self, namespace: str) -> bool:
        """Tell whether the key may make signatures for a namespace."""
        ...

    def valid_at(self, at: datetime) -> bool:
        """Tell whether the key is valid at a time."""
        ...


class RemoteSettings(msgspec.Struct, frozen=True):
    """The configuration of a DVC remote: its kind, whether DVC verifies downloads, and which credentials are committed.

    `committed` are the names of settings; their values never leave the edge that reads them.
    """

    kind: str
    verifies: bool
    committed: tuple[str, ...]


class Machine(Protocol):
    """The machine that mlgit runs on, with the person's settings on it."""

    def python(self) -> str:
        """Return the version of Python."""
        ...

    def git(self) -> str:
        """Return the version of Git.

        Raises:
            Inconclusive: it is not installed (`tool-missing`), or too old (`git-too-old`).
        """
        ...

    def dvc(self) -> str:
        """Return the version of DVC.

        Raises:
            Inconclusive: it is not installed (`dvc-missing`), or too old (`dvc-too-old`).
        """
        ...

    def ssh(self) -> str:
        """Return the version of OpenSSH.

        Raises:
            Inconclusive: ssh-keygen is not installed (`ssh-keygen-missing`).
        """
        ...

    def lines_of_key(self, signers: bytes) -> tuple[str, Sequence[SignerLine]]:
        """Return the fingerprint of the key that the person signs with, and its lines in an allowed-signers file.

        Raises:
            MlgitError: there is no key (`signing-key-missing`), or the file cannot be trusted.
        """
        ...

    def missing_signing_settings(self) -> Mapping[str, str] | None:
        """Return the settings that Git lacks to sign commits with the key that the person signs approvals with.

        Returns:
            The settings by name; None if Git is set up to sign in another way, with OpenPGP or X.509.

        Raises:
            MlgitError: there is no key (`signing-key-missing`).
        """
        ...

    def set_git(self, settings: Mapping[str, str]) -> None:
        """Set Git's settings, in the configuration of the repository."""
        ...

    def remote(self, name: str) -> RemoteSettings:
        """Return the configuration of a DVC remote.

        Raises:
            MlgitError: there is no remote of that name (`dvc-remote-unknown`), or DVC is not set up.
        """
        ...

    def probe(self, name: str) -> None:
        """Write a small test object into a DVC remote, read it back, and remove it.

        Raises:
            MlgitError: the remote lacks its base folder (`dvc-remote-folder-missing`), refuses writes
                (`dvc-remote-read-only`), returns other content (`data-corrupt`), or refuses to remove the object
                (`dvc-remote-delete-denied`).
            Inconclusive: it does not answer.
        """
        ...

    def verify_remote(self, name: str) -> None:
        """Make DVC verify downloads from a remote, in the shared configuration."""
        ...


class Fix(msgspec.Struct, frozen=True):
    """A change that is safe to make without asking: its description, and a function that makes it."""

    description: str
    apply: Callable[[], None]


class CheckResult(msgspec.Struct, frozen=True):
    """The result of a check: the state of things in one line, findings, and fixes for some of them."""

    summary: str
    findings: Sequence[Finding] = ()
    fixes: Sequence[Fix] = ()
    inconclusive: bool = False


class DoctorContext:
    """The repository and machine to check; what several checks need is read once."""

    def __init__(self, workspace: Workspace, machine: Machine, shipped: Mapping[str, bytes]) -> None:
        """Take the repository, the machine, and the files that `init` writes into every project, by path."""
        self.workspace = workspace
        self.machine = machine
        self.shipped = shipped

    @cached_property
    def base(self) -> tuple[str, Lifecycle]:
        """The base branch and its state: the rules there count, whatever is checked out."""
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
        """The environments, in order."""
        return [self.state.environment(name) for name in self.state.environments()]

    @cached_property
    def forge(self) -> Forge | None:
        """The forge; None where the project has none."""
        return None if self.project.forge == "none" else self.workspace.forge()

    def branch_rules(self, branch: str) -> BranchRules:
        """Return what the forge enforces on a branch."""
        assert self.forge is not None  # noqa: S101 - only called where there is one
        return self.forge.branch_rules(branch)
