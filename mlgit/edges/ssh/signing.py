"""Signatures over approvals, made with the SSH keys that people use for Git.

ssh-keygen signs, because it supports agents, passphrases and security keys. Approvals have a namespace of their own, so
that a signature on a commit cannot be used as an approval.
"""

import functools
import re
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from mlgit.domain import layout
from mlgit.domain.formatting import utc_time_with_seconds
from mlgit.domain.namespaces import APPROVALS, COMMITS, LEDGER, PURPOSES
from mlgit.edges.ssh import keygen
from mlgit.edges.ssh.keys import Malformed, PublicKey, Wire
from mlgit.edges.ssh.signers import AllowedSigners, Signer, parse
from mlgit.edges.ssh.sshsig import SshSignature
from mlgit.errors import MlgitError, refused

_DEFAULT_KEYS: Final = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")
_FINGERPRINT: Final = "SHA256:"
_KEY_TEXT = re.compile(r"(key::)?(?P<key>(ssh|ecdsa|sk)-\S+[ \t]+\S+.*)", re.DOTALL)
_SIGN_AGAIN: Final = "let the person run the command again, with a key that is listed and valid"
_NOISE = re.compile(r"@|Signing |Enter passphrase|$")

_cached = functools.lru_cache(maxsize=8)(parse)  # one command verifies many approvals against the same file


class Signature(msgspec.Struct, frozen=True):
    """A verified signature: the person, and the key that made it."""

    principal: str
    fingerprint: str


class SshSignatures:
    """Signs with the user's key, and verifies signatures (see `ops.kernel.ports.Signatures`)."""

    def __init__(self, config: Callable[[str], str | None], key: Path | None = None) -> None:
        """Take a function that reads a setting of Git, and the key to sign with; None to search for one."""
        self._config = config
        self._key = key

    def sign(self, content: bytes, namespace: str = APPROVALS) -> bytes:
        """Sign bytes for a purpose, by default as an approval, and return the signature, armoured.

        The key is the one given, else the one that Git signs with (`user.signingkey`, if `gpg.format` is `ssh`), else the
        first in `~/.ssh` with a default name. ssh-keygen asks for a passphrase on the terminal.

        Raises:
            MlgitError: there is no key (`signing-key-missing`), or it could not be used (`signing-failed`).
        """
        key = self._find_key()
        with tempfile.TemporaryDirectory(prefix="mlgit-") as folder:
            file = Path(folder, "content")
            file.write_bytes(content)
            if isinstance(key, str):
                path = Path(folder, "key.pub")  # an agent has the private key
                path.write_text(f"{key}\n")
            else:
                path = key
            process = keygen.run("-Y", "sign", "-n", namespace, "-f", str(path), str(file))
            if process.returncode != 0:
                raise refused(
                    "signing-failed",
                    f"ssh-keygen did not sign with {key}",
                    why=_message(process.stderr),
                    fix="run `ssh-add` with the key, so that an agent holds it, then run the command again",
                )
            return Path(f"{file}.sig").read_bytes()

    def commit_key(self, *, signers: bytes, principal: str) -> str | None:
        """Return the key to sign a person's commits with; None where Git has none configured, and the default one is not listed.

        A key that was only found in `~/.ssh` is not used before it is listed: its signature would prove nothing.
        """
        configured = self._config("user.signingkey") if self._config("gpg.format") == "ssh" else None
        if configured:
            return configured
        try:
            key = self._find_key()
            lines = _cached(signers, layout.SIGNERS).of_key(PublicKey.parse(self.public_key()).blob)
        except MlgitError:
            return None
        return str(key) if any(principal in line.principals and line.may_sign(COMMITS) for line in lines) else None

    def verify(self, content: bytes, signature: bytes, *, signers: bytes, principal: str, at: datetime) -> str:
        """Verify that a person signed these bytes, and return the fingerprint of the key.

        Args:
            content: what was signed.
            signature: the armoured signature.
            signers: the content of an `allowed_signers` file.
            principal: the e-mail address of the person.
            at: the time of the signature, at which the key must have been valid.

        Raises:
            MlgitError: the file cannot be trusted (see `signers.parse`), or the signature is not valid (see `verify`).
        """
        return verify(content, signature, _cached(signers, layout.SIGNERS), principal, at).fingerprint

    def principals(self, key: str, *, signers: bytes) -> tuple[str, ...]:
        """Return the addresses that a key, given by its fingerprint, stands for; none if it is not listed.

        Raises:
            MlgitError: the file cannot be trusted (see `signers.parse`).
        """
        lines = _cached(signers, layout.SIGNERS).signers
        return next((line.principals for line in lines if line.key.fingerprint == key), ())

    def signer(
        self, content: bytes, signature: bytes, *, signers: bytes, at: datetime, namespace: str = COMMITS
    ) -> tuple[str, str]:
        """Verify a signature, by default that of a commit, and return its principal and the fingerprint of its key.

        Raises:
            MlgitError: the file cannot be trusted, or the signature is not valid (see `signer`).
        """
        verified = signer(content, signature, _cached(signers, layout.SIGNERS), at, namespace)
        return verified.principal, verified.fingerprint

    def key(self) -> str:
        """Return the key that `sign` uses: its file, or a public key whose private key an agent has.

        Raises:
            MlgitError: there is no key (`signing-key-missing`).
        """
        return str(self._find_key())

    def verify_key(self, content: bytes, signature: bytes, *, key: str, namespace: str) -> None:
        """Verify that one key, given as a public key or by its fingerprint, made a signature for a purpose.

        Raises:
            MlgitError: it is not a signature (`signature-malformed`), is by another key (`signature-key-unknown`), for
                another purpose (`signature-namespace-mismatch`), or not over the content (`signature-content-mismatch`).
        """
        expected = key if key.startswith(_FINGERPRINT) else fingerprint(key)
        try:
            parsed = SshSignature.parse(signature)
            made_by = PublicKey(Wire(parsed.key).string().decode("ascii", "replace"), parsed.key)
        except Malformed as error:
            raise _disproved("signature-malformed", "it is not an SSH signature", str(error)) from error
        if made_by.fingerprint != expected:
            message = f"it is signed with {made_by.fingerprint}, not with {expected}"
            raise _disproved("signature-key-unknown", message, "only the signature of the expected key counts")
        _check_signature(parsed, made_by, content, namespace)

    def own_principal(self, *, signers: bytes, namespace: str, at: datetime) -> str:
        """Return the principal that the key that `sign` uses has for a purpose, without signing anything.

        Raises:
            MlgitError: there is no key (see `public_key`), the file cannot be trusted, it does not list the key
                (`signature-key-unknown`), or the key is not for this purpose or time (`signature-namespace-mismatch`,
                `signature-time-invalid`).
        """
        listed, key = _cached(signers, layout.SIGNERS), PublicKey.parse(self.public_key())
        lines = listed.of_key(key.blob)
        if not lines:
            raise _unlisted(key.fingerprint, listed.file)
        return _check_lines(lines, listed.file, namespace, at).principals[0]

    def public_key(self) -> str:
        """Return the public key that belongs to the key that `sign` uses, as `ssh-ed25519 AAAA…`, without its comment.

        Raises:
            MlgitError: there is no key (`signing-key-missing`), or its public key cannot be read
                (`signing-key-unreadable`).
        """
        key = self._find_key()
        return str(_public(key if isinstance(key, str) else _public_key_text(key)))

    def _find_key(self) -> Path | str:
        """Return the file of a key, or the text of a public key whose private key an agent has."""
        if self._key is not None:
            return _existing(self._key, "it was given as the key to sign with")
        configured = self._config("user.signingkey") if self._config("gpg.format") == "ssh" else None
        if configured:
            key_text = _KEY_TEXT.fullmatch(configured)
            if key_text:
                return key_text["key"]
            return _existing(Path(configured).expanduser(), "Git's setting user.signingkey names it")
        folder = Path.home() / ".ssh"
        for name in _DEFAULT_KEYS:
            if (folder / name).is_file():
                return folder / name
        raise _missing(
            "there is no SSH key to sign with", f"Git has none configured, and {folder} has no key with a default name"
        )


