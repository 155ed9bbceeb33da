"""The checkout: the branch, the index and the files of the work tree."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mlgit.domain.names import CommitId
from mlgit.edges.git import history
from mlgit.edges.git.command import Git, one_line
from mlgit.edges.git.paths import is_under, strip_slashes
from mlgit.edges.git.trees import GitTree
from mlgit.errors import MlgitError, refused

_MAX_ARGUMENTS: Final = 500  # more paths than this are filtered here: a command line has a limited length
_HEADS: Final = "refs/heads/"


def checked_out_branch(git: Git) -> str | None:
    """Return the branch that HEAD names, without `refs/heads/`; None where HEAD is detached."""
    ref = git.text("symbolic-ref", "--quiet", "HEAD", check=False)
    return ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else None


def checked_out_elsewhere(git: Git, branch: str, root: Path | None) -> Path | None:
    """Return a work tree other than `root` that has a branch checked out; None if there is none, or it was deleted."""
    for block in git.text("worktree", "list", "--porcelain").split("\n\n"):
        first_line, *attributes = block.split("\n")
        path = Path(first_line.removeprefix("worktree "))
        if f"branch {_HEADS}{branch}" in attributes and path != root and path.is_dir():
            return path
    return None


def dirty(git: Git, paths: Sequence[str]) -> list[str]:
    """Return the files at or below paths (all if there are none) that differ from HEAD or are untracked."""
    prefixes = strip_slashes(paths)
    pathspecs = [] if "" in prefixes or len(prefixes) > _MAX_ARGUMENTS else prefixes
    command = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none")
    changed: set[str] = set()
    for block in git.records(*command, "--", *pathspecs):
        changed.update(os.fsdecode(_changed_path(record)) for record in block if record[:1] in b"12u?")
    return sorted(path for path in changed if is_under(path.rstrip("/"), prefixes))


def attributes(git: Git, paths: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the attributes that Git applies in the work tree to paths, by path and name."""
    requests = b"".join(os.fsencode(path) + b"\0" for path in paths)
    fields = git.run("check-attr", "-z", "--stdin", *names, input=requests).stdout.split(b"\0")
    found: dict[str, dict[str, str]] = {}
    for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        found.setdefault(os.fsdecode(path), {})[os.fsdecode(name)] = os.fsdecode(value)
    return found


def ignored(git: Git, paths: Sequence[str]) -> list[str]:
    """Return the files at or below paths that Git ignores; none without paths."""
    if not paths:
        return []
    prefixes = strip_slashes(paths)
    pathspecs = [] if {"", "."} & {*prefixes} or len(prefixes) > _MAX_ARGUMENTS else prefixes
    command = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", *pathspecs)
    found = {os.fsdecode(path) for block in git.records(*command) for path in block}
    return sorted(path for path in found if is_under(path, [prefix for prefix in prefixes if prefix != "."]))


def advance(git: Git, old: CommitId | None, new: CommitId) -> None:
    """Update work tree and index from one commit (None: the empty tree) to another, keeping what the person changed.

    Files that already have the content of the new commit are no obstacle: a run that was killed may have written them.

    Raises:
        MlgitError: files that the person changed are in the way (`work-tree-dirty`); nothing was touched.
        Inconclusive: Git could not write (`git-write-failed`, `git-locked`); running it again does the rest.
    """
    start = old or git.run("hash-object", "-t", "tree", "--stdin", input=b"").stdout.decode().strip()
    command = ("read-tree", "-m", "-u", start, new)
    completed = git.run(*command, write=True, check=False)
    if completed.code and _is_in_the_way(completed.stderr):
        # Git also refuses files whose content is the same and whose time is not, until the index has been refreshed.
        refreshed = git.run("update-index", "-q", "--refresh", write=True, check=False)
        if refreshed.code and (error := git.failure(["update-index"], refreshed.stderr)).findings[0].id != "git-failed":
            raise error
        _add_new_content(git, start, new)
        completed = git.run(*command, write=True, check=False)
    if completed.code:
        raise _not_advanced(git, start, new, completed.stderr)


def require_can_advance(git: Git, old: CommitId, new: CommitId) -> None:
    """Refuse what `advance` would refuse; nothing is touched.

    Raises:
        MlgitError: files that the person changed are in the way (`work-tree-dirty`).
    """
    wanted = {change.path: change.after for change in history.changes(git, old, new)}
    in_the_way = [path for path in dirty(git, []) if path in wanted and _content_id(git, path) != wanted[path]]
    if in_the_way:
        raise _in_the_way_error(f"changed and not committed: {', '.join(sorted(in_the_way))}")


def _add_new_content(git: Git, start: str, new: CommitId) -> None:
    """Add files to the index that already have the content of the new commit, if no other file is in the way."""
    wanted = {change.path: change.after for change in history.changes(git, start, new)}
    in_the_way = sorted(set(wanted).intersection(dirty(git, [])))
    on_disk = {path: _content_id(git, path) for path in in_the_way}
    if in_the_way and all(on_disk[path] == wanted[path] for path in in_the_way):
        paths = os.fsencode("".join(f"{path}\0" for path in in_the_way))
        git.run("update-index", "--add", "--remove", "-z", "--stdin", input=paths, write=True)


def _content_id(git: Git, path: str) -> str | None:
    """Return the id that Git gives a file on disk; None if the file does not exist."""
    completed = git.run("hash-object", "--", path, check=False)
    return None if completed.code else completed.stdout.decode().strip()


def _is_in_the_way(stderr: str) -> bool:
    return "overwritten by" in stderr or "not uptodate" in stderr or "would be removed" in stderr


def stage(git: Git, tree: GitTree, paths: Sequence[str]) -> None:
    """Set the index to the content of a commit at some paths; all else that is staged stays."""
    deleted = f"0 {'0' * len(tree.commit)}"
    lines = []
    for path in paths:
        entry = tree.entry(path)
        is_file = entry is not None and not entry.mode.startswith("4")
        lines.append(f"{entry.mode} {entry.blob}\t{path}\0" if is_file and entry else f"{deleted}\t{path}\0")
    git.run("update-index", "-z", "--index-info", input=os.fsencode("".join(lines)), write=True)


def _changed_path(record: bytes) -> bytes:
    """Read a line of `git status --porcelain=v2`: the path is after 8 fields, 10 in a conflict, 1 if it is untracked."""
    fields = {b"?": 1, b"u": 10}.get(record[:1], 8)
    return record.split(b" ", fields)[fields]


def _not_advanced(git: Git, start: str, new: CommitId, stderr: str) -> MlgitError:
    if not _is_in_the_way(stderr):
        return git.failure(["read-tree"], stderr)
    wanted = {change.path for change in history.changes(git, start, new)}
    in_the_way = sorted(wanted.intersection(dirty(git, [])))
    why = f"changed and not committed: {', '.join(in_the_way)}" if in_the_way else one_line(stderr)
    return _in_the_way_error(why)


def _in_the_way_error(why: str) -> MlgitError:
    return refused(
        "work-tree-dirty",
        "files in the work tree are in the way of the new commit",
        why=why,
        fix="commit them, stash them (`git stash -u`) or move them away, then run the command again",
    )
