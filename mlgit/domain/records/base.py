"""What all records share, and how a field is described."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Moment = Annotated[datetime, Meta(tz=True)]


def doc(text: str, **constraints: Any) -> Meta:
    """Describe a field: the text goes into the JSON Schema, the reference page and error messages."""
    return Meta(description=text, **constraints)


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A piece of a record."""


class Record(Part, frozen=True, kw_only=True, tag_field="kind"):
    """A kind of file. Fields that equal their default are not written, so a new optional field changes no old digest."""

    written_by: ClassVar[Literal["people", "mlgit"]]

    schema: Literal[1]