def verify(content: bytes, signature: bytes, signers: AllowedSigners, principal: str, at: datetime) -> Signature:
    """Verify that a person signed these bytes as an approval, and return the person and the key.

    Args:
        content: what was signed.
        signature: the armoured signature.
        signers: the keys that may sign.
        principal: the e-mail address of the person.
        at: the time of the signature, at which the key must have been valid.

    Raises:
        MlgitError: it is not a signature (`signature-malformed`), its key is not listed (`signature-key-unknown`), it or its
            key is for another namespace (`signature-namespace-mismatch`), it does not verify over the content
            (`signature-content-mismatch`), the key belongs to another person (`signature-principal-mismatch`), or was not
            valid (`signature-time-invalid`).
    """
    lines = _lines_of(content, signature, signers, APPROVALS)
    own_lines = [line for line in lines if principal in line.principals]
    if not own_lines:
        message = f"the signature is by {' or '.join(lines[0].principals)}, not by {principal}"
        raise _disproved("signature-principal-mismatch", message, f"{signers.file}:{lines[0].line} lists the key")
    _check_lines(own_lines, signers.file, APPROVALS, at)
    return Signature(principal, lines[0].key.fingerprint)


def signer(
    content: bytes, signature: bytes, signers: AllowedSigners, at: datetime, namespace: str = COMMITS
) -> Signature:
    """Verify a signature, and return the first principal of the line that lists the key.

    Args:
        content: what was signed: a commit without its signature, or an entry of the ledger.
        signature: the signature, armoured.
        signers: the keys that may sign.
        at: the time that the content states, at which the key must have been valid.
        namespace: what the signature must be for.

    Raises:
        MlgitError: as `verify`; there is no person to compare with, since the key determines it.
    """
    lines = _lines_of(content, signature, signers, namespace)
    line = _check_lines(lines, signers.file, namespace, at)
    return Signature(line.principals[0], line.key.fingerprint)


