"""Validate what versions name against the objects in DVC's cache, where they are there. No model is loaded."""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Promotion, Version
from mlgit.domain.records.version import StoredFile
from mlgit.domain.rules.versions import check_model_file, stored_files
from mlgit.errors import Finding, Location, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.data import VersionStore
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.validation.tree_check import of_kind
from mlgit.ops.validation.versions import named_folders


def versions_to_open(head: Lifecycle, changed: Collection[str] | None) -> list[Version]:
    """Return the versions whose objects a validation opens, without those with an invalid record.

    These are the versions that a change adds; in a whole tree, those that manifests name and the newest of each model: the
    objects of the others were opened when they were registered, promoted and applied.

    Args:
        head: the state of the tree.
        changed: the paths of a change; None for the whole tree.
    """
    if changed is not None:
        folders = {"/".join(path.split("/")[:4]) for path in changed if layout.is_immutable(path)}
    else:
        records, _ = head.read_each([path for path in _paths(head, "environments") if layout.is_manifest(path)])
        models = [name.removesuffix("/") for name in head.tree.names("models") if name.endswith("/")]
        newest = {model: numbers[-1] for model, numbers in head.numbers_of(models).items() if numbers}
        folders = {layout.version_folder(model, number) for model, number in newest.items()}
        folders |= named_folders(of_kind(Promotion, records))
    records, _ = head.read_each([f"{folder}/version.json" for folder in sorted(folders)])
    return of_kind(Version, records)


def check_objects(workspace: Workspace, remote: str, versions: Iterable[Version]) -> Iterator[Finding]:
    """Check the size of each stored file of versions, and the content of their model files, as far as the cache has them.

    What the cache has not is unknown here: `mlgit promote` fetches it before its gates are evaluated. Which types a project
    trusts is not a question of validity, but of the gate `model-safe`.

    Args:
        workspace: the workspace; without a work tree, or without DVC in it, nothing is checked.
        remote: the name of the project's remote.
        versions: the versions.
    """
    if workspace.repository.root is None or not (workspace.repository.root / ".dvc").is_dir():
        return
    store = workspace.versions(remote)
    try:
        for version in versions:
            yield from _check_sizes(store, version)
            yield from _check_model(workspace, store, version)
    except MlgitError:  # DVC is not installed, or its configuration is broken: nothing is known of the cache
        return


def _paths(head: Lifecycle, folder: str) -> list[str]:
    return [entry.path for entry in head.tree.entries([folder])]


def _check_sizes(store: VersionStore, version: Version) -> Iterator[Finding]:
    folder = layout.version_folder(version.model, version.version)
    for stored in stored_files(version):
        if (size := _size(store, stored)) not in {None, stored.size}:
            yield Finding(
                "stored-size-mismatch",
                f"{stored.path} of {VersionRef(version.model, version.version)} has {size:,} bytes in the cache",
                why=f"its record states {stored.size:,}, and one digest has one size",
                fix="register the version again; if the object is damaged, remove it from the cache",
                at=Location(f"{folder}/version.json", path="artifact" if stored is version.artifact else "evaluation"),
            )


def _check_model(workspace: Workspace, store: VersionStore, version: Version) -> Iterator[Finding]:
    path = store.cached(version.artifact)
    if path is None or path.stat().st_size != version.artifact.size:
        return
    inspected = workspace.model_files.inspect(path, None)
    at = Location(f"{layout.version_folder(version.model, version.version)}/version.json", path="artifact")
    findings = [*inspected.findings, *check_model_file(version, inspected)]
    if findings:  # of a damaged object they say nothing: the model is another one
        findings = _damage(store, version.artifact) or findings
    yield from (msgspec.structs.replace(finding, at=at) for finding in findings)


def _damage(store: VersionStore, file: StoredFile) -> list[Finding]:
    try:
        store.verify(file)
    except MlgitError as error:
        return list(error.findings)
    return []


def _size(store: VersionStore, stored: StoredFile) -> int | None:
    path = store.cached(stored)
    return None if path is None else path.stat().st_size
