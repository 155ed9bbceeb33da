"""`.mlgit/requirements.lock`: mlgit and every package that it needs, each with the sha256 of the files that may be installed.

The format is that of pip's requirements files, in the part that `pip install --require-hashes --only-binary=:all:` takes. Wheels
that are in no index lie beside the file, in `wheels`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from mlgit.domain import layout
from mlgit.errors import Finding, Location

WHEELS: Final = "wheels"
"""The folder of wheels, relative to the lock."""
INSTALL_OPTIONS: Final = ("--require-hashes", "--only-binary=:all:")
"""Options of `pip install` with which nothing is installed, or run while it is built, that has no hash."""

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_REQUIREMENT: Final = re.compile(
    rf"(?P<name>{_NAME}) *(?:== *(?P<version>[A-Za-z0-9.!+_-]+)|@ *(?P<url>\S+))(?: *;[^#]*?)?(?P<hashes>(?: +--hash=\S+)*)"
)
_HASH: Final = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_PIN: Final = re.compile(rf"(?P<name>{_NAME})(?:\[[^]]*\])? *== *(?P<version>[A-Za-z0-9.!+_-]+)")
_FIX: Final = "run `mlgit upgrade`, which resolves and writes it"


class LockedPackage(msgspec.Struct, frozen=True, order=True):
    """A package: its version, or the URL of its wheel, and the sha256 of each file that may be installed."""

    name: str
    version: str
    hashes: tuple[str, ...]
    url: str | None = None

    def __str__(self) -> str:
        requirement = f"{self.name}=={self.version}" if self.url is None else f"{self.name} @ {self.url}"
        return " \\\n    ".join([requirement, *(f"--hash=sha256:{digest}" for digest in sorted(self.hashes))])


def normalized(name: str) -> str:
    """Return the name of a package as it is compared: lower case, with hyphens (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def render(source: str, packages: Iterable[LockedPackage], *, has_wheels: bool) -> str:
    """Return the text of a lock.

    Args:
        source: where mlgit comes from, one line.
        packages: all packages, mlgit among them.
        has_wheels: whether wheels lie beside it.
    """
    head = [
        "# Written by `mlgit upgrade`: mlgit and every package that it needs, with the hashes of what may be installed.",
        f"# mlgit comes from {source}",
        f"# pip install {' '.join(INSTALL_OPTIONS)} -r {layout.REQUIREMENTS_LOCK}",
        *([f"--find-links {WHEELS}"] if has_wheels else []),
    ]
    return "\n".join([*head, *map(str, sorted(packages)), ""])


def check_lock(content: str) -> Iterator[Finding]:
    """Check that a lock names mlgit, and a hash for each package, and leaves the index to pip's own configuration."""
    names: set[str] = set()
    for number, line in _logical_lines(content):
        at = Location(layout.REQUIREMENTS_LOCK, number)
        if line.startswith("-"):
            if line.split() != ["--find-links", WHEELS]:
                yield Finding(
                    "requirements-lock-invalid",
                    f"{line.split()[0]} does not belong into a lock",
                    why="an option can make pip take packages from elsewhere; the index is in pip's own configuration",
                    fix="remove the line",
                    at=at,
                )
            continue
        match = _REQUIREMENT.fullmatch(line)
        hashes = () if match is None else match["hashes"].split()
        if match is None or not hashes or not all(_HASH.fullmatch(digest) for digest in hashes):
            yield Finding(
                "requirements-lock-invalid",
                f"{line.split()[0][:100]} has no version with a sha256",
                why="whoever can publish a package of that name and version could run code with the secrets of the workflows",
                fix=_FIX,
                at=at,
            )
        if match is not None:
            names.add(normalized(match["name"]))
    if "mlgit" not in names:
        yield Finding(
            "requirements-lock-invalid",
            "the lock does not name mlgit",
            why="the workflows install mlgit from it",
            fix=_FIX,
            at=Location(layout.REQUIREMENTS_LOCK),
        )


def parse(content: str) -> dict[str, str | None]:
    """Return the version of each package of a lock by its normalized name; None for one that is named by its URL."""
    matches = (_REQUIREMENT.fullmatch(line) for _, line in _logical_lines(content))
    return {normalized(match["name"]): match["version"] for match in matches if match is not None}


def differing_pins(content: str, requirements: str) -> list[str]:
    """Return what requirements pin to another version than a lock has, or that the lock lacks, as `name==version`."""
    locked = parse(content)
    pins = (_PIN.match(line.strip()) for line in requirements.splitlines())
    return [
        f"{pin['name']}=={pin['version']}"
        for pin in pins
        if pin is not None and locked.get(normalized(pin["name"]), "") not in {pin["version"], None}
    ]


def _logical_lines(content: str) -> Iterator[tuple[int, str]]:
    """Yield each requirement or option with the number of its first line; a backslash at its end continues a line."""
    parts: list[str] = []
    first = 1
    for number, line in enumerate(content.splitlines(), 1):
        first = first if parts else number
        text = line.strip()
        if text.startswith("#") and not parts:
            continue
        parts.append(text.removesuffix("\\").strip())
        if not text.endswith("\\"):
            joined = _without_comment(parts)
            parts = []
            if joined:
                yield first, joined
    if joined := _without_comment(parts):
        yield first, joined


def _without_comment(parts: Sequence[str]) -> str:
    return re.sub(r"(^|\s)#.*$", "", " ".join(filter(None, parts))).strip()
