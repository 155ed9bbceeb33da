"""Names that several files repeat: what is the same passes, and each contradiction is found at its place."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from mlgit.domain.records.dataset import ColumnRule, Freshness
from mlgit.domain.records.model import ModelSignature
from mlgit.domain.records.problem import PredictionTarget, ProblemMetric
from mlgit.domain.rules.names import check_dataset, check_names
from mlgit.errors import Finding
from tests import samples

COLUMNS = {
    "flight_id": ColumnRule(type="integer"),
    "carrier": ColumnRule(type="string"),
    "late": ColumnRule(type="string", in_=["yes", "no"]),
    "delay": ColumnRule(type="number"),
}
TARGET = PredictionTarget(column="late", type="binary", positive="yes")
PROBLEM, MODEL = "problems/late-arrival.yaml", "models/delay/model.yaml"


def check(
    target: Mapping[str, Any] = {},
    params: Mapping[str, Any] = {},
    contract: Mapping[str, Any] = {},
    code: tuple[str, ...] = (),
    slices: tuple[str, ...] = ("carrier",),
    **model: Any,
) -> list[Finding]:
    problem = samples.problem(
        target=msgspec.structs.replace(TARGET, **target), metric=ProblemMetric(primary="roc_auc", slices=list(slices))
    )
    dataset = samples.dataset(**{"columns": COLUMNS} | contract)
    return list(check_names(problem, samples.model(**model), [dataset], {"params.yaml": params}, code.__contains__))


def places(findings: list[Finding]) -> list[tuple[str, str, str | None]]:
    return [(finding.id, finding.at.file, finding.at.path) for finding in findings if finding.at is not None]


@pytest.mark.parametrize(
    "fine",
    [
        {},
        {"slices": ("outline",), "code": ("outline",)},
        {"slices": ("anything",), "contract": {"extra_columns": "allow"}},
        {"params": {"task": "binary", "positive": "yes", "data": {"target": "late", "keys": ["flight_id"]}}},
        {"params": {"train": {"positive": True}, "deploy": {"target": "production"}}},
        {"params": {"data": {"target": "late", "slices": {"carrier": 1}}}},
        {"target": {"column": "made_later", "positive": 1}, "code": ("made_later",)},
    ],
)
def test_what_is_the_same_everywhere_passes(fine: dict[str, Any]) -> None:
    assert check(**fine) == []


@pytest.mark.parametrize(
    ("wrong", "finding", "file", "path"),
    [
        ({"target": {"column": "lat"}}, "column-unknown", PROBLEM, "target.column"),
        ({"slices": ("carier",)}, "column-unknown", PROBLEM, "metric.slices"),
        ({"keys": ["flight"]}, "column-unknown", MODEL, "keys"),
        ({"target": {"positive": "Yes"}}, "positive-label-unknown", PROBLEM, "target.positive"),
        ({"target": {"positive": True}}, "positive-label-unknown", PROBLEM, "target.positive"),
        ({"target": {"column": "flight_id", "positive": "1"}}, "positive-label-unknown", PROBLEM, "target.positive"),
        (
            {"contract": {"columns": COLUMNS | {"late": ColumnRule(type="string", in_=["yes", "no", "maybe"])}}},
            "target-type-mismatch",
            PROBLEM,
            "target.type",
        ),
        (
            {
                "target": {"type": "regression", "positive": None},
                "signature": ModelSignature(inputs={"carrier": "string"}, output="value"),
            },
            "target-type-mismatch",
            PROBLEM,
            "target.type",
        ),
        (
            {"signature": ModelSignature(inputs={"carrier": "string"}, output="value")},
            "output-mismatch",
            MODEL,
            "signature.output",
        ),
        (
            {"signature": ModelSignature(inputs={"late": "string"}, output="probability")},
            "target-is-input",
            MODEL,
            "signature.inputs.late",
        ),
        (
            {"params": {"d": {"target": "delay", "keys": ["flight_id"]}}},
            "parameter-mismatch",
            "params.yaml",
            "d.target",
        ),
        ({"params": {"task": "regression", "positive": "yes"}}, "parameter-mismatch", "params.yaml", "task"),
        ({"params": {"task": "binary", "positive": "no"}}, "parameter-mismatch", "params.yaml", "positive"),
    ],
)
def test_a_contradiction_is_found_at_its_place(wrong: dict[str, Any], finding: str, file: str, path: str) -> None:
    assert places(check(**wrong)) == [(finding, file, path)]


def test_a_misspelt_column_is_corrected() -> None:
    (finding,) = check(slices=("carier",))
    assert finding.fix == "did you mean carrier?"
    (finding,) = check(target={"positive": "YES"})
    assert finding.fix == "write `positive: 'yes'`"


def test_a_list_in_parameters_is_found_by_its_column_and_by_the_difference() -> None:
    params = {"data": {"target": "late", "slices": ["carier"]}}
    assert [finding.id for finding in check(params=params)] == ["column-unknown", "parameter-mismatch"]


def test_keys_and_date_of_a_contract_are_columns_of_it() -> None:
    wrong = samples.dataset(columns=COLUMNS, keys=["flight"], freshness=Freshness(column="day", max_age="7d"))
    assert [finding.at.path for finding in check_dataset(wrong) if finding.at] == ["keys", "freshness.column"]
    assert list(check_dataset(msgspec.structs.replace(wrong, extra_columns="allow"))) == []
