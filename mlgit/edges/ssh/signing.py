"""Signatures of people over approvals, made with the SSH keys that they use for Git.

Signing is ssh-keygen's work, which knows agents, passphrases and security keys. They are made under a namespace of
mlgit's own, so that a signature on a commit can never pass for an approval.
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
from mlgit.edges.ssh import keygen
from mlgit.edges.ssh.keys import Malformed, PublicKey
from mlgit.edges.ssh.signers import APPROVALS, COMMITS, AllowedSigners, Signer, parse
from mlgit.edges.ssh.sshsig import Sealed
from mlgit.errors import MlgitError, refused

_DEFAULT_KEYS: Final = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")
_LITERAL = re.compile(r"(key::)?(?P<key>(ssh|ecdsa|sk)-\S+[ \t]+\S+.*)", re.DOTALL)
_AGAIN: Final = "the person runs `mlgit approve` again, with a key of theirs that is listed and valid"
_NOISE = re.compile(r"@|Signing |Enter passphrase|$")

_cached = functools.lru_cache(maxsize=8)(parse)  # one command verifies many approvals against the same file


class Signature(msgspec.Struct, frozen=True):
    """A signature that was verified: whose it is, and the key that made it."""

    principal: str
    fingerprint: str
    key_type: str


class SshSignatures:
    """Signs with a person's key, and verifies what people signed (see `ops.kernel.ports.Signatures`)."""

    def __init__(self, config: Callable[[str], str | None], key: Path | None = None) -> None:
        """Take how to read a setting of Git, and the key to sign with; without it, it is looked for."""
        self._config = config
        self._key = key

    def sign(self, content: bytes) -> bytes:
        """Sign bytes as an approval and return the signature, armoured.

        The key is the one that was given, else the one that Git signs with (`user.signingkey`, where `gpg.format` is
        `ssh`), else the first usual one in `~/.ssh`. One with a passphrase asks for it on the terminal.

        Raises:
            MlgitError: there is no key (`signing-key-missing`), or it could not be used (`signing-failed`).
        """
        key = self._find_key()
        with tempfile.TemporaryDirectory(prefix="mlgit-") as folder:
            file = Path(folder, "content")
            file.write_bytes(content)
            if isinstance(key, str):
                path = Path(folder, "key.pub")  # its private half is an agent's
                path.write_text(f"{key}\n")
            else:
                path = key
            done = keygen.run("-Y", "sign", "-n", APPROVALS, "-f", str(path), str(file))
            if done.returncode != 0:
                raise refused(
                    "signing-failed",
                    f"ssh-keygen did not sign with {key}",
                    why=_said(done.stderr),
                    fix="run `ssh-add` with the key, so that an agent holds it, then run the command again",
                )
            return Path(f"{file}.sig").read_bytes()

    def verify(self, content: bytes, signature: bytes, *, signers: bytes, principal: str, at: datetime) -> str:
        """Return the fingerprint of the key that a person signed these bytes with.

        Args:
            content: what was signed.
            signature: the armoured signature.
            signers: the content of an `allowed_signers` file.
            principal: the e-mail address of who is said to have signed.
            at: when; the key must have been valid then.

        Raises:
            MlgitError: the file cannot be trusted (see `signers.parse`), or the signature does not prove that (see
                `verify`).
        """
        return verify(content, signature, _cached(signers, layout.SIGNERS), principal, at).fingerprint

    def signer(self, content: bytes, signature: bytes, *, signers: bytes, at: datetime) -> tuple[str, str]:
        """Return the principal and the fingerprint of the key by which a commit was signed.

        Raises:
            MlgitError: the file cannot be trusted, or the signature proves nothing (see `signer`).
        """
        found = signer(content, signature, _cached(signers, layout.SIGNERS), at)
        return found.principal, found.fingerprint

    def public_key(self) -> str:
        """Return the public half of the key that `sign` uses, as `ssh-ed25519 AAAA…`, without its comment.

        Raises:
            MlgitError: there is no key (`signing-key-missing`), or its public half cannot be read
                (`signing-key-unreadable`).
        """
        key = self._find_key()
        return str(_public(key if isinstance(key, str) else _public_half(key)))

    def _find_key(self) -> Path | str:
        """Return the file of a key, or the text of a public key that an agent has."""
        if self._key is not None:
            return _existing(self._key, "it was named as the key to sign with")
        configured = self._config("user.signingkey") if self._config("gpg.format") == "ssh" else None
        if configured:
            literal = _LITERAL.fullmatch(configured)
            if literal:
                return literal["key"]
            return _existing(Path(configured).expanduser(), "Git's setting user.signingkey names it")
        folder = Path.home() / ".ssh"
        for name in _DEFAULT_KEYS:
            if (folder / name).is_file():
                return folder / name
        raise _missing("there is no SSH key to sign with", f"Git names none, and {folder} has none of the usual names")


def verify(content: bytes, signature: bytes, signers: AllowedSigners, principal: str, at: datetime) -> Signature:
    """Return whose signature it is, if it proves that a person signed these bytes as an approval.

    Args:
        content: what was signed.
        signature: the armoured signature.
        signers: who may sign.
        principal: the e-mail address of who is said to have signed.
        at: when; the key must have been valid then.

    Raises:
        MlgitError: what is wrong: no signature (`signature-malformed`), the key is nobody's (`signature-key-unknown`),
            made for, or by a key for, something else (`signature-namespace-mismatch`), other content or other bytes
            (`signature-content-mismatch`), another person's (`signature-principal-mismatch`), or the key was not valid
            (`signature-time-invalid`).
    """
    lines = _lines_of(content, signature, signers, APPROVALS)
    theirs = [line for line in lines if principal in line.principals]
    if not theirs:
        message = f"the signature is by {' or '.join(lines[0].principals)}, not by {principal}"
        raise _disproved(
            "signature-principal-mismatch", message, f"{signers.file}:{lines[0].line} says whose the key is"
        )
    _check_lines(theirs, signers.file, APPROVALS, at)
    return Signature(principal, lines[0].key.fingerprint, lines[0].key.type)


