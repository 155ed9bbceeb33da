"""The branch of a proposal: one commit on top of the base branch, made without the work tree, here and at the remote."""

from collections.abc import Callable
from typing import Final

import msgspec

from mlgit.domain.names import CommitId
from mlgit.errors import Inconclusive, MlgitError, refused
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Files, PathChange
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of
from mlgit.ops.validation import validate

_TRAILER: Final = "Mlgit-Branch"
"""The trailer of the commits that mlgit made for a branch (git-interpret-trailers(1))."""


class BranchDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A change to propose.

    `owns` tells whether mlgit itself changes a path on such a branch. `command` is the command that was run, for the reflog.
    """

    branch: str
    files: Files
    message: str
    owns: Callable[[str], bool]
    command: str


def put_on_branch(workspace: Workspace, base: Lifecycle, draft: BranchDraft) -> tuple[CommitId, bool]:
    """Commit on the base and move the branch there, here and at the remote, unless a person has added to the branch.

    Neither the work tree nor the index is changed. What the remote refuses is undone here too.

    Returns:
        The commit, and whether the remote has it.

    Raises:
        MlgitError: the change breaks a rule, the branch carries a person's own commits (`branch-foreign-commit`), or the remote
            refused it. Nothing was changed.
        Inconclusive: the remote did not answer. The branch is here, and running the command again pushes it.
    """
    repository = workspace.repository
    branch = f"refs/heads/{draft.branch}"
    before = repository.resolve(branch)
    for head in (before, repository.resolve(remote.tracking_ref(branch))):
        if head is not None:
            _require_only_own_commits(workspace, commit_of(base), head, draft)
    commit = commit_draft(workspace, base, draft)
    # Compare and swap: a commit that somebody adds to the branch meanwhile is not lost.
    repository.move(branch, commit, expected=before, reason=draft.command)
    try:
        return commit, push_branch(workspace, draft.branch, commit)
    except Inconclusive:
        raise
    except MlgitError:
        if before is None:
            repository.delete_ref(branch, expected=commit)
        else:
            repository.move(branch, before, expected=commit, reason=f"undo: {draft.command}")
        raise


def push_branch(workspace: Workspace, branch: str, commit: CommitId) -> bool:
    """Push the branch of a proposal; return whether there is a remote, which has it then.

    Raises:
        MlgitError: the remote refused it, as where somebody else has pushed another one since the last fetch.
        Inconclusive: the remote did not answer.
    """
    repository = workspace.repository
    if not remote.exists(repository):
        return False
    ref = f"refs/heads/{branch}"
    known = repository.resolve(remote.tracking_ref(ref))
    if known != commit:
        repository.push(remote.NAME, [f"{commit}:{ref}"], force_with_lease={ref: known})
    return True


def commit_draft(workspace: Workspace, base: Lifecycle, draft: BranchDraft) -> CommitId:
    """Make the commit of a draft on the base and check its files; no ref is moved.

    Raises:
        MlgitError: the change breaks a rule.
    """
    message = _with_trailer(draft.message, draft.branch)
    commit = workspace.repository.commit(draft.files, parents=[commit_of(base)], message=message)
    head = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
    changes = [
        PathChange(
            path, "D" if content is None else "M" if base.tree.read(path) is not None else "A", before=None, after=None
        )
        for path, content in draft.files.items()
    ]
    _, findings = validate.check_change(base, head, changes, workspace.formats)
    if findings:
        raise MlgitError(*findings)
    return commit


def _with_trailer(message: str, branch: str) -> str:
    """Return a commit message with the trailer that names the branch, in the last paragraph if that is one of trailers."""
    body = message.rstrip("\n")
    separator = "\n" if body.rpartition("\n\n")[2].startswith("Mlgit-") else "\n\n"
    return f"{body}{separator}{_TRAILER}: {branch}\n"


def _require_only_own_commits(workspace: Workspace, base: CommitId, head: CommitId, draft: BranchDraft) -> None:
    """Refuse to replace a branch that has a commit which mlgit did not make: that is a person's work.

    Raises:
        MlgitError: there is one (`branch-foreign-commit`).
    """
    repository = workspace.repository
    history = list(repository.commits(f"{base}..{head}", first_parent=False))
    contents = repository.commit_signatures(commit.id for commit, _ in history)
    for (commit, changes), (content, _) in zip(history, contents, strict=True):
        is_own = _trailer(content) == draft.branch and all(draft.owns(change.path) for change in changes)
        if not is_own:
            raise refused(
                "branch-foreign-commit",
                f"{draft.branch} has a commit that mlgit did not make",
                why=f"{commit.id[:12]} {commit.subject} ({commit.author})",
                fix="merge or move that commit, then delete the branch and run the command again",
            )


def _trailer(content: bytes) -> str | None:
    """Return the branch that the trailer of a commit object names; None if it has no such trailer."""
    paragraphs = content.decode("utf-8", "replace").rstrip("\n").split("\n\n")
    for line in paragraphs[-1].splitlines() if len(paragraphs) > 1 else ():
        name, _, value = line.partition(": ")
        if name == _TRAILER:
            return value.strip()
    return None
