"""The pipeline that DVC runs: set parameters, reproduce stages, read metrics."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mlgit.edges.dvc import freshness, lockfile, workspace
from mlgit.edges.dvc.declared import read_declared
from mlgit.edges.formats import yamlfile, yamlscalars
from mlgit.errors import Inconclusive, MlgitError, UsageError, usage_error

_PARAMS = "params.yaml"


class DvcPipeline:
    """The stages of `dvc.yaml` in a checkout."""

    lock_file: Final = lockfile.LOCK

    def __init__(self, root: Path) -> None:
        self._root = root

    def out_of_date(self, stages: Sequence[str]) -> list[str]:
        """Return what changed since the last run of the stages and those that they need; see `freshness.out_of_date`."""
        return freshness.out_of_date(self._root, stages)

    def metrics(self, stages: Sequence[str]) -> dict[str, float]:
        """Return the numbers in the metrics files of stages; empty if dvc.yaml or a file cannot be read here."""
        try:
            declared = read_declared(self._root)
            files = sorted({file for name in stages for file in declared[name].measures()})
            contents = [yamlfile.parse((self._root / file).read_bytes(), file).value for file in files]
        except (MlgitError, msgspec.ValidationError, KeyError, OSError):
            return {}
        return {key: number for content in contents for key, number in _numbers(content)}

    def reproduce(self, stages: Sequence[str], settings: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        """Set parameters, and let DVC run all stages that are out of date.

        Args:
            stages: the stages to bring up to date, after those that they need.
            settings: parameters, as for `set_params`.
            on_line: called with each line of output of DVC and the stages while they run, without its end.

        Returns:
            0 if all stages are up to date now, else 1; the output has the error.

        Raises:
            UsageError: a parameter cannot be set (as for `set_params`); nothing was changed.
            Inconclusive: DVC cannot be started.
        """
        set_params(self._root, settings)
        try:
            for line in _without_advice(workspace.dvc_lines(self._root, "repro", "--", *stages)):
                on_line(line)
        except Inconclusive as error:
            if error.findings[0].id != "tool-failed":
                raise
            return 1
        return 0


def _numbers(content: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of a document, each by its dotted key."""
    if isinstance(content, dict):
        for key, inner in content.items():
            yield from _numbers(inner, f"{prefix}{key}.")
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield prefix.removesuffix("."), float(content)


def _without_advice(lines: Iterable[str]) -> Iterator[str]:
    """Yield DVC's output without the advice at its end on `git add` and `dvc push`, which `mlgit register` does."""
    in_advice = False
    for line in lines:
        in_advice = in_advice or line.startswith(("To track the changes with git, run:", "Use `dvc push`"))
        if not in_advice:
            yield line


def set_params(root: Path, settings: Mapping[str, str]) -> None:
    """Write values into parameter files and keep their comments, as `dvc exp run -S` does, without an experiment.

    Args:
        root: the checkout.
        settings: values as YAML scalars (`0.1`, `true`, `text`) by dotted key: `train.lr` for params.yaml, or
            `other.yaml:train.lr` for another file.

    Raises:
        UsageError: there is no such parameter (`param-unknown`), or the value is not a finite number
            (`param-value-invalid`). Nothing was changed.
        MlgitError: a parameter file cannot be read.
    """
    files: dict[str, dict[str, Any]] = {}
    for name, text in settings.items():
        file, _, key = name.rpartition(":")
        files.setdefault(file or _PARAMS, {})[key] = _parsed(name, text)
    changes = {file: _changes(root, file, values) for file, values in files.items()}
    for file, values in changes.items():
        if values:
            _write(root / file, values)


def _parsed(name: str, text: str) -> Any:
    try:
        return yamlscalars.resolve(text)
    except yamlscalars.NotFinite as error:
        raise usage_error(
            "param-value-invalid",
            f"{name} cannot be {text[:40]}",
            why="it is not a finite number",
            fix="give a finite number",
        ) from error


def _changes(root: Path, file: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that differ from the file, which must have every key."""
    try:
        current = yamlfile.parse((root / file).read_bytes(), file).value
    except OSError as error:
        raise _unknown(file, next(iter(values)), f"{file} cannot be read") from error
    return {key: value for key, value in values.items() if _value(current, file, key) != value}


def _value(parameters: Any, file: str, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(parameters, dict) or part not in parameters:
            names = f"the keys {', '.join(parameters)}" if isinstance(parameters, dict) else "a single value"
            raise _unknown(file, key, f"{part!r} is missing; the file has {names} there")
        parameters = parameters[part]
    if isinstance(parameters, dict):
        raise _unknown(file, key, f"{key} is a group of {', '.join(parameters)}")
    return parameters


def _unknown(file: str, key: str, why: str) -> UsageError:
    return usage_error(
        "param-unknown", f"{file} has no parameter {key}", why=why, fix=f"use an existing one, or add it to {file}"
    )


def _write(path: Path, values: Mapping[str, Any]) -> None:
    from dvc.utils.serialize import MODIFIERS  # noqa: PLC0415 - takes 0.1 s; keeps comments, which the strict writer does not

    with MODIFIERS[path.suffix](path) as document:
        for key, value in values.items():
            *parents, last = key.split(".")
            inner = document
            for part in parents:
                inner = inner[part]
            inner[last] = value
