"""Draft of a version's card: front matter and numbers from the records, text from the model's card."""

from typing import Any

from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.domain.hidden import escaped
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
_MAX_SLICES = 12  # shown; the record has all of them


def front_matter(
    problem: Problem, model: Model, artifact: Artifact, evaluation: Evaluation, inputs: Inputs
) -> dict[str, Any]:
    """Return the front matter in the format of Hugging Face's model cards, with the numbers of the record.

    It does not contain the number of the version, which can change before the merge, while a card cannot.
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
    """Return the Markdown below the front matter: the text that people wrote about the model, then the results."""
    lines = [prose.strip(), "", "## Results", "", f"On {evaluation.rows:,} rows of the test split:", ""]
    lines += ["| metric | value |", "|---|---|"]
    lines += [f"| {name} | {value:.4f} |" for name, value in evaluation.metrics.items()]
    measured = [part for part in evaluation.slices if part.metric is not None]
    if measured:
        direction = 1 if problem.metric.direction == "max" else -1
        worst = sorted(measured, key=lambda part: direction * (part.metric or 0.0))[:_MAX_SLICES]
        lines += ["", f"{problem.metric.primary} on the weakest {len(worst)} of {len(measured)} slices:", ""]
        lines += ["| slice | rows | value |", "|---|---|---|"]
        lines += [f"| {_cell(f'{part.column}={part.value}')} | {part.rows:,} | {part.metric:.4f} |" for part in worst]
    lines += ["", "## How to reproduce", "", f"`mlgit train {model.name}` at the commit that registered this version."]
    return "\n".join(lines) + "\n"


def prose_draft(model: str) -> str:
    """Return a template for the text of a card, with every required section."""
    sections = "\n\n".join(f"## {heading}\n\nTODO" for heading in CARD_SECTIONS)
    return f"# {model}\n\n{sections}\n"


def _cell(text: str) -> str:
    """Escape text for a cell of a Markdown table."""
    return "".join(
        f"\\{character}" if character in "\\`*_{}[]<>()#!|@" else character
        for character in escaped(text)
        if character.isprintable()
    )
