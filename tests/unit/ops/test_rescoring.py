"""Stored predictions are held against those of the model file, in every column that a metric is computed from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlgit.domain.records.problem import PredictionTarget
from mlgit.ops.evaluation.rescoring import compare
from tests import samples

SCORES = [0.1, 0.4, 0.6, 0.6, 0.9]
BINARY = pd.DataFrame({"label": list("nynyy"), "score": SCORES, "prediction": ["n", "n", "y", "y", "y"]})
PROBLEM = samples.problem(target=PredictionTarget(column="late", type="binary", positive="y"))
CLASSES = pd.DataFrame(
    {"label": list("abc"), "prediction": list("abc"), "score_a": [0.8, 0.1, 0.1], "score_b": [0.1, 0.8, 0.1]}
)
MULTICLASS = samples.problem(target=PredictionTarget(column="kind", type="multiclass"))


@dataclass
class Scored:
    """Predictions of a model."""

    score: Any = None
    prediction: Any = None
    p95_ms: float | None = None
    machine: str = ""


def never(_name: str) -> Scored:
    raise AssertionError("no class is asked for")


def test_equal_scores_and_classes_by_one_threshold_are_the_same() -> None:
    compared = compare(Scored(score=np.array(SCORES)), BINARY, PROBLEM, never)
    assert (compared.rows, compared.max_error, compared.mismatches) == (5, 0.0, 0)


@pytest.mark.parametrize(
    ("predictions", "outside"),
    [
        (list("nnyyy"), 0),
        (list("nnnnn"), 0),
        (list("yyyyy"), 0),
        (list("nnnny"), 0),
        (list("nyyyy"), 0),
        (list("nnnyy"), 1),  # two rows of one score, and one is chosen
        (list("ynnnn"), 1),
        (list("nynyy"), 1),  # the labels themselves
        (list("yynnn"), 2),
    ],
)
def test_classes_that_no_threshold_gives_are_counted(predictions: list[str], outside: int) -> None:
    table = BINARY.assign(prediction=predictions)
    assert compare(Scored(score=np.array(SCORES)), table, PROBLEM, never).mismatches == outside


def test_the_probability_of_each_class_is_compared() -> None:
    right = {"a": [0.8, 0.1, 0.1], "b": [0.1, 0.8, 0.1]}
    scored = Scored(prediction=np.array(list("abc")))
    assert compare(scored, CLASSES, MULTICLASS, lambda name: Scored(score=right[name])).max_error == 0
    forged = CLASSES.assign(score_b=[0.1, 0.9, 0.1])
    compared = compare(scored, forged, MULTICLASS, lambda name: Scored(score=right[name]))
    assert compared.max_error == pytest.approx(0.1 / 1.9)


@pytest.mark.parametrize(
    ("table", "problem", "scored", "message"),
    [
        (CLASSES, MULTICLASS, Scored(prediction=np.array(list("abc"))), "gives no probabilities"),
        (BINARY.drop(columns="score"), PROBLEM, Scored(score=np.array(SCORES)), "no column 'score'"),
    ],
)
def test_what_cannot_be_compared_is_an_error(table: Any, problem: Any, scored: Scored, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(scored, table, problem, lambda _name: Scored())
