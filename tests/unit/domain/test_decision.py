"""A decision is stale exactly if a record that it depends on differs."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mlgit.domain.codec import digest
from mlgit.domain.decision import changed, decision, read_set
from mlgit.domain.gates import CardComplete
from mlgit.domain.records.dataset import ColumnRule
from tests import samples

PARTS: dict[str, Any] = {
    "manifest": samples.promotion(),
    "report": samples.gate_report(),
    "version": samples.version(2),
    "champion": samples.version(1),
    "policy": samples.policy(),
    "environment": samples.environment(),
    "problem": samples.problem(),
    "model": samples.model(),
    "contracts": {"flights": samples.dataset()},
}
NOW = read_set(**PARTS)


def edited(**changes: Any) -> Callable[[Any], Any]:
    return lambda record: msgspec.structs.replace(record, **changes)


@pytest.mark.parametrize(
    ("part", "edit", "names"),
    [
        ("manifest", edited(reason="later"), ["manifest"]),
        ("report", edited(outcome="fail"), ["report"]),
        ("version", edited(seed=9), ["version"]),
        ("version", edited(card=samples.sha(99)), ["card", "version"]),
        ("champion", edited(seed=9), ["champion"]),
        ("policy", edited(gates=[CardComplete()]), ["policy"]),
        ("environment", edited(after=[]), ["environment"]),
        ("problem", edited(risk="low"), ["problem"]),
        ("model", edited(reads=["lib/"]), ["model"]),
        (
            "contracts",
            lambda all_: {"flights": edited(columns={"a": ColumnRule(type="date")})(all_["flights"])},
            ["contract-flights"],
        ),
        ("contracts", lambda all_: all_ | {"weather": samples.dataset(name="weather")}, ["contract-weather"]),
        ("contracts", lambda _: {}, ["contract-flights"]),
        ("report", lambda _: None, ["report"]),
        ("champion", lambda _: None, ["champion"]),
        ("version", lambda _: None, ["card", "version"]),
    ],
)
def test_a_change_of_any_record_makes_another_decision(part: str, edit: Callable[[Any], Any], names: list[str]) -> None:
    then = read_set(**PARTS | {part: edit(PARTS[part])})
    assert changed(then, NOW) == changed(NOW, then) == names
    assert decision(then) != decision(NOW)


def test_the_number_of_a_version_does_not_matter() -> None:
    renumbered = read_set(**PARTS | {"version": edited(version=77)(PARTS["version"])})
    assert decision(renumbered) == decision(NOW)


def test_a_version_that_was_changed_but_states_its_old_digest_is_another() -> None:
    better = edited(evaluation=edited(metrics={"roc_auc": 0.99})(PARTS["version"].evaluation))(PARTS["version"])
    assert better.digest == PARTS["version"].digest
    for part in ("version", "champion"):
        assert changed(NOW, read_set(**PARTS | {part: better}))


def test_the_order_of_contracts_does_not_matter() -> None:
    contracts = {name: samples.dataset(name=name) for name in ("b", "a")}
    turned = dict(reversed(contracts.items()))
    assert decision(read_set(**PARTS | {"contracts": contracts})) == decision(read_set(**PARTS | {"contracts": turned}))


def test_the_read_set_has_the_digest_of_each_record() -> None:
    assert NOW["policy"] == digest(PARTS["policy"])
    assert NOW["version"] == PARTS["version"].digest
    assert changed(NOW, NOW) == []
    without = read_set(**PARTS | {"report": None, "version": None, "champion": None})
    assert [name for name in without if without[name] is None] == ["report", "version", "card", "champion"]
