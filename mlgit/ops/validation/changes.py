"""Validate a change: its own files, the references to and from them, and what a change must not do."""

from collections.abc import Iterable, Sequence

from mlgit.domain import layout
from mlgit.domain.merge_rules.slots import check_slot_layout
from mlgit.domain.records import Override, Promotion
from mlgit.domain.rules import exceptions as exception_rules
from mlgit.domain.rules.changes import check_immutable, check_manifests_kept, check_separation
from mlgit.domain.rules.paths import LARGEST, check_clashes, check_paths, check_sizes
from mlgit.domain.rules.promotions import check_environment_exists, check_replaces, check_slots
from mlgit.errors import Finding
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.formats import Formats
from mlgit.ops.kernel.ports.git import PathChange, Tree
from mlgit.ops.validation.pipelines import check_pipelines, concerns_pipelines
from mlgit.ops.validation.references import check_references
from mlgit.ops.validation.tree_check import TreeCheck, by_kind, of_kind, record_name
from mlgit.ops.validation.versions import VersionCheck

NUMEROUS_KINDS = frozenset({"version", "gate-report"})
"""Kinds of which a project has hundreds of thousands, so that they are not all read for each change."""


def check_change(
    base: Lifecycle, head: Lifecycle, changes: Sequence[PathChange], formats: Formats
) -> tuple[int, list[Finding]]:
    """Validate what a change touches, what refers to it, and what a change must not do.

    Args:
        base: the state before the change.
        head: the state with the change.
        changes: how the paths of the two differ.
        formats: readers of files.

    Returns:
        The number of records that were read, and the findings.
    """
    check = TreeCheck(head, formats)
    versions = VersionCheck(check)
    check.add(check_protected(changes))
    check.add(check_separation(change.path for change in changes))
    present = [change.path for change in changes if change.status != "D"]
    check.add(check_paths((entry.path, entry.mode) for entry in head.tree.entries(present)) if present else ())
    check.add(_clashes(head.tree, present))
    check.add(check_sizes(head.tree.larger(LARGEST, present)))
    check.check_pointers(present)
    if not {layout.SIGNERS, layout.ROLES}.isdisjoint(change.path for change in changes):
        check.check_signers()
    # A deleted record can leave references to it dangling, so deletions count here too.
    if by_kind(change.path for change in changes)[0].keys() - NUMEROUS_KINDS - {"promotion"}:
        check_references(check, _reference_paths(head))
    if concerns_pipelines(change.path for change in changes):
        check_pipelines(check)
    present_of_kind, other_paths = by_kind(present)
    check.check_other_paths(other_paths)
    _check_overrides(check, base, [change.path for change in changes if change.status != "A"])
    folders = {"/".join(path.split("/")[:4]) for path in present if layout.is_immutable(path)}
    folders = {folder for folder in folders if layout.parse_path(f"{folder}/version.json") is not None}
    list(versions.check(sorted(folders), folders))
    check.read(present_of_kind.get("gate-report", []))
    for manifest in of_kind(Promotion, check.read(present_of_kind.get("promotion", []))):
        check.add(check_environment_exists(manifest, _described_environments(head)))
        check.add(check_slots(manifest, versions.digests(manifest)))
        check.add(check_slot_layout(manifest))
        check.add(check_replaces(manifest, base.promotion(manifest.environment, manifest.model)))
    return check.records_read, list(check.findings)


def check_protected(changes: Iterable[PathChange]) -> list[Finding]:
    """Check that a change leaves immutable files, and files that must not be deleted, alone."""
    differences = [(change.path, change.status) for change in changes]
    return [*check_immutable(differences), *check_manifests_kept(differences)]


def _check_overrides(check: TreeCheck, base: Lifecycle, paths: Iterable[str]) -> None:
    """Check that the existing overrides among paths are unchanged, except for the review."""
    overrides = by_kind(paths)[0].get("override", [])
    before, _ = base.read_each(overrides)
    after, problems = check.state.read_each(overrides)
    check.add(problems)
    for path, override in before.items():
        if isinstance(override, Override) and path in after:
            changed = after[path]
            findings = exception_rules.check_override_unchanged(
                record_name(path), override, changed if isinstance(changed, Override) else None
            )
            check.add(findings)


def _clashes(tree: Tree, paths: Iterable[str]) -> list[Finding]:
    """Check changed paths, and the folders above them, against the names beside them; older clashes are not reported."""
    parts = [path.split("/") for path in paths]
    changed = {"/".join(names[:depth]) for names in parts for depth in range(1, len(names) + 1)}
    folders = sorted({path.rpartition("/")[0] for path in changed})
    listings = zip(folders, tree.names_of(folders), strict=True)
    siblings = [f"{folder}/{name}".strip("/") for folder, names in listings for name in names]
    # A clash is reported at the later of two paths, so sort the changed ones last.
    clashes = check_clashes(sorted(siblings, key=changed.__contains__))
    return [clash for clash in clashes if clash.at is not None and clash.at.file in changed]


def _reference_paths(state: Lifecycle) -> dict[str, list[str]]:
    """Return the paths of all records that people write, by kind, without walking the folders of versions."""
    tops = ("datasets", "models", "environments")
    folders = [f"{top}/{name}".rstrip("/") for top in tops for name in state.tree.names(top)]
    files = [f"{top}/{name}" for top in ("problems", "policies") for name in state.tree.names(top)]
    listings = zip(folders, state.tree.names_of(folders), strict=True)
    nested = [f"{folder}/{name}" for folder, names in listings for name in names]
    exceptions = [entry.path for entry in state.tree.entries(["holds", "overrides", "standing-approvals"])]
    return by_kind([layout.PROJECT, layout.ROLES, *files, *nested, *exceptions])[0]


def _described_environments(state: Lifecycle) -> set[str]:
    """Return the environments that have an `environment.yaml`."""
    folders = [name.removesuffix("/") for name in state.tree.names("environments") if name.endswith("/")]
    listings = state.tree.names_of([f"environments/{folder}" for folder in folders])
    return {folder for folder, names in zip(folders, listings, strict=True) if "environment.yaml" in names}
