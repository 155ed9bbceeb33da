"""Add a table to a dataset: DVC stores it, Git gets a pointer, and a new dataset gets a draft of its contract."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import NAME_RULES, Digest, is_name
from mlgit.domain.records import Dataset
from mlgit.domain.records.dataset import CsvFormat
from mlgit.errors import Exit, Location, MlgitError, refused, usage_error
from mlgit.ops.data import contracts
from mlgit.ops.data.check import Pointers, RuleViolation, check_file
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.project import new

_TABLES: Final = frozenset({".csv", ".parquet"})


class DataFolder(Pointers, Protocol):
    """What adding data needs from the disk and from DVC."""

    def copy(self, source: Path, destination: Path) -> None:
        """Copy a file atomically; an existing file is replaced.

        Raises:
            Inconclusive: the disk is full or not writable (`disk-io-failed`).
        """
        ...

    def point(self, path: str) -> str:
        """Add a file of the work tree to DVC; return the path of its pointer.

        Raises:
            Inconclusive: DVC failed (`dvc-failed`).
        """
        ...


class DataAdded(Outcome, frozen=True, kw_only=True, tag="mlgit/data-add.v1"):
    """The added data.

    `state` compares its content with the previous pointer. `added` is whether it was added: data that violates its contract
    is not, unless this was accepted. `contract_drafted` is whether the contract is a new draft; `columns` are then its rules
    as YAML, by column, and `csv` is how the file is written, if it is a CSV file. `notes` are what a person should know of a
    column, or of the file. `files` are the files to commit. `copied_from` is None if the file was in its place already.
    """

    dataset: str
    file: str
    sha256: Digest
    size: int
    rows: int
    state: Literal["new", "changed", "unchanged"]
    added: bool
    accepted: bool
    copied_from: str | None
    contract_drafted: bool
    csv: CsvFormat | None
    columns: dict[str, str]
    notes: list[str]
    remote: str
    files: list[str]
    violations: list[RuleViolation]
    dry_run: bool

    @property
    def exit(self) -> Exit:
        """No if the data violates its contract and this was not accepted, or if it was not added because a person said so."""
        is_refused = bool(self.violations) and not self.accepted
        return Exit.NO if is_refused or not (self.added or self.dry_run) else Exit.YES


class _Destination(NamedTuple):
    """Where data belongs: its dataset, the contract if there is one yet, and the path in the work tree."""

    dataset: str
    contract: Dataset | None
    path: str


def run(
    workspace: Workspace,
    given: Path,
    *,
    name: str | None,
    disk: DataFolder,
    draft: new.DraftTemplate,
    accept: bool = False,
    dry_run: bool = False,
    agree: Callable[[DataAdded], bool] = lambda _: True,
    on_step: Callable[[str], None] = lambda _: None,
) -> DataAdded:
    """Check a table against its contract, which is drafted if there is none; then add it to DVC and push it to the remote.

    Nothing is changed if the data violates its contract.

    Args:
        workspace: the workspace.
        given: a CSV or Parquet file, anywhere; or the name of a dataset whose file is in its place already.
        name: name of the dataset; None for the folder below `datasets/`, or else the name of the file.
        disk: copies files and adds them to DVC.
        draft: template of a contract.
        accept: whether to add data that violates its contract.
        dry_run: whether to change nothing.
        agree: asked before a drafted contract is kept, with what would be added.
        on_step: called with each step before it starts.

    Raises:
        MlgitError: the file does not exist or is not a table (`data-file-missing`, `data-format-unsupported`,
            `table-unreadable`), the name is invalid (`name-invalid`), the contract names another file
            (`data-path-mismatch`), or the copy would replace data that DVC does not store (`data-untracked`); the remote is
            a folder that does not exist (`dvc-remote-folder-missing`).
    """
    state = Lifecycle(workspace.repository.work_tree(), workspace.formats.record)
    remote = state.project().remote
    source, destination = _locate(workspace.root, state, given, name)
    target = workspace.root / destination.path
    on_step(f"reading {source}")
    contract = _contract(workspace, destination, source, draft)
    rows, violations = check_file(workspace, source, contract.record)
    stored = workspace.hash_file(source, target.name)
    previous_md5 = disk.pointed(f"{destination.path}.dvc")
    is_copied = source != target
    if is_copied and target.is_file():
        _check_stored(workspace, target, destination.path, stored.md5, previous_md5)
    outcome = DataAdded(
        dataset=destination.dataset,
        file=destination.path,
        sha256=stored.sha256,
        size=stored.size,
        rows=rows,
        state="new" if previous_md5 is None else "unchanged" if previous_md5 == stored.md5 else "changed",
        added=False,
        accepted=accept,
        copied_from=str(given) if is_copied else None,
        contract_drafted=bool(contract.files),
        csv=contract.csv,
        columns=contract.columns,
        notes=contract.notes
        if contract.files or not violations
        else _differing_csv(workspace, source, contract.record),
        remote=remote,
        files=[f"{destination.path}.dvc", *contract.files],
        violations=violations,
        dry_run=dry_run,
    )
    if dry_run or (violations and not accept) or (contract.files and not agree(outcome)):
        return outcome
    store = workspace.store(remote)
    store.require_folder()  # before anything is changed
    if is_copied:
        on_step(f"copying to {destination.path}")
        disk.copy(source, target)
    on_step("adding it to DVC")
    disk.point(destination.path)
    on_step(f"pushing to DVC remote {remote}")
    store.upload([(target, stored)])
    workspace.write_files(contract.files)
    return msgspec.structs.replace(outcome, added=True)


def _locate(root: Path, state: Lifecycle, given: Path, name: str | None) -> tuple[Path, _Destination]:
    """Return the file to add, and where it belongs."""
    is_dataset_name = name is None and is_name(given.name) and not given.exists()
    if is_dataset_name and (contract := _existing_contract(state, given.name)) is not None:
        path = f"datasets/{contract.name}/{contract.path}"
        return require_table(root / path), _Destination(contract.name, contract, path)
    source = require_table(given.resolve())
    inside = source.relative_to(root.resolve()).parts if source.is_relative_to(root.resolve()) else ()
    in_datasets = len(inside) > 2 and inside[0] == "datasets"  # noqa: PLR2004 - datasets/<name>/<file>
    dataset = name or (inside[1] if in_datasets else dataset_name(source.stem))
    if not is_name(dataset):
        raise usage_error(
            "name-invalid",
            f"{dataset!r} is not a valid name",
            why=NAME_RULES,
            fix="add --dataset NAME",
        )
    contract = _existing_contract(state, dataset)
    if in_datasets and dataset == inside[1]:
        path = "/".join(inside)
        source = root / path
    else:
        path = f"datasets/{dataset}/{contract.path if contract else source.name}"
    if contract is not None and path != (expected := f"datasets/{dataset}/{contract.path}"):
        raise _path_mismatch(dataset, path, expected)
    if Path(path).suffix != source.suffix:
        raise _path_mismatch(dataset, str(given), path)
    return source, _Destination(dataset, contract, path)


def _existing_contract(state: Lifecycle, dataset: str) -> Dataset | None:
    return state.dataset(dataset) if state.tree.read(layout.dataset(dataset)) is not None else None


def require_table(path: Path) -> Path:
    """Return the path of a table.

    Raises:
        UsageError: there is no such file (`data-file-missing`), or it is neither CSV nor Parquet (`data-format-unsupported`).
    """
    if not path.is_file():
        raise usage_error(
            "data-file-missing",
            f"{path} is not a file",
            why="a dataset is one CSV or Parquet file",
            fix="name the file, or a dataset whose file is in its place",
        )
    if path.suffix not in _TABLES:
        raise usage_error(
            "data-format-unsupported",
            f"{path.name} is not in a supported format",
            why=f"its extension is {path.suffix or 'missing'}",
            fix="export it as .csv or .parquet",
        )
    return path


def _path_mismatch(dataset: str, path: str, expected: str) -> MlgitError:
    return refused(
        "data-path-mismatch",
        f"dataset {dataset} is {expected}, not {path}",
        why="its contract names one file",
        fix="change `path` in the contract, or add it as another dataset with --dataset",
        at=Location(layout.dataset(dataset), path="path"),
    )


def _check_stored(workspace: Workspace, target: Path, path: str, new_md5: str, pointer_md5: str | None) -> None:
    """Check that the file to be replaced is stored by DVC, or is the same."""
    existing_md5 = workspace.hash_file(target, target.name).md5
    if existing_md5 not in {new_md5, pointer_md5}:
        raise refused(
            "data-untracked",
            f"{path} has content that DVC does not store yet",
            why="the copy would overwrite it",
            fix=f"run `mlgit data add {path}` first, or move it away",
            at=Location(path),
        )


class _Contract(NamedTuple):
    """A contract; if it is a new draft, with the file to write and what was found out about the data."""

    record: Dataset
    files: dict[str, bytes]
    csv: CsvFormat | None = None
    columns: dict[str, str] = {}
    notes: list[str] = []


def _contract(workspace: Workspace, destination: _Destination, source: Path, template: new.DraftTemplate) -> _Contract:
    """Return the contract of a dataset, drafted if there is none."""
    if destination.contract is not None:
        return _Contract(destination.contract, {})
    draft = contracts.draft_contract(workspace.tables, source, destination.path)
    data_path = destination.path.split("/", 2)[2]  # relative to datasets/<name>
    values = new.contract_values(
        destination.dataset,
        data_path,
        draft.columns,
        owner=workspace.repository.identity()[1],
        keys=draft.keys,
        rows=draft.rows,
        csv=draft.csv,
    )
    path, content = layout.dataset(destination.dataset), template("dataset", values)
    record = workspace.formats.record(path, content)
    assert isinstance(record, Dataset)  # noqa: S101 - by its path
    notes = [f"{column}: {note}" for column, note in draft.notes.items()]
    return _Contract(record, {path: content}, draft.csv, draft.columns, notes)


def _differing_csv(workspace: Workspace, source: Path, contract: Dataset) -> list[str]:
    """Return in which ways a CSV file looks as if it was written otherwise than its contract says."""
    found = workspace.tables.open(source).csv
    if found is None:
        return []
    return [
        f"the file looks as if its {field} were {getattr(found, field)!r}; the contract says {stated!r}"
        for field in ("delimiter", "quote", "encoding")
        if (stated := getattr(contract.csv, field)) != getattr(found, field)
    ]


def dataset_name(text: str) -> str:
    """Return the name of a dataset for the name of a file; it may not be a valid one."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
