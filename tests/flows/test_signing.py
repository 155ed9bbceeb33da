"""Signatures with real keys: what proves an approval, what does not, and that OpenSSH says the same."""

import base64
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlgit.edges.ssh.signers import AllowedSigners, parse, render_line
from mlgit.edges.ssh.signing import Signature, SshSignatures, fingerprint, verify
from mlgit.errors import Inconclusive, MlgitError

ALICE, BOB = "alice@example.org", "bob@example.org"
CONTENT = b'{"kind": "approval", "verdict": "approve"}\n'
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TYPES = {"ed25519": ("ed25519",), "ecdsa": ("ecdsa", "-b", "384"), "rsa": ("rsa", "-b", "2048")}
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"\n-----END SSH SIGNATURE-----\n"


def ssh_keygen(*arguments: str, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-keygen", *arguments], input=content, capture_output=True, timeout=60, check=False)


def make_key(path: Path, *type_: str, passphrase: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    process = ssh_keygen("-q", "-t", *(type_ or TYPES["ed25519"]), "-N", passphrase, "-C", "a comment", "-f", str(path))
    assert process.returncode == 0, process.stderr
    return path


def public(key: Path) -> str:
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A key of each type, and `other`, which nobody is known by."""
    folder = tmp_path_factory.mktemp("keys")
    made = {name: make_key(folder / name, *arguments) for name, arguments in TYPES.items()}
    return made | {"other": make_key(folder / "other"), "bob": make_key(folder / "bob")}


def settings(values: dict[str, str]) -> Callable[[str], str | None]:
    """Git's settings, read by name."""

    def read(name: str) -> str | None:
        return values.get(name)

    return read


def signing(key: Path) -> SshSignatures:
    return SshSignatures(settings({}), key)


def allowed(*lines: str) -> AllowedSigners:
    return parse("\n".join(lines).encode(), ".mlgit/allowed_signers")


def blob(signature: bytes) -> bytes:
    return base64.b64decode(signature.removeprefix(BEGIN).removesuffix(END))


def armour(content: bytes) -> bytes:
    encoded = base64.b64encode(content)
    return BEGIN + b"\n".join(encoded[at : at + 70] for at in range(0, len(encoded), 70)) + END


def field(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def fields(content: bytes) -> list[bytes]:
    """The fields of a signature behind its first ten bytes: key, namespace, reserved, hash, signature."""
    parsed, at = [], 10
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        parsed.append(content[at + 4 : at + 4 + length])
        at += 4 + length
    return parsed


class Case:
    """One signature that is judged by mlgit and by ssh-keygen."""

    def __init__(self, folder: Path, key: Path, content: bytes = CONTENT) -> None:
        self.folder = folder
        self.content = content
        self.signature = signing(key).sign(content)
        self.lines = [render_line(ALICE, public(key))]
        self.principal = ALICE
        self.at = NOW

    def limit(self, **options: str) -> str:
        """Return the line with more options, or with others instead of those that it has."""
        person, listed, key = self.lines[0].split(" ", 2)
        have = dict(option.split("=", 1) for option in re.findall(r'[^=,]+="[^"]*"', listed))
        stated = {name.replace("_", "-"): f'"{value}"' for name, value in options.items()}
        return " ".join((person, ",".join(f"{name}={value}" for name, value in (have | stated).items()), key))

    def verify(self) -> Signature:
        return verify(self.content, self.signature, allowed(*self.lines), self.principal, self.at)

    def openssh_agrees(self) -> bool:
        """What `ssh-keygen -Y verify` says of the same case."""
        signers, signature = self.folder / "signers", self.folder / "signature"
        signers.write_text("\n".join(self.lines) + "\n")
        signature.write_bytes(self.signature)
        arguments = (
            "-Y",
            "verify",
            "-f",
            str(signers),
            "-I",
            self.principal,
            "-n",
            "mlgit-approval",
            "-s",
            str(signature),
        )
        process = ssh_keygen(*arguments, f"-Overify-time={self.at:%Y%m%d%H%M%S}Z", content=self.content)
        return process.returncode == 0

    def fault(self) -> tuple[str, str]:
        """The id and the message of the refusal."""
        with pytest.raises(MlgitError) as caught:
            self.verify()
        (finding,) = caught.value.findings
        assert finding.why
        assert finding.fix
        return finding.id, finding.message


@pytest.fixture(params=[*TYPES])
def case(request: pytest.FixtureRequest, keys: dict[str, Path], tmp_path: Path) -> Case:
    return Case(tmp_path, keys[request.param])


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("content", [b"", CONTENT, bytes(range(256)) * 5000])
def test_a_signature_proves_who_signed_and_with_which_key(
    keys: dict[str, Path], tmp_path: Path, name: str, content: bytes
) -> None:
    case = Case(tmp_path, keys[name], content)
    signature = case.verify()
    assert case.openssh_agrees()
    listed = ssh_keygen("-l", "-f", f"{keys[name]}.pub").stdout.split()[1].decode()
    assert signature == Signature(ALICE, listed)
    assert fingerprint(public(keys[name])) == listed


@pytest.mark.parametrize("hash_", ["sha256", "sha512"])
def test_both_hashes_of_the_format_are_known(keys: dict[str, Path], tmp_path: Path, hash_: str) -> None:
    case = Case(tmp_path, keys["ed25519"])
    arguments = ("-Y", "sign", "-n", "mlgit-approval", "-f", str(keys["ed25519"]), f"-Ohashalg={hash_}")
    case.signature = ssh_keygen(*arguments, content=CONTENT).stdout
    assert fields(blob(case.signature))[3] == hash_.encode()
    assert case.verify().principal == ALICE


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"\n", CONTENT.replace(b"approve", b"rejects", 1)])
def test_other_content_is_refused(case: Case, content: bytes) -> None:
    case.content = content
    assert case.fault()[0] == "signature-content-mismatch"
    assert not case.openssh_agrees()


def test_a_change_of_any_byte_of_the_signature_is_refused(keys: dict[str, Path], tmp_path: Path) -> None:
    case = Case(tmp_path, keys["ed25519"])
    whole = blob(case.signature)
    faults = set()
    for at in range(len(whole)):
        case.signature = armour(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        faults.add(case.fault()[0])
        assert case.openssh_agrees() == (at == 9), at  # the version: OpenSSH takes a 0 for the 1 that it writes
    assert faults == {
        "signature-malformed",
        "signature-key-unknown",
        "signature-namespace-mismatch",
        "signature-content-mismatch",
    }


@pytest.mark.parametrize("name", TYPES)
def test_a_change_in_each_field_of_the_signature_is_refused(keys: dict[str, Path], tmp_path: Path, name: str) -> None:
    case = Case(tmp_path, keys[name])
    key, namespace, reserved, hash_, raw = fields(blob(case.signature))
    turned = {b"sha256": b"sha512", b"sha512": b"sha256"}[hash_]
    algorithm = (
        raw.replace(b"rsa-sha2-512", b"rsa-sha2-256").replace(b"nistp384", b"nistp256").replace(b"ed255", b"xx255")
    )
    for id_, changed in [
        ("signature-key-unknown", (key[:-1] + bytes([key[-1] ^ 1]), namespace, reserved, hash_, raw)),
        ("signature-namespace-mismatch", (key, b"git", reserved, hash_, raw)),
        ("signature-content-mismatch", (key, namespace, reserved, turned, raw)),
        ("signature-content-mismatch", (key, namespace, reserved, hash_, algorithm)),
        ("signature-content-mismatch", (key, namespace, reserved, hash_, raw[:-1] + bytes([raw[-1] ^ 1]))),
        ("signature-content-mismatch", (key, namespace, reserved, hash_, raw + b"\x00")),
        ("signature-content-mismatch", (key, namespace, reserved, hash_, b"")),
        ("signature-malformed", (key, namespace, reserved, b"sha1", raw)),
        ("signature-malformed", (key, namespace, reserved, hash_)),
    ]:
        case.signature = armour(b"SSHSIG\x00\x00\x00\x01" + b"".join(map(field, changed)))
        assert case.fault()[0] == id_, changed
        assert not case.openssh_agrees(), changed


def test_a_reserved_field_that_no_key_vouches_for_is_refused(case: Case) -> None:
    key, namespace, _, hash_, raw = fields(blob(case.signature))
    case.signature = armour(b"SSHSIG\x00\x00\x00\x01" + b"".join(map(field, (key, namespace, b"x", hash_, raw))))
    assert case.fault()[0] == "signature-malformed"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        BEGIN + END,
        BEGIN + b"AAAA" + END,
        BEGIN + b"A" + END,
        BEGIN + b"\xff\xff" + END,
        armour(b"SSHSIG\x00\x00\x00\x02"),
        armour(b"SSHSIG\x00\x00\x00\x01\xff\xff\xff\xff"),
    ],
)
def test_what_is_no_signature_is_refused(case: Case, text: bytes) -> None:
    case.signature = text
    assert case.fault()[0] == "signature-malformed"
    assert not case.openssh_agrees()


