"""Validate the files of a project: all of them, or what a change touches. Nothing of the project is executed or loaded."""

from collections.abc import Iterable, Iterator
from itertools import islice

from mlgit.domain import layout
from mlgit.domain.merge_rules.slots import check_slot_layout
from mlgit.domain.names import Digest
from mlgit.domain.records import Promotion
from mlgit.domain.rules.paths import LARGEST, check_paths, check_sizes
from mlgit.domain.rules.promotions import check_slots
from mlgit.errors import Exit, Finding, Location, Severity
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.formats import Formats
from mlgit.ops.kernel.ports.git import Tree
from mlgit.ops.kernel.ports.progress import Progress
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of, state_at
from mlgit.ops.policies import impact
from mlgit.ops.validation.changes import NUMEROUS_KINDS, check_change, check_protected
from mlgit.ops.validation.objects import check_objects, versions_to_open
from mlgit.ops.validation.pipelines import check_pipelines
from mlgit.ops.validation.references import check_references
from mlgit.ops.validation.tree_check import TreeCheck, by_kind, of_kind
from mlgit.ops.validation.versions import (
    IDENTIFIED_FILES,
    VersionCheck,
    folder_of,
    named_folders,
    newest_folders,
    numbers_in,
)

__all__ = ["Validated", "check_all", "check_change", "run"]

_BATCH = 256  # records read at once: enough for fast reads in bulk, few enough for little memory


class Validated(Outcome, frozen=True, kw_only=True, tag="mlgit/validate.v1"):
    """The findings of a validation.

    `tree` is the work tree or a commit. `paths_changed` is the number of changed paths since the merge base with the base branch,
    or with `base`; None if there is no such branch.
    """

    tree: str
    base: str | None
    records_checked: int
    paths_changed: int | None
    findings: list[Finding]

    @property
    def exit(self) -> Exit:
        """No if there is an error; warnings do not count."""
        return Exit.NO if any(finding.severity is Severity.ERROR for finding in self.findings) else Exit.YES


def run(
    workspace: Workspace, *, base: str | None = None, at: str | None = None, on_progress: Progress = lambda _: None
) -> Validated:
    """Validate the work tree or a commit; all of it, or what changed since a base.

    Without a base, the whole tree is validated, and immutable files are compared with those of the base branch.

    Args:
        workspace: the workspace.
        base: a commit or branch, to validate only what changed since the merge base with it.
        at: a commit, branch, tag or date to validate; None for the work tree.
        on_progress: called with the number of records that were read.

    Raises:
        MlgitError: a revision does not exist (`revision-unknown`), or there is no project (`not-a-project`).
    """
    repository = workspace.repository
    tree = repository.work_tree() if at is None else state_at(workspace, at).tree
    head = Lifecycle(tree, workspace.formats.record)
    head.project()
    base_state = state_at(workspace, base) if base is not None else _base_branch(workspace, head)
    since = None if base_state is None else _merge_base(workspace, base_state, tree)
    changes = [] if since is None else repository.changes(since, tree.commit)
    if base is not None and base_state is not None:
        records_read, findings = check_change(base_state, head, changes, workspace.formats)
        findings += impact.notes(base_state, head, changes)
    else:
        records_read, findings = check_all(head, workspace.formats, on_progress)
        findings += check_protected(changes)
    changed = [change.path for change in changes if change.status != "D"]
    opened = versions_to_open(head, None if base is None else changed)
    findings += check_objects(workspace, head.project().remote, opened)
    return Validated(
        tree="the work tree" if tree.commit is None else tree.commit[:12],
        base=base,
        records_checked=records_read,
        paths_changed=None if since is None else len(changes),
        findings=sorted(findings, key=_position),
    )


def check_all(head: Lifecycle, formats: Formats, on_progress: Progress = lambda _: None) -> tuple[int, list[Finding]]:
    """Validate every file of a tree.

    The content of model cards is read only for versions that an environment names, and for the newest version of each model. The
    digest of another card proves that it is the one that was validated when its version was merged.

    Args:
        head: the state of the tree.
        formats: readers of files.
        on_progress: called with the number of records that were read.

    Returns:
        The number of records that were read, and the findings.
    """
    entries = list(head.tree.entries())
    check = TreeCheck(head, formats)
    check.add(check_paths((entry.path, entry.mode) for entry in entries))
    check.add(check_sizes(head.tree.larger(LARGEST, _of_unknown_size(entry.path for entry in entries))))
    check.check_pointers(entry.path for entry in entries)
    check.check_signers()
    paths_of_kind, other_paths = by_kind(entry.path for entry in entries)
    blob_ids = {
        entry.path: entry.blob for entry in entries if entry.blob is not None and entry.path.endswith(IDENTIFIED_FILES)
    }
    del entries  # the longest list of all, no longer needed while versions are read
    # The text of a version that is not read here was checked when it was merged: its digest or blob id proves it.
    check.check_other_paths([path for path in other_paths if not _is_of_version(path)])
    records = check_references(
        check, {kind: paths for kind, paths in paths_of_kind.items() if kind not in NUMEROUS_KINDS}
    )
    check_pipelines(check)
    manifests = of_kind(Promotion, records.get("promotion", {}))
    folders = {path.removesuffix("/version.json"): path for path in paths_of_kind.get("version", [])}
    with_cards = named_folders(manifests) | newest_folders(folders)
    versions = VersionCheck(check, blob_ids)
    digests: dict[str, dict[int, Digest]] = {}
    for batch in _batches(folders):
        for version in versions.check(batch, with_cards):
            digests.setdefault(version.model, {})[version.version] = version.digest
        on_progress(check.records_read)
    for batch in _batches(paths_of_kind.get("gate-report", [])):
        check.read(batch, keep=False)
        on_progress(check.records_read)
    for manifest in manifests:
        # A version with an invalid record exists, but its digest is not known.
        existing = dict.fromkeys(number for number in numbers_in(manifest) if folder_of(manifest, number) in folders)
        check.add(check_slots(manifest, {**existing, **digests.get(manifest.model, {})}))
        check.add(check_slot_layout(manifest))
    return check.records_read, list(check.findings)


def _base_branch(workspace: Workspace, head: Lifecycle) -> Lifecycle | None:
    commit = workspace.repository.resolve(f"refs/heads/{head.project().base}")
    return None if commit is None else Lifecycle(workspace.repository.tree(commit), workspace.formats.record)


def _merge_base(workspace: Workspace, base: Lifecycle, tree: Tree) -> str | None:
    """Return the commit that a change began at; the base itself if the two have no common history."""
    commit = commit_of(base)
    head = tree.commit or workspace.repository.resolve("HEAD")
    return commit if head is None else workspace.repository.merge_base(commit, head) or commit


def _is_of_version(path: str) -> bool:
    """Tell whether a path is that of a file beside a version's record, of which there may be hundreds of thousands."""
    return path.endswith((*IDENTIFIED_FILES, ".md")) and "/versions/" in path and layout.is_immutable(path)


def _of_unknown_size(paths: Iterable[str]) -> list[str]:
    """Return the paths whose size no other check limits: all but records, cards, profiles and pointers."""
    checked = ("/version.json", "/card.md", "/profile.json", ".dvc", ".yaml")
    return [path for path in paths if not path.endswith(checked) and "/gates/" not in path]


def _position(finding: Finding) -> tuple[str, int, str, str]:
    at = finding.at or Location("")
    return at.file, at.line or 0, at.path or "", finding.id


def _batches(paths: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(paths)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
