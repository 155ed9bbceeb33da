"""Validate the pipelines of models: their stages exist, all that they read can be traced, and names are the same everywhere."""

from collections.abc import Iterable

from mlgit.domain import layout
from mlgit.domain.records import Model
from mlgit.errors import MlgitError
from mlgit.ops.kernel.model_inputs import check_stages, model_inputs
from mlgit.ops.kernel.model_names import names_findings
from mlgit.ops.validation.tree_check import TreeCheck, of_kind


def check_pipelines(check: TreeCheck) -> None:
    """Check the stages of every model, each input of these and of all stages upstream, and the names that its files repeat.

    A project without any stage is not checked: its versions were made elsewhere.
    """
    state, formats = check.state, check.formats
    try:
        stages = formats.stages(state.tree)
    except MlgitError as error:
        check.add(error.findings)
        return
    records, _ = state.read_each([layout.model(name) for name in state.models()]) if stages else ({}, [])
    for model in of_kind(Model, records):
        if unknown := list(check_stages(model, stages)):
            check.add(unknown)
            continue
        inputs = model_inputs(state, formats, model, stages=stages)
        check.add(inputs.findings)
        check.add(names_findings(state, formats, model, inputs))


def concerns_pipelines(paths: Iterable[str]) -> bool:
    """Return whether a change of paths can matter to a pipeline: it is more than versions, gate reports and environments."""
    return any(not layout.is_immutable(path) and path.partition("/")[0] not in layout.RECORD_FOLDERS for path in paths)