def test_nothing_may_stand_around_a_signature(case: Case) -> None:
    alone = case.signature
    for case.signature in (b"\n" + alone, alone + b"\n", alone + alone, alone.replace(b"\n", b"\r\n"), alone[:-3]):
        assert case.fault()[0] == "signature-malformed"


def test_the_signature_of_a_commit_is_no_approval(case: Case, keys: dict[str, Path]) -> None:
    for namespace in ("git", "file", "mlgit-approval2"):
        arguments = ("-Y", "sign", "-n", namespace, "-f", str(keys["ed25519"]))
        case.lines = [render_line(ALICE, public(keys["ed25519"]))]
        case.signature = ssh_keygen(*arguments, content=CONTENT).stdout
        id_, message = case.fault()
        assert (id_, repr(namespace) in message) == ("signature-namespace-mismatch", True)
        assert not case.openssh_agrees()


def test_a_key_that_nobody_has_is_refused_by_its_fingerprint(case: Case, keys: dict[str, Path]) -> None:
    case.signature = signing(keys["other"]).sign(CONTENT)
    assert case.fault() == ("signature-key-unknown", f"the key {fingerprint(public(keys['other']))} is not listed")
    assert not case.openssh_agrees()


def test_a_signature_under_the_key_of_somebody_else_is_refused(case: Case, keys: dict[str, Path]) -> None:
    """The signature is Mallory's; only the bytes of the key in it are changed to Alice's."""
    key, *_ = fields(blob(case.signature))
    _, *rest = fields(blob(signing(keys["other"]).sign(CONTENT)))
    case.signature = armour(b"SSHSIG\x00\x00\x00\x01" + b"".join(map(field, (key, *rest))))
    assert case.fault()[0] == "signature-content-mismatch"
    assert not case.openssh_agrees()


