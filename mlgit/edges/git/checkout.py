"""What the person has in front of them: the branch, the index and the files on disk."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mlgit.domain.names import CommitId
from mlgit.edges.git import history
from mlgit.edges.git.command import Git, said_in_short
from mlgit.edges.git.paths import clean, is_under
from mlgit.edges.git.trees import GitTree
from mlgit.errors import MlgitError, refused

_AS_ARGUMENTS: Final = 500
_HEADS: Final = "refs/heads/"


def checked_out_branch(git: Git) -> str | None:
    """Return the branch of the work tree, without `refs/heads/`; None where it is on none."""
    ref = git.text("symbolic-ref", "--quiet", "HEAD", check=False)
    return ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else None


def elsewhere(git: Git, branch: str, here: Path | None) -> Path | None:
    """Return a work tree that has a branch checked out and is not `here`; None if there is none, or it is gone."""
    for block in git.text("worktree", "list", "--porcelain").split("\n\n"):
        place, *facts = block.split("\n")
        path = Path(place.removeprefix("worktree "))
        if f"branch {_HEADS}{branch}" in facts and path != here and path.is_dir():
            return path
    return None


def dirty(git: Git, paths: Sequence[str]) -> list[str]:
    """Return the files at or below paths (all if there are none) that differ from HEAD, or that Git does not know yet."""
    places = clean(paths)
    asked = [] if "" in places or len(places) > _AS_ARGUMENTS else places
    words = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none")
    found: set[str] = set()
    for block in git.records(*words, "--", *asked):
        found.update(os.fsdecode(_changed_path(record)) for record in block if record[:1] in b"12u?")
    return sorted(path for path in found if is_under(path.rstrip("/"), places))


def advance(git: Git, old: CommitId | None, new: CommitId) -> None:
    """Bring work tree and index from one commit (None: from nothing) to another, keeping what the person changed elsewhere.

    Files that are as in the new commit already do not stand in the way: a run that was stopped may have brought them.

    Raises:
        MlgitError: files that the person changed are in the way (`work-tree-in-the-way`); nothing was touched.
        Unjudged: Git could not write (`git-write-failed`, `git-locked`); running it again brings the rest.
    """
    start = old or git.run("hash-object", "-t", "tree", "--stdin", input=b"").stdout.decode().strip()
    words = ("read-tree", "-m", "-u", start, new)
    done = git.run(*words, write=True, check=False)
    if done.code and _is_in_the_way(done.stderr):
        # Git also refuses files that were only touched since it last looked; it has to look again, then.
        looked = git.run("update-index", "-q", "--refresh", write=True, check=False)
        if looked.code and (error := git.failure(["update-index"], looked.stderr)).findings[0].id != "git-failed":
            raise error
        _adopt(git, start, new)
        done = git.run(*words, write=True, check=False)
    if done.code:
        raise _not_advanced(git, start, new, done.stderr)


def _adopt(git: Git, start: str, new: CommitId) -> None:
    """Tell the index of files that are as in the new commit already, if no others are in the way."""
    wanted = {change.path: change.after for change in history.changes(git, start, new)}
    in_the_way = sorted(set(wanted).intersection(dirty(git, [])))
    found = {path: _content_id(git, path) for path in in_the_way}
    if in_the_way and all(found[path] == wanted[path] for path in in_the_way):
        paths = os.fsencode("".join(f"{path}\0" for path in in_the_way))
        git.run("update-index", "--add", "--remove", "-z", "--stdin", input=paths, write=True)


def _content_id(git: Git, path: str) -> str | None:
    """Return the id that Git gives a file on disk; None where there is none."""
    done = git.run("hash-object", "--", path, check=False)
    return None if done.code else done.stdout.decode().strip()


def _is_in_the_way(said: str) -> bool:
    return "overwritten by" in said or "not uptodate" in said or "would be removed" in said


def stage(git: Git, tree: GitTree, paths: Sequence[str]) -> None:
    """Make the index agree with a commit at some paths, leaving all else that is staged."""
    nothing = f"0 {'0' * len(tree.commit)}"
    lines = []
    for path in paths:
        entry = tree.entry(path)
        there = entry is not None and not entry.mode.startswith("4")
        lines.append(f"{entry.mode} {entry.blob}\t{path}\0" if there and entry else f"{nothing}\t{path}\0")
    git.run("update-index", "-z", "--index-info", input=os.fsencode("".join(lines)), write=True)


def _changed_path(record: bytes) -> bytes:
    """Read a line of `git status --porcelain=v2`: the path is behind 8 fields, 10 in a conflict, 1 if it is unknown."""
    fields = {b"?": 1, b"u": 10}.get(record[:1], 8)
    return record.split(b" ", fields)[fields]


def _not_advanced(git: Git, start: str, new: CommitId, said: str) -> MlgitError:
    if not _is_in_the_way(said):
        return git.failure(["read-tree"], said)
    wanted = {change.path for change in history.changes(git, start, new)}
    in_the_way = sorted(wanted.intersection(dirty(git, [])))
    return refused(
        "work-tree-in-the-way",
        "files in the work tree are in the way of the new commit",
        why=f"changed and not committed: {', '.join(in_the_way)}" if in_the_way else said_in_short(said),
        fix="commit them, stash them (`git stash -u`) or move them away, then run the command again",
    )
