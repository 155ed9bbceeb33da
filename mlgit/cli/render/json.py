"""Outcomes as JSON."""

from typing import Any

import msgspec


def document(outcome: msgspec.Struct) -> str:
    """Return an outcome as indented JSON. What cannot be in JSON, bytes of a path that are not UTF-8, is written as an escape."""
    try:
        encoded = msgspec.json.encode(outcome)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_printable(msgspec.to_builtins(outcome)))
    return msgspec.json.format(encoded, indent=2).decode()


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list | tuple) else value
