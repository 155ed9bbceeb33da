"""Findings, which have an id, a message, a place, a cause and a fix; and the errors that carry them."""

from enum import IntEnum, StrEnum

import msgspec


class Severity(StrEnum):
    """Severity of a finding: an error makes a command fail, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Location(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """A place in a file: the line, counted from 1, and the path inside the document (`slices[2].metric`)."""

    file: str
    line: int | None = None
    path: str | None = None

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        path = f" ({self.path})" if self.path else ""
        return f"{self.file}{line}{path}"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something wrong, or worth knowing.

    `id` is stable and explained by `mlgit explain ID`; `message` states the fact; `why` is the cause, or how mlgit knows; `fix`
    is what to do.
    """

    id: str
    message: str
    why: str = ""
    fix: str = ""
    at: Location | None = None
    severity: Severity = Severity.ERROR


class Exit(IntEnum):
    """Exit codes of the command line."""

    YES = 0
    NO = 1
    USAGE = 2
    INCONCLUSIVE = 3
    BUG = 4
    INTERRUPTED = 130


class MlgitError(Exception):
    """A command failed, with one or more findings. The exit code is 1 (no), unless a subclass has another."""

    exit = Exit.NO

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(finding.message for finding in findings))
        self.findings = findings


class UsageError(MlgitError):
    """The arguments of the command are invalid; nothing was done."""

    exit = Exit.USAGE


class Inconclusive(MlgitError):
    """Git, DVC, the disk or the network failed, so that there is neither a yes nor a no."""

    exit = Exit.INCONCLUSIVE


def refused(id: str, message: str, *, why: str = "", fix: str = "", at: Location | None = None) -> MlgitError:  # noqa: A002
    """Return an error with one finding, for `raise refused(...)`."""
    return MlgitError(Finding(id, message, why, fix, at))


def inconclusive(id: str, message: str, *, why: str = "", fix: str = "", at: Location | None = None) -> Inconclusive:  # noqa: A002
    """Return an `Inconclusive` error with one finding, for `raise inconclusive(...) from error`."""
    return Inconclusive(Finding(id, message, why, fix, at))


def usage_error(id: str, message: str, *, why: str = "", fix: str = "") -> UsageError:  # noqa: A002
    """Return an error about the arguments of a command, for `raise usage_error(...)`."""
    return UsageError(Finding(id, message, why, fix))
