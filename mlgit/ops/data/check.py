"""Check the data in the work tree against the contracts of its datasets."""

from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from mlgit.domain.records import Dataset
from mlgit.errors import Exit, refused
from mlgit.ops.data import contracts
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace

_PROTECTED: Final = frozenset({"personal", "sensitive"})
"""Classifications of data whose values must not be shown."""


class Pointers(Protocol):
    """The DVC pointers in the work tree."""

    def pointed(self, pointer: str) -> str | None:
        """Return the md5 in a pointer; None if it does not exist.

        Raises:
            MlgitError: the file is not a pointer (`dvc-pointer-invalid`).
        """
        ...


class RuleViolation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of a contract that data violates: in `count` of `rows` rows, with up to three values as examples.

    There are no examples for personal or sensitive data.
    """

    rule: str
    column: str | None
    count: int
    rows: int
    examples: list[str]
    message: str


class ContractCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one dataset.

    `state` compares the file with its DVC pointer: `unchanged`, `changed` since it was added, `untracked` without a pointer,
    `missing` with a pointer but no file, or `never-added` with neither. `rows` is None if there is no file.
    """

    dataset: str
    file: str
    state: Literal["unchanged", "changed", "untracked", "missing", "never-added"]
    rows: int | None
    violations: list[RuleViolation]

    @property
    def holds(self) -> bool:
        """Whether the file exists and meets its contract."""
        return self.rows is not None and not self.violations


class DataCheck(Outcome, frozen=True, kw_only=True, tag="mlgit/data-check.v1"):
    """The results of all checked datasets."""

    checks: list[ContractCheck]

    @property
    def exit(self) -> Exit:
        """No if data is missing or violates its contract."""
        return Exit.YES if all(check.holds for check in self.checks) else Exit.NO


def run(workspace: Workspace, name: str | None, *, pointers: Pointers) -> DataCheck:
    """Check the data in the work tree against its contract.

    Args:
        workspace: the workspace.
        name: a dataset; None for all.
        pointers: the DVC pointers in the work tree.

    Raises:
        MlgitError: the dataset does not exist (`dataset-unknown`), or there is none at all (`dataset-missing`).
    """
    state = Lifecycle(workspace.repository.work_tree(), workspace.formats.record)
    state.project()
    existing = sorted(entry.removesuffix("/") for entry in state.tree.names("datasets") if entry.endswith("/"))
    names = existing if name is None else [name]
    if not names:
        raise refused(
            "dataset-missing", "there is no dataset yet", fix="`mlgit data add FILE` adds one, and drafts its contract"
        )
    return DataCheck(checks=[_check(workspace, state.dataset(dataset), pointers) for dataset in names])


def check_file(workspace: Workspace, path: Path, contract: Dataset) -> tuple[int, list[RuleViolation]]:
    """Return the number of rows of a file, and how it violates a contract, without examples if the data is protected.

    Args:
        workspace: the workspace.
        path: the file.
        contract: the contract of the dataset.

    Raises:
        MlgitError: the file is not a table (`table-unreadable`), or a pattern of the contract is not a regular expression
            (`pattern-invalid`).
    """
    now = workspace.clock.now()
    result = contracts.check_contract(workspace.tables, path, contract, at=now)
    is_protected = contract.classification in _PROTECTED
    violations = [
        RuleViolation(
            rule=violation.rule,
            column=violation.column,
            count=violation.count,
            rows=violation.rows,
            examples=[] if is_protected else violation.examples,
            message=violation.message,
        )
        for violation in result.violations
    ]
    if contract.revoked is not None and contract.revoked.since <= now.date():
        message = f"revoked since {contract.revoked.since}: {contract.revoked.reason}"
        rows = result.rows
        revoked = RuleViolation(rule="revoked", column=None, count=rows, rows=rows, examples=[], message=message)
        violations.insert(0, revoked)
    return result.rows, violations


def _check(workspace: Workspace, contract: Dataset, pointers: Pointers) -> ContractCheck:
    file = f"datasets/{contract.name}/{contract.path}"
    path = workspace.root / file
    md5 = pointers.pointed(f"{file}.dvc")
    if not path.is_file():
        state: Literal["missing", "never-added"] = "never-added" if md5 is None else "missing"
        return ContractCheck(dataset=contract.name, file=file, state=state, rows=None, violations=[])
    is_unchanged = md5 == workspace.hash_file(path, path.name).md5
    rows, violations = check_file(workspace, path, contract)
    return ContractCheck(
        dataset=contract.name,
        file=file,
        state="untracked" if md5 is None else "unchanged" if is_unchanged else "changed",
        rows=rows,
        violations=violations,
    )
