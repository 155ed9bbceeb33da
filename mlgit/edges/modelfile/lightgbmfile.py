"""LightGBM: trees as text, of the sizes that the header states. The library jumps to each tree by these sizes, unchecked.

Source: `GBDT::SaveModelToString` and `LoadModelFromString` of LightGBM (src/boosting/gbdt_model_text.cpp).
"""

import mmap
import re
from pathlib import Path
from typing import Final

from mlgit.edges.modelfile.unsafe import unsafe
from mlgit.errors import Location

_SIZES: Final = re.compile(rb"^tree_sizes=([0-9 ]*)\r?$", re.MULTILINE)
_TREE: Final = re.compile(rb"^Tree=[0-9]+\r?$", re.MULTILINE)
_LEAVES: Final = re.compile(rb"^num_leaves=([0-9]{1,9})\r?$", re.MULTILINE)
_VALUES: Final = re.compile(rb"^leaf_value=([^\n]*)$", re.MULTILINE)
_HEADER_MAX: Final = 64 << 20


def check(path: Path, at: Location) -> None:
    """Refuse a booster whose header or whose trees state other sizes than they have.

    Raises:
        MlgitError: it does (`model-file-unsafe`).
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if problem := _problem(data):
            raise unsafe(problem, at)


def _problem(data: mmap.mmap) -> str:
    if data.find(b"\0") >= 0:
        return "it is text, and has a NUL byte"
    first = _TREE.search(data)
    header_end = first.start() if first else len(data)
    stated = _SIZES.search(data, 0, min(header_end, _HEADER_MAX))
    if stated is None:
        return "" if first is None else "its header states no tree_sizes"
    sizes = [int(size) for size in stated[1].split()]
    position = header_end
    for number, size in enumerate(sizes):
        end = position + size
        if size == 0 or end > len(data) or not data[position:end].startswith(b"Tree=%d\n" % number):
            return f"its header states {size:,} bytes for tree {number}, and that is not where the tree is"
        if problem := _tree_problem(number, data[position:end]):
            return problem
        position = end
    following = _TREE.search(data, position)
    return f"it has more trees than the {len(sizes)} that its header states" if following else ""


def _tree_problem(number: int, tree: bytes) -> str:
    leaves, values = _LEAVES.search(tree), _VALUES.search(tree)
    stated, found = int(leaves[1]) if leaves else 0, len(values[1].split()) if values else 0
    return "" if stated == found else f"tree {number} states {stated:,} leaves and has {found:,}"
