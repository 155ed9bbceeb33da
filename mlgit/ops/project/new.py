"""Draft a record: valid as it is, with comments that explain what to fill in."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

from mlgit.domain import layout
from mlgit.domain.names import NAME_RULES, is_name
from mlgit.domain.records.dataset import CsvFormat
from mlgit.errors import Location, refused, usage_error
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace

DraftKind = Literal["problem", "dataset", "model", "environment", "policy"]
Values = Mapping[str, str]
DraftTemplate = Callable[[str, Values], bytes]
"""Returns the draft of a kind of record (or of `card`), with placeholders replaced by the values."""

_PLAIN_SCALAR = re.compile(r"[A-Za-z_][A-Za-z0-9_/-]*(\.[A-Za-z0-9_/-]+)*")
_YAML_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
OUTPUTS: Final = {"binary": "probability", "multiclass": "label", "regression": "value"}
_EXAMPLE_COLUMNS: Final = {"id": "{type: integer, nullable: false, unique: true}", "amount": "{type: number, min: 0}"}


class DraftCreated(Outcome, frozen=True, kw_only=True, tag="mlgit/new.v1"):
    """The drafted record.

    `environments` is the new value of `environments` in mlgit.yaml, for a new environment; None for other kinds.
    """

    kind: DraftKind
    name: str
    files: list[str]
    environments: list[str] | None = None
    dry_run: bool


def run(
    workspace: Workspace,
    kind: DraftKind,
    name: str,
    *,
    draft: DraftTemplate,
    problem: str | None = None,
    dataset: str | None = None,
    dry_run: bool = False,
) -> DraftCreated:
    """Draft a record in the work tree.

    Args:
        workspace: the workspace.
        kind: the kind of record.
        name: its name.
        draft: templates of drafts.
        problem: for a model, the problem that it solves; None for the only one.
        dataset: for a model, the dataset that it is made from; None for the only one.
        dry_run: whether to change nothing.

    Raises:
        UsageError: the name is invalid or reserved (`name-invalid`, `name-reserved`), or the problem or dataset of a model has
            to be named (`problem-ambiguous`, `dataset-ambiguous`).
        MlgitError: the record exists (`record-exists`), or the problem or dataset does not (`problem-unknown`,
            `dataset-unknown`).
    """
    if not is_name(name):
        raise usage_error(
            "name-invalid",
            f"{name!r} is not a valid name",
            why=NAME_RULES,
            fix="choose another one",
        )
    state = Lifecycle(workspace.repository.work_tree(), workspace.formats.record)
    environments = state.environments()
    if kind == "model" and name == "environment":
        raise usage_error(
            "name-reserved",
            "a model cannot be called environment",
            why="its manifest would be environments/<environment>/environment.yaml, which describes the environment",
            fix="choose another name",
        )
    path = _PATHS[kind](name)
    if state.tree.read(path) is not None:
        raise refused(
            "record-exists",
            f"{kind} {name} exists already",
            fix=f"edit it, or choose another name; `mlgit explain {kind}` lists its keys",
            at=Location(path),
        )
    values = {"name": scalar(name)}
    match kind:
        case "problem":
            values["owner"] = workspace.repository.identity()[1]
        case "dataset":
            values |= contract_values(
                name,
                f"{name}.csv",
                _EXAMPLE_COLUMNS,
                owner=workspace.repository.identity()[1],
                keys=["id"],
                rows=1,
                csv=CsvFormat(),
            )
        case "model":
            values |= _model_values(state, problem, dataset)
        case "environment":
            values |= _environment_values(state, name)
    files = {path: draft(kind, values)}
    if kind == "model" and state.tree.read(layout.model_card(name)) is None:
        files[layout.model_card(name)] = draft("card", {})
    workspace.formats.record(path, files[path])  # raises if the draft is not valid
    if not dry_run:
        workspace.write_files(files)
    new_environments = [*environments, name] if kind == "environment" and name not in environments else None
    return DraftCreated(kind=kind, name=name, files=list(files), environments=new_environments, dry_run=dry_run)


def contract_values(
    name: str,
    path: str,
    columns: Mapping[str, str],
    *,
    owner: str,
    keys: Sequence[str],
    rows: int,
    csv: CsvFormat | None,
) -> dict[str, str]:
    """Return the values for the draft of a contract.

    Args:
        name: name of the dataset.
        path: its data file, relative to its folder.
        columns: the rule of each column, as YAML in flow style.
        owner: responsible team or person.
        keys: the columns that together identify a row.
        rows: the minimum number of rows.
        csv: how the file is written, if it is a CSV file.
    """
    return {
        "name": scalar(name),
        "owner": owner,
        "path": scalar(path),
        "csv": _csv(csv or CsvFormat(), is_comment=csv is None),
        "columns": "\n".join(f"  {scalar(column)}: {rule}" for column, rule in columns.items()),
        "keys": flow(keys),
        "rows": str(rows),
    }


def scalar(text: str) -> str:
    """Return a text as a YAML scalar, in quotes if it would otherwise be read as something else."""
    is_plain = _PLAIN_SCALAR.fullmatch(text) and text.casefold() not in _YAML_WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _model_values(state: Lifecycle, problem: str | None, dataset: str | None) -> dict[str, str]:
    problem_record = state.problem(_name_or_only("problem-ambiguous", problem, state.tree.names("problems"), ".yaml"))
    contract = state.dataset(_name_or_only("dataset-ambiguous", dataset, state.tree.names("datasets"), "/"))
    keys = contract.keys or list(contract.columns)[:1]
    not_inputs = {*keys, problem_record.target.column}
    inputs = {name: column.type for name, column in contract.columns.items() if name not in not_inputs}
    inputs = inputs or {"amount": "number"}
    locks = [path for path in ("requirements.txt",) if state.tree.read(path) is not None]
    return {
        "problem": scalar(problem_record.name),
        "dataset": scalar(contract.name),
        "keys": flow(keys),
        "inputs": "\n".join(f"    {scalar(name)}: {kind}" for name, kind in inputs.items()),
        "output": OUTPUTS[problem_record.target.type],
        "reads": flow(["src", "dvc.yaml", "params.yaml", *locks, f"datasets/{contract.name}"]),
        "lock": f"lock: {locks[0]}" if locks else "# lock: requirements.txt",
    }


def _environment_values(state: Lifecycle, name: str) -> dict[str, str]:
    policies = [file.removesuffix(".yaml") for file in state.tree.names("policies")]
    last = [state.environment(environment) for environment in state.environments()[-1:]]
    policy = name if name in policies or not last else last[0].policy
    return {"policy": scalar(policy), "after": flow([environment.name for environment in last])}


def _name_or_only(id: str, name: str | None, names: Iterable[str], suffix: str) -> str:  # noqa: A002
    """Return a name; without one, the only existing name.

    Raises:
        UsageError: with `id`, no name is given, and there is none or more than one.
    """
    noun = id.removesuffix("-ambiguous")
    existing = [entry.removesuffix(suffix) for entry in names if entry.endswith(suffix)]
    if name is not None:
        return name
    if len(existing) == 1:
        return existing[0]
    raise usage_error(
        id,
        f"there are {len(existing)} {noun}s" if existing else f"there is no {noun} yet",
        why=", ".join(existing),
        fix=f"name one of them with --{noun}" if existing else f"`mlgit new {noun} NAME` drafts one",
    )


def _csv(csv: CsvFormat, *, is_comment: bool) -> str:
    fields = ", ".join(f"{field}: {scalar(getattr(csv, field))}" for field in csv.__struct_fields__)
    return f"{'# ' if is_comment else ''}csv: {{{fields}}}"


def flow(names: Sequence[str]) -> str:
    """Return texts as a YAML sequence in flow style."""
    return f"[{', '.join(map(scalar, names))}]"


_PATHS: Final[Mapping[DraftKind, Callable[[str], str]]] = {
    "problem": layout.problem,
    "dataset": layout.dataset,
    "model": layout.model,
    "environment": layout.environment,
    "policy": layout.policy,
}
