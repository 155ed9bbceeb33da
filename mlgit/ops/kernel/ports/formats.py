"""What operations ask of file formats: records, cards, pointers, parameters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mlgit.domain.cards import CardText
from mlgit.domain.records import Record
from mlgit.domain.records.card import Card
from mlgit.domain.records.version import StoredFile

if TYPE_CHECKING:
    pass


class RecordReader(Protocol):
    """Turns the content of a file into a record."""

    def __call__(self, file: str, content: bytes) -> Record:
        """Read the record that belongs at a path.

        Raises:
            MlgitError: with every problem of the file.
        """
        ...


class Formats(Protocol):
    """How records and cards are written in files."""

    def record(self, file: str, content: bytes) -> Record:
        """Read the record that belongs at a path."""
        ...

    def card(self, file: str, content: bytes) -> tuple[Card, CardText]:
        """Read a model card: its front matter and its prose."""
        ...

    def pointer(self, stored: StoredFile) -> bytes:
        """Return the bytes of the DVC pointer to a file."""
        ...

    def check_pointer(self, file: str, content: bytes) -> None:
        """Refuse a DVC pointer that is none, or that names something other than content of its own folder."""
        ...

    def yaml(self, file: str, record: Record) -> bytes:
        """Return a record as people read and edit it, for the file at a path."""
        ...

    def front_matter(self, mapping: Mapping[str, Any]) -> bytes:
        """Return a card's front matter without its fences."""
        ...

    def params(self, file: str, content: bytes) -> dict[str, Any]:
        """Read a file of parameters."""
        ...
