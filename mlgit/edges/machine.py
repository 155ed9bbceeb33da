"""The machine that mlgit runs on, and what a person has set on it (see `ops.doctor.subject.Machine`)."""

import platform
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from mlgit.domain import layout
from mlgit.edges import process
from mlgit.edges.dvc import workspace
from mlgit.edges.dvc.store import DvcStore
from mlgit.edges.git.command import MINIMUM, Git
from mlgit.edges.ssh import keygen, signers
from mlgit.edges.ssh.keys import PublicKey
from mlgit.edges.ssh.signing import SshSignatures
from mlgit.ops.doctor.subject import RemoteSettings, SignerLine


class Machine:
    """This machine, as seen from one repository."""

    approvals = signers.APPROVALS

    def __init__(self, root: Path, config: Callable[[str], str | None]) -> None:
        """Take the work tree, or the repository where there is none, and how to read a setting of Git."""
        self._root = root
        self._config = config

    def python(self) -> str:
        """Return the version of Python."""
        return platform.python_version()

    def git(self) -> str:
        """Return the version of Git.

        Raises:
            Unjudged: it is not there (`tool-missing`), or too old (`git-too-old`).
        """
        git = Git(self._root)
        git.require(MINIMUM, "mlgit")
        return git.text("version").removeprefix("git version ")

    def dvc(self) -> str:
        """Return the version of DVC.

        Raises:
            Unjudged: there is none that will do (`dvc-missing`, `dvc-old`).
        """
        workspace.require()
        import dvc  # noqa: PLC0415 - only once it is known to be there

        return str(dvc.__version__)

    def ssh(self) -> str:
        """Return the version of OpenSSH, whose ssh-keygen signs.

        Raises:
            Unjudged: ssh-keygen is not installed (`ssh-keygen-missing`).
        """
        keygen.run("-?")  # there is no way to ask it for its version
        if shutil.which("ssh") is None:
            return "ssh-keygen"
        said = process.run(["ssh", "-V"], check=False).stderr
        found = re.match(r"OpenSSH_[\w.]+", said)
        return found[0].replace("_", " ") if found else "ssh-keygen"

    def lines_of_key(self, content: bytes) -> tuple[str, Sequence[SignerLine]]:
        """Return the fingerprint of the key that the person signs with, and the lines that a file of signers has for it.

        Raises:
            MlgitError: there is no key (`signing-key-missing`, `signing-key-unreadable`), or the file cannot be trusted (see
                `signers.parse`).
        """
        key = PublicKey.parse(SshSignatures(self._config).public_key())
        return key.fingerprint, signers.parse(content, layout.SIGNERS).of_key(key.blob)

    def remote(self, name: str) -> RemoteSettings:
        """Return how a DVC remote is set.

        Raises:
            MlgitError: there is none of that name (`remote-missing`), or its configuration cannot be used.
        """
        kind, verifies, committed = workspace.remote_settings(self._root, name)
        return RemoteSettings(kind, verifies, tuple(committed))

    def probe(self, name: str) -> None:
        """Try a DVC remote (see `DvcStore.probe`)."""
        DvcStore(self._root, name).probe()

    def verify_remote(self, name: str) -> None:
        """Let DVC verify what comes from a remote, in the settings that everybody shares."""
        workspace.dvc(self._root, "remote", "modify", "--", name, "verify", "true")
