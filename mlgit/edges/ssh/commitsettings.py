"""Git's settings with which it signs commits with the key that signs approvals (git-config(1): gpg.format, user.signingkey)."""

from collections.abc import Callable

from mlgit.domain import layout


def missing_settings(config: Callable[[str], str | None], key: str) -> dict[str, str] | None:
    """Return the settings that a repository lacks for Git to sign commits with an SSH key.

    What is set already is left as it is, wherever it is set.

    Args:
        config: reads a setting of Git.
        key: the file of the key, or the public key that an agent has.

    Returns:
        The settings by name; None if Git is set up to sign in another way, with OpenPGP or X.509.
    """
    format_ = config("gpg.format")
    if format_ not in {None, "ssh"} or (format_ is None and config("user.signingkey")):
        return None
    wanted = {
        "gpg.format": "ssh",
        "user.signingkey": key,
        "commit.gpgsign": "true",
        # Git reads it from the top of the work tree, in whatever folder it is called.
        "gpg.ssh.allowedSignersFile": layout.SIGNERS,
    }
    return {name: value for name, value in wanted.items() if config(name) is None}
