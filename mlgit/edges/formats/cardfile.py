"""Reads a model card: YAML front matter between two `---` lines, then prose in Markdown."""

import re
from typing import Any

import msgspec

from mlgit.domain import codec
from mlgit.domain.cards import CardText
from mlgit.domain.records.card import Card
from mlgit.edges.formats import schemacheck, yamlfile
from mlgit.edges.formats.document import Document, check_text
from mlgit.errors import Location, MlgitError, refused

_FENCE = re.compile(rb"^---\r?(?:\n|\Z)", re.MULTILINE)
_KEYS = re.compile(rb"\s*(?:[A-Za-z_-]+:(?:[ \t][^\n]*)?\r?\n|[ \t-][^\n]*\n|\s*\n)+")
_COMPUTED = frozenset({"mlgit", "model-index", "library_name", "pipeline_tag", "datasets", "metrics"})


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
    _check_license(document)
    try:
        card = codec.from_mapping(Card, document.value)
    except msgspec.ValidationError as error:
        raise schemacheck.refusal(Card, document, error) from error
    return card, CardText.parse(text[second.end() :].decode().replace("\r\n", "\n")), document


def parse_model_card(text: bytes, file: str) -> tuple[dict[str, Any], str]:
    """Read the card of a model: prose, and before it, if people want to, front matter such as the license.

    Args:
        text: the content of the file.
        file: its path, for messages.

    Returns:
        The front matter, empty if there is none, and the prose.

    Raises:
        MlgitError: the front matter does not end or does not begin, or states what `mlgit register` computes
            (`card-front-matter-invalid`), the license has no name (`card-license-unnamed`), or the text cannot be read.
    """
    check_text(text, file, max_bytes=yamlfile.MAX_BYTES)
    fences = _FENCE.finditer(text)
    first = next(fences, None)
    if first is None or first.start() != 0:
        if first is not None and _KEYS.fullmatch(text[: first.start()]):
            raise _invalid(file, "keys and a line `---` follow, and no line `---` begins them")
        return {}, text.decode().replace("\r\n", "\n")
    second = next(fences, None)
    if second is None:
        raise _invalid(file, "no second line `---` ends it")
    document = yamlfile.parse(text[: second.start()], file)
    if computed := [key for key in document.value if key in _COMPUTED]:
        raise refused(
            "card-front-matter-invalid",
            f"{file} states {', '.join(computed)}, which `mlgit register` computes",
            why="the front matter of a version's card is written from its record",
            fix="remove it; a license, languages and the like may stay",
            at=document.at((computed[0],)),
        )
    _check_license(document)
    return document.value, text[second.end() :].decode().replace("\r\n", "\n")


def _check_license(document: Document) -> None:
    """Check that a license that is none of the known ones is named and linked, as model hubs require.

    Source: https://huggingface.co/docs/hub/model-cards, "Specifying a license".
    """
    missing = [key for key in ("license_name", "license_link") if not document.value.get(key)]
    if document.value.get("license") == "other" and missing:
        raise refused(
            "card-license-unnamed",
            f"{document.file} has the license `other`, without {' and '.join(missing)}",
            why="nobody could tell under which terms the model may be used",
            fix="add both, for example `license_name: acme-internal` and `license_link: LICENSE`",
            at=document.at(("license",)),
        )


def _invalid(file: str, why: str) -> MlgitError:
    return refused(
        "card-front-matter-invalid",
        f"the front matter of {file} has no end or no beginning",
        why=why,
        fix="begin the card with a line `---`, then keys and values, then another line `---`; or with prose",
        at=Location(file, 1),
    )
