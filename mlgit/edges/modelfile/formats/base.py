"""What the module of a model format defines, and what it gets to see of a file."""

from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from mlgit.domain.records.version import ModelFormat
from mlgit.errors import Location


class Content(NamedTuple):
    """The content of a file: its first MiB, the whole of it as a stream, and its size in bytes."""

    head: bytes
    stream: BinaryIO
    size: int


class Format(Protocol):
    """What the module of a format defines.

    A module that has a `LIBRARY` also defines `load(job: Job) -> tuple[Predict, Kind]` (see `child`), which loads the
    model and returns the function that predicts. It runs in the scoring process only.
    """

    NAME: ModelFormat
    """The name in records."""
    EXTENSIONS: tuple[str, ...]
    """Extensions of its files, the usual one first."""
    SAVE: str
    """How a model is saved in it, for messages."""
    LIBRARY: str | None
    """The module that loads it; None for a format that cannot be scored."""
    EXTRA: str | None
    """The extra of mlgit that installs the library; None if mlgit requires it."""

    def matches(self, content: Content) -> bool:
        """Tell by the content alone whether a file has this format. A pickle must never match."""
        ...

    def list_types(self, path: Path, at: Location) -> list[str]:
        """Return the Python types that loading a file imports and that its library does not trust, as dotted names.

        Raises:
            MlgitError: the file is damaged, or not safe to open.
        """
        ...
