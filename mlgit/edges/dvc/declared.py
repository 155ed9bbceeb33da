"""The stages of dvc.yaml, if they are written in the plain form."""

import json
from pathlib import Path
from typing import Any

import msgspec

from mlgit.edges.formats import yamlfile

_PARAMS = "params.yaml"


class Declared(msgspec.Struct, forbid_unknown_fields=True):
    """A stage of dvc.yaml in its plain form. Stages with more (`foreach`, `wdir`, `frozen`) are left to DVC itself."""

    cmd: str | list[str]
    deps: list[str] = []
    params: list[str | dict[str, list[str] | None]] = []
    outs: list[str | dict[str, Any]] = []
    metrics: list[str | dict[str, Any]] = []
    plots: list[str | dict[str, Any]] = []
    desc: str = ""
    meta: Any = None

    def reads(self) -> set[str]:
        """Return the paths of its dependencies."""
        return set(self.deps)

    def writes(self) -> set[str]:
        """Return the paths of all its outputs."""
        return _paths(*self.outs, *self.metrics, *self.plots)

    def measures(self) -> set[str]:
        """Return the paths of its metrics files."""
        return _paths(*self.metrics)

    def keys(self) -> dict[str, set[str]]:
        """Return the keys of its parameters by file; an empty set means all keys of the file."""
        keys: dict[str, set[str]] = {}
        for item in self.params:
            for file, names in ({_PARAMS: [item]} if isinstance(item, str) else item).items():
                keys.setdefault(file, set()).update(names or ())
        return keys


def read_declared(root: Path) -> dict[str, Declared]:
    """Return the stages of dvc.yaml, by name.

    Raises:
        OSError: there is no dvc.yaml.
        MlgitError: it is not valid YAML.
        msgspec.ValidationError: it is not in the plain form, so only DVC can read it.
    """
    document = yamlfile.parse((root / "dvc.yaml").read_bytes(), "dvc.yaml").value.get("stages")
    if "${" in json.dumps(document):
        raise msgspec.ValidationError("it has variables")
    return msgspec.convert(document, type=dict[str, Declared])


def _paths(*outputs: str | dict[str, Any]) -> set[str]:
    return {path for out in outputs for path in ([out] if isinstance(out, str) else out)}
