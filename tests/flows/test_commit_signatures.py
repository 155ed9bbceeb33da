"""Commit signatures made by Git, read from the commits and verified by mlgit."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlgit.edges.git.repository import open_repository
from mlgit.edges.ssh.signers import AllowedSigners, parse, render_line
from mlgit.edges.ssh.signing import signer
from mlgit.errors import MlgitError
from tests.flows.conftest import Repo

ADA = "ada@example.com"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture
def signed(repo: Repo, key: Path) -> Repo:
    repo.git("config", "gpg.format", "ssh")
    repo.git("config", "user.signingkey", str(key))
    repo.write({"a": "1"}).git("add", "a")
    repo.git("commit", "--quiet", "-S", "-m", "one\n\ngpgsig -----BEGIN SSH SIGNATURE-----\n and no end\n")
    return repo


def allowed(key: Path) -> AllowedSigners:
    return parse(render_line(ADA, Path(f"{key}.pub").read_text()).encode(), ".mlgit/allowed_signers")


@pytest.mark.tier("fast")
def test_the_signer_of_a_commit_is_identified(signed: Repo, key: Path) -> None:
    with open_repository(signed.root) as repository:
        ((content, signature),) = repository.commit_signatures([signed.head])
    assert signature is not None
    assert signer(content, signature, allowed(key), NOW).principal == ADA


def test_git_agrees(signed: Repo, key: Path, tmp_path: Path) -> None:
    listed = tmp_path / "allowed"
    listed.write_text(render_line(ADA, Path(f"{key}.pub").read_text()) + "\n")
    signed.git("config", "gpg.ssh.allowedSignersFile", str(listed))
    assert signed.git("log", "-1", "--format=%G? %GS").split() == ["G", ADA]


def test_an_unsigned_commit_has_no_signature(repo: Repo) -> None:
    repo.write({"a": "1"}).commit("gpgsig none\n\ngpgsig -----BEGIN SSH SIGNATURE-----\n")
    raw = subprocess.run(["git", "cat-file", "commit", repo.head], cwd=repo.root, capture_output=True, check=True)
    with open_repository(repo.root) as repository:
        assert list(repository.commit_signatures([repo.head])) == [(raw.stdout, None)]


@pytest.mark.parametrize("old", [b"Ada", b"one", b"tree ", b"and no end"])
def test_a_changed_commit_does_not_match_its_signature(old: bytes, signed: Repo, key: Path) -> None:
    with open_repository(signed.root) as repository:
        ((content, signature),) = repository.commit_signatures([signed.head])
    assert signature is not None
    assert old in content
    with pytest.raises(MlgitError) as refusal:
        signer(content.replace(old, b"x" + old, 1), signature, allowed(key), NOW)
    assert refusal.value.findings[0].id == "signature-content-mismatch"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('ada@example.com namespaces="mlgit-approval" {key}', "signature-namespace-mismatch"),
        ('ada@example.com valid-before="20260101Z" {key}', "signature-time-invalid"),
        ('ada@example.com valid-after="20270101Z" {key}', "signature-time-invalid"),
        ("", "signature-key-unknown"),
    ],
)
def test_a_key_that_may_not_sign_commits_is_refused(line: str, expected: str, signed: Repo, key: Path) -> None:
    listed = parse(line.format(key=Path(f"{key}.pub").read_text().strip()).encode(), ".mlgit/allowed_signers")
    with open_repository(signed.root) as repository:
        ((content, signature),) = repository.commit_signatures([signed.head])
    assert signature is not None
    with pytest.raises(MlgitError) as refusal:
        signer(content, signature, listed, NOW)
    assert refusal.value.findings[0].id == expected
