"""The machine that mlgit runs on, with the person's settings on it (see `ops.doctor.context.Machine`)."""

import platform
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlgit.domain import layout
from mlgit.edges import process
from mlgit.edges.dvc import workspace
from mlgit.edges.dvc.store import DvcStore
from mlgit.edges.git.command import MINIMUM, Git
from mlgit.edges.git.settings import Settings
from mlgit.edges.ssh import keygen, signers
from mlgit.edges.ssh.commitsettings import missing_settings
from mlgit.edges.ssh.keys import PublicKey
from mlgit.edges.ssh.signing import SshSignatures
from mlgit.ops.doctor.context import RemoteSettings, SignerLine


class LocalMachine:
    """This machine, as seen from one repository."""

    def __init__(self, root: Path, config: Callable[[str], str | None]) -> None:
        """Take the work tree, or the repository where it is bare, and a function that reads a setting of Git."""
        self._root = root
        self._config = config

    def python(self) -> str:
        """Return the version of Python."""
        return platform.python_version()

    def git(self) -> str:
        """Return the version of Git.

        Raises:
            Inconclusive: it is not installed (`tool-missing`), or too old (`git-too-old`).
        """
        git = Git(self._root)
        git.require(MINIMUM, "mlgit")
        return git.text("version").removeprefix("git version ")

    def dvc(self) -> str:
        """Return the version of DVC.

        Raises:
            Inconclusive: it is not installed (`dvc-missing`), or too old (`dvc-too-old`).
        """
        workspace.require()
        import dvc  # noqa: PLC0415 - only once it is known to be installed

        return str(dvc.__version__)

    def ssh(self) -> str:
        """Return the version of OpenSSH, whose ssh-keygen signs.

        Raises:
            Inconclusive: ssh-keygen is not installed (`ssh-keygen-missing`).
        """
        keygen.run("-?")  # it has no option for its version
        if shutil.which("ssh") is None:
            return "ssh-keygen"
        output = process.run(["ssh", "-V"], check=False).stderr
        match = re.match(r"OpenSSH_[\w.]+", output)
        return match[0].replace("_", " ") if match else "ssh-keygen"

    def lines_of_key(self, content: bytes) -> tuple[str, Sequence[SignerLine]]:
        """Return the fingerprint of the key that the person signs with, and its lines in an allowed-signers file.

        Raises:
            MlgitError: there is no key (`signing-key-missing`, `signing-key-unreadable`), or the file cannot be trusted (see
                `signers.parse`).
        """
        key = PublicKey.parse(SshSignatures(self._config).public_key())
        return key.fingerprint, signers.parse(content, layout.SIGNERS).of_key(key.blob)

    def missing_signing_settings(self) -> Mapping[str, str] | None:
        """Return the settings that Git lacks to sign commits with the person's key (see `commitsettings.missing_settings`).

        Raises:
            MlgitError: there is no key (`signing-key-missing`).
        """
        return missing_settings(self._config, SshSignatures(self._config).key())

    def set_git(self, settings: Mapping[str, str]) -> None:
        """Set Git's settings, in the configuration of the repository."""
        Settings(Git(self._root)).put(settings)

    def remote(self, name: str) -> RemoteSettings:
        """Return the configuration of a DVC remote.

        Raises:
            MlgitError: there is no remote of that name (`dvc-remote-unknown`), or its configuration is invalid.
        """
        kind, verifies, committed = workspace.remote_settings(self._root, name)
        return RemoteSettings(kind, verifies, tuple(committed))

    def probe(self, name: str) -> None:
        """Write, read and remove a test object (see `DvcStore.probe`)."""
        DvcStore(self._root, name).probe()

    def verify_remote(self, name: str) -> None:
        """Make DVC verify downloads from a remote, in the shared configuration."""
        workspace.dvc(self._root, "remote", "modify", "--", name, "verify", "true")
