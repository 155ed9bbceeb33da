"""Prints what models make of the demo's data: the figures in `data/README.md`.

Usage: `python check_flights.py`

Every model is trained on January to April and scored on May and the months after it, by ROC-AUC. The gain of a model
over another has a 95 % interval from a paired bootstrap, once over rows and once over whole days: flights of
one day share their weather and their congestion, so the interval over rows is too narrow to promise other days.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from make_flights import OUTPUT, WEATHER
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

TRAIN_MONTHS = 4
TEST_MONTH = 5
SEED = 2013
RESAMPLES = 500

# `month` and `day` stay out: what a model learns about January to April says nothing about the months it will meet.
NAMES = ["carrier", "origin", "dest"]
CALENDAR = ["hour", "weekday"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Scores: TypeAlias = "pd.Series[float]"


def logistic(one_hot: Sequence[str]) -> Pipeline:
    """The baseline: logistic regression on one-hot and on scaled columns.

    Args:
        one_hot: The columns to encode; what is left of the calendar is scaled, like the distance and the weather.
    """
    scaled = [name for name in [*CALENDAR, "distance", *WEATHER] if name not in one_hot]
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    columns = ColumnTransformer(
        [
            ("names", OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20), one_hot),
            ("numbers", numbers, scaled),
        ]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


def boosted(settings: Mapping[str, float], weather: Sequence[str] = WEATHER) -> Pipeline:
    """Gradient boosting on the names as categories, the calendar, the distance and the weather.

    Args:
        settings: Of `HistGradientBoostingClassifier`.
        weather: The weather columns to use.
    """
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = ColumnTransformer(
        [("names", codes, NAMES), ("numbers", "passthrough", [*CALENDAR, "distance", *weather])]
    )
    trees = HistGradientBoostingClassifier(
        categorical_features=[0, 1, 2], early_stopping=False, random_state=SEED, **settings
    )
    return make_pipeline(columns, trees)


CAREFUL = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 15}
GREEDY = {"learning_rate": 0.3, "max_iter": 200, "max_leaf_nodes": 127, "min_samples_leaf": 5}

# Name -> the model and the last month that it is trained on.
MODELS = {
    "logistic, plain": (logistic(NAMES), TRAIN_MONTHS),
    "logistic": (logistic(NAMES + CALENDAR), TRAIN_MONTHS),
    "boosted, careful": (boosted(CAREFUL), TRAIN_MONTHS),
    "boosted, defaults": (boosted({}), TRAIN_MONTHS),
    "boosted, no weather": (boosted(CAREFUL, weather=[]), TRAIN_MONTHS),
    "boosted, January only": (boosted(CAREFUL), 1),
    "boosted, overfitted": (boosted(GREEDY), TRAIN_MONTHS),
}


@dataclass(frozen=True, slots=True)
class Trained:
    """What one model gave.

    Attributes:
        seconds: How long training took.
        train_auc: ROC-AUC on the rows that it was trained on.
        scores: The probability to be late, for every row of the data.
    """

    seconds: float
    train_auc: float
    scores: Scores


def train(model: Pipeline, flights: pd.DataFrame, last_month: int) -> Trained:
    """Trains one model on the months up to `last_month` and scores every flight."""
    rows = flights[flights["month"] <= last_month]
    start = time.perf_counter()
    model.fit(rows, rows["late"])
    seconds = time.perf_counter() - start
    scores = pd.Series(model.predict_proba(flights)[:, 1], index=flights.index)
    return Trained(seconds, float(roc_auc_score(rows["late"], scores[rows.index])), scores)


def weighted_auc(late: Floats, ranks: Integers, weights: Floats) -> float:
    """ROC-AUC of weighted rows: the share of late/punctual pairs in the right order, ties counted half.

    Args:
        late: 1 where the flight was late, else 0; shape (n,).
        ranks: The dense rank of each score, from 0; shape (n,).
        weights: How often each row counts; shape (n,).
    """
    positives = np.bincount(ranks, weights * late)
    negatives = np.bincount(ranks, weights * (1 - late))
    below = np.cumsum(negatives) - negatives / 2
    return float(positives @ below / (positives.sum() * negatives.sum()))


def gain_interval(late: Floats, candidate: Floats, baseline: Floats, groups: Integers) -> tuple[float, float]:
    """95 % percentile interval of the gain in ROC-AUC, from a paired bootstrap over groups of rows.

    Args:
        late: 1 where the flight was late, else 0; shape (n,).
        candidate: The candidate's scores; shape (n,).
        baseline: The baseline's scores of the same rows; shape (n,).
        groups: Which group, from 0, a row belongs to; groups are drawn whole; shape (n,).
    """
    random = np.random.default_rng(SEED)
    ranks = [np.unique(scores, return_inverse=True)[1] for scores in (candidate, baseline)]
    count = int(groups.max()) + 1
    gains = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(random.integers(count, size=count), minlength=count)
        weights = drawn[groups].astype(np.float64)
        gains.append(weighted_auc(late, ranks[0], weights) - weighted_auc(late, ranks[1], weights))
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)


def day_numbers(flights: pd.DataFrame) -> Integers:
    """The number of each row's day among the days that occur, from 0."""
    return np.asarray(flights.groupby(["month", "day"]).ngroup(), dtype=np.int64)


