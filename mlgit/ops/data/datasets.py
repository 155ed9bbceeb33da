"""Add data to a project, draft the contract that it keeps, and hold data against its contract."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import NAME_RULES, Digest, is_name
from mlgit.domain.records import Dataset
from mlgit.errors import Exit, Location, MlgitError, refused, usage_error
from mlgit.ops.data import contracts
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.project import new

if TYPE_CHECKING:
    from pandas import DataFrame

_PROTECTED: Final = frozenset({"personal", "sensitive"})
_TABLES: Final = frozenset({".csv", ".parquet"})


class DataFolder(Protocol):
    """What adding data needs from the disk and from DVC."""

    def pointed(self, pointer: str) -> str | None:
        """Return the md5 that a pointer in the work tree names; None if there is none."""
        ...

    def copy(self, source: Path, destination: Path) -> None:
        """Copy a file, all of it or none, over whatever is there."""
        ...

    def point(self, path: str) -> str:
        """Let DVC keep the file at a path of the work tree; return the path of the pointer."""
        ...


class RuleViolation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of a contract that data breaks: in how many of how many rows, and up to three values that do.

    Values are left out where the data is personal or sensitive.
    """

    rule: str
    column: str | None
    count: int
    rows: int
    examples: list[str]
    message: str


class ContractCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset held against its contract.

    `rows` is None where the data is not in the work tree; `state` tells whether it is what its pointer names. Data that is not
    there is `absent` where a pointer names it, else it was `never-added`.
    """

    dataset: str
    file: str
    state: Literal["unchanged", "changed", "untracked", "missing", "never-added"]
    rows: int | None
    violations: list[RuleViolation]

    @property
    def holds(self) -> bool:
        """Whether the data is there and keeps its contract."""
        return self.rows is not None and not self.violations


class DataCheck(Outcome, frozen=True, kw_only=True, tag="mlgit/data-check.v1"):
    """Every dataset that was held against its contract."""

    checks: list[ContractCheck]

    @property
    def exit(self) -> Exit:
        """No where a contract is broken, or data is absent."""
        return Exit.YES if all(check.holds for check in self.checks) else Exit.NO


class DataAdded(Outcome, frozen=True, kw_only=True, tag="mlgit/data-add.v1"):
    """The data that DVC now keeps, and whether it keeps its contract.

    `state` tells how the content compares with what the pointer named before; `drafted` whether the contract is a new draft.
    """

    dataset: str
    file: str
    sha256: Digest
    size: int
    rows: int
    state: Literal["new", "changed", "unchanged"]
    copied_from: str | None
    contract_drafted: bool
    remote: str
    files: list[str]
    violations: list[RuleViolation]
    dry_run: bool

    @property
    def exit(self) -> Exit:
        """No where the contract is broken."""
        return Exit.NO if self.violations else Exit.YES


class _Place(NamedTuple):
    """Where data belongs: its dataset, the contract if there is one, and its path in the work tree."""

    dataset: str
    contract: Dataset | None
    path: str


def add(
    workspace: Workspace,
    given: Path,
    *,
    name: str | None,
    disk: DataFolder,
    draft: new.DraftTemplate,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> DataAdded:
    """Hand a table to DVC, in the remote as well, and hold it against its contract; draft one where there is none.

    Args:
        workspace: where.
        given: a CSV or Parquet file, anywhere; or the name of a dataset whose file is in its place already.
        name: the dataset; the folder below `datasets/`, or else the name of the file, says it if missing.
        disk: copies, and hands to DVC.
        draft: the text of a new contract.
        dry_run: whether to look only.
        on_step: is told what is done next.

    Raises:
        MlgitError: it is no table, its name does not do, or it would take the place of data that is kept nowhere.
    """
    state = Lifecycle(workspace.repository.work_tree(), workspace.formats.record)
    remote = state.project().remote
    source, place = _locate(workspace.root, state, given, name)
    target = workspace.root / place.path
    on_step(f"reading {source}")
    frame = workspace.tables.frame(source)
    stored = workspace.hash_file(source, target.name)
    before = disk.pointed(f"{place.path}.dvc")
    copied = source != target
    if copied and target.is_file():
        _check_kept(workspace, target, place.path, stored.md5, before)
    path = layout.dataset(place.dataset)
    contract, drafted = place.contract, {}
    if contract is None:
        drafted = {path: _draft(workspace, place, frame, draft)}
        record = workspace.formats.record(path, drafted[path])
        assert isinstance(record, Dataset)  # noqa: S101 - by its path
        contract = record
    if not dry_run:
        if copied:
            on_step(f"copying to {place.path}")
            disk.copy(source, target)
        on_step("handing it to DVC")
        disk.point(place.path)
        on_step(f"pushing to DVC remote {remote}")
        workspace.store(remote).upload([(target, stored)])
        workspace.write_files(drafted)
    return DataAdded(
        dataset=place.dataset,
        file=place.path,
        sha256=stored.sha256,
        size=stored.size,
        rows=len(frame),
        state="new" if before is None else "unchanged" if before == stored.md5 else "changed",
        copied_from=str(given) if copied else None,
        contract_drafted=bool(drafted),
        remote=remote,
        files=[f"{place.path}.dvc", *drafted],
        violations=_violations(contract, frame, workspace.clock.now()),
        dry_run=dry_run,
    )


def check(workspace: Workspace, name: str | None, *, disk: DataFolder) -> DataCheck:
    """Hold the data in the work tree against its contract: that of one dataset, or of all.

    Raises:
        MlgitError: there is no such dataset, or none at all.
    """
    state = Lifecycle(workspace.repository.work_tree(), workspace.formats.record)
    state.project()
    there = sorted(entry[:-1] for entry in state.tree.names("datasets") if entry.endswith("/"))
    names = there if name is None else [name]
    if not names:
        raise refused(
            "dataset-missing", "there is no dataset yet", fix="`mlgit data add FILE` adds one, and drafts its contract"
        )
    return DataCheck(checks=[_check(workspace, state.dataset(found), disk) for found in names])


def _check(workspace: Workspace, contract: Dataset, disk: DataFolder) -> ContractCheck:
    file = f"datasets/{contract.name}/{contract.path}"
    path = workspace.root / file
    pointed = disk.pointed(f"{file}.dvc")
    if not path.is_file():
        state: Literal["missing", "never-added"] = "never-added" if pointed is None else "missing"
        return ContractCheck(dataset=contract.name, file=file, state=state, rows=None, violations=[])
    same = pointed == workspace.hash_file(path, path.name).md5
    frame = workspace.tables.frame(path)
    return ContractCheck(
        dataset=contract.name,
        file=file,
        state="untracked" if pointed is None else "unchanged" if same else "changed",
        rows=len(frame),
        violations=_violations(contract, frame, workspace.clock.now()),
    )


def _violations(contract: Dataset, frame: "DataFrame", at: datetime) -> list[RuleViolation]:
    protected = contract.classification in _PROTECTED
    found = [
        RuleViolation(
            rule=violation.rule,
            column=violation.column,
            count=violation.count,
            rows=violation.rows,
            examples=[] if protected else violation.examples,
            message=violation.message,
        )
        for violation in contracts.check_contract(contract, frame, at=at)
    ]
    if contract.revoked is not None and contract.revoked.since <= at.date():
        message = f"revoked since {contract.revoked.since}: {contract.revoked.reason}"
        rows = len(frame)
        found.insert(0, RuleViolation(rule="revoked", column=None, count=rows, rows=rows, examples=[], message=message))
    return found


def _locate(root: Path, state: Lifecycle, given: Path, name: str | None) -> tuple[Path, _Place]:
    """Return the file that is meant, and where it belongs."""
    if (
        name is None
        and is_name(given.name)
        and not given.exists()
        and state.tree.read(layout.dataset(given.name)) is not None
    ):
        named = state.dataset(given.name)
        path = f"datasets/{named.name}/{named.path}"
        return _table(root / path), _Place(named.name, named, path)
    source = _table(given.resolve())
    inside = source.relative_to(root.resolve()).parts if source.is_relative_to(root.resolve()) else ()
    in_place = len(inside) > 2 and inside[0] == "datasets"  # noqa: PLR2004 - datasets/<name>/<file>
    dataset = name or (inside[1] if in_place else _slug(source.stem))
    if not is_name(dataset):
        raise usage_error(
            "name-invalid",
            f"{dataset!r} does not do as a name",
            why=NAME_RULES,
            fix="add --dataset NAME",
        )
    contract = state.dataset(dataset) if state.tree.read(layout.dataset(dataset)) is not None else None
    if in_place and dataset == inside[1]:
        path = "/".join(inside)
        source = root / path
    else:
        path = f"datasets/{dataset}/{contract.path if contract else source.name}"
    if contract is not None and path != (expected := f"datasets/{dataset}/{contract.path}"):
        raise _other_file(dataset, path, expected)
    if Path(path).suffix != source.suffix:
        raise _other_file(dataset, str(given), path)
    return source, _Place(dataset, contract, path)


def _table(path: Path) -> Path:
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
            f"{path.name} is not a table that mlgit reads",
            why=f"its ending is {path.suffix or 'missing'}",
            fix="write it as .csv or .parquet",
        )
    return path


def _other_file(dataset: str, path: str, expected: str) -> MlgitError:
    return refused(
        "data-path-mismatch",
        f"dataset {dataset} is {expected}, not {path}",
        why="its contract names one file",
        fix="change `path` in the contract, or add it as another dataset with --dataset",
        at=Location(layout.dataset(dataset), path="path"),
    )


def _check_kept(workspace: Workspace, target: Path, path: str, new_md5: str, pointed: str | None) -> None:
    """Refuse to copy over data that DVC does not keep."""
    there = workspace.hash_file(target, target.name).md5
    if there not in {new_md5, pointed}:
        raise refused(
            "data-untracked",
            f"{path} has content that DVC does not keep yet",
            why="copying over it would lose it",
            fix=f"run `mlgit data add {path}` first, or move it away",
            at=Location(path),
        )


def _draft(workspace: Workspace, place: _Place, frame: "DataFrame", draft: new.DraftTemplate) -> bytes:
    found = contracts.draft_contract(frame, place.path)
    path = place.path.split("/", 2)[2]
    values = new.contract_values(workspace, place.dataset, path, found.columns, keys=found.keys, rows=found.rows)
    return draft("dataset", values)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
