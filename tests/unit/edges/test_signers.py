"""Reading and writing `.mlgit/allowed_signers`: every line is either trusted whole, or a finding."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from mlgit.domain.namespaces import APPROVALS, COMMITS
from mlgit.edges.ssh.keys import Malformed, PublicKey, Wire
from mlgit.edges.ssh.signers import AllowedSigners, parse, render_line
from mlgit.errors import MlgitError

FILE = ".mlgit/allowed_signers"


def field(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def key_of(type_: str, *fields: bytes, named: str | None = None) -> str:
    return f"{named or type_} {base64.b64encode(b''.join(map(field, (type_.encode(), *fields)))).decode()}"


def rsa(bits: int) -> str:
    return key_of("ssh-rsa", b"\x01\x00\x01", b"\x00" + (1 << (bits - 1) | 1).to_bytes(bits // 8, "big"))


ALICE = key_of("ssh-ed25519", bytes(range(32)))
BOB = key_of("ssh-ed25519", bytes(32))
ECDSA = key_of("ecdsa-sha2-nistp256", b"nistp256", b"\x04" + bytes(64))
SECURITY_KEY = key_of("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:")
SECURITY_ECDSA = key_of("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", b"\x04" + bytes(64), b"ssh:")
RSA = rsa(3072)


def read(*lines: str) -> AllowedSigners:
    return parse("\n".join(lines).encode(), FILE)


def faults(content: bytes) -> list[tuple[str, int | None]]:
    with pytest.raises(MlgitError) as caught:
        parse(content, FILE)
    assert all(finding.at and finding.at.file == FILE and finding.fix for finding in caught.value.findings)
    return [(finding.id, finding.at.line if finding.at else None) for finding in caught.value.findings]


def test_a_line_gives_principals_key_namespaces_and_times() -> None:
    options = 'namespaces="git,mlgit-approval",valid-after="20260101Z",valid-before="202602030405Z"'
    (signer,) = read(f"a@x.org,b@x.org {options} {ALICE} laptop").signers
    assert signer.principals == ("a@x.org", "b@x.org")
    assert str(signer.key) == ALICE
    assert signer.namespaces == ("git", "mlgit-approval")
    assert signer.valid_after == datetime(2026, 1, 1, tzinfo=UTC)
    assert signer.valid_before == datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    assert signer.line == 1


def test_comments_empty_lines_and_white_space_are_passed_over_and_lines_counted() -> None:
    content = f"# team\r\n\r\n\t \r\n  a@x.org\t{ALICE}   a comment with spaces\r\nb@x.org {BOB}"
    assert [(signer.principals, signer.line) for signer in parse(content.encode(), FILE).signers] == [
        (("a@x.org",), 4),
        (("b@x.org",), 5),
    ]


def test_an_empty_file_trusts_nobody() -> None:
    assert parse(b"", FILE).signers == ()


@pytest.mark.parametrize("key", [ALICE, ECDSA, SECURITY_KEY, SECURITY_ECDSA, RSA])
def test_each_type_of_key_is_read_with_and_without_options(key: str) -> None:
    assert [str(signer.key) for signer in read(f"a@x.org {key}", f'a@x.org NAMESPACES="git" {key}').signers] == [
        key,
        key,
    ]


@pytest.mark.parametrize(
    ("namespaces", "commits", "approvals"),
    [("", True, True), ('namespaces="git" ', True, False), ('namespaces="file,mlgit-approval" ', False, True)],
)
def test_a_key_signs_only_for_its_namespaces(namespaces: str, commits: bool, approvals: bool) -> None:
    (signer,) = read(f"a@x.org {namespaces}{ALICE}").signers
    assert (signer.may_sign(COMMITS), signer.may_sign(APPROVALS)) == (commits, approvals)


def test_both_ends_of_the_time_belong_to_it() -> None:
    (signer,) = read(f'a@x.org valid-after="20260101Z",valid-before="20260201Z" {ALICE}').signers
    first, last, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), timedelta(seconds=1)
    assert [signer.valid_at(at) for at in (first - second, first, last, last + second)] == [False, True, True, False]


def test_the_lines_of_a_key_are_found_by_its_bytes() -> None:
    signers = read(
        f'a@x.org valid-before="20260101Z" {ALICE}', f"b@x.org {BOB}", f'a@x.org valid-after="20270101Z" {ALICE}'
    )
    assert [signer.line for signer in signers.of_key(PublicKey.parse(ALICE).blob)] == [1, 3]
    assert signers.of_key(b"nobody's") == ()


@pytest.mark.parametrize(
    ("line", "id_"),
    [
        ("a@x.org", "allowed-signers-line-invalid"),
        ("a@x.org   ", "allowed-signers-line-invalid"),
        (f"a@x.org {ALICE}\u202e", "allowed-signers-line-invalid"),
        (f"a@x.org {ALICE} \x00", "allowed-signers-line-invalid"),
        (f"*@x.org {ALICE}", "allowed-signers-principal-invalid"),
        (f"a@x.org,!b@x.org {ALICE}", "allowed-signers-principal-invalid"),
        (f"a@x.org, {ALICE}", "allowed-signers-principal-invalid"),
        (f"alice {ALICE}", "allowed-signers-principal-invalid"),
        (f"а@x.org {ALICE}", "allowed-signers-principal-invalid"),  # noqa: RUF001 - a Cyrillic a is the point
        (f'"a@x.org" {ALICE}', "allowed-signers-principal-invalid"),
        (ALICE, "allowed-signers-principal-invalid"),
        (f"a@x.org cert-authority {ALICE}", "allowed-signers-authority-unsupported"),
        (f'a@x.org namespaces="git",CERT-authority {ALICE}', "allowed-signers-authority-unsupported"),
        (f'a@x.org namespaces="file" {ALICE}', "allowed-signers-namespace-invalid"),
        (f'a@x.org namespaces="mlgit-*" {ALICE}', "allowed-signers-namespace-invalid"),
        (f'a@x.org namespaces="git,!mlgit-approval" {ALICE}', "allowed-signers-namespace-invalid"),
        (f'a@x.org namespaces="" {ALICE}', "allowed-signers-namespace-invalid"),
        (f"a@x.org namespaces=git {ALICE}", "allowed-signers-option-invalid"),
        (f"a@x.org namespaces {ALICE}", "allowed-signers-option-invalid"),
        (f'a@x.org namespaces="git", {ALICE}', "allowed-signers-option-invalid"),
        (f'a@x.org namespaces="git",namespaces="git" {ALICE}', "allowed-signers-option-invalid"),
        (f'a@x.org namespace="git" {ALICE}', "allowed-signers-option-invalid"),
        (f"a@x.org restrict {ALICE}", "allowed-signers-option-invalid"),
        (f'a@x.org valid-after="20260101" {ALICE}', "allowed-signers-option-invalid"),
        (f'a@x.org valid-after="2026-01-01Z" {ALICE}', "allowed-signers-option-invalid"),
        (f'a@x.org valid-after="20260230Z" {ALICE}', "allowed-signers-option-invalid"),
        (f'a@x.org valid-after="2026010124Z" {ALICE}', "allowed-signers-option-invalid"),
        (f'a@x.org valid-after="20260101Z",valid-before="20260101Z" {ALICE}', "allowed-signers-option-invalid"),
        ("a@x.org ssh-dss AAAAB3NzaC1kc3M=", "allowed-signers-key-invalid"),
        ('a@x.org namespaces="git" ssh-dss AAAAB3NzaC1kc3M=', "allowed-signers-key-invalid"),
        ("a@x.org ssh-ed25519-cert-v01@openssh.com AAAA", "allowed-signers-key-invalid"),
        ("a@x.org ssh-ed25519", "allowed-signers-key-invalid"),
        ("a@x.org ssh-ed25519 AAAA*AAA", "allowed-signers-key-invalid"),
        (f"a@x.org {ALICE[:-4]}", "allowed-signers-key-invalid"),
        (f"a@x.org {key_of('ssh-ed25519', bytes(31))}", "allowed-signers-key-invalid"),
        (f"a@x.org {key_of('ssh-ed25519', bytes(32), b'more')}", "allowed-signers-key-invalid"),
        (
            f"a@x.org {key_of('ecdsa-sha2-nistp256', b'nistp256', bytes(65), named='ssh-ed25519')}",
            "allowed-signers-key-invalid",
        ),
        (f"a@x.org {rsa(1024)}", "allowed-signers-key-invalid"),
    ],
)
def test_a_line_that_cannot_be_trusted_is_a_finding_at_its_line(line: str, id_: str) -> None:
    assert faults(f"# comment\nb@x.org {BOB}\n{line}\n".encode()) == [(id_, 3)]


def test_bytes_that_are_no_utf_8_are_a_finding_at_their_line() -> None:
    assert faults(b"# fine\na@x.org \xff\n") == [("allowed-signers-line-invalid", 2)]


def test_all_faults_are_reported_at_once_in_the_order_of_the_file() -> None:
    content = f"alice {ALICE}\na@x.org {BOB}\nb@x.org {BOB}\nc@x.org\n"
    assert faults(content.encode()) == [
        ("allowed-signers-principal-invalid", 1),
        ("allowed-signers-key-duplicate", 3),
        ("allowed-signers-line-invalid", 4),
    ]


def test_one_key_for_two_people_is_refused_however_they_are_ordered() -> None:
    assert faults(f"a@x.org {ALICE}\nb@x.org {ALICE}\n".encode()) == [("allowed-signers-key-duplicate", 2)]
    assert len(read(f'a@x.org,b@x.org namespaces="git" {ALICE}', f"b@x.org,a@x.org {ALICE}").signers) == 2


def test_a_rendered_line_is_read_back_and_drops_the_comment() -> None:
    line = render_line("alice@example.org", f"{ALICE} somebody@laptop\n")
    assert line == f'alice@example.org namespaces="git,mlgit-approval,mlgit-ledger" {ALICE}'
    (signer,) = read(line).signers
    assert (signer.principals, str(signer.key)) == (("alice@example.org",), ALICE)


@pytest.mark.parametrize(
    ("principal", "key", "id_"),
    [
        ("alice@example.org cert-authority", ALICE, "allowed-signers-principal-invalid"),
        ("*@example.org", ALICE, "allowed-signers-principal-invalid"),
        ("alice@example.org\n", ALICE, "allowed-signers-principal-invalid"),
        ("alice@example.org", "-----BEGIN OPENSSH PRIVATE KEY-----", "allowed-signers-key-invalid"),
        ("alice@example.org", "", "allowed-signers-key-invalid"),
    ],
)
def test_no_line_is_rendered_that_would_not_be_read(principal: str, key: str, id_: str) -> None:
    with pytest.raises(MlgitError) as caught:
        render_line(principal, key)
    assert [finding.id for finding in caught.value.findings] == [id_]


def test_a_fingerprint_is_the_sha256_of_the_key_without_padding() -> None:
    key = PublicKey.parse(ALICE)
    assert key.fingerprint == "SHA256:" + base64.b64encode(hashlib.sha256(key.blob).digest()).decode().rstrip("=")


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x00", b"\x00\x00\x00\x02a", b"\xff\xff\xff\xff" + bytes(8)])
def test_a_string_longer_than_what_is_left_is_malformed(content: bytes) -> None:
    with pytest.raises(Malformed):
        Wire(content).string()