def signer(content: bytes, signature: bytes, signers: AllowedSigners, at: datetime) -> Signature:
    """Return who signed a commit: the first principal of the line that lists the key.

    Args:
        content: the commit without its signature.
        signature: the signature, armoured.
        signers: who may sign.
        at: when the commit says that it was made; the key must have been valid then.

    Raises:
        MlgitError: as `verify`, but for the person, whom the key tells.
    """
    lines = _lines_of(content, signature, signers, COMMITS)
    line = _check_lines(lines, signers.file, COMMITS, at)
    return Signature(line.principals[0], line.key.fingerprint, line.key.type)


def _lines_of(content: bytes, signature: bytes, signers: AllowedSigners, namespace: str) -> tuple[Signer, ...]:
    """Return the lines of the key that made a signature over this content for a namespace; there is one at the least."""
    try:
        sealed = Sealed.parse(signature)
    except Malformed as error:
        raise _disproved("signature-malformed", "this is not an SSH signature", str(error)) from error
    print_ = PublicKey("", sealed.key).fingerprint
    lines = signers.of_key(sealed.key)
    if not lines:
        raise _disproved("signature-key-unknown", f"nobody has the key {print_}", f"{signers.file} does not list it")
    made_for = sealed.namespace.decode("ascii", "backslashreplace")
    if made_for != namespace:
        message = f"the signature was made for {made_for!r}, not for {namespace!r}"
        raise _disproved(
            "signature-namespace-mismatch", message, "a signature that was made for something else proves nothing here"
        )
    if not sealed.is_by(lines[0].key, content):
        raise _disproved(
            "signature-content-mismatch",
            "the signature is not over this content",
            f"it does not verify with the key {print_}",
        )
    return lines


def fingerprint(public_key: str) -> str:
    """Return the fingerprint of a public key, as `ssh-keygen -l` prints it: `SHA256:` and 43 characters of base64.

    Raises:
        MlgitError: it is not a public key (`signing-key-unreadable`).
    """
    return _public(public_key).fingerprint


def _check_lines(lines: Sequence[Signer], file: str, namespace: str, at: datetime) -> Signer:
    """Return the line of a key that lets it sign for a namespace at this moment."""
    fitting = [line for line in lines if line.may_sign(namespace)]
    if not fitting:
        message = (
            f"the key {lines[0].key.fingerprint} is not for {'approvals' if namespace == APPROVALS else 'commits'}"
        )
        raise _disproved("signature-namespace-mismatch", message, f"{file}:{lines[0].line} does not name {namespace!r}")
    valid = [line for line in fitting if line.valid_at(at)]
    if not valid:
        why = "; ".join(f"{file}:{line.line} says {_times(line)}" for line in fitting)
        who = fitting[0].principals[0]
        raise _disproved(
            "signature-time-invalid", f"the key of {who} was not valid on {utc_time_with_seconds(at)}", why
        )
    return valid[0]


def _disproved(id_: str, message: str, why: str) -> MlgitError:
    return refused(id_, message, why=why, fix=_AGAIN)


def _times(line: Signer) -> str:
    times = (("from", line.valid_after), ("until", line.valid_before))
    return " ".join(f"{word} {utc_time_with_seconds(moment)}" for word, moment in times if moment)


def _missing(message: str, why: str) -> MlgitError:
    return refused(
        "signing-key-missing",
        message,
        why=why,
        fix="run `ssh-keygen -t ed25519`, then `git config gpg.format ssh` and"
        " `git config user.signingkey ~/.ssh/id_ed25519.pub`, and propose a line for it in .mlgit/allowed_signers:"
        f' YOUR@EMAIL namespaces="git,{APPROVALS}" and the content of the .pub file',
    )


def _existing(path: Path, why: str) -> Path:
    if not path.is_file():
        raise _missing(f"the key {path} is not there", why)
    return path


def _public_half(path: Path) -> str:
    """Return the text of the public half of a key in a file."""
    public = path if path.suffix == ".pub" else Path(f"{path}.pub")
    if public.is_file():
        try:
            return public.read_text(errors="replace")
        except OSError as error:
            raise _unreadable(f"the public half of {path} cannot be read", error.strerror or str(error)) from error
    done = keygen.run("-y", "-f", str(path))
    if done.returncode != 0:
        raise _unreadable(f"the public half of {path} cannot be read", _said(done.stderr))
    return done.stdout.decode()


def _public(text: str) -> PublicKey:
    try:
        return PublicKey.parse(text)
    except Malformed as error:
        raise _unreadable("this is not a public key that can be used", str(error)) from error


def _unreadable(message: str, why: str) -> MlgitError:
    return refused("signing-key-unreadable", message, why=why, fix="use a key that `ssh-keygen -t ed25519` made")


def _said(stderr: bytes) -> str:
    """Return what ssh-keygen said, on one line."""
    lines = (line.strip() for line in stderr.decode(errors="replace").splitlines())
    return "; ".join(line for line in lines if not _NOISE.match(line))
