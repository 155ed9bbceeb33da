"""What is wrong, or worth knowing, said in one form: a finding has an id, a message, a place, a cause and a way out."""

from enum import IntEnum, StrEnum

import msgspec


class Severity(StrEnum):
    """How much a finding weighs: an error refuses, a warning does not, a note only informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Location(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """A place in a tree: a file, a line counted from 1, and a path inside the document (`slices[2].metric`)."""

    file: str
    line: int | None = None
    path: str | None = None

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        path = f" ({self.path})" if self.path else ""
        return f"{self.file}{line}{path}"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something wrong, or worth knowing.

    `id` is stable and explained by `mlgit explain ID`; `message` states the fact; `why` says how mlgit knows; `fix` is the
    way out.
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
    """A command cannot go on; carries one or more findings. The answer is no, unless a subclass says otherwise."""

    exit = Exit.NO

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(finding.message for finding in findings))
        self.findings = findings


class UsageError(MlgitError):
    """The words of the command do not fit; nothing was tried."""

    exit = Exit.USAGE


class Inconclusive(MlgitError):
    """Git, DVC, the disk or the network did not answer, so nothing can be said."""

    exit = Exit.INCONCLUSIVE


def refused(id: str, message: str, *, why: str = "", fix: str = "", at: Location | None = None) -> MlgitError:  # noqa: A002
    """Return an error with one finding, for `raise refused(...)`."""
    return MlgitError(Finding(id, message, why, fix, at))


def inconclusive(id: str, message: str, *, why: str = "", fix: str = "", at: Location | None = None) -> Inconclusive:  # noqa: A002
    """Return an error that says a question could not be answered, for `raise inconclusive(...) from error`."""
    return Inconclusive(Finding(id, message, why, fix, at))


def usage_error(id: str, message: str, *, why: str = "", fix: str = "") -> UsageError:  # noqa: A002
    """Return an error about the words of a command, for `raise misuse(...)`."""
    return UsageError(Finding(id, message, why, fix))
