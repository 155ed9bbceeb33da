"""Reads a model card: YAML front matter between two `---` lines, then prose in Markdown."""

import re

import msgspec

from mlgit.domain import codec
from mlgit.domain.cards import CardText
from mlgit.domain.records.card import Card
from mlgit.edges.formats import schemacheck, yamlfile
from mlgit.edges.formats.document import Document, check_text
from mlgit.errors import Location, refused

_FENCE = re.compile(rb"^---\r?(?:\n|\Z)", re.MULTILINE)


def parse(text: bytes, file: str) -> tuple[Card, CardText, Document]:
    """Read a card.

    Args:
        text: the content of the file.
        file: its path, for messages.

    Returns:
        The front matter, the prose, and the front matter as a document whose lines are those of the whole file.

    Raises:
        MlgitError: every problem of the front matter.
    """
    check_text(text, file, max_bytes=yamlfile.MAX_BYTES)
    fences = _FENCE.finditer(text)
    first, second = next(fences, None), next(fences, None)
    if first is None or first.start() != 0 or second is None:
        raise refused(
            "card-front-matter-invalid",
            f"{file} has no front matter",
            why="its first line is not `---`"
            if first is None or first.start() != 0
            else "no second line `---` ends it",
            fix="begin the card with a line `---`, then keys and values, then another line `---`",
            at=Location(file, 1),
        )
    # The first fence stays: YAML reads it as the start of a document, and line numbers stay those of the file.
    document = yamlfile.parse(text[: second.start()], file)
    try:
        card = codec.from_mapping(Card, document.value)
    except msgspec.ValidationError as error:
        raise schemacheck.refusal(Card, document, error) from error
    return card, CardText.parse(text[second.end() :].decode().replace("\r\n", "\n")), document