def test_each_person_signs_for_themselves_alone(case: Case, keys: dict[str, Path]) -> None:
    case.lines.append(render_line(BOB, public(keys["bob"])))
    case.verify()
    case.principal = BOB
    assert case.fault() == ("signature-principal-mismatch", f"the signature is by {ALICE}, not by {BOB}")
    assert not case.openssh_agrees()
    case.signature = signing(keys["bob"]).sign(CONTENT)
    assert case.verify().principal == BOB
    assert case.openssh_agrees()


@pytest.mark.parametrize("principal", [ALICE.upper(), "", "*", "alice@example.org,bob@example.org", "example.org"])
def test_a_principal_is_compared_whole(case: Case, principal: str) -> None:
    case.principal = principal
    assert case.fault()[0] == "signature-principal-mismatch"


def test_a_person_may_have_two_addresses_and_two_keys(case: Case, keys: dict[str, Path]) -> None:
    case.lines = [case.lines[0].replace(ALICE, f"{ALICE},{BOB}"), render_line(BOB, public(keys["bob"]))]
    for case.principal in (ALICE, BOB):
        assert case.verify().principal == case.principal
        assert case.openssh_agrees()


def test_a_key_for_commits_alone_makes_no_approval(case: Case) -> None:
    case.lines = [case.limit(namespaces="git")]
    assert case.fault()[0] == "signature-namespace-mismatch"
    assert not case.openssh_agrees()


