"""Base classes of records, and how fields are described."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

NonNegativeInt = Annotated[int, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]
Timestamp = Annotated[datetime, Meta(tz=True)]


def describe(text: str, **constraints: Any) -> Meta:
    """Describe a field: the text appears in the JSON Schema, on the reference page and in error messages.

    Args:
        text: one sentence.
        constraints: keyword arguments of `msgspec.Meta`, such as `ge` or `max_length`.
    """
    return Meta(description=text, **constraints)


class RecordPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mapping inside a record."""


class Record(RecordPart, frozen=True, kw_only=True, tag_field="kind"):
    """A kind of file. Fields that equal their default are not written, so a new optional field changes no existing digest."""

    written_by: ClassVar[Literal["people", "mlgit"]]
    written_with: ClassVar[str | None] = None
    """The command that writes a whole file for people, if there is one."""

    schema: Literal[1]
