"""The branch of a proposal: one commit on top of the base branch, made without the work tree, here and at the remote."""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mlgit.domain.codec import sha256
from mlgit.domain.names import CommitId, Digest
from mlgit.errors import Inconclusive, MlgitError, refused
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Files, PathChange, Repository, Signing
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.signing import commit_signing
from mlgit.ops.kernel.snapshot import commit_of
from mlgit.ops.validation import validate

_TRAILER: Final = "Mlgit-Digest"
"""The trailer of the commits that mlgit made for a proposal (git-interpret-trailers(1)). Its value is the digest of the branch,
the message and the files, so that the trailer of a commit which a person has amended does not fit any more."""
_TRAILER_AT_END: Final = re.compile(rf"\n+{_TRAILER}: (?P<digest>[^\n]+)\n*\Z")


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
    before = _require_replaceable(workspace, base, draft)
    commit = commit_draft(workspace, base, draft, sign=commit_signing(workspace, base))
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


def check_draft(workspace: Workspace, base: Lifecycle, draft: BranchDraft) -> None:
    """Check, without a change, whatever `put_on_branch` would refuse before it pushes.

    Raises:
        MlgitError: as `put_on_branch`.
    """
    _require_replaceable(workspace, base, draft)
    with workspace.scratch() as scratch:
        commit_draft(scratch, base, draft)


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


def commit_draft(workspace: Workspace, base: Lifecycle, draft: BranchDraft, *, sign: Signing = False) -> CommitId:
    """Make the commit of a draft on the base and check its files; no ref is moved.

    Raises:
        MlgitError: the change breaks a rule.
    """
    changed = {path: content for path, content in draft.files.items() if base.tree.read(path) != content}
    message = _with_trailer(draft.message, _digest(draft.branch, draft.message, changed))
    commit = workspace.repository.commit(draft.files, parents=[commit_of(base)], message=message, sign=sign)
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


def _require_replaceable(workspace: Workspace, base: Lifecycle, draft: BranchDraft) -> CommitId | None:
    """Return the commit that the branch of a draft is at, None if there is no such branch here.

    Raises:
        MlgitError: it has a person's own commits (`branch-foreign-commit`), another branch has its name as a folder
            (`ref-name-conflict`), or Git has no identity to commit with (`git-identity-missing`).
    """
    repository = workspace.repository
    repository.identity()  # Git itself would take an empty address
    branch = f"refs/heads/{draft.branch}"
    folders = [branch[:index] for index, character in enumerate(branch) if character == "/"]
    in_the_way = [*(ref for ref in folders if repository.resolve(ref) is not None), *repository.refs(f"{branch}/")]
    if in_the_way:
        raise refused(
            "ref-name-conflict",
            f"{branch} cannot be created beside {in_the_way[0]}",
            why="Git cannot have a ref whose name is also the folder of another",
            fix=f"rename or delete {in_the_way[0]}",
        )
    before = repository.resolve(branch)
    for head in (before, repository.resolve(remote.tracking_ref(branch))):
        if head is not None:
            require_only_own_commits(workspace, commit_of(base), head, draft.branch, draft.owns)
    return before


def _with_trailer(message: str, digest: Digest) -> str:
    """Return a message with the trailer, in the last paragraph if that is one of trailers."""
    body = message.rstrip("\n")
    separator = "\n" if body.rpartition("\n\n")[2].startswith("Mlgit-") else "\n\n"
    return f"{body}{separator}{_TRAILER}: {digest}\n"


def _digest(branch: str, message: str, changed: Files) -> Digest:
    contents = {path: None if content is None else sha256(content) for path, content in sorted(changed.items())}
    return sha256(msgspec.json.encode([branch, message.rstrip("\n"), contents]))


def require_only_own_commits(
    workspace: Workspace,
    base: CommitId,
    head: CommitId,
    branch: str,
    owns: Callable[[str], bool] = lambda _: True,
) -> None:
    """Refuse to replace or delete a branch that has a commit which mlgit did not make: that is a person's work.

    Args:
        workspace: where.
        base: the base branch, whose commits do not count.
        head: the commit that the branch is at.
        branch: its name.
        owns: tells whether mlgit itself changes a path on such a branch.

    Raises:
        MlgitError: there is one (`branch-foreign-commit`).
    """
    repository = workspace.repository
    history = list(repository.commits(f"{base}..{head}", first_parent=False))
    contents = repository.commit_signatures(commit.id for commit, _ in history)
    for (commit, changes), (content, _) in zip(history, contents, strict=True):
        is_own = all(owns(change.path) for change in changes)
        if not is_own or not _is_unchanged(repository, branch, content, changes):
            raise refused(
                "branch-foreign-commit",
                f"{branch} has a commit that mlgit did not make, or that was changed since",
                why=f"{commit.id[:12]} {commit.subject} ({commit.author})",
                fix="merge or move that commit, then delete the branch and run the command again",
            )


def _is_unchanged(repository: Repository, branch: str, content: bytes, changes: Sequence[PathChange]) -> bool:
    """Tell whether a commit object is as mlgit made it for a branch, by its trailer."""
    message = content.decode("utf-8", "replace").partition("\n\n")[2]
    trailer = _TRAILER_AT_END.search(message)
    if trailer is None:
        return False
    if any(change.after is not None and change.blob is None for change in changes):
        return False  # a link or a submodule, which mlgit never makes
    blobs = [change.blob for change in changes if change.blob is not None]
    contents = dict(zip(blobs, repository.contents(blobs), strict=True))
    files = {change.path: None if change.blob is None else contents[change.blob] for change in changes}
    return trailer["digest"] == _digest(branch, message[: trailer.start()], files)