@pytest.mark.parametrize(
    ("option", "before", "at", "after"),
    [("valid-after", False, True, True), ("valid-before", True, True, False)],
)
def test_a_key_proves_nothing_outside_its_time(case: Case, option: str, before: bool, at: bool, after: bool) -> None:
    case.lines = [case.limit(**{option: "20260601120000Z"})]
    for moment, valid in ((-1, before), (0, at), (1, after)):
        case.at = NOW + timedelta(seconds=moment)
        assert case.openssh_agrees() == valid
        if valid:
            case.verify()
        else:
            id_, message = case.fault()
            assert (id_, f"{case.at:%H:%M:%S} UTC" in message) == ("signature-time-invalid", True)


def test_times_are_compared_across_zones(case: Case) -> None:
    from datetime import timezone

    case.lines = [case.limit(valid_after="20260601120000Z")]
    case.at = NOW - timedelta(seconds=1)
    assert case.fault()[0] == "signature-time-invalid"
    case.at = NOW.astimezone(timezone(timedelta(hours=-8)))
    case.verify()


def test_a_key_that_came_back_is_valid_in_each_of_its_times(case: Case) -> None:
    case.lines = [case.limit(valid_before="20260101Z"), case.limit(valid_after="20260601Z")]
    for moment, valid in (
        (datetime(2025, 1, 1, tzinfo=UTC), True),
        (datetime(2026, 3, 1, tzinfo=UTC), False),
        (NOW, True),
    ):
        case.at = moment
        assert case.openssh_agrees() == valid
        assert valid or case.fault()[0] == "signature-time-invalid"
        assert not valid or case.verify().principal == ALICE


# The port that operations use, and where it finds the key


