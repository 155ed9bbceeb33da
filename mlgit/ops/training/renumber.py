"""Change the number of a version that is not on the base branch yet, for two branches that both registered a v8."""

from collections.abc import Iterator

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import to_json
from mlgit.domain.names import CommitId, Digest, VersionRef
from mlgit.domain.records import Version
from mlgit.errors import Location, MlgitError, refused
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Files
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.signing import commit_signing
from mlgit.ops.kernel.snapshot import commit_of, require_commit

_REGULAR = ("100644", "100755")


class Renumbered(Outcome, frozen=True, kw_only=True, tag="mlgit/renumber.v1"):
    """A version with its new number; its digest is unchanged. `commit` is None with --dry-run."""

    before: str
    after: str
    digest: Digest
    files: dict[str, str]
    """The new path of each file of the version, by its old path."""
    commit: CommitId | None


def run(workspace: Workspace, ref: VersionRef, *, to: int | None = None, dry_run: bool = False) -> Renumbered:
    """Change the number of a version, in one commit on the branch that is checked out.

    The number is not part of the digest. It is only in the record of the version and in the name of its folder.

    Args:
        workspace: the workspace.
        ref: the version, at HEAD.
        to: the new number; None for the next one that neither this branch nor the base branch has.
        dry_run: whether to change nothing.

    Raises:
        MlgitError: the base branch has the version (`version-on-base-branch`), a record names it (`version-in-use`), the new
            number exists (`version-exists`), or files of the version have uncommitted changes (`work-tree-dirty`).
    """
    repository = workspace.repository
    head = require_commit(workspace)
    state = Lifecycle(repository.tree(head), workspace.formats.record)
    version = state.version(ref)
    bases = _base_states(workspace, state)
    _check_not_on_base(bases, version, ref)
    number = _new_number(state, bases, ref, to)
    old, new = (layout.version_folder(ref.model, label) for label in (ref.number, number))
    moves = {path: f"{new}/{path.removeprefix(f'{old}/')}" for path in _files(state, old)}
    _check_not_in_use(workspace, state, bases, version)
    after = VersionRef(ref.model, number)
    files = _moved_files(state, version, after, moves)
    _check_clean(workspace, [old, new], files)
    commit = None
    if not dry_run:
        commit = _commit(workspace, head, version, after, files)
    return Renumbered(before=str(ref), after=str(after), digest=version.digest, files=moves, commit=commit)


def _base_states(workspace: Workspace, state: Lifecycle) -> dict[str, Lifecycle]:
    """Return the states of the local base branch and of its remote-tracking ref, by ref."""
    ref = f"refs/heads/{state.project().base}"
    commits = {name: workspace.repository.resolve(name) for name in (ref, remote.tracking_ref(ref))}
    return {
        name: Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
        for name, commit in commits.items()
        if commit is not None
    }


def _check_not_on_base(bases: dict[str, Lifecycle], version: Version, ref: VersionRef) -> None:
    for name, base in bases.items():
        merged = base.find_version(ref.model, ref.number)
        if merged is not None and merged.digest == version.digest:
            raise refused(
                "version-on-base-branch",
                f"{ref} is on the base branch, where version numbers do not change",
                why=f"{name} has it with the same digest",
                fix="renumber the other version of this number, on its branch",
                at=Location(layout.version(ref.model, ref.number)),
            )


def _new_number(state: Lifecycle, bases: dict[str, Lifecycle], ref: VersionRef, to: int | None) -> int:
    used = {number for base in (state, *bases.values()) for number in base.numbers(ref.model)}
    if to is None:
        return max(used) + 1
    if to in used:
        raise refused(
            "version-exists",
            f"{ref.model}@{to} exists already",
            why="this branch or the base branch has it",
            fix=f"use {ref.model}@{max(used) + 1}, or leave out the new number",
        )
    return to


def _files(state: Lifecycle, folder: str) -> Iterator[str]:
    for entry in state.tree.entries([folder]):
        if entry.mode not in _REGULAR:
            raise refused(
                "path-is-link",
                f"{entry.path} is not a regular file",
                why="a symbolic link is not part of a version",
                fix="replace it with a regular file",
                at=Location(entry.path),
            )
        yield entry.path


def _check_not_in_use(workspace: Workspace, state: Lifecycle, bases: dict[str, Lifecycle], version: Version) -> None:
    """Check that no record added since the base branch names the version, because its number would then be wrong.

    A record names a version by its number and its digest, so it is enough to search for the digest; except for a later version
    that supersedes it, which has only the number.
    """
    repository, own_path = workspace.repository, layout.version(version.model, version.version)
    head = commit_of(state)
    base = next((other.tree.commit for other in bases.values() if other.tree.commit), None)
    merge_base = None if base is None else repository.merge_base(base, head)
    paths = (
        [change.path for change in repository.changes(merge_base, head) if change.after]
        if merge_base
        else [entry.path for entry in state.tree.entries()]
    )
    records = [path for path in paths if path != own_path and layout.parse_path(path) is not None]
    for path, content in state.tree.read_many(records):
        place = layout.parse_path(path)
        is_version = place is not None and place.kind == "version" and place.fields["model"] == version.model
        has_digest = version.digest.encode() in (content or b"")
        if has_digest or (is_version and _supersedes(state, path, version)):
            raise refused(
                "version-in-use",
                f"{path} names {VersionRef(version.model, version.version)}",
                why="after renumbering it would name another version, or none",
                fix="revert it (`git revert`), renumber, and create it again; or renumber the other version",
                at=Location(path),
            )


def _supersedes(state: Lifecycle, path: str, version: Version) -> bool:
    other = state.find(Version, path)
    return other is not None and other.supersedes == version.version


def _check_clean(workspace: Workspace, folders: list[str], files: Files) -> None:
    """Check that the files to move have no uncommitted changes, except those that an interrupted run of this command made."""
    work_tree = workspace.repository.work_tree()
    dirty = workspace.repository.dirty(folders)
    changed = [path for path in dirty if path not in files or work_tree.read(path) != files[path]]
    if changed:
        raise refused(
            "work-tree-dirty",
            "files of the version have uncommitted changes, or conflicts",
            why=", ".join(changed[:6]),
            fix="commit them; during a merge, run `git merge --abort`, renumber, and merge again",
            at=Location(changed[0]),
        )


def _moved_files(state: Lifecycle, version: Version, after: VersionRef, moves: dict[str, str]) -> Files:
    """Return the changes of the commit: the old files deleted, the same content below the new folder, and the new record."""
    contents = dict(state.tree.read_many(moves))
    files: Files = dict.fromkeys(moves) | {moves[path]: content for path, content in contents.items()}
    record = msgspec.structs.replace(version, version=after.number)
    return {**files, layout.version(after.model, after.number): to_json(record)}


def _commit(workspace: Workspace, head: CommitId, version: Version, after: VersionRef, files: Files) -> CommitId:
    """Commit the new files, update the work tree, and move the branch last, so that an interrupted run can be repeated."""
    repository = workspace.repository
    before = VersionRef(version.model, version.version)
    message = f"Renumber {before} to {after}\n\nIts digest stays {version.digest}\n"
    sign = commit_signing(workspace, Lifecycle(repository.tree(head), workspace.formats.record))
    commit = repository.commit(files, parents=[head], message=message, sign=sign)
    repository.advance_checkout(head, commit)
    try:
        repository.move("HEAD", commit, expected=head, reason=f"mlgit renumber {before} {after}")
    except MlgitError:
        repository.advance_checkout(commit, head)
        raise
    return commit
