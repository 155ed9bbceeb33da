"""Draft a record for people to fill in: valid as it is, with comments that teach."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

from mlgit.domain import layout
from mlgit.domain.names import NAME_RULES, is_name
from mlgit.errors import Location, refused, usage_error
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace

Kind = Literal["problem", "dataset", "model", "environment", "policy"]
Values = Mapping[str, str]
DraftTemplate = Callable[[str, Values], bytes]
"""Gives the text of a kind of file (or of `card`) with the values in their places."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_/-]*(\.[A-Za-z0-9_/-]+)*")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_OUTPUTS: Final = {"binary": "probability", "multiclass": "label", "regression": "value"}
_EXAMPLE: Final = {"id": "{type: integer, nullable: false, unique: true}", "amount": "{type: number, min: 0}"}


class DraftCreated(Outcome, frozen=True, kw_only=True, tag="mlgit/new.v1"):
    """What was drafted.

    `listed` is the list of environments that mlgit.yaml needs for a new one; None for other kinds.
    """

    kind: Kind
    name: str
    files: list[str]
    environments: list[str] | None = None
    dry_run: bool


def run(
    workspace: Workspace,
    kind: Kind,
    name: str,
    *,
    draft: DraftTemplate,
    problem: str | None = None,
    dataset: str | None = None,
    dry_run: bool = False,
) -> DraftCreated:
    """Draft a record in the work tree.

    Args:
        workspace: where.
        kind: the kind of record.
        name: its name.
        draft: the texts.
        problem: for a model, the problem that it solves; the only one there is if missing.
        dataset: for a model, the dataset that it is made from; the only one there is if missing.
        dry_run: whether to say only what would be written.

    Raises:
        MlgitError: the name does not do, something of that name is there, or what the record has to name is not.
    """
    if not is_name(name):
        raise usage_error(
            "name-invalid",
            f"{name!r} does not do as a name",
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
            f"{kind} {name} is there already",
            fix=f"edit it, or choose another name; `mlgit explain {kind}` says what may be in it",
            at=Location(path),
        )
    values = {"name": scalar(name)}
    match kind:
        case "problem":
            values["owner"] = workspace.repository.identity()[1]
        case "dataset":
            values |= contract_values(workspace, name, f"{name}.csv", _EXAMPLE, keys=["id"], rows=1)
        case "model":
            values |= _model_values(state, problem, dataset)
        case "environment":
            values |= _environment_values(state, name)
    files = {path: draft(kind, values)}
    if kind == "model" and state.tree.read(layout.model_card(name)) is None:
        files[layout.model_card(name)] = draft("card", {})
    workspace.formats.record(path, files[path])  # a draft that cannot be read would be a trap
    if not dry_run:
        workspace.write_files(files)
    listed = [*environments, name] if kind == "environment" and name not in environments else None
    return DraftCreated(kind=kind, name=name, files=list(files), environments=listed, dry_run=dry_run)


def contract_values(
    workspace: Workspace, name: str, path: str, columns: Mapping[str, str], *, keys: Sequence[str], rows: int
) -> dict[str, str]:
    """Return what the draft of a dataset's contract is filled in with.

    Args:
        workspace: where.
        name: the dataset.
        path: its data file, counted from its folder.
        columns: the rule of each column, as YAML in flow style.
        keys: the columns that together name a row.
        rows: how many rows there must be.
    """
    return {
        "name": scalar(name),
        "owner": workspace.repository.identity()[1],
        "path": scalar(path),
        "columns": "\n".join(f"  {scalar(column)}: {rule}" for column, rule in columns.items()),
        "keys": _flow(keys),
        "rows": str(rows),
    }


def scalar(text: str) -> str:
    """Write a text as YAML has it, in quotes where it would be taken for something else."""
    plain = _PLAIN.fullmatch(text) and text.casefold() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _model_values(state: Lifecycle, problem: str | None, dataset: str | None) -> dict[str, str]:
    solved = state.problem(_the_only("problem-ambiguous", problem, state.tree.names("problems"), ".yaml"))
    data = state.dataset(_the_only("dataset-ambiguous", dataset, state.tree.names("datasets"), "/"))
    keys = data.keys or list(data.columns)[:1]
    taken = {*keys, solved.target.column}
    inputs = {name: column.type for name, column in data.columns.items() if name not in taken} or {"amount": "number"}
    locks = [path for path in ("requirements.txt",) if state.tree.read(path) is not None]
    return {
        "problem": scalar(solved.name),
        "dataset": scalar(data.name),
        "keys": _flow(keys),
        "inputs": "\n".join(f"    {scalar(name)}: {kind}" for name, kind in inputs.items()),
        "output": _OUTPUTS[solved.target.type],
        "reads": _flow(["src", "dvc.yaml", "params.yaml", *locks, f"datasets/{data.name}"]),
        "lock": f"lock: {locks[0]}" if locks else "# lock: requirements.txt",
    }


def _environment_values(state: Lifecycle, name: str) -> dict[str, str]:
    policies = [found.removesuffix(".yaml") for found in state.tree.names("policies")]
    last = [state.environment(found) for found in state.environments()[-1:]]
    policy = name if name in policies or not last else last[0].policy
    return {"policy": scalar(policy), "after": _flow([environment.name for environment in last])}


def _the_only(id: str, name: str | None, names: Iterable[str], suffix: str) -> str:  # noqa: A002
    noun = id.removesuffix("-ambiguous")
    there = [found.removesuffix(suffix) for found in names if found.endswith(suffix)]
    if name is not None:
        return name
    if len(there) == 1:
        return there[0]
    raise usage_error(
        id,
        f"there are {len(there)} {noun}s" if there else f"there is no {noun} yet",
        why=", ".join(there),
        fix=f"name one of them with --{noun}" if there else f"`mlgit new {noun} NAME` drafts one",
    )


def _flow(names: Sequence[str]) -> str:
    return f"[{', '.join(map(scalar, names))}]"


_PATHS: Final[Mapping[Kind, Callable[[str], str]]] = {
    "problem": layout.problem,
    "dataset": layout.dataset,
    "model": layout.model,
    "environment": layout.environment,
    "policy": layout.policy,
}