def test_the_port_returns_the_fingerprint_and_trusts_nobody_from_a_file_with_a_fault(keys: dict[str, Path]) -> None:
    signatures, line = signing(keys["ed25519"]), render_line(ALICE, public(keys["ed25519"])).encode()
    signature = signatures.sign(CONTENT)
    found = signatures.verify(CONTENT, signature, signers=line, principal=ALICE, at=NOW)
    assert found == fingerprint(public(keys["ed25519"]))
    with pytest.raises(MlgitError) as caught:
        signatures.verify(CONTENT, signature, signers=line + b"\n*@x.org " + line, principal=ALICE, at=NOW)
    assert [finding.id for finding in caught.value.findings] == ["allowed-signers-principal-invalid"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without keys, and no agent."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("SSH_AUTH_SOCK", "DISPLAY", "SSH_ASKPASS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def signer_of(signatures: SshSignatures) -> bytes:
    """The key in a signature."""
    return fields(blob(signatures.sign(CONTENT)))[0]


def key_bytes(key: Path) -> bytes:
    return base64.b64decode(public(key).split()[1])


def test_the_key_is_the_given_one_else_that_of_git_else_a_usual_one(home: Path, tmp_path: Path) -> None:
    usual, older = make_key(home / ".ssh" / "id_ed25519"), make_key(home / ".ssh" / "id_rsa", *TYPES["rsa"])
    gits, given = make_key(home / "gits"), make_key(tmp_path / "given")
    ssh = {"gpg.format": "ssh", "user.signingkey": "~/gits.pub"}
    for config, key, expected in [
        (ssh, given, given),
        (ssh, None, gits),
        ({"user.signingkey": "0xA1B2C3D4"}, None, usual),  # a key of GnuPG
        ({"gpg.format": "ssh"}, None, usual),
        ({}, None, usual),
    ]:
        signatures = SshSignatures(settings(config), key)
        assert signer_of(signatures) == key_bytes(expected)
        assert signatures.public_key() == public(expected)
    usual.unlink()
    assert signer_of(SshSignatures(settings({}))) == key_bytes(older)


def test_the_public_half_is_made_from_the_private_one_where_there_is_no_file_of_it(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    expected = public(key)
    Path(f"{key}.pub").unlink()
    assert signing(key).public_key() == expected


@pytest.mark.parametrize(
    "config",
    [{}, {"gpg.format": "ssh", "user.signingkey": "~/gone"}, {"gpg.format": "openpgp", "user.signingkey": "~/gone"}],
)
def test_without_a_key_the_commands_to_make_one_are_named(home: Path, config: dict[str, str]) -> None:
    with pytest.raises(MlgitError) as caught:
        SshSignatures(settings(config)).sign(CONTENT)
    (finding,) = caught.value.findings
    assert finding.id == "signing-key-missing"
    assert "ssh-keygen -t ed25519" in finding.fix
    assert "allowed_signers" in finding.fix


def test_a_given_key_that_is_not_there_is_not_replaced_by_another(home: Path) -> None:
    make_key(home / ".ssh" / "id_ed25519")
    with pytest.raises(MlgitError) as caught:
        SshSignatures(settings({}), home / "gone").sign(CONTENT)
    assert caught.value.findings[0].id == "signing-key-missing"


def test_a_file_that_is_no_key_says_so(home: Path) -> None:
    (home / "note").write_text("hello")
    (home / "note").chmod(0o600)
    signatures = SshSignatures(settings({}), home / "note")
    for ask, id_ in (
        (lambda: signatures.sign(CONTENT), "signing-failed"),
        (signatures.public_key, "signing-key-unreadable"),
    ):
        with pytest.raises(MlgitError) as caught:
            ask()
        (finding,) = caught.value.findings
        assert (finding.id, bool(finding.why)) == (id_, True)


def test_without_ssh_keygen_only_signatures_of_ed25519_are_judged(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if "ssh-ed25519" in case.lines[0]:
        assert case.verify().principal == ALICE
    else:
        with pytest.raises(Inconclusive) as caught:
            case.verify()
        assert caught.value.findings[0].id == "ssh-keygen-missing"


def test_a_fingerprint_of_no_key_is_refused() -> None:
    with pytest.raises(MlgitError) as caught:
        fingerprint("ssh-ed25519 nothing")
    assert caught.value.findings[0].id == "signing-key-unreadable"


@pytest.fixture
def agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An agent that holds one key, of which no file is left; gives the path that its public half was at."""
    key, socket = make_key(home / "held"), home / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it says where it listens once it does
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        subprocess.run(["ssh-add", "-q", str(key)], check=True, timeout=60)
        key.unlink()
        yield key
        process.terminate()


@pytest.mark.parametrize("form", ["key::{}", "key::{} a comment", "{}"])
def test_git_may_name_a_key_that_only_an_agent_has(agent: Path, form: str) -> None:
    config = {"gpg.format": "ssh", "user.signingkey": form.format(public(agent))}
    signatures = SshSignatures(settings(config))
    assert signer_of(signatures) == key_bytes(agent)
    assert signatures.public_key() == public(agent)


def test_a_public_key_of_which_no_agent_has_the_private_half_does_not_sign(home: Path) -> None:
    key = make_key(home / "key")
    key.unlink()
    with pytest.raises(MlgitError) as caught:
        SshSignatures(settings({}), Path(f"{key}.pub")).sign(CONTENT)
    (finding,) = caught.value.findings
    assert (finding.id, "No private key" in finding.why) == ("signing-failed", True)


ASKED = """
import fcntl, sys, termios
from pathlib import Path
from mlgit.edges.ssh.signing import SshSignatures
from mlgit.errors import MlgitError
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
try:
    Path(sys.argv[2]).write_bytes(SshSignatures({}.get, Path(sys.argv[1])).sign(b"content"))
except MlgitError as error:
    sys.exit(error.findings[0].why)
"""


@pytest.mark.parametrize(("answer", "signs"), [(b"secret\n", True), (b"wrong\n", False)])
def test_a_passphrase_is_asked_for_on_the_terminal(home: Path, answer: bytes, signs: bool) -> None:
    key, written = make_key(home / "key", passphrase="secret"), home / "signature"
    terminal, end = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", ASKED, str(key), str(written)],
        stdin=end,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    os.close(end)
    output = b""
    while b"passphrase" not in output:
        output += os.read(terminal, 1000)
    os.write(terminal, answer)
    _, errors = child.communicate(timeout=60)
    os.close(terminal)
    assert (child.returncode == 0, written.exists()) == (signs, signs)
    assert signs or b"incorrect passphrase" in errors
