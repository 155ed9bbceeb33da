"""Paths in a tree: forward slashes, nothing in front, nothing behind."""

from collections.abc import Sequence


def split(path: str) -> tuple[str, str]:
    """Return the folder of a path and the name in it; no name where the path begins with a slash, so that nothing is there."""
    folder, slash, name = path.rpartition("/")
    return (folder, "") if slash and not folder else (folder, name)


def byte_order(path: str) -> bytes:
    """Return the key by which Git sorts paths: their bytes, where those that are no UTF-8 are surrogates."""
    return path.encode("utf-8", "surrogateescape")


def is_under(path: str, places: Sequence[str]) -> bool:
    """Tell whether a path is one of some places or below one of them; with no places at all, every path is."""
    return not places or any(not place or path == place or path.startswith(f"{place}/") for place in places)


def clean(places: Sequence[str]) -> list[str]:
    """Return places without the slash that folders may end in."""
    return [place.rstrip("/") for place in places]
