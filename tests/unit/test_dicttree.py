"""Trees from dicts, and trees with some files replaced."""

import pytest

from mlgit.ops.kernel.ports.git import Tree, TreeEntry
from tests.dicttree import DictTree

FILES: dict[str, bytes | str] = {"a.b": "1", "a/b": "2", "a/c/d": b"\xff", "z": "ü"}


def paths(tree: Tree, *under: str) -> list[str]:
    return [entry.path for entry in tree.entries(under)]


class TestDictTree:
    def test_lists_as_git_does(self) -> None:
        tree = DictTree(FILES)
        assert tree.names() == ["a.b", "a/", "z"]
        assert tree.names_of(["a", "a/c", "z", "no", "a/"]) == [["b", "c/"], ["d"], [], [], []]
        assert list(tree.entries()) == [TreeEntry(path, "100644") for path in ("a.b", "a/b", "a/c/d", "z")]
        assert tree.commit is None

    @pytest.mark.parametrize(
        ("under", "found"),
        [(["a"], ["a/b", "a/c/d"]), (["a/"], ["a/b", "a/c/d"]), (["z", "a/c"], ["a/c/d", "z"]), (["no"], [])],
    )
    def test_lists_below(self, under: list[str], found: list[str]) -> None:
        assert paths(DictTree(FILES), *under) == found

    def test_reads(self) -> None:
        tree = DictTree(FILES)
        assert list(tree.read_many(["z", "no", "a/c/d"])) == [("z", "ü".encode()), ("no", None), ("a/c/d", b"\xff")]
        assert (tree.read("a"), tree.read("a/b")) == (None, b"2")
