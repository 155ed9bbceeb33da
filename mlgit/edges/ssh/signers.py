"""Allowed signers: the file `.mlgit/allowed_signers` in OpenSSH's format, read strictly.

The format is that of the section ALLOWED SIGNERS of ssh-keygen(1), so that Git and ssh-keygen read the same file. Whoever
reviews the file has to see everybody who may sign, so these are refused: patterns, certificate authorities, times without
a zone, and a key of several people.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from mlgit.domain.namespaces import APPROVALS, COMMITS, LEDGER, PURPOSES
from mlgit.domain.signers import SignerLine
from mlgit.edges.ssh.keys import KEY_TYPES, Malformed, PublicKey
from mlgit.errors import Finding, Location, MlgitError

_PERSONAL: Final = f"{COMMITS},{APPROVALS},{LEDGER}"
"""The namespaces of a person's key."""

# Compared byte by byte, as OpenSSH does. The characters of OpenSSH's patterns (* ? ! ,) and quotes are not allowed.
_PRINCIPAL = re.compile(r"[A-Za-z0-9._%+=/'\[\]~-]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_OPTION = re.compile(r'(?P<name>[A-Za-z-]+)(="(?P<value>[^"\\]*)")?(,(?=.)|$)')
_OPTIONS_FIELD = re.compile(r'(?P<options>([^\s"]|"[^"]*")+)[ \t]+(?P<rest>.*)')
_NAMESPACE = re.compile(r"[A-Za-z0-9._@-]+")
_TIME = re.compile(r"[0-9]{8}([0-9]{4}([0-9]{2})?)?Z")
_TIME_FORM = "YYYYMMDDZ or YYYYMMDDHHMM[SS]Z"


class Signer(msgspec.Struct, frozen=True):
    """One line: a key, its principals, the namespaces that it may sign for, and when it is valid.

    `namespaces` is None if the key may sign for any; `valid_after` and `valid_before` are valid times themselves.
    """

    principals: tuple[str, ...]
    key: PublicKey
    line: int
    namespaces: tuple[str, ...] | None = None
    valid_after: datetime | None = None
    valid_before: datetime | None = None

    def may_sign(self, namespace: str) -> bool:
        """Tell whether the key may make signatures for a namespace."""
        return self.namespaces is None or namespace in self.namespaces

    def valid_at(self, at: datetime) -> bool:
        """Tell whether the key is valid at a time."""
        return (self.valid_after is None or self.valid_after <= at) and (
            self.valid_before is None or at <= self.valid_before
        )


class AllowedSigners(msgspec.Struct, frozen=True):
    """All lines of the file, in its order."""

    file: str
    signers: tuple[Signer, ...]

    def of_key(self, blob: bytes) -> tuple[Signer, ...]:
        """Return the lines with a key, given by its bytes."""
        return tuple(signer for signer in self.signers if signer.key.blob == blob)

    def lines(self) -> list[SignerLine]:
        """Return each line with the fingerprint of its key and its principals."""
        return [SignerLine(signer.line, signer.key.fingerprint, signer.principals) for signer in self.signers]


class _InvalidLine(Exception):
    """A problem of a line."""

    def __init__(self, id: str, message: str, fix: str) -> None:  # noqa: A002 - as findings call it
        super().__init__(message)
        self.finding = (id, message, fix)


def parse(content: bytes, file: str) -> AllowedSigners:
    """Read the file.

    Args:
        content: its bytes.
        file: its path, for findings.

    Raises:
        MlgitError: a finding for each line that cannot be trusted (`allowed-signers-line-invalid`,
            `allowed-signers-principal-invalid`, `allowed-signers-option-invalid`,
            `allowed-signers-authority-unsupported`, `allowed-signers-namespace-invalid`,
            `allowed-signers-key-invalid`, `allowed-signers-key-duplicate`). No line of such a file is trusted.
    """
    signers: list[Signer] = []
    findings: list[Finding] = []
    for number, raw in enumerate(content.split(b"\n"), start=1):
        try:
            signer = _line(raw.removesuffix(b"\r"), number)
        except _InvalidLine as invalid:
            id_, message, fix = invalid.finding
            findings.append(Finding(id_, message, fix=fix, at=Location(file, number)))
        else:
            signers += [signer] if signer else []
    findings += _shared(signers, file)
    if findings:
        raise MlgitError(*sorted(findings, key=lambda finding: finding.at or Location(file)))
    return AllowedSigners(file, tuple(signers))


def render_line(principal: str, public_key: str) -> str:
    """Return the line, without its end, that allows a person to sign commits, approvals and entries of the ledger with a key.

    Args:
        principal: the person's e-mail address.
        public_key: the key, as in a `.pub` file; its comment is left out.

    Raises:
        MlgitError: the principal or the key cannot be trusted (`allowed-signers-principal-invalid`,
            `allowed-signers-key-invalid`).
    """
    try:
        _check_principal(principal)
        key = _key(public_key)
    except _InvalidLine as invalid:
        id_, message, fix = invalid.finding
        raise MlgitError(Finding(id_, message, fix=fix)) from invalid
    return f'{principal} namespaces="{_PERSONAL}" {key}'


def _line(raw: bytes, number: int) -> Signer | None:
    """Read a line; None if it is empty or a comment."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise _InvalidLine(
            "allowed-signers-line-invalid", f"byte {error.start + 1} of the line is not UTF-8", "save the file as UTF-8"
        ) from error
    stripped = text.strip(" \t")
    if not stripped or stripped.startswith("#"):
        return None
    if any(character != "\t" and not character.isprintable() for character in stripped):
        raise _InvalidLine(
            "allowed-signers-line-invalid",
            "the line has an invisible character",
            "type the line again by hand",
        )
    principals, _, rest = stripped.replace("\t", " ").partition(" ")
    rest = rest.lstrip()
    if not rest:
        raise _InvalidLine(
            "allowed-signers-line-invalid",
            "the line has no key",
            'write it as: alice@example.org namespaces="git,mlgit-approval" ssh-ed25519 AAAA…',
        )
    names = tuple(principals.split(","))
    for name in names:
        _check_principal(name)
    options, key = ("", rest) if rest.split(maxsplit=1)[0] in KEY_TYPES else _split_options(rest)
    return _with_options(names, _key(key), number, dict(_options(options)))


def _check_principal(name: str) -> None:
    if not _PRINCIPAL.fullmatch(name):
        raise _InvalidLine(
            "allowed-signers-principal-invalid",
            f"{name!r} is not an e-mail address",
            "name each address of the person in full, separated by commas; patterns such as *@example.org are not supported",
        )


def _split_options(rest: str) -> tuple[str, str]:
    """Split the options of a line from its key; `_key` refuses a key of an unknown type."""
    match = _OPTIONS_FIELD.fullmatch(rest)
    if match is None or re.match(r"(ssh|ecdsa|sk)-", rest):
        return "", rest
    return match["options"], match["rest"]


def _options(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each option of `namespaces="git",valid-after="20260101Z"` by its lower-case name."""
    names: set[str] = set()
    offset = 0
    while offset < len(text):
        match = _OPTION.match(text, offset)
        if match is None:
            raise _InvalidLine(
                "allowed-signers-option-invalid",
                f"the options {text!r} cannot be read",
                'write them as name="value", separated by commas',
            )
        name = match["name"].lower()
        if name == "cert-authority":
            raise _InvalidLine(
                "allowed-signers-authority-unsupported",
                "a certificate authority can add signers without a review here",
                "list the key of each person instead",
            )
        if name not in {"namespaces", "valid-after", "valid-before"} or match["value"] is None:
            raise _InvalidLine(
                "allowed-signers-option-invalid",
                f"{match[0].rstrip(',')!r} is not an option",
                'use namespaces="…", valid-after="…" or valid-before="…"',
            )
        if name in names:
            raise _InvalidLine(
                "allowed-signers-option-invalid", f"the option {name} is given twice", "keep one of the two"
            )
        names.add(name)
        yield name, match["value"]
        offset = match.end()


def _with_options(principals: tuple[str, ...], key: PublicKey, line: int, options: dict[str, str | None]) -> Signer:
    listed, after, before = (options.get(name) for name in ("namespaces", "valid-after", "valid-before"))
    namespaces = None if listed is None else _namespaces(listed)
    valid_after, valid_before = _time("valid-after", after), _time("valid-before", before)
    if valid_after and valid_before and valid_before <= valid_after:
        raise _InvalidLine(
            "allowed-signers-option-invalid",
            "valid-before is not after valid-after: the key would never be valid",
            "correct one of the two",
        )
    return Signer(principals, key, line, namespaces, valid_after, valid_before)


def _namespaces(listed: str) -> tuple[str, ...]:
    namespaces = tuple(listed.split(","))
    fix = f'write namespaces="{_PERSONAL}", or leave the option out'
    for namespace in namespaces:
        if not _NAMESPACE.fullmatch(namespace):
            raise _InvalidLine(
                "allowed-signers-namespace-invalid",
                f"{namespace!r} is not the name of a namespace; patterns are not supported",
                fix,
            )
    if PURPOSES.keys().isdisjoint(namespaces):
        raise _InvalidLine(
            "allowed-signers-namespace-invalid",
            f"the key may sign nothing that mlgit verifies, only {', '.join(namespaces)}",
            fix,
        )
    return namespaces


def _time(option: str, text: str | None) -> datetime | None:
    """Read a time in UTC; a date means its start."""
    if text is None:
        return None
    if not _TIME.fullmatch(text):
        why = "names no time zone" if _TIME.fullmatch(text + "Z") else f"is not of the form {_TIME_FORM}"
        raise _InvalidLine(
            "allowed-signers-option-invalid",
            f"{option} {text!r} {why}",
            "write the time in UTC with a Z at the end, for example 20260131Z",
        )
    digits = text.removesuffix("Z").ljust(14, "0")
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise _InvalidLine(
            "allowed-signers-option-invalid",
            f"{option} {text!r} is not a valid time",
            f"write it as {_TIME_FORM}",
        ) from error


def _key(text: str) -> PublicKey:
    try:
        return PublicKey.parse(text)
    except Malformed as error:
        raise _InvalidLine(
            "allowed-signers-key-invalid",
            f"the key cannot be used: {error}",
            "copy the line from the person's .pub file; `ssh-keygen -t ed25519` makes a key",
        ) from error


def _shared(signers: list[Signer], file: str) -> Iterator[Finding]:
    """Yield a finding for each key that has different principals on several lines: its holder could sign as two people."""
    first: dict[bytes, Signer] = {}
    for signer in signers:
        earlier = first.setdefault(signer.key.blob, signer)
        if set(earlier.principals) != set(signer.principals):
            yield Finding(
                "allowed-signers-key-duplicate",
                f"the key {signer.key.fingerprint} has other principals in line {earlier.line}",
                why="its holder could sign as two people",
                fix="give each person a key of their own, and list all addresses of a person on each line of the key",
                at=Location(file, signer.line),
            )
