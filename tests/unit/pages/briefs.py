"""Briefs for tests: every text is a given one, every list of a given length, so that no field is forgotten.

A list within a list has three entries at most: what is in there is cut no differently, and there would be very many.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from markdown_it import MarkdownIt
from msgspec import inspect
from msgspec.structs import replace

from mlgit.ops.promotion.brief_result import Brief

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
READ_BY_FORGES = re.compile(
    r"(?<![A-Za-z0-9_])@[A-Za-z0-9]|@[0-9a-f]{7}|[#!]\d|\bgh-\d|://|\bwww\.\w|[\w.+-]+@[\w-]+\.\w|:[\w+-]+:|\$",
    re.IGNORECASE,
)
"""What a forge looks for in the text of a page: mentions, issues, addresses, links, emoji, formulas."""
INVISIBLE = "\u200b"
NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)


def brief(words: str = "word", many: int = 2, **changes: Any) -> Brief:
    """Return a brief in which everything that a repository or a person may say says the same words."""
    made = filled(Brief, words, many)
    assert isinstance(made, Brief)
    own = {"change": "promote", "state": "open", "next": "mlgit approve production/churn", "timing": made.timing}
    own["candidate"] = f"{words} 2"  # which is not the champion
    own["metrics"] = [replace(one, is_primary=True) for one in made.metrics]
    if made.rollback is not None:
        own["rollback"] = replace(made.rollback, command='mlgit rollback production/churn --reason "..."')
    return replace(made, **own | changes)


def filled(kind: type[Any], words: str, many: int) -> Any:
    """Return a value of a type, with these words for every text, and this many entries in everything that holds several."""
    return _value(inspect.type_info(kind), words, many)


def _value(info: inspect.Type, words: str, many: int) -> Any:
    plain: dict[type[inspect.Type], Callable[[], Any]] = {
        inspect.StrType: lambda: words,
        inspect.AnyType: lambda: words,
        inspect.IntType: lambda: 3,
        inspect.FloatType: lambda: 0.25,
        inspect.BoolType: lambda: False,
        inspect.DateTimeType: lambda: NOW,
    }
    if type(info) in plain:
        return plain[type(info)]()
    match info:
        case inspect.Metadata(type=inner):
            made = _value(inner, words, many)
        case inspect.LiteralType(values=values):
            made = values[0]
        case inspect.EnumType(cls=kind):
            made = next(iter(kind))
        case inspect.UnionType(types=types):
            made = _value(next(one for one in types if not isinstance(one, inspect.NoneType)), words, many)
        case inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
            made = [_value(inner, words, min(many, 3))] * many
        case inspect.DictType(key_type=keys, value_type=inner):
            key = _value(keys, words, many)
            made = dict.fromkeys((f"{key}{number}" for number in range(many)), _value(inner, words, min(many, 3)))
        case inspect.StructType(cls=kind, fields=fields):
            made = kind(**{field.name: _value(field.type, words, many) for field in fields})
        case _:
            raise AssertionError(info)
    return made
