"""A Git repository (see `ops.kernel.ports.Repository`): finding it, and the parts of this package that know how to work it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from mlgit.domain.names import CommitId
from mlgit.edges.git import checkout, history, hooks, place, remotes
from mlgit.edges.git.command import Git
from mlgit.edges.git.objects import Objects
from mlgit.edges.git.place import Facts
from mlgit.edges.git.sealed import split
from mlgit.edges.git.settings import Settings
from mlgit.edges.git.trees import GitTree
from mlgit.edges.git.trial import Trial, trial
from mlgit.edges.git.worktree import WorkTree
from mlgit.edges.git.writing import Writer
from mlgit.errors import refused, usage_error
from mlgit.ops.kernel.ports.git import Commit, Files, PathChange

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def open_repository(directory: Path) -> "GitRepository":
    """Open the repository that a folder is in.

    Raises:
        MlgitError: as `place.find`.
    """
    git = Git(directory)
    return GitRepository(place.find(git), started=git.processes)


class GitRepository:
    """A repository. Close it, or use it in `with`, where its one long-lived process should not outlast it."""

    def __init__(self, facts: Facts, *, started: int = 0, aside: Trial | None = None) -> None:
        """Take what is known of it, how many processes finding that out took, and where to write if not there."""
        self.facts = facts
        where = [f"--git-dir={facts.git_dir}"] + ([f"--work-tree={facts.root}"] if facts.root else [])
        self._git = Git(facts.root or facts.git_dir, where, aside.environment if aside else None)
        self._git.processes = started
        self._objects = Objects(self._git, 20 if facts.algorithm == "sha1" else 32)
        self._settings = Settings(self._git)
        self._writer = Writer(self._git, facts.algorithm, aside.objects if aside else facts.objects)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads objects; it is started again if need be."""
        self._objects.close()

    @contextmanager
    def trial(self) -> Iterator["GitRepository"]:
        """Give this repository as one in which new objects are forgotten afterwards, and whose commits are by nobody.

        Raises:
            Unjudged: there is no room for them (`disk-failed`).
        """
        with trial(self.facts.objects) as aside, GitRepository(self.facts, aside=aside) as repository:
            yield repository

    @property
    def root(self) -> Path | None:
        """The work tree; None in a bare repository."""
        return self.facts.root

    @property
    def git_dir(self) -> Path:
        """The folder of this work tree's HEAD and index."""
        return self.facts.git_dir

    @property
    def is_shallow(self) -> bool:
        """Whether commits are missing."""
        return self.facts.is_shallow

    @property
    def processes(self) -> int:
        """How many Git processes were started."""
        return self._git.processes

    # Reading

    def resolve(self, revision: str) -> CommitId | None:
        """Return the commit that a date (of HEAD's first-parent line), branch, tag, id or `REV~2` names."""
        moment = history.parse_moment(revision)
        if moment is not None:
            head = self._commit("HEAD")
            return None if head is None else self.last_commit_by(head, moment)
        return self._commit(revision)

    def moment(self, revision: str) -> datetime | None:
        """Return the moment that a date names, its last one; None where something else is named."""
        return history.parse_moment(revision)

    def refs(self, prefix: str) -> Sequence[str]:
        """Return the full names of the refs below a prefix, sorted."""
        return self._git.text("for-each-ref", "--format=%(refname)", "--", prefix).split()

    def state(self) -> str:
        """Return one text for where HEAD and every ref are."""
        return self._git.run("show-ref", "--head", check=False).stdout.decode(errors="replace")

    def tree(self, revision: str) -> GitTree:
        """Return the files of a commit.

        Raises:
            MlgitError: there is no such commit (`revision-unknown`).
        """
        return GitTree(self._git, self._objects, self._known(revision))

    def work_tree(self) -> WorkTree:
        """Return the files on disk.

        Raises:
            Misuse: the repository is bare (`bare-repository`).
        """
        return WorkTree(self._git, self._in_work_tree())

    def commits(
        self, revision: str, *, paths: Sequence[str] = (), first_parent: bool = True
    ) -> Iterator[tuple[Commit, list[PathChange]]]:
        """Yield the commits of a revision or of `OLD..NEW`, newest first, each with its changes against its first parent."""
        old, dots, new = revision.rpartition("..")
        tips = [self._known(new), *([f"^{self._known(old)}"] if dots else [])]
        return history.commits(self._git, tips, paths, first_parent=first_parent)

    def changes(self, before: str, after: str | None) -> list[PathChange]:
        """Return how the trees of two commits differ; of a commit and the work tree, if `after` is None."""
        if after is not None:
            return history.changes(self._git, self._known(before), self._known(after))
        self._in_work_tree()
        return history.changes_on_disk(self._git, self._known(before))

    def contents(self, blobs: Iterable[str]) -> Iterator[bytes]:
        """Yield the contents of many blobs by their ids, in the order asked for.

        Raises:
            Unjudged: one is not there, or is no blob (`object-missing`).
        """
        wanted = list(blobs)
        for blob, found in zip(wanted, self._objects.read(wanted), strict=True):
            if found is None or found.kind != b"blob":
                raise self._objects.damaged(blob)
            yield found.content

    def commit_time(self, commit: CommitId) -> datetime:
        """Return when a commit was made."""
        found = self._objects.find(f"{self._known(commit)}^{{commit}}")
        stamp = re.search(rb"^committer .* ([0-9]+) [+-][0-9]{4}$", found.content, re.MULTILINE) if found else None
        return history.seconds_to_moment(int(stamp[1]) if stamp else 0)

    def sealed(self, commits: Iterable[CommitId]) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield each commit without its signature, and the signature, armoured; None where it has none.

        Raises:
            Unjudged: one is not there, or is no commit (`object-missing`).
        """
        wanted = list(commits)
        for commit, found in zip(wanted, self._objects.read(wanted), strict=True):
            if found is None or found.kind != b"commit":
                raise self._objects.damaged(commit)
            yield split(found.content)

    def last_commit_by(self, tip: CommitId, moment: datetime) -> CommitId | None:
        """Return the last first-parent commit of a tip that was made by a moment."""
        return history.last_commit_by(self._git, self._known(tip), moment)

    def merge_base(self, one: str, other: str) -> CommitId | None:
        """Return the newest commit that both have; None if they have none."""
        done = self._git.run("merge-base", self._known(one), self._known(other), check=False)
        if done.code > 1:
            raise self._git.failure(["merge-base"], done.stderr)
        return done.stdout.decode().strip() or None

    def require_full_history(self) -> None:
        """Refuse a shallow clone.

        Raises:
            MlgitError: it is one (`history-shallow`).
        """
        if self.is_shallow:
            raise refused(
                "history-shallow",
                "this clone lacks a part of the history",
                why="it was made with a depth, so what is missing cannot be told from what never was",
                fix="run `git fetch --unshallow` (in GitHub Actions: `fetch-depth: 0`)",
            )

    def dirty(self, paths: Sequence[str] = ()) -> list[str]:
        """Return the files at or below paths that differ from HEAD, or that Git does not know yet."""
        self._in_work_tree()
        return checkout.dirty(self._git, paths)

    def identity(self) -> tuple[str, str]:
        """Return name and e-mail address of the person that Git knows here.

        Raises:
            MlgitError: Git knows none (`identity-missing`).
        """
        return self._settings.identity()

    def config(self, key: str) -> str | None:
        """Return a setting of Git, the last where there are several; None if it is not set."""
        return self._settings.get(key)

    # Writing

    def commit(self, files: Files, *, parents: Sequence[CommitId], message: str, sign: bool = False) -> CommitId:
        """Make a commit with the first parent's files and these changes; no ref, index or work tree is touched.

        Raises:
            MlgitError: as `Writer.commit`.
        """
        base = self.tree(parents[0]) if parents else None
        return self._writer.commit(base, files, parents, message, sign=sign)

    def merge_tree(self, ours: CommitId, theirs: CommitId) -> str | None:
        """Return the tree of a merge; None where both changed the same lines. Nothing is touched."""
        return self._writer.merge(self._known(ours), self._known(theirs))

    def commit_tree(self, tree: str, *, parents: Sequence[CommitId], message: str, sign: bool = False) -> CommitId:
        """Make a commit of a tree."""
        return self._writer.commit_tree(tree, parents, message, sign=sign)

    def move(self, ref: str, new: CommitId, *, expected: CommitId | None, reason: str) -> None:
        """Point a ref at a commit, only if it is now at `expected` (None: only if it does not exist).

        Raises:
            MlgitError: somebody else moved it (`ref-moved`).
        """
        self._writer.move(ref, new, expected, reason)

    def delete_ref(self, ref: str, *, expected: CommitId) -> None:
        """Delete a ref, only if it is now at `expected`."""
        self._writer.move(ref, None, expected, "")

    def checked_out_branch(self) -> str | None:
        """Return the branch of the work tree; None where it is on none, or where there is no work tree."""
        return checkout.checked_out_branch(self._git) if self.root else None

    def checked_out_elsewhere(self, branch: str) -> Path | None:
        """Return another work tree of the repository that has a branch checked out; None if there is none."""
        return checkout.elsewhere(self._git, branch, self.root)

    def advance_checkout(self, old: CommitId | None, new: CommitId) -> None:
        """Bring work tree and index from one commit (None: from nothing) to another, keeping what the person changed.

        Raises:
            MlgitError: files that the person changed are in the way (`work-tree-in-the-way`); nothing was touched.
        """
        self._in_work_tree()
        checkout.advance(self._git, old, new)

    def stage(self, paths: Sequence[str], *, at: str = "HEAD") -> None:
        """Make the index agree with a commit at these paths; all else that is staged stays."""
        self._in_work_tree()
        checkout.stage(self._git, self.tree(at), paths)

    def head_branch(self) -> str | None:
        """Return the branch that HEAD names, whether or not there is a work tree; None where it names none."""
        return checkout.checked_out_branch(self._git)

    def hook(self, name: str) -> tuple[Path, bytes | None]:
        """Return where a hook of the repository belongs, and its content; None if there is none."""
        return hooks.find(self._git, name)

    def put_hook(self, name: str, content: bytes) -> None:
        """Install a hook, whole or not at all.

        Raises:
            Unjudged: there is no room or no permission (`git-write-failed`).
        """
        hooks.put(self._git, name, content)

    # Remotes

    def remotes(self) -> Sequence[str]:
        """Return the names of the remotes, sorted."""
        return self._settings.remotes()

    def push(
        self, remote: str, refspecs: Sequence[str], *, force_with_lease: Mapping[str, CommitId | None] | None = None
    ) -> None:
        """Push refs; those of `force_with_lease` only if the remote has them there (None: only if it has none).

        Raises:
            MlgitError: the remote refused (`push-refused`).
            Unjudged: it did not answer (`remote-unreachable`).
        """
        remotes.push(self._git, remote, refspecs, force_with_lease or {})

    def fetch(self, remote: str, refspecs: Sequence[str]) -> None:
        """Fetch refs.

        Raises:
            MlgitError: the remote does not have them (`remote-ref-unknown`).
            Unjudged: it did not answer (`remote-unreachable`).
        """
        remotes.fetch(self._git, remote, refspecs)

    def _commit(self, revision: str) -> CommitId | None:
        # `:` asks for files and for words in messages, `..` for many commits; a hyphen would be an option elsewhere.
        if revision.startswith("-") or ":" in revision or ".." in revision:
            return None
        found = self._objects.find(f"{revision}^{{commit}}")
        return None if found is None or found.kind != b"commit" else found.id

    def _known(self, revision: str) -> CommitId:
        """Return the commit of a revision; a whole id is taken as it is, and refused where it is first used."""
        if _ID.fullmatch(revision):
            return revision
        found = self.resolve(revision)
        if found is None:
            raise refused(
                "revision-unknown",
                f"there is no commit {revision!r} here",
                fix="see `git branch --all` and `git tag`; what a remote has, `git fetch` brings",
            )
        return found

    def _in_work_tree(self) -> Path:
        if self.root is None:
            raise usage_error(
                "bare-repository",
                "this needs files on disk, and the repository is bare",
                fix="run it in a clone",
            )
        return self.root
