"""New commits, created as objects only, and refs that are updated by compare-and-swap.

A commit takes two processes, whatever the size of the repository: its files and folders go to `git unpack-objects` as one
pack, and `git commit-tree` creates the commit with the person's identity and, if requested, signature. No index is involved,
and nothing is visible to others until a ref is updated.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mlgit.domain.names import CommitId
from mlgit.edges.git.atomic_write import atomic_object_write
from mlgit.edges.git.command import Git, one_line
from mlgit.edges.git.objects import FOLDER, REGULAR, TreeObject, object_id
from mlgit.edges.git.settings import CONFIGURED_IDENTITY, identity_missing
from mlgit.edges.git.trees import GitTree
from mlgit.edges.process import Completed
from mlgit.errors import MlgitError, inconclusive, refused, usage_error
from mlgit.ops.kernel.ports.git import Files, Signing

_BLOB: Final = 3
_TREE: Final = 2
_KINDS: Final = {_BLOB: b"blob", _TREE: b"tree"}
_FILE: Final = b"100644"

# Messages of Git, compiled only once there is an error: this module is on the start-up path of every command.
_NO_IDENTITY: Final = (
    r"tell me who you are|empty ident name|no email was given|no name was given|auto-detection is disabled"
)
_NOT_SIGNED: Final = r"(?i)key|sign|gpg|cannot run"
_MOVED: Final = (
    r"is at [0-9a-f]+ but expected|reference already exists|unable to resolve reference|reference is missing"
)
_IN_THE_WAY: Final = r"'(?P<there>[^']+)' exists; cannot create '(?P<wanted>[^']+)'"


class Writer:
    """Writes objects to a repository, and updates its refs."""

    def __init__(self, git: Git, algorithm: str, objects: Path) -> None:
        """Store the Git to use, the algorithm of its ids (`sha1` or `sha256`), and the folder of its objects."""
        self._git = git
        self._algorithm = algorithm
        self._objects = objects

    def commit(
        self, base: GitTree | None, files: Files, parents: Sequence[CommitId], message: str, *, sign: Signing
    ) -> CommitId:
        """Create a commit of a base (None: the empty tree) with some files replaced, added or (None) deleted.

        Raises:
            UsageError: a path cannot be in a repository, or a folder and a file would have one name (`path-invalid`).
            MlgitError: as `commit_tree`.
        """
        changes = _nested(files)
        folders = {} if base is None else base.folders({"", *_parents(files)})
        pack = _Pack(self._algorithm)
        tree = _build(pack, "", changes, folders) or pack.add(_TREE, b"")
        with atomic_object_write(self._objects) as environment:
            completed = self._git.run(
                "unpack-objects", "-q", input=pack.content(), write=True, check=False, extra=environment
            )
            if completed.code:
                raise self._not_written("unpack-objects", completed)
            return self._commit_tree(tree, parents, message, environment, sign=sign)

    def commit_tree(self, tree: str, parents: Sequence[CommitId], message: str, *, sign: Signing) -> CommitId:
        """Create a commit of a tree that exists.

        Raises:
            MlgitError: no identity is configured (`git-identity-missing`), or Git could not sign (`signing-failed`).
            Inconclusive: Git could not write (`git-write-failed`).
        """
        with atomic_object_write(self._objects) as environment:
            return self._commit_tree(tree, parents, message, environment, sign=sign)

    def _commit_tree(
        self, tree: str, parents: Sequence[CommitId], message: str, environment: Mapping[str, str], *, sign: Signing
    ) -> CommitId:
        key = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={sign}"] if isinstance(sign, str) else []
        command = [*CONFIGURED_IDENTITY, *key, "commit-tree", *(["-S"] if sign else []), "-F", "-"]
        for parent in parents:
            command += ["-p", parent]
        text = message.rstrip("\n") + "\n"
        completed = self._git.run(*command, tree, input=text.encode(), write=True, check=False, extra=environment)
        if not completed.code:
            return completed.stdout.decode().strip()
        if re.search(_NO_IDENTITY, completed.stderr):
            raise identity_missing(completed.stderr)
        if not sign or not re.search(_NOT_SIGNED, completed.stderr):
            raise self._not_written("commit-tree", completed)
        raise refused(
            "signing-failed",
            "Git could not sign the commit",
            why=one_line(completed.stderr),
            fix="see `git config user.signingkey` and `git config gpg.format`, or commit without a signature",
        )

    def move(self, ref: str, new: CommitId | None, expected: CommitId | None, reason: str) -> None:
        """Point a ref at a commit (None: delete it), only if it is at `expected` (None: only if it does not exist).

        Raises:
            MlgitError: it is elsewhere (`ref-update-conflict`), or another ref has its name as a folder (`ref-name-conflict`).
        """
        if ref != "HEAD" and not ref.startswith("refs/"):
            raise usage_error(
                "ref-name-invalid", f"{ref!r} is not the full name of a ref", fix=f"write refs/heads/{ref}"
            )
        reflog = ["--create-reflog", "-m", " ".join(reason.split())]
        old = expected or "0" * hashlib.new(self._algorithm, usedforsecurity=False).digest_size * 2
        arguments = [*reflog, ref, new, old] if new else ["-d", ref, old]
        completed = self._git.run("update-ref", *arguments, write=True, check=False)
        if not completed.code:
            return
        if re.search(_MOVED, completed.stderr):
            raise refused(
                "ref-update-conflict",
                f"{ref} moved in the meantime",
                why=one_line(completed.stderr),
                fix="run the command again: it starts from the present commit of the ref",
            )
        if match := re.search(_IN_THE_WAY, completed.stderr):
            raise refused(
                "ref-name-conflict",
                f"{match['wanted']} cannot be created beside {match['there']}",
                why="Git cannot have a ref whose name is also the folder of another",
                fix=f"rename or delete {match['there']}",
            )
        raise self._git.failure(["update-ref"], completed.stderr)

    def merge(self, ours: CommitId, theirs: CommitId) -> str | None:
        """Return the tree of a merge; None where it conflicts.

        Raises:
            MlgitError: Git is older than 2.38 (`git-too-old`).
        """
        command = ("merge-tree", "--write-tree", "--name-only", "-z", ours, theirs)
        with atomic_object_write(self._objects) as environment:
            completed = self._git.run(*command, write=True, check=False, extra=environment)
            if completed.code == 0:
                return completed.stdout.rstrip(b"\0\n").decode()
            if completed.code == 1:  # a conflict
                return None
            self._git.require((2, 38), "merging without a checkout")
            raise self._not_written("merge-tree", completed)

    def _not_written(self, command: str, completed: Completed) -> MlgitError:
        error = self._git.failure([command], completed.stderr)
        if error.findings[0].id != "git-failed":
            return error
        why = one_line(completed.stderr) or f"`git {command}` was stopped by signal {-completed.code}"
        return inconclusive("git-write-failed", "Git could not write to this repository", why=why)


class _Pack:
    """Objects for one `git unpack-objects` (https://git-scm.com/docs/pack-format), without deltas."""

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
    """Return the header of an object in a pack: its kind, and its size in groups of 4, 7, 7... bits, lowest first."""
    header = bytearray()
    bits, size = kind << 4 | size & 15, size >> 4
    while size:
        header.append(bits | 128)
        bits, size = size & 127, size >> 7
    header.append(bits)
    return bytes(header)


_Changes = dict[bytes, "_Changes | bytes | None"]


def _nested(files: Files) -> _Changes:
    """Return files as folders within folders."""
    top: _Changes = {}
    for path, content in files.items():
        *folders, name = _parts(path)
        parent = top
        for folder in folders:
            child = parent.setdefault(folder, {})
            if not isinstance(child, dict):
                raise _unusable(path, "one of its folders is a file")
            parent = child
        if isinstance(parent.get(name), dict):
            raise _unusable(path, "a folder has that name")
        parent[name] = content
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
    parents: set[str] = set()
    for path in files:
        folder = path.rpartition("/")[0]
        while folder not in parents:
            parents.add(folder)
            folder = folder.rpartition("/")[0]
    return parents


def _build(pack: _Pack, folder: str, changes: _Changes, folders: Mapping[str, TreeObject]) -> str | None:
    """Add the changed objects of a folder to a pack; return the id of its tree, None if it would be empty."""
    entries = dict(folders.get(folder, {}))
    for name, change in changes.items():
        path = f"{folder}/{name.decode('utf-8', 'surrogateescape')}".lstrip("/")
        mode, _ = entries.get(name, (None, None))
        if isinstance(change, dict):
            if mode not in {None, FOLDER}:
                raise _unusable(f"{path}/", "a file has that name")
            new_mode, new_id = FOLDER, _build(pack, path, change, folders)
        elif mode == FOLDER:
            raise _unusable(path, "a folder has that name")
        else:
            # A file that was executable stays so; a link is replaced by a file.
            new_mode = mode if mode is not None and mode.startswith(REGULAR) else _FILE
            new_id = None if change is None else pack.add(_BLOB, change)
        if new_id is None:
            entries.pop(name, None)
        else:
            entries[name] = (new_mode, bytes.fromhex(new_id))
    if not entries:
        return None
    # Git sorts folders as if their names ended in a slash.
    ordered = sorted(entries.items(), key=lambda item: item[0] + (b"/" if item[1][0] == FOLDER else b""))
    return pack.add(_TREE, b"".join(b"%s %s\0%s" % (mode, name, id) for name, (mode, id) in ordered))  # noqa: A001


def _unusable(path: str, why: str) -> MlgitError:
    return usage_error("path-invalid", f"{path!r} cannot be written to the repository", why=why)
