"""What a brief takes from records: numbers and where they come from, what differs, and from when on nothing has to wait."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain.brief import (
    MetricComparison,
    changed_card_sections,
    compare_metrics,
    compare_slices,
    differences,
    earliest_merge,
    soak_complete_at,
)
from mlgit.domain.cards import CardText
from mlgit.domain.records import Version
from mlgit.domain.records.environment import ChangeWindow, Soak, WeeklyHours
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.problem import ProblemMetric
from mlgit.domain.records.version import SliceMetric
from tests import samples
from tests.samples import NOW, sha
from tests.unit.domain.test_merge_rules_promotion import context
from tests.unit.domain.test_soak import entry

PRIMARY = ProblemMetric(primary="roc_auc", slices=["carrier"])
FACTS: dict[str, Any] = {
    "metric": "roc_auc", "candidate": 0.8, "champion": 0.7, "gain": 0.1, "low": 0.05, "high": 0.15, "level": 0.95,
    "rows": 1200, "test": "paired bootstrap, percentile", "resamples": 1000, "seed": 7, "p": None, "margin": 0.0,
}  # fmt: skip
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def version(number: int, metrics: dict[str, float], *, split: int = 70, **parts: float | None) -> Version:
    """Return a version with metrics, and with the primary one on parts of the rows, by the carrier's name."""
    known = samples.version(number)
    told = [SliceMetric(column="carrier", value=name, rows=500, metric=value) for name, value in parts.items()]
    return replace(known, evaluation=replace(known.evaluation, metrics=metrics, slices=told, split=sha(split)))


def said(gate: str = "beats-champion", **facts: Any) -> GateVerdict:
    return GateVerdict(gate=gate, outcome="pass", message="", facts=facts)


def test_a_metric_that_a_gate_compared_has_its_interval_and_the_others_come_from_the_records() -> None:
    before, after = (
        version(1, {"roc_auc": 0.71, "brier": 0.3}),
        version(2, {"brier": 0.25, "roc_auc": 0.79, "own": 1.0}),
    )
    found = compare_metrics([said(), said(**FACTS), said("other", **FACTS | {"gain": 0.0})], PRIMARY, after, before)
    assert [(one.metric, one.is_primary, one.gate) for one in found] == [
        ("roc_auc", True, "beats-champion"),
        ("brier", False, None),
        ("own", False, None),
    ]
    judged, brier, own = found
    assert (judged.candidate, judged.champion, judged.gain, judged.low, judged.high) == (0.8, 0.7, 0.1, 0.05, 0.15)
    assert brier.gain == pytest.approx(0.05)  # less of it is better
    assert (own.champion, own.gain) == (None, None)


@pytest.mark.parametrize(
    "facts",
    [
        FACTS | {"low": "0.05"},
        FACTS | {"metric": "<b>"},
        FACTS | {"metric": 7},
        FACTS | {"candidate": None},
        FACTS | {"rows": 0.5},
        FACTS | {"gain": True},
        FACTS | {"test": ["x"]},
        {name: value for name, value in FACTS.items() if name != "high"},
    ],
)
def test_facts_that_no_gate_writes_are_passed_over(facts: dict[str, Any]) -> None:
    (found,) = compare_metrics([said(**facts)], PRIMARY, version(2, {"roc_auc": 0.79}), version(1, {"roc_auc": 0.71}))
    assert (found.gate, found.candidate, found.low) == (None, 0.79, None)
    assert compare_slices([said(worst=facts)], PRIMARY, version(2, {"roc_auc": 1.0}), None) == []


def test_without_a_champion_or_on_other_rows_there_is_no_gain() -> None:
    after = version(2, {"roc_auc": 0.79}, AA=0.7, UA=0.8)
    alone = MetricComparison(metric="roc_auc", is_primary=True, candidate=0.79, champion=None)
    assert compare_metrics([], PRIMARY, after, None) == [alone]
    others = version(1, {"roc_auc": 0.5}, split=71, AA=0.1, UA=0.2)
    (found,) = compare_metrics([], PRIMARY, after, others)
    assert (found.champion, found.gain) == (0.5, None)
    assert [(one.which, one.champion, one.gain) for one in compare_slices([], PRIMARY, after, others)] == [
        ("best", None, None),
        ("worst", None, None),
    ]


