"""Run ssh-keygen, which is part of OpenSSH."""

import subprocess

from mlgit.errors import inconclusive


def run(*words: str, content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run ssh-keygen and return its exit code and what it wrote.

    Args:
        words: its arguments.
        content: its standard input. Without it, that is the terminal, on which it may ask for a passphrase.

    Raises:
        Inconclusive: it is not installed (`ssh-keygen-missing`).
    """
    try:
        return subprocess.run(["ssh-keygen", *words], input=content, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise inconclusive(
            "ssh-keygen-missing",
            "ssh-keygen is not installed",
            why="no folder in PATH has it; mlgit signs with it, and verifies what keys other than ed25519 signed",
            fix="install OpenSSH's client (`apt-get install openssh-client`, `dnf install openssh`)",
        ) from error
