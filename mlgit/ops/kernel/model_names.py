"""Names that the files of a model repeat, held against each other in one tree before anything is run."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from mlgit.domain import layout
from mlgit.domain.records import Dataset, Model, Problem
from mlgit.domain.rules.names import check_names
from mlgit.errors import Finding, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.model_inputs import ModelInputs
from mlgit.ops.kernel.ports.formats import Formats

_LARGEST: Final = 1 << 20
_MOST_FILES: Final = 2_000
_RECORDS: Final = ("datasets/", "models/", "problems/")


def names_findings(state: Lifecycle, formats: Formats, model: Model, inputs: ModelInputs) -> list[Finding]:
    """Return where the files of a model contradict each other: problem, model, contracts, parameters.

    A record that cannot be read is left out, because it has findings of its own.

    Args:
        state: the state of the tree.
        formats: readers of files.
        model: the model.
        inputs: what it is made from.
    """
    records, _ = state.read_each([layout.problem(model.problem), *map(layout.dataset, inputs.datasets)])
    problem = records.get(layout.problem(model.problem))
    if not isinstance(problem, Problem):
        return []
    contracts = [record for record in records.values() if isinstance(record, Dataset)]

    @cache
    def code() -> list[bytes]:
        entries = state.tree.entries(inputs.code)
        paths = [
            entry.path for entry in entries if entry.path not in inputs.params and not entry.path.endswith("dvc.yaml")
        ]
        paths = [path for path in paths if not path.startswith(_RECORDS)][:_MOST_FILES]
        large = {path for path, _ in state.tree.larger(_LARGEST, paths)}
        contents = state.tree.read_many(path for path in paths if path not in large)
        return [content for _, content in contents if content is not None]

    def is_mentioned(name: str) -> bool:
        pattern = re.compile(rb"(?<!\w)" + re.escape(name.encode()) + rb"(?!\w)")
        return any(pattern.search(content) for content in code())

    return list(check_names(problem, model, contracts, _params(state, formats, inputs), is_mentioned))


def _params(state: Lifecycle, formats: Formats, inputs: ModelInputs) -> Mapping[str, Mapping[str, Any]]:
    """Return the parameters by file, without files that cannot be read."""
    params = {}
    for file in inputs.params:
        try:
            params[file] = formats.params(file, state.tree.read(file) or b"")
        except MlgitError:  # `register` says so
            continue
    return params