def _lines_of(content: bytes, signature: bytes, signers: AllowedSigners, namespace: str) -> tuple[Signer, ...]:
    """Verify a signature over this content for a namespace, and return the lines of its key; at least one."""
    try:
        parsed = SshSignature.parse(signature)
    except Malformed as error:
        raise _disproved("signature-malformed", "it is not an SSH signature", str(error)) from error
    key_fingerprint = PublicKey("", parsed.key).fingerprint
    lines = signers.of_key(parsed.key)
    if not lines:
        raise _unlisted(key_fingerprint, signers.file)
    _check_signature(parsed, lines[0].key, content, namespace)
    return lines


def _check_signature(parsed: SshSignature, key: PublicKey, content: bytes, namespace: str) -> None:
    """Check that a key made a signature over this content for a namespace."""
    actual_namespace = parsed.namespace.decode("ascii", "backslashreplace")
    if actual_namespace != namespace:
        message = f"the signature was made for {actual_namespace!r}, not for {namespace!r}"
        raise _disproved(
            "signature-namespace-mismatch", message, "a signature is valid only for the namespace that it was made for"
        )
    if not parsed.verifies(key, content):
        raise _disproved(
            "signature-content-mismatch",
            "the signature is not over this content",
            f"it does not verify with the key {key.fingerprint}",
        )


def fingerprint(public_key: str) -> str:
    """Return the fingerprint of a public key, as `ssh-keygen -l` prints it: `SHA256:` and 43 characters of base64.

    Raises:
        MlgitError: it is not a public key (`signing-key-unreadable`).
    """
    return _public(public_key).fingerprint


def _check_lines(lines: Sequence[Signer], file: str, namespace: str, at: datetime) -> Signer:
    """Return the line that allows a key to sign for a namespace at this time."""
    allowing = [line for line in lines if line.may_sign(namespace)]
    if not allowing:
        message = f"the key {lines[0].key.fingerprint} is not for {PURPOSES.get(namespace, namespace)}"
        raise _disproved("signature-namespace-mismatch", message, f"{file}:{lines[0].line} does not name {namespace!r}")
    valid = [line for line in allowing if line.valid_at(at)]
    if not valid:
        why = "; ".join(f"{file}:{line.line} says {_times(line)}" for line in allowing)
        person = allowing[0].principals[0]
        raise _disproved(
            "signature-time-invalid", f"the key of {person} was not valid on {utc_time_with_seconds(at)}", why
        )
    return valid[0]


def _unlisted(fingerprint: str, file: str) -> MlgitError:
    return _disproved("signature-key-unknown", f"the key {fingerprint} is not listed", f"no line of {file} has it")


def _disproved(id_: str, message: str, why: str) -> MlgitError:
    return refused(id_, message, why=why, fix=_SIGN_AGAIN)


def _times(line: Signer) -> str:
    times = (("from", line.valid_after), ("until", line.valid_before))
    return " ".join(f"{label} {utc_time_with_seconds(time)}" for label, time in times if time)


def _missing(message: str, why: str) -> MlgitError:
    return refused(
        "signing-key-missing",
        message,
        why=why,
        fix="run `ssh-keygen -t ed25519`, then `git config gpg.format ssh` and"
        " `git config user.signingkey ~/.ssh/id_ed25519.pub`, and propose a line for it in .mlgit/allowed_signers:"
        f' YOUR@EMAIL namespaces="git,{APPROVALS},{LEDGER}" and the content of the .pub file',
    )


def _existing(path: Path, why: str) -> Path:
    if not path.is_file():
        raise _missing(f"the key {path} does not exist", why)
    return path


def _public_key_text(path: Path) -> str:
    """Return the text of the public key of a key file."""
    public = path if path.suffix == ".pub" else Path(f"{path}.pub")
    if public.is_file():
        try:
            return public.read_text(errors="replace")
        except OSError as error:
            raise _unreadable(f"the public key of {path} cannot be read", error.strerror or str(error)) from error
    process = keygen.run("-y", "-f", str(path))
    if process.returncode != 0:
        raise _unreadable(f"the public key of {path} cannot be read", _message(process.stderr))
    return process.stdout.decode()


def _public(text: str) -> PublicKey:
    try:
        return PublicKey.parse(text)
    except Malformed as error:
        raise _unreadable("it is not a public key of an accepted type", str(error)) from error


def _unreadable(message: str, why: str) -> MlgitError:
    return refused("signing-key-unreadable", message, why=why, fix="use a key made by `ssh-keygen -t ed25519`")


def _message(stderr: bytes) -> str:
    """Return the error message of ssh-keygen, on one line."""
    lines = (line.strip() for line in stderr.decode(errors="replace").splitlines())
    return "; ".join(line for line in lines if not _NOISE.match(line))
