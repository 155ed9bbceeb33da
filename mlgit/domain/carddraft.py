"""The card of a version: front matter and figures from the records, prose from the model's own card."""

from typing import Any

from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.domain.records.model import Model
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.version import Artifact, Evaluation, Inputs

_PIPELINE_TAGS = {
    "binary": "tabular-classification",
    "multiclass": "tabular-classification",
    "regression": "tabular-regression",
}
_LIBRARIES = {
    "skops": "sklearn",
    "onnx": "onnx",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "safetensors": "safetensors",
}
_FEW = 12  # slices shown; the record has them all


def front_matter(
    problem: Problem, model: Model, artifact: Artifact, evaluation: Evaluation, inputs: Inputs
) -> dict[str, Any]:
    """Return the front matter, in the form of Hugging Face's model cards, every figure as the record has it.

    The label of the version is not in it, for a label can change and a card cannot.
    """
    tag = _PIPELINE_TAGS[problem.target.type]
    result = {
        "task": {"type": tag, "name": problem.name},
        "dataset": {
            "name": ", ".join(inputs.data),
            "type": ", ".join(inputs.data),
            "split": "test",
            "revision": ", ".join(f"md5:{stored.md5}" for stored in inputs.data.values()),
        },
        "metrics": [{"type": name, "value": value, "name": name} for name, value in evaluation.metrics.items()],
    }
    return {
        "library_name": _LIBRARIES[artifact.format],
        "pipeline_tag": tag,
        "tags": [tag, _LIBRARIES[artifact.format], "mlgit"],
        "datasets": list(inputs.data),
        "metrics": list(evaluation.metrics),
        "model-index": [{"name": model.name, "results": [result]}],
        "mlgit": {
            "model": model.name,
            "problem": problem.name,
            "owner": problem.owner,
            "risk": problem.risk,
            "artifact": artifact.sha256,
            "split": evaluation.split,
        },
    }


def body(problem: Problem, model: Model, evaluation: Evaluation, prose: str) -> str:
    """Return the Markdown below the front matter: what people wrote of the model, then the figures."""
    lines = [prose.strip(), "", "## Results", "", f"On {evaluation.rows:,} rows of the test split:", ""]
    lines += ["| metric | value |", "|---|---|"]
    lines += [f"| {name} | {value:.4f} |" for name, value in evaluation.metrics.items()]
    measured = [part for part in evaluation.slices if part.metric is not None]
    if measured:
        direction = 1 if problem.metric.direction == "max" else -1
        worst = sorted(measured, key=lambda part: direction * (part.metric or 0.0))[:_FEW]
        lines += ["", f"{problem.metric.primary} on the weakest {len(worst)} of {len(measured)} slices:", ""]
        lines += ["| slice | rows | value |", "|---|---|---|"]
        lines += [f"| {_cell(f'{part.column}={part.value}')} | {part.rows:,} | {part.metric:.4f} |" for part in worst]
    lines += ["", "## How to reproduce", "", f"`mlgit train {model.name}` at the commit that registered this version."]
    return "\n".join(lines) + "\n"


def prose_draft(model: str) -> str:
    """Return the prose to begin with: every section that a card needs, to be written by people."""
    sections = "\n\n".join(f"## {heading}\n\nTODO" for heading in CARD_SECTIONS)
    return f"# {model}\n\n{sections}\n"


def _cell(text: str) -> str:
    """Return text that stays within a cell of a table, and acts as text."""
    return "".join(
        f"\\{character}" if character in "\\`*_{}[]<>()#!|@" else character
        for character in text
        if character.isprintable()
    )
