"""Rules for the names and values that several files repeat: a column, a label or a task has to be the same in all of them."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlgit.domain import layout
from mlgit.domain.records import Dataset, Model, Problem
from mlgit.errors import Finding, Location

_KNOWN = ("target", "keys", "slices", "positive", "task")
_DESCRIBES_DATA = 2  # known names in one group of parameters
_BINARY = 2
_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {"boolean": (bool,), "integer": (int,), "string": (str,)}
"""The types of labels in YAML by the type of the column."""


def check_names(
    problem: Problem,
    model: Model,
    contracts: Sequence[Dataset],
    params: Mapping[str, Mapping[str, Any]],
    is_mentioned: Callable[[str], bool],
) -> Iterator[Finding]:
    """Check columns, labels and tasks of a problem, a model, its contracts and its parameters against each other.

    A column may also be computed by the pipeline: then its name is mentioned in the code.

    Args:
        problem: the problem of the model.
        model: the model.
        contracts: the contracts of all its data.
        params: its parameters by file.
        is_mentioned: tells whether a name is mentioned in its code.
    """
    columns = {column: rule for contract in contracts for column, rule in contract.columns.items()}
    is_open = not contracts or any(contract.extra_columns == "allow" for contract in contracts)

    def check_columns(names: Iterable[str], at: Location) -> Iterator[Finding]:
        for name in names:
            if not (is_open or name in columns or is_mentioned(name)):
                yield _unknown_column(name, columns, at)

    file, of_model = layout.problem(problem.name), layout.model(model.name)
    yield from check_columns([problem.target.column], Location(file, path="target.column"))
    yield from check_columns(problem.metric.slices, Location(file, path="metric.slices"))
    yield from check_columns(model.keys, Location(of_model, path="keys"))
    yield from _check_target(problem, contracts)
    yield from _check_signature(problem, model)
    for source, values in params.items():
        for path, group in _groups(values):
            for name in ("keys", "slices"):
                listed = group.get(name)
                if isinstance(listed, list) and all(isinstance(item, str) for item in listed):
                    yield from check_columns(listed, Location(source, path=f"{path}{name}"))
            yield from _check_parameters(problem, model, group, Location(source, path=path))


def check_dataset(dataset: Dataset) -> Iterator[Finding]:
    """Check that the keys and the date of a contract are columns that it lists."""
    if dataset.extra_columns == "allow":
        return
    file = layout.dataset(dataset.name)
    for name in dataset.keys:
        if name not in dataset.columns:
            yield _unknown_column(name, dataset.columns, Location(file, path="keys"))
    if dataset.freshness is not None and dataset.freshness.column not in dataset.columns:
        yield _unknown_column(dataset.freshness.column, dataset.columns, Location(file, path="freshness.column"))


def _check_target(problem: Problem, contracts: Iterable[Dataset]) -> Iterator[Finding]:
    """Check the type of the target and its positive label against the contract that has the column."""
    target, file = problem.target, layout.problem(problem.name)
    for contract in contracts:
        rule = contract.columns.get(target.column)
        if rule is None:
            continue
        labels = rule.in_
        is_wrong = (
            rule.type not in {"integer", "number"}
            if target.type == "regression"
            else rule.type in {"date", "datetime"} or (target.type == "binary" and len(labels or "ab") != _BINARY)
        )
        if is_wrong:
            allowed = f" with {len(labels)} allowed values" if labels else ""
            yield Finding(
                "target-type-mismatch",
                f"{target.column} cannot be the target of a {target.type} problem",
                why=f"{layout.dataset(contract.name)} says that it is of type {rule.type}{allowed}",
                fix="correct target.type or target.column of the problem, or the contract",
                at=Location(file, path="target.type"),
            )
        if target.positive is None:
            continue
        types = _PYTHON_TYPES.get(rule.type)
        is_other_type = types is not None and type(target.positive) not in types
        if is_other_type or (labels is not None and not _contains(labels, target.positive)):
            stated = f"the values {', '.join(map(_shown, labels))}" if labels else f"values of type {rule.type}"
            close = [label for label in labels or [] if str(label).lower() == str(target.positive).lower()]
            yield Finding(
                "positive-label-unknown",
                f"{target.column} is never {_shown(target.positive)}",
                why=f"{layout.dataset(contract.name)} says that it has {stated}",
                fix=f"write `positive: {_shown(close[0])}`" if close else "set target.positive to one of them",
                at=Location(file, path="target.positive"),
            )


def _check_signature(problem: Problem, model: Model) -> Iterator[Finding]:
    file = layout.model(model.name)
    if (model.signature.output == "value") != (problem.target.type == "regression"):
        yield Finding(
            "output-mismatch",
            f"{model.name} has {model.signature.output} as output, and problem {problem.name} is {problem.target.type}",
            fix="write `output: value` for regression, and probability or label otherwise",
            at=Location(file, path="signature.output"),
        )
    if problem.target.column in model.signature.inputs:
        yield Finding(
            "target-is-input",
            f"{problem.target.column} is the target, and an input of {model.name}",
            why="a model that reads what it predicts is useless, however good it looks",
            fix="remove it from signature.inputs and from the features",
            at=Location(file, path=f"signature.inputs.{problem.target.column}"),
        )


def _groups(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the groups of parameters that repeat what problem and model say, with the path to each.

    One known name alone may mean something else: `positive` is also a setting of a linear model.
    """
    if sum(name in values for name in _KNOWN) >= _DESCRIBES_DATA:
        yield path, values
    for key, inner in values.items():
        if isinstance(inner, dict):
            yield from _groups(inner, f"{path}{key}.")


def _check_parameters(problem: Problem, model: Model, group: Mapping[str, Any], at: Location) -> Iterator[Finding]:
    file, of_model = layout.problem(problem.name), layout.model(model.name)
    stated: dict[str, tuple[Any, str]] = {
        "target": (problem.target.column, f"target.column in {file}"),
        "keys": (model.keys, f"keys in {of_model}"),
        "slices": (problem.metric.slices, f"metric.slices in {file}"),
        "task": (problem.target.type, f"target.type in {file}"),
    }
    if problem.target.type == "binary":
        stated["positive"] = (problem.target.positive, f"target.positive in {file}")
    for name, (expected, place) in stated.items():
        value = group.get(name)
        if isinstance(value, dict) or value is None or _same(value, expected):
            continue
        yield Finding(
            "parameter-mismatch",
            f"{at.path}{name} is {_shown(value)}, and {place} is {_shown(expected)}",
            why="the pipeline works with the one, and mlgit judges by the other",
            fix=f"write the same in {at.file} and there",
            at=Location(at.file, path=f"{at.path}{name}"),
        )


def _unknown_column(name: str, columns: Iterable[str], at: Location) -> Finding:
    columns = list(columns)
    close = difflib.get_close_matches(name, columns, n=1)
    return Finding(
        "column-unknown",
        f"there is no column {name}",
        why=f"the contracts have {', '.join(columns[:12])}" + (", ..." if columns[12:] else ""),
        fix=f"did you mean {close[0]}?" if close else "correct the name, or add the column to the contract",
        at=at,
    )


def _same(value: Any, expected: Any) -> bool:
    if isinstance(value, list) and isinstance(expected, list):
        return {*map(str, value)} == {*map(str, expected)}
    return type(value) is type(expected) and bool(value == expected)


def _contains(labels: Iterable[Any], label: Any) -> bool:
    return any(_same(other, label) for other in labels)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)[:80] if isinstance(value, str) else str(value)
