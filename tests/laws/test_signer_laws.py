"""Properties of allowed signers files and signatures, for any bytes."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.domain.namespaces import APPROVALS, COMMITS, LEDGER, PURPOSES
from mlgit.edges.ssh.keys import PublicKey
from mlgit.edges.ssh.signers import Signer, parse, render_line
from mlgit.edges.ssh.signing import verify
from mlgit.errors import MlgitError

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def field(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def public(raw: bytes) -> str:
    return "ssh-ed25519 " + base64.b64encode(field(b"ssh-ed25519") + field(raw)).decode()


words = st.text("abcdefghijklmnopqrstuvwxyzABCDEFG0123456789", min_size=1, max_size=12)
principals = st.builds("{}@{}.org".format, words, words)
keys = st.binary(min_size=32, max_size=32).map(public)
# Pieces of lines, so that what is drawn comes close to lines that are read.
pieces = st.one_of(
    st.sampled_from(
        [
            " ",
            "\t",
            ",",
            '"',
            "=",
            "#",
            "\n",
            "\r\n",
            "namespaces",
            '"git"',
            "valid-after",
            "20260101Z",
            "cert-authority",
        ]
    ),
    principals,
    keys,
    st.text(max_size=3),
)


@given(principals, keys, st.text("abc xyz", max_size=10))
def test_a_rendered_line_is_read_back(principal: str, key: str, comment: str) -> None:
    (signer,) = parse(render_line(principal, f"{key} {comment}").encode(), "f").signers
    assert signer.principals == (principal,)
    assert str(signer.key) == key == str(PublicKey.parse(key))
    assert signer.namespaces == (COMMITS, APPROVALS, LEDGER)


@given(st.one_of(st.binary(max_size=200), st.lists(pieces, max_size=12).map(lambda parts: "".join(parts).encode())))
def test_any_file_is_read_or_refused_line_by_line(content: bytes) -> None:
    signers, lines = read(content)
    assert bool(signers) + bool(lines) <= 1
    assert lines == sorted(lines)
    assert set(lines) <= set(range(1, content.count(b"\n") + 2))
    assert all(any(map(signer.may_sign, PURPOSES)) for signer in signers)
    assert all("@" in principal for signer in signers for principal in signer.principals)


def read(content: bytes) -> tuple[tuple[Signer, ...], list[int]]:
    """The signers of a file, or the lines of what is wrong with it."""
    try:
        return parse(content, "f").signers, []
    except MlgitError as error:
        return (), [finding.at.line or 0 if finding.at else 0 for finding in error.findings]


@given(st.binary(max_size=200), st.booleans(), st.integers(0, 40))
def test_no_random_signature_is_valid(raw: bytes, framed: bool, cut: int) -> None:
    key = public(bytes(range(32)))
    inner = (
        b"SSHSIG\0\0\0\1" + field(PublicKey.parse(key).blob) + field(APPROVALS.encode()) + field(b"") + field(b"sha256")
    )
    content = inner + field(field(b"ssh-ed25519") + field(raw)) if framed else raw
    encoded = base64.b64encode(content[: len(content) - cut])
    signature = b"-----BEGIN SSH SIGNATURE-----\n" + encoded + b"\n-----END SSH SIGNATURE-----\n"
    signers = parse(render_line("alice@example.org", key).encode(), "f")
    with pytest.raises(MlgitError) as caught:
        verify(b"content", signature, signers, "alice@example.org", NOW)
    assert caught.value.findings[0].id in {"signature-malformed", "signature-key-unknown", "signature-content-mismatch"}
