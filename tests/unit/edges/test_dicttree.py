"""Trees from dicts, and trees with some files replaced."""

import pytest

from mlgit.edges.dicttree import DictTree, Overlay
from mlgit.ops.ports import Entry, Tree

FILES: dict[str, bytes | str] = {"a.b": "1", "a/b": "2", "a/c/d": b"\xff", "z": "ü"}


def paths(tree: Tree, *under: str) -> list[str]:
    return [entry.path for entry in tree.entries(under)]


class TestDictTree:
    def test_lists_as_git_does(self) -> None:
        tree = DictTree(FILES)
        assert tree.names() == ["a.b", "a/", "z"]
        assert tree.names_of(["a", "a/c", "z", "no", "a/"]) == [["b", "c/"], ["d"], [], [], []]
        assert list(tree.entries()) == [Entry(path, "100644") for path in ("a.b", "a/b", "a/c/d", "z")]
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


class TestOverlay:
    def test_is_the_tree_that_a_commit_would_have(self) -> None:
        tree = Overlay(DictTree(FILES), {"a/b": b"new", "a/c/d": None, "z": None, "m/n/o": b"added", "gone": None})
        assert paths(tree) == ["a.b", "a/b", "m/n/o"]
        assert tree.names_of(["", "a", "a/c", "m", "m/n"]) == [["a.b", "a/", "m/"], ["b"], [], ["n/"], ["o"]]
        assert list(tree.read_many(["z", "a/b", "a.b", "m/n/o"])) == [
            ("z", None),
            ("a/b", b"new"),
            ("a.b", b"1"),
            ("m/n/o", b"added"),
        ]
        assert (tree.read("a.b"), tree.read("a/c/d"), tree.commit) == (b"1", None, None)

    def test_an_emptied_folder_is_gone(self) -> None:
        assert Overlay(DictTree({"a/b/c": "1", "d": "2"}), {"a/b/c": None}).names() == ["d"]

    def test_a_folder_that_keeps_something_stays(self) -> None:
        tree = Overlay(DictTree({"a/b/c": "1", "a/b/d": "2"}), {"a/b/c": None})
        assert (tree.names(), tree.names("a"), tree.names("a/b")) == (["a/"], ["b/"], ["d"])

    def test_replaces_below_places_only(self) -> None:
        tree = Overlay(DictTree(FILES), {"a/x": b"", "b/y": b""})
        assert paths(tree, "a") == ["a/b", "a/c/d", "a/x"]

    def test_overlays_lie_on_one_another(self) -> None:
        tree = Overlay(Overlay(DictTree(FILES), {"z": None}), {"z": b"back"})
        assert (tree.read("z"), tree.names()) == (b"back", ["a.b", "a/", "z"])
