"""Objects of a Git repository, read through one `git cat-file --batch` for as long as the repository is open."""

import hashlib
import re
import subprocess
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, Final, NamedTuple

from mlgit.edges import process
from mlgit.edges.git.command import Git, one_line
from mlgit.errors import MlgitError, inconclusive

FOLDER: Final = b"40000"
"""Mode of a folder in a tree object."""

REGULAR: Final = b"100"
"""Start of the mode of a regular file; those of symbolic links (`120000`) and submodules (`160000`) start otherwise."""

# All requests of a batch are written before the first answer is read, so they must fit into the pipe, or both sides
# would wait for each other. No system gives a pipe less than 16 KiB.
_PIPE_BYTES = 16 * 1024
_CACHED_TREES = 50_000


class GitObject(NamedTuple):
    """An object: its id in hexadecimal, its kind (`blob`, `tree`, `commit`, `tag`), its bytes."""

    id: str
    kind: bytes
    content: bytes


def object_id(algorithm: str, kind: bytes, content: bytes) -> str:
    """Return the id that Git gives to an object (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects).

    Args:
        algorithm: `sha1` or `sha256`.
        kind: `blob`, `tree`, `commit` or `tag`.
        content: its bytes.
    """
    hashed = hashlib.sha1 if algorithm == "sha1" else hashlib.sha256  # `hashlib.new` takes twice as long for few bytes
    return hashed(b"%b %d\0%b" % (kind, len(content), content), usedforsecurity=False).hexdigest()


TreeObject = dict[bytes, tuple[bytes, bytes]]
"""A tree object: mode and id (as bytes) by name, in Git's order."""


class Objects:
    """Reads objects in batches, and caches trees. Not thread-safe."""

    def __init__(self, git: Git, id_bytes: int) -> None:
        """Store the Git to use, and the length of ids: 20 bytes (SHA-1) or 32 (SHA-256)."""
        self._git = git
        self._batch = _PIPE_BYTES // (2 * id_bytes + 1)
        self._trees: dict[str, TreeObject] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: _Answers | None = None
        self._entry = re.compile(rb"([0-7]{5,6}) ([^\0/]+)\0([\s\S]{%d})" % id_bytes)
        # Possessive quantifiers, so that a malformed tree is refused in linear time.
        self._well_formed = re.compile(rb"(?:[0-7]{5,6} [^\0/]++\0[\s\S]{%d})*+" % id_bytes)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            process.end(self._process)
            self._process = self._answers = None

    def find(self, name: str) -> GitObject | None:
        """Return the object that an id, or a revision as `git rev-parse` takes it, names; None if there is none."""
        if not name or "\n" in name or "\0" in name:
            return None
        return next(self._request([name]))

    def read(self, ids: Iterable[str]) -> Iterator[GitObject | None]:
        """Yield the objects of many ids, in their order, None for those that are missing."""
        for batch in _batches(ids, self._batch):
            yield from self._request(batch)

    def tree(self, name: str) -> tuple[str, TreeObject] | None:
        """Return the id and the entries of a tree, or of a commit's tree."""
        if name in self._trees:
            return name, self._trees[name]
        git_object = self.find(f"{name}^{{tree}}")
        if git_object is None:
            return None
        return git_object.id, self._parse_tree(git_object)

    def trees(self, ids: Iterable[str]) -> dict[str, TreeObject]:
        """Return many trees by id.

        Raises:
            Inconclusive: one is missing.
        """
        wanted = dict.fromkeys(ids)
        trees = {id: self._trees[id] for id in wanted if id in self._trees}  # noqa: A001 - Git's term
        uncached = [id for id in wanted if id not in trees]  # noqa: A001
        for id, git_object in zip(uncached, self.read(uncached), strict=True):  # noqa: A001
            if git_object is None:
                raise self.damaged(id)
            trees[id] = self._parse_tree(git_object)
        return trees

    def _parse_tree(self, git_object: GitObject) -> TreeObject:
        if git_object.kind != b"tree" or self._well_formed.fullmatch(git_object.content) is None:
            raise self.damaged(git_object.id)
        if len(self._trees) >= _CACHED_TREES:
            self._trees.clear()
        tree = {name: (mode, id) for mode, name, id in self._entry.findall(git_object.content)}  # noqa: A001
        self._trees[git_object.id] = tree
        return tree

    def _request(self, names: Sequence[str]) -> "_Answers":
        if self._process is None:
            self._process = self._git.pipe("cat-file", "--batch")
            # A repository that was never closed must leave no process behind.
            weakref.finalize(self, process.end, self._process)
        if self._answers is not None:  # its iterator was left before the end; the rest is still in the pipe
            self._answers.drain()
        requests, output = self._process.stdin, self._process.stdout
        assert requests is not None and output is not None  # noqa: S101, PT018 - started with pipes
        try:
            requests.write(("\n".join(names) + "\n").encode("utf-8", "surrogateescape"))
            requests.flush()
        except BrokenPipeError:
            raise self.damaged(names[0]) from None
        self._answers = _Answers(self, output, names)
        return self._answers

    def damaged(self, name: str) -> MlgitError:
        """Return the error for an object that is missing or malformed, with Git's own message."""
        self.close()
        stderr = self._git.run("cat-file", "-p", name, check=False).stderr if not name.startswith("-") else ""
        return inconclusive(
            "git-object-missing",
            f"Git cannot read object {name}",
            why=one_line(stderr) or "it is not what it should be",
            fix="run `git fsck`; in a partial or damaged clone, clone again",
        )


class _Answers(Iterator[GitObject | None]):
    """The answers to one batch of requests. Answers that were not taken yet are kept when another batch is requested."""

    def __init__(self, objects: Objects, output: IO[bytes], names: Sequence[str]) -> None:
        self._objects = objects
        self._output = output
        self._names = names
        self._read = 0
        self._kept: deque[GitObject | None] = deque()

    def __next__(self) -> GitObject | None:
        if self._kept:
            return self._kept.popleft()
        if self._read == len(self._names):
            raise StopIteration
        return self._next()

    def drain(self) -> None:
        """Take the remaining answers off the pipe."""
        while self._read < len(self._names):
            self._kept.append(self._next())

    def _next(self) -> GitObject | None:
        name = self._names[self._read]
        self._read += 1
        header = self._output.readline()
        if header.endswith((b" missing\n", b" ambiguous\n")):
            return None
        if not header.endswith(b"\n"):
            raise self._objects.damaged(name)
        id, kind, size = header.split()  # noqa: A001 - Git's term
        content = self._output.read(int(size) + 1)
        if len(content) != int(size) + 1:
            raise self._objects.damaged(name)
        return GitObject(id.decode(), kind, content[:-1])


def _batches(names: Iterable[str], size: int) -> Iterator[list[str]]:
    names = iter(names)
    while batch := list(islice(names, size)):
        yield batch
