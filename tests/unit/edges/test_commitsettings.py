"""Which of Git's settings are missing for it to sign commits with an SSH key."""

from typing import Final

import pytest

from mlgit.edges.ssh.commitsettings import missing_settings

ALL: Final = {
    "gpg.format": "ssh",
    "user.signingkey": "/home/ana/.ssh/id_ed25519",
    "commit.gpgsign": "true",
    "gpg.ssh.allowedSignersFile": ".mlgit/allowed_signers",
}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, set(ALL)),
        ({"gpg.format": "ssh", "user.signingkey": "/elsewhere"}, {"commit.gpgsign", "gpg.ssh.allowedSignersFile"}),
        ({"commit.gpgsign": "false"}, set(ALL) - {"commit.gpgsign"}),
        (ALL, set()),
        ({"gpg.format": "openpgp"}, None),
        ({"user.signingkey": "0xDEADBEEF"}, None),
    ],
)
def test_what_is_set_is_left_as_it_is(settings: dict[str, str], expected: set[str] | None) -> None:
    missing = missing_settings(settings.get, ALL["user.signingkey"])
    assert (None if missing is None else set(missing)) == expected
    assert all(ALL[name] == value for name, value in (missing or {}).items())
