"""Evidence on the files of a version and its training commit."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import sha256
from mlgit.domain.names import Digest
from mlgit.domain.records import Model, Version
from mlgit.domain.results import InputColumn, ModelFileInspection
from mlgit.domain.rules.versions import check_model_file, stored_files
from mlgit.errors import Location, MlgitError, inconclusive, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.model_inputs import model_inputs
from mlgit.ops.kernel.ports.data import VersionStore
from mlgit.ops.kernel.ports.workspace import Workspace


def missing_files(store: VersionStore, version: Version) -> list[str]:
    """Return the paths of a version's files and data that the remote does not have."""
    folder = layout.version_folder(version.model, version.version)
    files = {f"{folder}/{stored.path}": stored for stored in stored_files(version)}
    files |= {f"datasets/{name}/{stored.path}": stored for name, stored in version.inputs.data.items()}
    absent = {stored.md5 for stored in store.missing(list(files.values()))}
    return [path for path, stored in files.items() if stored.md5 in absent]


def inspect_model_file(
    workspace: Workspace, store: VersionStore, version: Version, trusted: bytes
) -> ModelFileInspection:
    """Inspect a version's model file; reasons not to load it are findings.

    Raises:
        MlgitError: the file is unavailable.
    """
    with store.fetch(version.artifact) as path:
        return workspace.model_files.inspect(path, trusted)


def require_safe_model(workspace: Workspace, version: Version, path: Path, trusted: bytes) -> None:
    """Refuse a model file that is not what the record of its version says, or that runs code when it is loaded.

    Args:
        workspace: the workspace.
        version: the version.
        path: a verified copy of its model file.
        trusted: content of the project's file of trusted types.

    Raises:
        MlgitError: with every reason not to load it.
    """
    inspected = workspace.model_files.inspect(path, trusted)
    if findings := [*inspected.findings, *check_model_file(version, inspected)]:
        raise MlgitError(*findings)


def input_columns(state: Lifecycle, version: Version) -> Mapping[str, InputColumn]:
    """Return the input columns of a version, with their types from the profile of its training table.

    Raises:
        MlgitError: the profile is missing, or not the one in the record (`version-file-mismatch`).
    """
    from mlgit.ml import profile  # noqa: PLC0415 - pyarrow

    path = layout.profile(version.model, version.version)
    content = state.tree.read(path) or b""
    if sha256(content) != version.profile:
        raise refused(
            "version-file-mismatch",
            f"{path} is not the file that was registered",
            why="its digest is not the one in the record",
            fix="restore it from the commit that registered the version",
            at=Location(path),
        )
    try:
        columns = profile.from_json(content).columns
    except msgspec.MsgspecError as error:
        raise refused("record-invalid", f"{path} is no profile", why=str(error), at=Location(path)) from error
    return {
        name: InputColumn(_type(column), column.missing == 0)
        if (column := columns.get(name))
        else InputColumn(None, required=False)
        for name in version.inputs.columns
    }


def lock_digest(workspace: Workspace, version: Version) -> Digest | None:
    """Return the digest of the model's lock file at the training commit of a version.

    Raises:
        Inconclusive: that commit is not in this repository (`revision-unknown`).
    """
    then = trained_from(workspace, version)
    path = then.model(version.model).lock
    content = None if path is None else then.tree.read(path)
    return None if content is None else sha256(content)


def unrecorded_datasets(workspace: Workspace, version: Version) -> list[str]:
    """Return the datasets that the pipeline reads at the training commit of a version and that its record does not name.

    There are none where this repository does not have the commit, as after a squash.

    Raises:
        MlgitError: the pipeline there cannot be read.
    """
    if workspace.repository.resolve(version.inputs.commit) is None:
        return []
    then = trained_from(workspace, version)
    model = then.find(Model, layout.model(version.model))
    if model is None:
        return []
    inputs = model_inputs(then, workspace.formats, model, has_stages=False)
    return [name for name in inputs.datasets if name not in version.inputs.data]


def trained_from(workspace: Workspace, version: Version) -> Lifecycle:
    """Return the state at the training commit of a version.

    Raises:
        Inconclusive: that commit is not in this repository (`revision-unknown`).
    """
    commit = version.inputs.commit
    if workspace.repository.resolve(commit) is None:
        raise inconclusive(
            "revision-unknown",
            f"{commit[:12]}, from which {version.model}@{version.version} was trained, is not in this repository",
            fix="fetch the branch that it was trained on, or keep it by a tag",
        )
    return Lifecycle(workspace.repository.tree(commit), workspace.formats.record)


def _type(column: object) -> str:
    """Return the kind of values of a column: `categories`, `numbers` or `times`."""
    if getattr(column, "unit", None) == "seconds":
        return "times"
    return str(column.__struct_config__.tag)  # type: ignore[attr-defined]  # either kind of column has one
