"""Fill in the variables of a `dvc.yaml`: `${...}`, `foreach` and `matrix`. Nothing is executed, and all is bounded.

The rules are those of https://doc.dvc.org/user-guide/project-structure/dvcyaml-files#templating.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Final

MAX_STAGES: Final = 5_000
_MAX_TEXT: Final = 4_096  # the longest path of Linux
_REFERENCE: Final = re.compile(r"(?<!\\)\$\{(?P<name>.*?)\}")
_UNRESOLVED: Final = frozenset({"cmd", "desc", "meta"})
"""Keys of a stage that say nothing of what it reads and writes."""

Variables = Mapping[str, Any]


class TemplateError(ValueError):
    """A text of dvc.yaml cannot be filled in."""


def has_references(value: Any) -> bool:
    """Return whether a value contains `${...}` in what decides on the inputs and outputs of stages."""
    if isinstance(value, dict):
        return any(has_references(inner) for key, inner in value.items() if key not in _UNRESOLVED) or any(
            map(has_references, value)
        )
    if isinstance(value, list):
        return any(map(has_references, value))
    return isinstance(value, str) and _REFERENCE.search(value) is not None


def expand(name: str, definition: Any, variables: Variables) -> Iterator[tuple[str, Mapping[str, Any], Variables]]:
    """Yield the stages that one entry of dvc.yaml stands for, each with its name, its definition and its variables.

    Raises:
        TemplateError: the entry is not a mapping, or what it repeats over is not a list or mapping, or too large.
    """
    if not isinstance(definition, dict):
        raise TemplateError(f"stage {name} is not a mapping")
    if "matrix" in definition:
        stage = {key: value for key, value in definition.items() if key != "matrix"}
        combinations = _matrix(name, resolve(definition["matrix"], variables))
        for key, item in combinations.items():
            yield f"{name}@{key}", stage, {**variables, "item": item, "key": key}
    elif "foreach" in definition:
        if not isinstance(definition.get("do"), dict):
            raise TemplateError(f"stage {name} has `foreach` without `do`")
        items, has_keys = _foreach(name, resolve(definition["foreach"], variables))
        for key, item in items.items():
            own = {"item": item, "key": key} if has_keys else {"item": item}
            yield f"{name}@{key}", definition["do"], {**variables, **own}
    else:
        yield name, definition, variables


def merged(variables: Variables, more: Mapping[Any, Any]) -> dict[str, Any]:
    """Return variables with more of them; mappings are merged at every depth."""
    result = dict(variables)
    for key, value in more.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def resolve(value: Any, variables: Variables) -> Any:
    """Return a value with all variables filled in.

    Raises:
        TemplateError: a variable does not exist, is a list or mapping inside a text, or a text becomes too long.
    """
    if isinstance(value, dict):
        return {_text(resolve(key, variables)): resolve(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, variables) for inner in value]
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole is not None and "${" not in whole["name"]:
        return _variable(whole["name"], variables)
    return _filled_in(value, variables)


def _filled_in(text: str, variables: Variables) -> str:
    parts, length, end = [], 0, 0
    for reference in _REFERENCE.finditer(text):
        part = text[end : reference.start()] + _text(_variable(reference["name"], variables))
        parts.append(part)
        length, end = length + len(part), reference.end()
        if length > _MAX_TEXT:
            raise TemplateError(f"{text[:60]!r} becomes too long")
    return ("".join(parts) + text[end:]).replace(r"\${", "${")


def _variable(name: str, variables: Variables) -> Any:
    value: Any = variables
    for part in name.strip().replace("[", ".").replace("]", "").split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise TemplateError(f"there is no variable {name.strip()[:80]}")
    return value


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise TemplateError("a list or mapping cannot be part of a text")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _foreach(name: str, items: Any) -> tuple[dict[str, Any], bool]:
    """Return the items by key, and whether `key` is a variable too."""
    if isinstance(items, dict):
        return {_text(key): item for key, item in items.items()}, True
    if not isinstance(items, list):
        raise TemplateError(f"`foreach` of stage {name} is neither a list nor a mapping")
    if any(isinstance(item, dict | list) for item in items):
        return {str(index): item for index, item in enumerate(items)}, False
    return {_text(item): item for item in items}, False


def _matrix(name: str, axes: Any) -> dict[str, dict[str, Any]]:
    """Return every combination of the values of the axes, by key."""
    if not isinstance(axes, dict) or not all(isinstance(values, list) for values in axes.values()):
        raise TemplateError(f"`matrix` of stage {name} is not a mapping of lists")
    if prod(len(values) for values in axes.values()) > MAX_STAGES:
        raise TemplateError(f"`matrix` of stage {name} stands for more than {MAX_STAGES:,} stages")
    combinations: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*(enumerate(values) for values in axes.values())):
        named = list(zip(axes, values, strict=True))
        key = "-".join(
            f"{axis}{index}" if isinstance(value, dict | list) else _text(value) for axis, (index, value) in named
        )
        combinations[key] = {axis: value for axis, (_, value) in named}
    return combinations