def test_the_slices_are_the_best_the_worst_and_the_one_that_loses_most() -> None:
    before, after = version(1, {}, AA=0.7, UA=0.9, DL=0.6), version(2, {}, AA=0.75, UA=0.8, DL=0.65, ZZ=None)
    found = compare_slices([], PRIMARY, after, before)
    assert [(one.which, one.slice, one.candidate, one.champion) for one in found] == [
        ("best", "carrier=UA", 0.8, 0.9),
        ("worst", "carrier=DL", 0.65, 0.6),
        ("least-gain", "carrier=UA", 0.8, 0.9),
    ]
    assert found[2].gain == pytest.approx(-0.1)


def test_where_less_is_better_the_best_slice_is_the_lowest() -> None:
    metric = ProblemMetric(primary="rmse", direction="min")
    found = compare_slices([], metric, version(2, {}, AA=1.0, UA=2.0), version(1, {}, AA=0.5, UA=2.5))
    assert [(one.which, one.slice) for one in found] == [
        ("best", "carrier=AA"),
        ("worst", "carrier=UA"),
        ("least-gain", "carrier=AA"),
    ]
    assert found[2].gain == -0.5


def test_the_slice_that_a_gate_found_worst_comes_before_that_of_the_records() -> None:
    before, after = version(1, {}, AA=0.7, UA=0.9), version(2, {}, AA=0.75, UA=0.8)
    worst = FACTS | {"slice": "carrier=AA", "rows": 700, "p_harm": None}
    other = said("slice-harm", worst=worst | {"metric": "recall"})
    found = compare_slices([other, said("slice-harm", worst=worst)], PRIMARY, after, before)[-1]
    assert (found.which, found.slice, found.rows, found.low, found.gate) == (
        "least-gain", "carrier=AA", 700, 0.05, "slice-harm",
    )  # fmt: skip


def test_sections_of_cards_differ_by_their_words_alone() -> None:
    before = CardText({"use": "for\nwarnings", "limits": "none", "gone": "x"})
    after = CardText({"new": "y", "limits": "some", "use": "for warnings"})
    assert changed_card_sections(before, after) == {"new": "added", "limits": "changed", "gone": "removed"}
    assert changed_card_sections(after, after) == {}


def test_documents_differ_at_the_paths_that_say_something_else() -> None:
    before = {"columns": {"a": {"min": 0}, "b": {}}, "keys": ["x"], "rows": {"min": 1}}
    after = {"columns": {"a": {"min": 1}, "b": {}, "c": {"max": 2}}, "keys": ["x", "y"], "rows": {"min": 1}}
    assert list(differences(before, after, "")) == [
        ("columns.a.min", 0, 1),
        ("columns.c", None, {"max": 2}),
        ("keys", ["x"], ["x", "y"]),
    ]
    assert list(differences(before, before, "")) == []


# From when on nothing has to wait

SEEN = {"staging": [entry(-10)]}
SOAK = Soak(in_="staging", for_="12h")
NIGHT = ChangeWindow(
    deny=WeeklyHours(days=["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from_="14:00", to="20:00")
)
NEVER = ChangeWindow(deny=WeeklyHours(days=["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))
WAITS: list[tuple[str, dict[str, Any], datetime | None]] = [
    ("nothing", {}, NOW),
    ("soak", {"soak": SOAK}, NOW + 2 * HOUR),
    ("a soak that has not begun", {"soak": Soak(in_="elsewhere", for_="12h")}, None),
    ("a soak that is over", {"soak": Soak(in_="staging", for_="10h")}, NOW),
    ("a soak that breaks unless somebody looks", {"soak": Soak(in_="staging", for_="12h", max_gap="11h")}, None),
    ("a window that is open now", {"windows": [NIGHT]}, NOW),
    ("a window that is closed when the soak is over", {"soak": SOAK, "windows": [NIGHT]}, NOW + 7 * HOUR + 30 * MINUTE),
    ("a window that never opens", {"windows": [NEVER]}, None),
]


@pytest.mark.parametrize(("settings", "moment"), [row[1:] for row in WAITS], ids=[row[0] for row in WAITS])
def test_from_when_on_there_is_nothing_to_wait_for(settings: dict[str, Any], moment: datetime | None) -> None:
    """It is 12:30; the version was seen to be healthy in staging ten hours ago."""
    judged = context(environment=samples.environment(**settings), deployments=SEEN)
    assert earliest_merge(judged, NOW) == moment


def test_a_soak_is_over_at_a_whole_minute() -> None:
    judged = context(
        environment=samples.environment(soak=SOAK), deployments={"staging": [entry(-10, at=NOW + MINUTE / 2)]}
    )
    assert soak_complete_at(judged, NOW + HOUR) == NOW + 12 * HOUR + MINUTE
    assert soak_complete_at(replace(judged, version=None), NOW + HOUR) is None
    assert soak_complete_at(context(deployments=SEEN), NOW) is None
