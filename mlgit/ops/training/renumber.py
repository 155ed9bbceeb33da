"""Give a version another label, while the base branch does not have it: of two that both became v8, one becomes v9."""

from collections.abc import Iterator

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import to_json
from mlgit.domain.names import CommitId, Digest, VersionRef
from mlgit.domain.records import Version
from mlgit.errors import Location, MlgitError, refused
from mlgit.ops.kernel import remote, snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Files
from mlgit.ops.kernel.ports.workspace import Workspace

_REGULAR = ("100644", "100755")


class Renumbered(Outcome, frozen=True, kw_only=True, tag="mlgit/renumber.v1"):
    """A version under its new label; its digest is what it was. `commit` is None where nothing was done (dry run)."""

    before: str
    after: str
    digest: Digest
    files: dict[str, str]
    """Where each file of the version was, and where it is."""
    commit: CommitId | None


def run(workspace: Workspace, ref: VersionRef, *, to: int | None = None, dry_run: bool = False) -> Renumbered:
    """Move a version that only this branch has to another label, in one commit on the branch that is checked out.

    The label is no part of a version's digest, and stands in nothing but its record and the name of its folder.

    Args:
        workspace: where.
        ref: the version, as the commit at HEAD has it.
        to: its new label; the next one that neither this branch nor the base branch uses, if None.
        dry_run: whether to change nothing.

    Raises:
        MlgitError: the base branch has the version (`version-on-base-branch`), something names it (`version-in-use`),
            the new label is in use (`version-exists`), or files of it are changed and not committed
            (`work-tree-dirty`).
    """
    repository = workspace.repository
    head = snapshot.require_commit(workspace)
    state = Lifecycle(repository.tree(head), workspace.formats.record)
    version = state.version(ref)
    bases = _bases(workspace, state)
    _check_not_on_base(bases, version, ref)
    number = _label(state, bases, ref, to)
    old, new = (layout.version_folder(ref.model, label) for label in (ref.number, number))
    moves = {path: f"{new}/{path.removeprefix(f'{old}/')}" for path in _files(state, old)}
    _check_unnamed(workspace, state, bases, version)
    after = VersionRef(ref.model, number)
    files = _moved(state, version, after, moves)
    _check_clean(workspace, [old, new], files)
    commit = None
    if not dry_run:
        commit = _commit(workspace, head, version, after, files)
    return Renumbered(before=str(ref), after=str(after), digest=version.digest, files=moves, commit=commit)


def _bases(workspace: Workspace, state: Lifecycle) -> dict[str, Lifecycle]:
    """Return the states of the base branch: as it is here, and as the remote's copy."""
    ref = f"refs/heads/{state.project().base}"
    found = {name: workspace.repository.resolve(name) for name in (ref, remote.tracking_ref(ref))}
    return {
        name: Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
        for name, commit in found.items()
        if commit is not None
    }


def _check_not_on_base(bases: dict[str, Lifecycle], version: Version, ref: VersionRef) -> None:
    for name, base in bases.items():
        there = base.find_version(ref.model, ref.number)
        if there is not None and there.digest == version.digest:
            raise refused(
                "version-on-base-branch",
                f"{ref} is on the base branch, where labels stay as they are",
                why=f"{name} has it, with the same digest",
                fix="renumber the other one, on its branch; what nobody else has yet can be put on a branch first",
                at=Location(layout.version(ref.model, ref.number)),
            )


def _label(state: Lifecycle, bases: dict[str, Lifecycle], ref: VersionRef, to: int | None) -> int:
    taken = {number for one in (state, *bases.values()) for number in one.numbers(ref.model)}
    if to is None:
        return max(taken) + 1
    if to in taken:
        raise refused(
            "version-exists",
            f"{ref.model}@{to} is there already",
            why="this branch or the base branch has it",
            fix=f"take {ref.model}@{max(taken) + 1}, or leave out the new number",
        )
    return to


def _files(state: Lifecycle, folder: str) -> Iterator[str]:
    for entry in state.tree.entries([folder]):
        if entry.mode not in _REGULAR:
            raise refused(
                "path-is-link",
                f"{entry.path} is no plain file",
                why="what a link leads to can be anywhere",
                fix="put the file itself there",
                at=Location(entry.path),
            )
        yield entry.path


def _check_unnamed(workspace: Workspace, state: Lifecycle, bases: dict[str, Lifecycle], version: Version) -> None:
    """Refuse where something that the base branch does not have names the version, and so its label.

    Whatever names a version does so by its digest beside the label, except for a later version that corrects it.
    """
    repository, own = workspace.repository, layout.version(version.model, version.version)
    head = state.tree.commit
    assert head is not None  # noqa: S101 - a state of a commit
    since = next((one.tree.commit for one in bases.values() if one.tree.commit), None)
    began = None if since is None else repository.merge_base(since, head)
    paths = (
        [change.path for change in repository.changes(began, head) if change.after]
        if began
        else [entry.path for entry in state.tree.entries()]
    )
    records = [path for path in paths if path != own and layout.parse_path(path) is not None]
    for path, content in state.tree.read_many(records):
        place = layout.parse_path(path)
        later = place is not None and place.kind == "version" and place.fields["model"] == version.model
        names = version.digest.encode() in (content or b"")
        if names or (later and _corrects(state, path, version)):
            raise refused(
                "version-in-use",
                f"{path} names {VersionRef(version.model, version.version)}",
                why="it would then name another version, or none",
                fix="take it back first (`git revert`), renumber, and make it again; or renumber the other version",
                at=Location(path),
            )


def _corrects(state: Lifecycle, path: str, version: Version) -> bool:
    other = state.find(Version, path)
    return other is not None and other.supersedes == version.version


def _check_clean(workspace: Workspace, folders: list[str], files: Files) -> None:
    """Refuse what the person changed; what is as it is going to be was brought by a run that was stopped."""
    there = workspace.repository.work_tree()
    dirty = workspace.repository.dirty(folders)
    changed = [path for path in dirty if path not in files or there.read(path) != files[path]]
    if changed:
        raise refused(
            "work-tree-dirty",
            "files of the version are changed, or in conflict",
            why=", ".join(changed[:6]),
            fix="commit them; in the middle of a merge, `git merge --abort`, renumber, and merge again",
            at=Location(changed[0]),
        )


def _moved(state: Lifecycle, version: Version, after: VersionRef, moves: dict[str, str]) -> Files:
    contents = dict(state.tree.read_many(moves))
    files: Files = dict.fromkeys(moves) | {moves[path]: content for path, content in contents.items()}
    record = msgspec.structs.replace(version, version=after.number)
    return {**files, layout.version(after.model, after.number): to_json(record)}


def _commit(workspace: Workspace, head: CommitId, version: Version, after: VersionRef, files: Files) -> CommitId:
    """Commit the move, bring the work tree along, and move the branch last."""
    repository = workspace.repository
    before = VersionRef(version.model, version.version)
    commit = repository.commit(
        files, parents=[head], message=f"Renumber {before} to {after}\n\nIts digest stays {version.digest}\n"
    )
    repository.advance_checkout(head, commit)
    try:
        repository.move("HEAD", commit, expected=head, reason=f"mlgit renumber {before} {after}")
    except MlgitError:
        repository.advance_checkout(commit, head)
        raise
    return commit
