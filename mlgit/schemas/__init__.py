"""The JSON Schema of each kind of record, for editors. `python -m mlgit.schemas` generates the files."""

from importlib.resources import files
from typing import Final

SUFFIX: Final = ".schema.json"


def kinds() -> list[str]:
    """Return the kinds that have a schema, sorted."""
    return sorted(entry.name.removesuffix(SUFFIX) for entry in files(__name__).iterdir() if entry.name.endswith(SUFFIX))


def text(kind: str) -> bytes:
    """Return the schema of a kind."""
    return (files(__name__) / f"{kind}{SUFFIX}").read_bytes()
