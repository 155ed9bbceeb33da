"""XGBoost: a booster in JSON or Universal Binary JSON, whose arrays have the sizes that it states.

Sources: https://ubjson.org/type-reference for the binary form, and XGBoost's page "Introduction to Model IO" for the keys.
"""

import json
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mlgit.edges.modelfile.unsafe import unsafe
from mlgit.errors import Location

JSON_MAX: Final = 512 << 20
"""Bytes of a booster in JSON; a larger one is saved as UBJ, which takes a third of that."""
DEPTH_MAX: Final = 64
VALUES_MAX: Final = 20_000_000

_NUMBERS: Final = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q", "d": ">f", "D": ">d"}
_CONSTANTS: Final = {"Z": None, "T": True, "F": False}
_ARRAYS: Final = ("left_children", "right_children", "parents", "split_indices", "split_conditions", "default_left")


class _Damaged(Exception):
    """The bytes are not what they state."""


def check(path: Path, at: Location) -> None:
    """Refuse a booster that is damaged, or whose trees state other sizes than they have.

    Raises:
        MlgitError: it does (`model-file-unsafe`).
    """
    try:
        document = _json(path) if _is_json(path) else _ubj(path)
        if problem := _problem(document):
            raise _Damaged(problem)
    except (_Damaged, ValueError, RecursionError, struct.error) as error:
        raise unsafe(str(error)[:200] or "its values are nested too deeply", at) from error


def _is_json(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(1 << 10).lstrip()
    return head[1:].lstrip()[:1] == b'"'


def _json(path: Path) -> Any:
    if path.stat().st_size > JSON_MAX:
        raise _Damaged(f"it has more than {JSON_MAX:,} bytes of JSON; save it as UBJ")
    return json.loads(path.read_bytes())


def _ubj(path: Path) -> Any:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        reader = _Ubj(data)
        value = reader.value(reader.marker(), 0)
        if reader.position != len(data):
            raise _Damaged(f"{len(data) - reader.position:,} bytes follow its last value")
        return value


class _Ubj:
    """Reads values; an array of numbers of one type becomes a range of its length, since only its size is compared."""

    def __init__(self, data: mmap.mmap) -> None:
        self.position = 0
        self._data = data
        self._values_left = VALUES_MAX

    def marker(self) -> str:
        """Return the type of the next value."""
        return self._take(1).decode("latin-1")

    def value(self, marker: str, depth: int) -> Any:
        """Return the value of a type."""
        self._values_left -= 1
        if depth > DEPTH_MAX or self._values_left < 0:
            raise _Damaged("it has too many values, or they are nested too deeply")
        if marker in _NUMBERS:
            return self._number(marker)
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker == "S":
            return self._text()
        if marker == "C":
            return self._take(1).decode("latin-1")
        if marker == "[":
            return self._array(depth)
        if marker == "{":
            return dict(self._pairs(depth))
        raise _Damaged(f"it has a value of the unknown type {marker!r}")

    def _array(self, depth: int) -> Any:
        kind, count = self._header()
        if kind is not None:
            size = struct.calcsize(_NUMBERS[kind])
            if count is None or count * size > len(self._data) - self.position:
                raise _Damaged(f"an array states {count or 0:,} numbers, which is more than the file has")
            self.position += count * size
            return range(count)
        items: list[Any] = []
        while count is None or len(items) < count:
            marker = self.marker()
            if count is None and marker == "]":
                break
            items.append(self.value(marker, depth + 1))
        return items

    def _header(self) -> tuple[str | None, int | None]:
        kind, count = None, None
        if self._peek() == "$":
            self._take(1)
            kind = self.marker()
            if kind not in _NUMBERS:
                raise _Damaged(f"it has an array of the unknown type {kind!r}")
        if self._peek() == "#":
            self._take(1)
            count = self._size()
        return kind, count

    def _pairs(self, depth: int) -> Iterator[tuple[str, Any]]:
        while self._peek() != "}":
            key = self._text()
            yield key, self.value(self.marker(), depth + 1)
        self._take(1)

    def _text(self) -> str:
        return self._take(self._size()).decode()

    def _size(self) -> int:
        marker = self.marker()
        size = self._number(marker) if marker in "iUIlL" else -1
        if not isinstance(size, int) or size < 0:
            raise _Damaged("it states a size that is no number")
        return size

    def _number(self, marker: str) -> int | float:
        form = _NUMBERS[marker]
        number: int | float = struct.unpack(form, self._take(struct.calcsize(form)))[0]
        return number

    def _peek(self) -> str:
        return self._data[self.position : self.position + 1].decode("latin-1")

    def _take(self, size: int) -> bytes:
        taken = self._data[self.position : self.position + size]
        if len(taken) < size or size < 0:
            raise _Damaged("it ends in the middle of a value")
        self.position += size
        return taken


def _problem(document: Any) -> str:
    """Return which size in a booster is not what it states; nothing if all are."""
    for model in _gradient_boosters(document):
        trees, stated = model.get("trees", []), _integer(model.get("gbtree_model_param"), "num_trees")
        if not isinstance(trees, list) or (stated is not None and stated != len(trees)):
            return f"it states {stated} trees, and has {len(trees) if isinstance(trees, list) else 'none'}"
        for number, tree in enumerate(trees):
            if problem := _tree_problem(number, tree):
                return problem
    return ""


def _gradient_boosters(document: Any) -> Iterator[dict[str, Any]]:
    """Yield each group of trees; that of the booster dart is one level deeper."""
    booster = _get(_get(document, "learner"), "gradient_booster")
    for model in (_get(booster, "model"), _get(_get(booster, "gbtree"), "model")):
        if isinstance(model, dict):
            yield model


def _tree_problem(number: int, tree: Any) -> str:
    nodes = _integer(_get(tree, "tree_param"), "num_nodes")
    if nodes is None:
        return f"tree {number} states no number of nodes"
    for name in _ARRAYS:
        items = _get(tree, name)
        if not isinstance(items, list | range) or len(items) != nodes:
            return f"tree {number} states {nodes:,} nodes, and its array {name} is not as long"
    return ""


def _integer(value: Any, key: str) -> int | None:
    try:
        return int(_get(value, key))
    except (TypeError, ValueError):
        return None


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
