"""Properties of trees: a commit, the disk and a dict have the same files; commits made by mlgit are those of Git."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlgit.edges.git.repository import GitRepository, open_repository
from mlgit.ops.kernel.ports.git import Tree
from tests.dicttree import DictTree

# What Git sorts by (`-` and `.` before `/`, which is before `0`), what needs quoting, what is no UTF-8, and high planes.
_NAMES = st.text(st.sampled_from('ab-.0 \t\n"*ü\udcff\uffee😀'), min_size=1, max_size=4).filter(
    lambda name: name not in {".", ".."}
)
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)
_FILES = st.dictionaries(_PATHS, st.binary(max_size=40), max_size=12).map(
    lambda files: {
        path: content for path, content in files.items() if not any(other.startswith(f"{path}/") for other in files)
    }
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{role}_{what}": "x@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@contextmanager
def _repository(files: dict[str, bytes]) -> Iterator[tuple[Path, GitRepository]]:
    """Make a repository whose one commit holds files."""
    root = Path(os.path.realpath(tempfile.mkdtemp()))
    old = dict(os.environ)
    os.environ.update(_ENVIRONMENT)
    try:
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        for words in (
            ["init", "--quiet"],
            ["add", "--all"],
            ["commit", "--quiet", "--allow-empty", "--message", "all"],
        ):
            subprocess.run(["git", *words], cwd=root, check=True)
        with open_repository(root) as repository:
            yield root, repository
    finally:
        os.environ.clear()
        os.environ.update(old)
        shutil.rmtree(root)


def _seen(tree: Tree, folders: list[str], paths: list[str]) -> object:
    return (
        [(entry.path, entry.mode) for entry in tree.entries()],
        [[entry.path for entry in tree.entries([folder])] for folder in folders],
        [list(names) for names in tree.names_of(folders)],
        [list(tree.names(folder)) for folder in folders],
        list(tree.read_many(paths)),
        [tree.read(path) for path in paths],
    )


def _questions(files: dict[str, bytes]) -> tuple[list[str], list[str]]:
    folders = {str(parent) for path in files for parent in Path(path).parents} - {"."} | {"", "nowhere"}
    return sorted(folders), [*files, *sorted(folders), "nowhere/file", *reversed(files)]


@settings(deadline=None, max_examples=40)
@given(_FILES)
def test_all_trees_agree(files: dict[str, bytes]) -> None:
    with _repository(files) as (_, repository):
        questions = _questions(files)
        expected = _seen(DictTree(files), *questions)
        assert _seen(repository.tree("HEAD"), *questions) == expected
        assert _seen(repository.work_tree(), *questions) == expected


@settings(deadline=None, max_examples=40)
@given(_FILES, _FILES, st.data())
def test_a_commit_has_the_changes(files: dict[str, bytes], added: dict[str, bytes], data: st.DataObject) -> None:
    clashing = {
        path for path in added for other in files if path.startswith(f"{other}/") or other.startswith(f"{path}/")
    }
    changes: dict[str, bytes | None] = {path: content for path, content in added.items() if path not in clashing}
    changes |= dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(files)))) if files else (), None)
    with _repository(files) as (root, repository):
        head = repository.resolve("HEAD")
        assert head is not None
        commit = repository.commit(changes, parents=[head], message="changes")
        questions = _questions({**files, **added})
        after = {path: content for path, content in {**files, **changes}.items() if content is not None}
        assert _seen(repository.tree(commit), *questions) == _seen(DictTree(after), *questions)
        assert {change.path for change in repository.changes(head, commit)} == {
            path for path in changes if changes[path] != files.get(path)
        }
        subprocess.run(["git", "fsck", "--strict", "--no-dangling"], cwd=root, check=True, capture_output=True)
