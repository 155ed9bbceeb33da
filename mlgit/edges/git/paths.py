"""Paths in a tree: separated by `/`, with no `/` at either end."""

from collections.abc import Sequence


def split(path: str) -> tuple[str, str]:
    """Split a path into its folder and its name.

    The name is empty where the path begins with a slash: no tree contains such a path, so nothing is found there.
    """
    folder, slash, name = path.rpartition("/")
    return (folder, "") if slash and not folder else (folder, name)


def byte_order(path: str) -> bytes:
    """Return the key by which Git sorts paths: their bytes. Bytes that are not UTF-8 are surrogates in `path`."""
    return path.encode("utf-8", "surrogateescape")


def is_under(path: str, prefixes: Sequence[str]) -> bool:
    """Tell whether a path is one of the prefixes or below one of them. Without prefixes, every path is."""
    return not prefixes or any(not prefix or path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes)


def strip_slashes(paths: Sequence[str]) -> list[str]:
    """Return the paths without the slash at the end that a folder may be written with."""
    return [path.rstrip("/") for path in paths]
