"""Evidence that was computed before is used for the same content, never instead of it, and never to verify others."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mlgit.domain import layout
from mlgit.edges import installation
from mlgit.edges.cache import FileCache, NoCache
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_gates_flow import FILES, STAGING, lose, policy, record, verdicts

GATES = (
    *FILES,
    "id: data-contract",
    "id: beats-baseline",
    "id: beats-champion",
    "{id: slice-harm, min_rows: 30}",
    "id: leakage",
)


def forge(desk: Desk, change: Callable[[Any], Any]) -> int:
    """Change the cached numbers, as nothing but mlgit does; return how many there are."""
    key = "results in JSON, by the sha256 of all that they depend on"
    with desk.present():  # whose secret the cache needs
        cache = FileCache(desk.root / ".git", installation.digest())
        facts = msgspec.json.decode(cache.get("evidence", key) or b"{}")
        cache.put("evidence", key, msgspec.json.encode({name: change(fact) for name, fact in facts.items()}))
    return len(facts)


def told(desk: Desk) -> dict[str, str]:
    """What each gate says of version 2, in words."""
    return {gate: one["message"] for gate, one in verdicts(desk, f"{MODEL}@2").items()}


def half(fact: Any) -> Any:
    if isinstance(fact, dict):
        return {name: half(value) for name, value in fact.items()}
    return 0.5 if isinstance(fact, float) else fact


def baseline(desk: Desk) -> float:
    return float(verdicts(desk, f"{MODEL}@2")["beats-baseline"]["facts"]["candidate"])


@pytest.fixture
def judged(running: Team) -> Desk:
    """A desk at which version 2 was judged once."""
    running.ana.commit("Ask more of staging", {STAGING: policy(*GATES)})
    verdicts(running.ana, f"{MODEL}@2")
    return running.ana


@pytest.mark.tier("fast")
def test_cached_evidence_gives_the_same_verdicts(judged: Desk) -> None:
    again = told(judged)
    (judged.root / ".git/mlgit/cache/evidence").unlink()
    assert told(judged) == again
    number = baseline(judged)
    assert number != 0.5
    assert forge(judged, half) >= 10
    assert baseline(judged) == 0.5, "the cache was not used"


def test_a_damaged_cache_is_empty(judged: Desk) -> None:
    number = baseline(judged)
    (judged.root / ".git/mlgit/cache/evidence").write_bytes(b"damaged")
    assert baseline(judged) == number
    forge(judged, lambda _: {"no": "such fact"})
    assert baseline(judged) == number


def test_ci_and_whoever_verifies_compute_everything_again(judged: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    judged(f"promote {MODEL}@2 --to staging")
    judged("merge")
    assert forge(judged, half) >= 10
    assert judged(f"gate --verify {MODEL}@2 --json").json["reports"][0]["result"] == "same"
    with judged.present():
        monkeypatch.setenv("CI", "true")
        session = judged.session()
        session.reuse_evidence()
        assert isinstance(session.evidence_cache, NoCache)


def test_content_that_is_gone_or_damaged_is_noticed_before_a_cached_result_is_used(running: Team) -> None:
    ana = running.ana
    ana.commit("Ask more of staging", {STAGING: policy(*GATES)})
    assert {one["outcome"] for one in verdicts(ana, f"{MODEL}@2").values()} == {"pass"}
    stored = next(iter(record(ana, 2)["inputs"]["data"].values()))
    place = ana.root / f".dvc/cache/mlgit/md5/{stored['md5'][:2]}/{stored['md5'][2:]}"
    content = place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(content[:-1] + b"X")
    said = verdicts(ana, f"{MODEL}@2")
    assert (said["data-contract"]["outcome"], said["beats-baseline"]["outcome"]) == ("error", "pass")
    assert said["data-contract"]["facts"]["finding"] == "data-corrupt"
    lose(running, stored)
    assert verdicts(ana, f"{MODEL}@2")["data-contract"]["facts"]["finding"] == "data-missing"


def test_another_contract_is_judged_again(judged: Desk) -> None:
    contract = layout.dataset(next(iter(record(judged, 2)["inputs"]["data"])))
    judged.commit(
        "Ask for more rows", {contract: re.sub(r"rows: \{min: \d+", "rows: {min: 1000000", judged.read(contract))}
    )
    said = verdicts(judged, f"{MODEL}@2")["data-contract"]
    assert (said["outcome"], "at least 1,000,000 required" in said["message"]) == ("fail", True)
