"""Validate the pipelines of models: that their stages exist, and that everything they read can be traced."""

from collections.abc import Iterable

from mlgit.domain import layout
from mlgit.domain.records import Model
from mlgit.errors import MlgitError
from mlgit.ops.kernel.model_inputs import check_stages, model_inputs
from mlgit.ops.validation.tree_check import TreeCheck, of_kind


def check_pipelines(check: TreeCheck) -> None:
    """Check the stages of every model, and each input of these and of all stages upstream.

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
        unknown = list(check_stages(model, stages))
        check.add(unknown or model_inputs(state, formats, model, stages=stages).findings)


def concerns_pipelines(paths: Iterable[str]) -> bool:
    """Return whether a change of paths can matter to a pipeline: it is more than versions, gate reports and environments."""
    return any(not layout.is_immutable(path) and path.partition("/")[0] not in layout.RECORD_FOLDERS for path in paths)
