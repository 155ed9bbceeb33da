"""Run ssh-keygen, which is part of OpenSSH."""

import subprocess

from mlgit.errors import inconclusive


def run(*arguments: str, content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run ssh-keygen and return its exit code and output.

    Args:
        arguments: its arguments.
        content: its standard input; None for the terminal, on which it may ask for a passphrase.

    Raises:
        Inconclusive: it is not installed (`ssh-keygen-missing`).
    """
    try:
        return subprocess.run(["ssh-keygen", *arguments], input=content, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise inconclusive(
            "ssh-keygen-missing",
            "ssh-keygen is not installed",
            why="it is not on PATH; mlgit signs with it, and verifies signatures of keys other than ed25519",
            fix="install OpenSSH's client (`apt-get install openssh-client`, `dnf install openssh`)",
        ) from error
