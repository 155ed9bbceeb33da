"""New commits, made as objects alone, and refs that move by compare-and-swap.

A commit takes two processes, whatever the size of the repository: its files and folders go to `git unpack-objects` as one
pack, and `git commit-tree` makes the commit (with the person's identity and, if asked, signature). No index is involved, and
until a ref moves nothing has changed that anybody could see.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mlgit.domain.names import CommitId
from mlgit.edges.git.command import Git, said_in_short
from mlgit.edges.git.objects import FOLDER, REGULAR, TreeObject, object_id
from mlgit.edges.git.quarantine import quarantine
from mlgit.edges.git.settings import STATED_IDENTITY, identity_missing
from mlgit.edges.git.trees import GitTree
from mlgit.edges.process import Completed
from mlgit.errors import MlgitError, inconclusive, refused, usage_error
from mlgit.ops.kernel.ports.git import Files

_BLOB: Final = 3
_TREE: Final = 2
_KINDS: Final = {_BLOB: b"blob", _TREE: b"tree"}
_FILE: Final = b"100644"

# What Git says; compiled only once it says so, for these are on the start-up path of every command.
_NO_IDENTITY: Final = (
    r"tell me who you are|empty ident name|no email was given|no name was given|auto-detection is disabled"
)
_NOT_SIGNED: Final = r"(?i)key|sign|gpg|cannot run"
_MOVED: Final = (
    r"is at [0-9a-f]+ but expected|reference already exists|unable to resolve reference|reference is missing"
)
_IN_THE_WAY: Final = r"'(?P<there>[^']+)' exists; cannot create '(?P<wanted>[^']+)'"


class Writer:
    """Makes objects in one repository, and moves its refs."""

    def __init__(self, git: Git, algorithm: str, objects: Path) -> None:
        """Take Git, the algorithm of its ids (`sha1` or `sha256`), and the folder of its objects."""
        self._git = git
        self._algorithm = algorithm
        self._objects = objects

    def commit(
        self, base: GitTree | None, files: Files, parents: Sequence[CommitId], message: str, *, sign: bool
    ) -> CommitId:
        """Make a commit of a base (None: of nothing) with some files replaced, added or (None) deleted.

        Raises:
            Misuse: a path cannot be in a repository, or a folder and a file would have one name (`path-unusable`).
            MlgitError: as `commit_tree`.
        """
        changes = _nested(files)
        folders = {} if base is None else base.folders({"", *_parents(files)})
        pack = _Pack(self._algorithm)
        tree = _build(pack, "", changes, folders) or pack.add(_TREE, b"")
        with quarantine(self._objects) as aside:
            done = self._git.run("unpack-objects", "-q", input=pack.content(), write=True, check=False, extra=aside)
            if done.code:
                raise self._not_written("unpack-objects", done)
            return self._commit_tree(tree, parents, message, aside, sign=sign)

    def commit_tree(self, tree: str, parents: Sequence[CommitId], message: str, *, sign: bool) -> CommitId:
        """Make a commit of a tree that is there.

        Raises:
            MlgitError: Git knows no name and e-mail address (`identity-missing`), or could not sign (`signing-failed`).
            Unjudged: Git could not write (`git-write-failed`).
        """
        with quarantine(self._objects) as aside:
            return self._commit_tree(tree, parents, message, aside, sign=sign)

    def _commit_tree(
        self, tree: str, parents: Sequence[CommitId], message: str, aside: Mapping[str, str], *, sign: bool
    ) -> CommitId:
        words = [*STATED_IDENTITY, "commit-tree", *(["-S"] if sign else []), "-F", "-"]
        for parent in parents:
            words += ["-p", parent]
        text = message.rstrip("\n") + "\n"
        done = self._git.run(*words, tree, input=text.encode(), write=True, check=False, extra=aside)
        if not done.code:
            return done.stdout.decode().strip()
        if re.search(_NO_IDENTITY, done.stderr):
            raise identity_missing(done.stderr)
        if not sign or not re.search(_NOT_SIGNED, done.stderr):
            raise self._not_written("commit-tree", done)
        raise refused(
            "signing-failed",
            "Git could not sign the commit",
            why=said_in_short(done.stderr),
            fix="see `git config user.signingkey` and `git config gpg.format`, or do without signing",
        )

    def move(self, ref: str, new: CommitId | None, expected: CommitId | None, reason: str) -> None:
        """Point a ref at a commit (None: delete it), only if it is at `expected` now (None: only if there is none).

        Raises:
            MlgitError: it is elsewhere (`ref-moved`), or another ref has its name as a folder (`ref-in-the-way`).
        """
        if ref != "HEAD" and not ref.startswith("refs/"):
            raise usage_error("ref-name", f"{ref!r} is not the full name of a ref", fix=f"write refs/heads/{ref}")
        reflog = ["--create-reflog", "-m", " ".join(reason.split())]
        now = expected or "0" * hashlib.new(self._algorithm, usedforsecurity=False).digest_size * 2
        words = [*reflog, ref, new, now] if new else ["-d", ref, now]
        done = self._git.run("update-ref", *words, write=True, check=False)
        if not done.code:
            return
        if re.search(_MOVED, done.stderr):
            raise refused(
                "ref-moved",
                f"{ref} was moved by somebody else",
                why=said_in_short(done.stderr),
                fix="run the command again: it starts from where the ref is now",
            )
        if match := re.search(_IN_THE_WAY, done.stderr):
            raise refused(
                "ref-in-the-way",
                f"{match['wanted']} cannot be made beside {match['there']}",
                why="Git cannot have a ref whose name is also the folder of another",
                fix=f"rename or delete {match['there']}",
            )
        raise self._git.failure(["update-ref"], done.stderr)

    def merge(self, ours: CommitId, theirs: CommitId) -> str | None:
        """Return the tree of a merge; None where both changed the same lines.

        Raises:
            MlgitError: Git is older than 2.38 (`git-too-old`).
        """
        words = ("merge-tree", "--write-tree", "--name-only", "-z", ours, theirs)
        with quarantine(self._objects) as aside:
            done = self._git.run(*words, write=True, check=False, extra=aside)
            if done.code == 0:
                return done.stdout.rstrip(b"\0\n").decode()
            if done.code == 1:
                return None
            self._git.require((2, 38), "merging without a checkout")
            raise self._not_written("merge-tree", done)

    def _not_written(self, command: str, done: Completed) -> MlgitError:
        error = self._git.failure([command], done.stderr)
        if error.findings[0].id != "git-failed":
            return error
        why = said_in_short(done.stderr) or f"`git {command}` was stopped by signal {-done.code}"
        return inconclusive("git-write-failed", "Git could not write to this repository", why=why)


class _Pack:
    """Objects for one `git unpack-objects` (https://git-scm.com/docs/pack-format), each whole, none a delta."""

    def __init__(self, algorithm: str) -> None:
        self._algorithm = algorithm
        self._objects: dict[str, bytes] = {}

    def add(self, kind: int, content: bytes) -> str:
        """Add an object; return its id."""
        name = object_id(self._algorithm, _KINDS[kind], content)
        if name not in self._objects:
            self._objects[name] = _size(kind, len(content)) + zlib.compress(content, 1)
        return name

    def content(self) -> bytes:
        """Return the pack."""
        pack = struct.pack(">4sII", b"PACK", 2, len(self._objects)) + b"".join(self._objects.values())
        return pack + hashlib.new(self._algorithm, pack, usedforsecurity=False).digest()


def _size(kind: int, size: int) -> bytes:
    """Return the head of an object in a pack: its kind, and its size in groups of 4, 7, 7... bits, the lowest first."""
    head = bytearray()
    bits, size = kind << 4 | size & 15, size >> 4
    while size:
        head.append(bits | 128)
        bits, size = size & 127, size >> 7
    head.append(bits)
    return bytes(head)


_Changes = dict[bytes, "_Changes | bytes | None"]


def _nested(files: Files) -> _Changes:
    """Return files as folders within folders."""
    top: _Changes = {}
    for path, content in files.items():
        *folders, name = _parts(path)
        here = top
        for folder in folders:
            inside = here.setdefault(folder, {})
            if not isinstance(inside, dict):
                raise _unusable(path, "a file would be its folder")
            here = inside
        if isinstance(here.get(name), dict):
            raise _unusable(path, "a folder has that name")
        here[name] = content
    return top


def _parts(path: str) -> list[bytes]:
    parts = path.split("/")
    if any(part in {"", ".", ".."} or part.lower() == ".git" or "\0" in part for part in parts):
        raise _unusable(path, "Git cannot have it")
    try:
        return [part.encode("utf-8", "surrogateescape") for part in parts]
    except UnicodeEncodeError:
        raise _unusable(path, "it is not Unicode") from None


def _parents(files: Mapping[str, object]) -> set[str]:
    found: set[str] = set()
    for path in files:
        folder = path.rpartition("/")[0]
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _build(pack: _Pack, folder: str, changes: _Changes, folders: Mapping[str, TreeObject]) -> str | None:
    """Add the changed objects of a folder to a pack; return its id, or None if nothing is left in it."""
    entries = dict(folders.get(folder, {}))
    for name, change in changes.items():
        path = f"{folder}/{name.decode('utf-8', 'surrogateescape')}".lstrip("/")
        mode, _ = entries.get(name, (None, None))
        if isinstance(change, dict):
            if mode not in {None, FOLDER}:
                raise _unusable(f"{path}/", "what has that name is no folder")
            inside = _build(pack, path, change, folders)
            kept = (FOLDER, inside)
        elif mode == FOLDER:
            raise _unusable(path, "a folder has that name")
        else:
            kept = (
                mode if mode is not None and mode.startswith(REGULAR) else _FILE,
                None if change is None else pack.add(_BLOB, change),
            )
        if kept[1] is None:
            entries.pop(name, None)
        else:
            entries[name] = (kept[0], bytes.fromhex(kept[1]))
    if not entries:
        return None
    ordered = sorted(entries.items(), key=lambda item: item[0] + (b"/" if item[1][0] == FOLDER else b""))
    return pack.add(_TREE, b"".join(b"%s %s\0%s" % (mode, name, id) for name, (mode, id) in ordered))  # noqa: A001


def _unusable(path: str, why: str) -> MlgitError:
    return usage_error("path-unusable", f"{path!r} cannot be written to the repository", why=why)
