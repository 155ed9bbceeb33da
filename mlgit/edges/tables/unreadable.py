"""The refusal of a file that cannot be read as a table."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlgit.errors import Location, MlgitError, refused

_FIX = "write it as Parquet, or as CSV with a header"


def unreadable(path: Path, why: str, *, line: int | None = None, fix: str = _FIX) -> MlgitError:
    """Return the error for a file that is no table.

    Args:
        path: the file.
        why: what is wrong with it.
        line: the line in which it was found.
        fix: what to do.
    """
    return refused(
        "table-unreadable",
        f"{path.name} cannot be read as a table",
        why=why,
        fix=fix,
        at=Location(path.name, line=line),
    )


@contextmanager
def translating_errors(path: Path) -> Iterator[None]:
    """Turn exceptions of the disk and of Arrow into a finding (`table-unreadable`)."""
    from pyarrow import ArrowException  # noqa: PLC0415 - heavy

    try:
        yield
    except (OSError, ValueError, ArrowException) as error:
        if isinstance(error, MlgitError):
            raise
        raise unreadable(path, (str(error).splitlines() or [""])[0]) from error
