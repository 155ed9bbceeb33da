"""A Git repository (see `ops.kernel.ports.Repository`): opens one, and puts the modules of this package together."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from mlgit.domain.names import CommitId
from mlgit.edges.git import checkout, history, hooks, remotes
from mlgit.edges.git.command import Git
from mlgit.edges.git.listing import list_refs
from mlgit.edges.git.location import RepositoryLocation, locate
from mlgit.edges.git.objects import Objects
from mlgit.edges.git.remotes import ShowProgress
from mlgit.edges.git.scratch import ScratchObjects, scratch_objects
from mlgit.edges.git.settings import Settings
from mlgit.edges.git.signature import split_signature
from mlgit.edges.git.trees import GitTree
from mlgit.edges.git.worktree import WorkTree
from mlgit.edges.git.writing import Writer
from mlgit.errors import refused, usage_error
from mlgit.ops.kernel.ports.git import Commit, Files, PathChange, Signing

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ABBREVIATED = re.compile(r"[0-9a-f]{4,63}")


def open_repository(directory: Path, *, show: ShowProgress | None = None) -> "GitRepository":
    """Open the repository that a folder is in.

    Args:
        directory: the folder.
        show: displays the progress of fetch and push; None if nobody watches.

    Raises:
        MlgitError: as `location.locate`.
    """
    git = Git(directory)
    return GitRepository(locate(git), processes=git.processes, show=show)


class GitRepository:
    """A repository. Close it, or use it in `with`, where the process that reads objects should end before this one does."""

    def __init__(
        self,
        location: RepositoryLocation,
        *,
        processes: int = 0,
        scratch: ScratchObjects | None = None,
        show: ShowProgress | None = None,
    ) -> None:
        """Open a repository at a location.

        Args:
            location: where it is.
            processes: how many processes were started to locate it.
            scratch: where to write new objects; None for the repository itself.
            show: displays the progress of fetch and push; None if nobody watches.
        """
        self.location = location
        options = [f"--git-dir={location.git_dir}"] + ([f"--work-tree={location.root}"] if location.root else [])
        self._git = Git(location.root or location.git_dir, options, scratch.environment if scratch else None)
        self._git.processes = processes
        self._objects = Objects(self._git, 20 if location.algorithm == "sha1" else 32)
        self._settings = Settings(self._git)
        self._writer = Writer(self._git, location.algorithm, scratch.objects if scratch else location.objects)
        self._show = show

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads objects; it is started again when it is next needed."""
        self._objects.close()

    @contextmanager
    def scratch(self) -> Iterator["GitRepository"]:
        """Yield a scratch repository: this one, except that new objects are deleted afterwards and commits name no person.

        Raises:
            Inconclusive: there is no space for the objects (`disk-io-failed`).
        """
        with (
            scratch_objects(self.location.objects) as scratch,
            GitRepository(self.location, scratch=scratch) as repository,
        ):
            yield repository

    @property
    def root(self) -> Path | None:
        """The work tree; None in a bare repository."""
        return self.location.root

    @property
    def git_dir(self) -> Path:
        """The folder of this work tree's HEAD and index."""
        return self.location.git_dir

    @property
    def is_shallow(self) -> bool:
        """Whether commits are missing."""
        return self.location.is_shallow

    @property
    def processes(self) -> int:
        """The number of Git processes that were started."""
        return self._git.processes

    # Reading

    def resolve(self, revision: str) -> CommitId | None:
        """Return the commit that a branch, tag, id or `REV~2` names; None if there is none.

        Raises:
            MlgitError: the name stands for more than one commit (`revision-ambiguous`), or for one that only the reflog of this
                clone knows (`revision-local`).
        """
        if revision != "HEAD" and not revision.startswith("refs/") and not _ID.fullmatch(revision):
            self._require_unambiguous(revision)
        return self._commit(revision)

    def revision_time(self, revision: str) -> datetime | None:
        """Return the time that a date stands for, its last second; None where the revision is no date."""
        return history.parse_time(revision)

    def refs(self, prefix: str) -> Sequence[str]:
        """Return the full names of the refs below a prefix, sorted."""
        return list_refs(self._git, prefix)

    def state(self) -> str:
        """Return HEAD and every ref with their commits, as one text."""
        return self._git.run("show-ref", "--head", check=False).stdout.decode(errors="replace")

    def tree(self, revision: str) -> GitTree:
        """Return the files of a commit.

        Raises:
            MlgitError: there is no such commit (`revision-unknown`).
        """
        return GitTree(self._git, self._objects, self._commit_id(revision))

    def entry_ids(self, commit: CommitId, paths: Sequence[str]) -> list[str | None]:
        """Return mode and id of each path at a commit; None for a missing one."""
        tree = self.tree(commit)
        entries = [tree.entry(path) for path in paths]
        return [None if entry is None else f"{entry.mode} {entry.blob}" for entry in entries]

    def work_tree(self) -> WorkTree:
        """Return the files on disk.

        Raises:
            UsageError: the repository is bare (`repository-bare`).
        """
        return WorkTree(self._git, self._require_work_tree())

    def commits(
        self, revision: str, *, paths: Sequence[str] = (), first_parent: bool = True
    ) -> Iterator[tuple[Commit, list[PathChange]]]:
        """Yield the commits of a revision or of `OLD..NEW`, newest first, each with its changes against its first parent."""
        old, dots, new = revision.rpartition("..")
        tips = [self._commit_id(new), *([f"^{self._commit_id(old)}"] if dots else [])]
        return history.commits(self._git, tips, paths, first_parent=first_parent)

    def changes(self, before: str, after: str | None) -> list[PathChange]:
        """Return how the trees of two commits differ; of a commit and the work tree, if `after` is None."""
        if after is not None:
            return history.changes(self._git, self._commit_id(before), self._commit_id(after))
        self._require_work_tree()
        return history.changes_on_disk(self._git, self._commit_id(before))

    def contents(self, blobs: Iterable[str]) -> Iterator[bytes]:
        """Yield the contents of many blobs by their ids, in the order asked for.

        Raises:
            Inconclusive: one is missing, or is no blob (`git-object-missing`).
        """
        wanted = list(blobs)
        for blob, git_object in zip(wanted, self._objects.read(wanted), strict=True):
            if git_object is None or git_object.kind != b"blob":
                raise self._objects.damaged(blob)
            yield git_object.content

    def commit_time(self, commit: CommitId) -> datetime:
        """Return when a commit was made."""
        git_object = self._objects.find(f"{self._commit_id(commit)}^{{commit}}")
        headers = git_object.content.partition(b"\n\n")[0] if git_object else b""
        match = re.search(rb"^committer .*> ([0-9]+)", headers, re.MULTILINE)
        return history.from_timestamp(match[1].decode() if match else "")

    def commit_times(self, tip: CommitId) -> Mapping[CommitId, datetime]:
        """Return the time of each first-parent commit of a tip, never before that of a commit that it follows."""
        return history.commit_times(self._git, self._commit_id(tip))

    def commit_signatures(self, commits: Iterable[CommitId]) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield each commit without its signature, and its armoured signature; None where it is not signed.

        Raises:
            Inconclusive: one is missing, or is no commit (`git-object-missing`).
        """
        wanted = list(commits)
        for commit, git_object in zip(wanted, self._objects.read(wanted), strict=True):
            if git_object is None or git_object.kind != b"commit":
                raise self._objects.damaged(commit)
            yield split_signature(git_object.content)

    def last_commit_by(self, tip: CommitId, time: datetime) -> CommitId | None:
        """Return the newest first-parent commit of a tip that was made at or before a time."""
        return history.last_commit_by(self._git, self._commit_id(tip), time)

    def merge_base(self, one: str, other: str) -> CommitId | None:
        """Return the newest commit that both histories contain; None if they share none."""
        completed = self._git.run("merge-base", self._commit_id(one), self._commit_id(other), check=False)
        if completed.code > 1:
            raise self._git.failure(["merge-base"], completed.stderr)
        return completed.stdout.decode().strip() or None

    def require_full_history(self) -> None:
        """Refuse a shallow clone.

        Raises:
            MlgitError: it is one (`history-shallow`).
        """
        if self.is_shallow:
            raise refused(
                "history-shallow",
                "this clone is shallow: a part of the history is missing",
                why="it was cloned with a depth, so missing commits cannot be told from commits that never existed",
                fix="run `git fetch --unshallow` (in GitHub Actions: `fetch-depth: 0`)",
            )

    def dirty(self, paths: Sequence[str] = ()) -> list[str]:
        """Return the files at or below paths that differ from HEAD or are untracked."""
        self._require_work_tree()
        return checkout.dirty(self._git, paths)

    def attributes(self, paths: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the attributes that Git applies to paths, by path and name."""
        return checkout.attributes(self._git, paths, names)

    def ignored(self, paths: Sequence[str]) -> list[str]:
        """Return the files in the work tree at or below paths that Git ignores."""
        self._require_work_tree()
        return checkout.ignored(self._git, paths)

    def identity(self) -> tuple[str, str]:
        """Return name and e-mail address of the person, as configured in Git.

        Raises:
            MlgitError: none is configured (`git-identity-missing`).
        """
        return self._settings.identity()

    def config(self, key: str) -> str | None:
        """Return a value of Git's configuration, the last where there are several; None if it is not set."""
        return self._settings.get(key)

    # Writing

    def commit(self, files: Files, *, parents: Sequence[CommitId], message: str, sign: Signing = False) -> CommitId:
        """Create a commit with the first parent's files and these changes; no ref, index or work tree is touched.

        Raises:
            MlgitError: as `Writer.commit`.
        """
        base = self.tree(parents[0]) if parents else None
        return self._writer.commit(base, files, parents, message, sign=sign)

    def merge_tree(self, ours: CommitId, theirs: CommitId) -> str | None:
        """Return the tree of a merge; None where it conflicts. No ref, index or work tree is touched."""
        return self._writer.merge(self._commit_id(ours), self._commit_id(theirs))

    def commit_tree(self, tree: str, *, parents: Sequence[CommitId], message: str, sign: Signing = False) -> CommitId:
        """Create a commit of a tree."""
        return self._writer.commit_tree(tree, parents, message, sign=sign)

    def move(self, ref: str, new: CommitId, *, expected: CommitId | None, reason: str) -> None:
        """Point a ref at a commit, only if it is now at `expected` (None: only if it does not exist).

        Raises:
            MlgitError: another process or person moved it (`ref-update-conflict`).
        """
        self._writer.move(ref, new, expected, reason)

    def delete_ref(self, ref: str, *, expected: CommitId) -> None:
        """Delete a ref, only if it is now at `expected`."""
        self._writer.move(ref, None, expected, "")

    def checked_out_branch(self) -> str | None:
        """Return the branch of the work tree; None where HEAD is detached, or where there is no work tree."""
        return checkout.checked_out_branch(self._git) if self.root else None

    def checked_out_elsewhere(self, branch: str) -> Path | None:
        """Return another work tree of the repository that has a branch checked out; None if there is none."""
        return checkout.checked_out_elsewhere(self._git, branch, self.root)

    def advance_checkout(self, old: CommitId | None, new: CommitId) -> None:
        """Update work tree and index from one commit (None: the empty tree) to another, keeping what the person changed.

        Raises:
            MlgitError: files that the person changed are in the way (`work-tree-dirty`); nothing was touched.
        """
        self._require_work_tree()
        checkout.advance(self._git, old, new)

    def require_can_advance(self, old: CommitId, new: CommitId) -> None:
        """Refuse what `advance_checkout` would refuse; nothing is touched.

        Raises:
            MlgitError: files that the person changed are in the way (`work-tree-dirty`).
        """
        self._require_work_tree()
        checkout.require_can_advance(self._git, old, new)

    def stage(self, paths: Sequence[str], *, at: str = "HEAD") -> None:
        """Set the index to the content of a commit at some paths; all else that is staged stays."""
        self._require_work_tree()
        checkout.stage(self._git, self.tree(at), paths)

    def head_branch(self) -> str | None:
        """Return the branch that HEAD names, whether or not there is a work tree; None where HEAD is detached."""
        return checkout.checked_out_branch(self._git)

    def hook(self, name: str) -> tuple[Path, bytes | None]:
        """Return the path of a hook, and its content; None if it is not installed."""
        return hooks.find(self._git, name)

    def put_hook(self, name: str, content: bytes) -> None:
        """Install a hook atomically.

        Raises:
            Inconclusive: there is no space or no permission (`git-write-failed`).
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
            MlgitError: the remote refused (`push-rejected`).
            Inconclusive: it did not answer (`git-remote-unreachable`).
        """
        remotes.push(self._git, remote, refspecs, force_with_lease or {}, show=self._show)

    def fetch(self, remote: str, refspecs: Sequence[str]) -> None:
        """Fetch refs.

        Raises:
            MlgitError: the remote does not have them (`git-remote-ref-unknown`).
            Inconclusive: it did not answer (`git-remote-unreachable`).
        """
        remotes.fetch(self._git, remote, refspecs, show=self._show)

    def _commit(self, revision: str) -> CommitId | None:
        # `:` would search for files and messages, and `..` name many commits; other commands take a hyphen as an option.
        if revision.startswith("-") or ":" in revision or ".." in revision:
            return None
        git_object = self._objects.find(f"{revision}^{{commit}}")
        return None if git_object is None or git_object.kind != b"commit" else git_object.id

    def _require_unambiguous(self, revision: str) -> None:
        """Refuse a name whose answer depends on this clone, or on which of several refs of that name Git prefers.

        Raises:
            MlgitError: as `resolve`.
        """
        if "@{" in revision:
            raise refused(
                "revision-local",
                f"{revision} is answered from the reflog of this clone",
                why="no other clone has it, so that nobody could verify the answer",
                fix="name a date (2026-03-31), a commit, a branch or a tag",
            )
        name = re.split(r"[~^]", revision, maxsplit=1)[0]
        found = {
            ref: commit
            for ref in (f"refs/tags/{name}", f"refs/heads/{name}", f"refs/remotes/{name}")
            if name and (commit := self._commit(ref)) is not None
        }
        if found and _ABBREVIATED.fullmatch(name):
            listed = self._git.text("rev-parse", f"--disambiguate={name}").split()
            found |= {commit: commit for id_ in listed if (commit := self._commit(id_)) == id_ and commit is not None}
        if len(set(found.values())) > 1:
            raise refused(
                "revision-ambiguous",
                f"{name} is the name of several commits",
                why=", ".join(f"{ref} is {commit[:12]}" for ref, commit in found.items()),
                fix="write the whole name: " + " or ".join(found),
            )

    def _commit_id(self, revision: str) -> CommitId:
        """Return the commit of a revision. A full id is not looked up: where it is used first, a missing one is an error."""
        if _ID.fullmatch(revision):
            return revision
        commit = self.resolve(revision)
        if commit is None:
            raise refused(
                "revision-unknown",
                f"there is no commit {revision!r} here",
                fix="see `git branch --all` and `git tag`; what a remote has, `git fetch` brings",
            )
        return commit

    def _require_work_tree(self) -> Path:
        if self.root is None:
            raise usage_error(
                "repository-bare",
                "this needs files on disk, and the repository is bare",
                fix="run it in a clone",
            )
        return self.root
