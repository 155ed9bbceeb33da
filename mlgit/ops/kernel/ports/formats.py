"""The port to file formats: records, model cards, DVC pointers and parameters."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mlgit.domain.cards import CardText
from mlgit.domain.pipeline import Stage
from mlgit.domain.records import Record
from mlgit.domain.records.card import Card
from mlgit.domain.records.version import StoredFile
from mlgit.domain.signers import SignerLine
from mlgit.ops.kernel.ports.git import Tree


class RecordReader(Protocol):
    """Parses the content of a file into a record."""

    def __call__(self, file: str, content: bytes) -> Record:
        """Return the record in a file; its path determines the kind.

        Raises:
            MlgitError: with every problem of the content, or no record belongs at this path (`record-path-invalid`).
        """
        ...


class Formats(Protocol):
    """Reads and writes the formats of the project's files. `file` is a path for messages, and nothing is opened."""

    def record(self, file: str, content: bytes) -> Record:
        """Return the record in a file; its path determines the kind.

        Raises:
            MlgitError: with every problem of the content, or no record belongs at this path (`record-path-invalid`).
        """
        ...

    def card(self, file: str, content: bytes) -> tuple[Card, CardText]:
        """Return the front matter and the text of a model card.

        Raises:
            MlgitError: with every problem of the front matter.
        """
        ...

    def model_card(self, file: str, content: bytes) -> tuple[dict[str, Any], str]:
        """Return the front matter and the prose that people wrote for the cards of a model's versions.

        Raises:
            MlgitError: with every problem of it (`card-front-matter-invalid`, `card-license-unnamed` and others).
        """
        ...

    def pointer(self, stored: StoredFile) -> bytes:
        """Return the content of the DVC pointer to a file."""
        ...

    def pointed(self, file: str, content: bytes) -> str:
        """Return the md5 of the data that a DVC pointer names.

        Raises:
            MlgitError: it is not a pointer to one output in its own folder, as `check_pointer`.
        """
        ...

    def check_pointer(self, file: str, content: bytes) -> None:
        """Check that a DVC pointer refers to one output in its own folder.

        Raises:
            MlgitError: it does not (`dvc-pointer-invalid`, `dvc-pointer-legacy`, `dvc-pointer-unsafe`).
        """
        ...

    def signers(self, content: bytes) -> Sequence[SignerLine]:
        """Return the lines of `.mlgit/allowed_signers`.

        Raises:
            MlgitError: with every line that cannot be trusted (`allowed-signers-...`).
        """
        ...

    def stages(self, tree: Tree) -> Sequence[Stage]:
        """Return the stages of every `dvc.yaml` in a tree, with their variables filled in; nothing is executed.

        Raises:
            MlgitError: they cannot be determined (`pipeline-invalid`), or with every problem of a file.
        """
        ...

    def yaml(self, file: str, record: Record) -> bytes:
        """Return a record as YAML for people, with a reference to its JSON Schema relative to the path of the file."""
        ...

    def front_matter(self, mapping: Mapping[str, Any]) -> bytes:
        """Return the front matter of a model card, without the `---` lines."""
        ...

    def params(self, file: str, content: bytes) -> dict[str, Any]:
        """Return the parameters in a YAML, JSON or TOML file; none for an empty one.

        Raises:
            MlgitError: with every problem of the content.
        """
        ...