def describe_gain(late: "pd.Series[bool]", candidate: Scores, baseline: Scores, groups: Integers) -> str:
    """The gain in ROC-AUC on the rows of `late`, and its interval, in words."""
    truth, ours, theirs = (np.asarray(x, dtype=np.float64) for x in (late, candidate[late.index], baseline[late.index]))
    gain = roc_auc_score(truth, ours) - roc_auc_score(truth, theirs)
    low, high = gain_interval(truth, ours, theirs, groups)
    return f"{gain:+.3f} ({low:+.3f} to {high:+.3f})"


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Prints a Markdown table and an empty line."""
    for cells in [head, ["---"] * len(head), *rows]:
        print(f"| {' | '.join(cells)} |")
    print()


def print_models(flights: pd.DataFrame, trained: dict[str, Trained]) -> None:
    """Prints each model's ROC-AUC on the rows it was trained on and in May, and its gains over three of the models."""
    may = flights[flights["month"] == TEST_MONTH]
    later = flights[flights["month"] > TEST_MONTH]
    comparisons = [
        ("logistic, plain", may, day_numbers(may), "over plain logistic, May (days)"),
        ("logistic", may, np.arange(len(may)), "over logistic, May (rows)"),
        ("logistic", may, day_numbers(may), "over logistic, May (days)"),
        ("logistic", later, day_numbers(later), "over logistic, June to December (days)"),
        ("boosted, careful", may, day_numbers(may), "over careful, May (days)"),
    ]
    rows = []
    for name, result in trained.items():
        cells = [name, f"{result.train_auc:.3f}", f"{roc_auc_score(may['late'], result.scores[may.index]):.3f}"]
        for other, part, groups, _ in comparisons:
            gain = "" if name == other else describe_gain(part["late"], result.scores, trained[other].scores, groups)
            cells.append(gain)
        rows.append(cells)
    print_table(["model", "AUC in training", "AUC in May", *(title for *_, title in comparisons)], rows)


def print_months(flights: pd.DataFrame, trained: dict[str, Trained]) -> None:
    """Prints the number of flights and the share of late ones each month, and each model's ROC-AUC from May on."""
    rows = []
    for month, part in flights.groupby("month"):
        tested = part["month"].iloc[0] >= TEST_MONTH
        aucs = [
            f"{roc_auc_score(part['late'], result.scores[part.index]):.3f}" if tested else ""
            for result in trained.values()
        ]
        rows.append([str(month), f"{len(part):,}", f"{part['late'].mean():.1%}", *aucs])
    print_table(["month", "flights", "late", *trained], rows)


def main() -> None:
    """Trains every model and prints the tables."""
    flights = pd.read_parquet(OUTPUT)
    trained = {name: train(model, flights, last_month) for name, (model, last_month) in MODELS.items()}
    print_models(flights, trained)
    print_months(flights, trained)
    print("Seconds to train: " + "; ".join(f"{name} {result.seconds:.1f}" for name, result in trained.items()))


if __name__ == "__main__":
    main()
