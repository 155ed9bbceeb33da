"""Describe a table that a project starts with: its contract, what is to be predicted from it, and by which columns."""

import json
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple

from mlgit.domain import layout
from mlgit.domain.metrics import Task
from mlgit.domain.names import is_name
from mlgit.domain.records import Dataset
from mlgit.domain.records.dataset import ColumnRule
from mlgit.domain.records.version import StoredFile
from mlgit.errors import Location, refused, usage_error
from mlgit.ops.data import contracts
from mlgit.ops.data.add import dataset_name, require_table
from mlgit.ops.kernel.ports.data import Tables
from mlgit.ops.kernel.ports.formats import Formats
from mlgit.ops.project import new
from mlgit.ops.project.project_files import OwnTable

_POSITIVE_WORDS: Final = ("yes", "y", "true", "1", "positive", "pos", "churned", "fraud", "bad", "default", "malignant")
_METRICS: Final[dict[Task, tuple[str, str]]] = {
    "binary": ("roc_auc", "max"),
    "multiclass": ("accuracy", "max"),
    "regression": ("rmse", "min"),
}
_MAX_SLICES: Final = 2
_MAX_SLICE_VALUES: Final = 8
_ROW: Final = "row"
"""Name of the column with the number of the row, where no column identifies it; the template's pipeline adds it."""


class _Target(NamedTuple):
    """What is predicted, and how that was told."""

    task: Task
    positive: Any
    note: str


def describe(
    tables: Tables,
    formats: Formats,
    given: Path,
    target: str,
    *,
    project: str,
    owner: str,
    draft: new.DraftTemplate,
    hash_file: Callable[[Path, str], StoredFile],
    keys: Sequence[str] = (),
) -> OwnTable:
    """Describe a table by its content.

    Args:
        tables: reads the file.
        formats: reads the drafted contract.
        given: a CSV or Parquet file.
        target: the column to predict.
        project: name of the project, which problem and model get too.
        owner: responsible team or person.
        draft: template of a contract.
        hash_file: returns the hashes and the size of a file, stored under a name.
        keys: columns that together identify a row; empty to find one out.

    Raises:
        MlgitError: the file is no table, has no such column (`column-unknown`), or no task is known for the target
            (`target-unsuitable`).
    """
    source = require_table(given.resolve())
    dataset = dataset_name(source.stem)
    dataset = dataset if is_name(dataset) else "data"
    path = f"datasets/{dataset}/{dataset}{source.suffix}"
    drafted = contracts.draft_contract(tables, source, str(given))
    _check_columns(given.name, drafted.columns, (target, *keys))
    identifying = list(keys) or [key for key in drafted.keys if key != target]
    values = new.contract_values(
        dataset,
        f"{dataset}{source.suffix}",
        drafted.columns,
        owner=owner,
        keys=identifying,
        rows=drafted.rows,
        csv=drafted.csv,
    )
    content = draft("dataset", values)
    contract = formats.record(layout.dataset(dataset), content)
    assert isinstance(contract, Dataset)  # noqa: S101 - by its path
    answer = _target(given.name, target, contract.columns[target])
    others = {name: rule for name, rule in contract.columns.items() if name != target and name not in identifying}
    dropped = [name for name, rule in others.items() if not _is_feature(rule)]
    inputs = {name: rule.type for name, rule in others.items() if name not in dropped}
    if not inputs:
        raise refused(
            "target-unsuitable",
            f"{given.name} has no column to predict {target} from",
            why="keys, dates, and texts that are different in each row are left out",
            fix="compute features from them first, or describe them yourself: `mlgit init --template bring-your-own`",
            at=Location(str(given)),
        )
    notes = [answer.note, _key_note(identifying)]
    notes += [f"not used for the prediction: {', '.join(dropped)}"] if dropped else []
    return OwnTable(
        source=source,
        path=path,
        stored=hash_file(source, f"{dataset}{source.suffix}"),
        contract=content,
        task=answer.task,
        notes=[*notes, *(f"{column}: {note}" for column, note in drafted.notes.items())],
        values=_task_values(answer)
        | {
            "dataset": dataset,
            "data_file": f"{dataset}{source.suffix}",
            "own_model": project,
            "own_problem": project,
            "keys": new.flow(identifying or [_ROW]),
            "target": new.scalar(target),
            "drop": new.flow(dropped),
            "slices": new.flow([name for name, rule in others.items() if _is_slice(rule)][:_MAX_SLICES]),
            "inputs": "\n".join(f"    {new.scalar(name)}: {kind}" for name, kind in inputs.items()),
        },
    )


def _check_columns(file: str, existing: Collection[str], named: Sequence[str]) -> None:
    """Check that a table has the columns that were named.

    Raises:
        UsageError: it lacks one (`column-unknown`).
    """
    missing = next((column for column in named if column not in existing), None)
    if missing is None:
        return
    near = get_close_matches(missing, existing, n=1)
    raise usage_error(
        "column-unknown",
        f"{file} has no column {missing}",
        why=f"it has {', '.join(existing)}",
        fix=f"did you mean {near[0]}?" if near else "name one of those",
    )


def _task_values(target: _Target) -> dict[str, str]:
    """Return the values of the placeholders that follow from the task."""
    metric, direction = _METRICS[target.task]
    return {
        "task": target.task,
        "positive": json.dumps(target.positive, ensure_ascii=False),
        "metric": metric,
        "direction": direction,
        "output": new.OUTPUTS[target.task],
    }


def _target(file: str, name: str, rule: ColumnRule) -> _Target:
    """Return what kind of task a column is the target of."""
    values = rule.in_ or []
    if rule.type == "boolean":
        return _Target(
            "binary", positive=True, note=f"{name} is true or false: a binary task, and true is the positive class"
        )
    if len(values) == 2:  # noqa: PLR2004 - two classes
        words = {str(value).casefold(): value for value in values}
        positive = next((words[word] for word in _POSITIVE_WORDS if word in words), max(values, key=str))
        return _Target(
            "binary", positive, f"{name} has two values: a binary task, and {positive} is the positive class"
        )
    if rule.type in {"integer", "number"}:
        return _Target("regression", None, f"{name} is a number: a regression")
    if rule.type == "string" and values:
        return _Target("multiclass", None, f"{name} has {len(values)} values: a multiclass task")
    raise refused(
        "target-unsuitable",
        f"column {name} cannot be predicted",
        why=f"it is a {rule.type} column" + (" with many different values" if rule.type == "string" else ""),
        fix="name a column with numbers or with a few different values as --target",
        at=Location(file),
    )


def _is_feature(rule: ColumnRule) -> bool:
    """Return whether a model of the template can use a column: numbers, truth values, and texts that repeat."""
    return rule.type in {"integer", "number", "boolean"} or (rule.type == "string" and not rule.unique)


def _is_slice(rule: ColumnRule) -> bool:
    return rule.type == "string" and rule.in_ is not None and len(rule.in_) <= _MAX_SLICE_VALUES


def _key_note(keys: Sequence[str]) -> str:
    if keys:
        return f"{', '.join(keys)} identifies a row"
    return "no column identifies a row, so its number does: keep the order of the rows, or add a key"
