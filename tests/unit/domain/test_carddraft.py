"""The draft of a card: every figure from the records, and text that acts as text."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from mlgit.domain import carddraft
from mlgit.domain.cards import CardText
from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.domain.records.card import Card
from mlgit.domain.records.problem import PredictionTarget, ProblemMetric
from mlgit.domain.records.version import Evaluation, SliceMetric
from mlgit.domain.rules.versions import check_card
from tests import samples


def front_matter(**changes: Any) -> dict[str, Any]:
    version = samples.version()
    parts: dict[str, Any] = {
        "problem": samples.problem(),
        "artifact": version.artifact,
        "evaluation": version.evaluation,
    } | changes
    return carddraft.front_matter(model=samples.model(), inputs=version.inputs, **parts)


def body(evaluation: Evaluation, **metric: Any) -> str:
    problem = samples.problem(metric=ProblemMetric(primary="roc_auc", **metric))
    return carddraft.body(problem, samples.model(), evaluation, "# delay\n\n## Intended use\n\nTo warn people.\n\n\n")


def sliced(*slices: SliceMetric) -> Evaluation:
    return msgspec.structs.replace(samples.version().evaluation, slices=list(slices))


def test_the_front_matter_is_a_card_that_agrees_with_the_record() -> None:
    card = msgspec.convert(front_matter(), type=Card)
    assert list(check_card(card, samples.version(), samples.problem())) == []
    assert [metric.value for metric in card.model_index[0].results[0].metrics] == [0.712, 0.8]


def test_a_label_may_change_and_so_is_not_in_the_card() -> None:
    assert "version" not in front_matter()["mlgit"]


@pytest.mark.parametrize(
    ("kind", "tag"),
    [
        ("binary", "tabular-classification"),
        ("multiclass", "tabular-classification"),
        ("regression", "tabular-regression"),
    ],
)
def test_every_kind_of_target_has_its_task(kind: Any, tag: str) -> None:
    made = front_matter(problem=samples.problem(target=PredictionTarget(column="y", type=kind)))
    assert made["pipeline_tag"] == tag
    assert made["model-index"][0]["results"][0]["task"]["type"] == tag


@pytest.mark.parametrize("kind", ["skops", "onnx", "xgboost", "lightgbm", "safetensors"])
def test_every_format_has_its_library(kind: Any) -> None:
    artifact = msgspec.structs.replace(samples.version().artifact, format=kind)
    assert front_matter(artifact=artifact)["library_name"] == {"skops": "sklearn"}.get(kind, kind)


def test_prose_comes_first_and_keeps_its_sections() -> None:
    text = body(samples.version().evaluation)
    assert text.startswith("# delay\n\n## Intended use\n\nTo warn people.\n\n## Results\n")
    assert text.endswith("\n")
    assert CardText.parse(text).is_written("Intended use")
    assert "| roc_auc | 0.7120 |" in text
    assert "On 1,200 rows" in text


@pytest.mark.parametrize(("direction", "order"), [("max", ["AA", "UA"]), ("min", ["UA", "AA"])])
def test_the_weakest_slices_come_first(direction: Any, order: list[str]) -> None:
    text = body(samples.version().evaluation, direction=direction)
    places = [text.index(f"carrier={value}") for value in order]
    assert all(one < other for one, other in pairwise(places))
    assert "weakest 2 of 2 slices" in text


def test_few_slices_are_shown_and_those_without_a_metric_are_none() -> None:
    slices = [SliceMetric(column="c", value=f"v{n:02}", rows=50, metric=n / 100) for n in range(20)]
    text = body(sliced(*slices, SliceMetric(column="c", value="empty", rows=0)))
    assert "weakest 12 of 20 slices" in text
    assert "v11" in text.replace("\\", "")
    assert "v12" not in text
    assert "empty" not in text
    assert "slices" not in body(sliced())


@pytest.mark.parametrize("value", ["a|b", "</td><script>", "![x](y)", "a\nb", "`code`", "@somebody", "a\u202eb", "\\|"])
def test_the_value_of_a_slice_stays_in_its_cell(value: str) -> None:
    text = body(sliced(SliceMetric(column="c", value=value, rows=50, metric=0.5)))
    (row,) = [line for line in text.split("\n") if line.startswith("| c=")]
    cells = row.replace("\\\\", "").replace("\\|", "").strip("|").split("|")
    assert len(cells) == 3
    assert cells[1:] == [" 50 ", " 0.5000 "]
    assert "\u202e" not in row
    for sign in "<>[]`@":
        assert row.count(sign) == row.count("\\" + sign)


def test_the_first_prose_has_every_section_and_none_is_written() -> None:
    text = CardText.parse(carddraft.prose_draft("delay"))
    assert list(text.sections) == [heading.casefold() for heading in CARD_SECTIONS]
    assert not any(text.is_written(heading) for heading in CARD_SECTIONS)
