"""Facts are found by everything that they depend on, and the newest are kept."""

from pathlib import Path

import msgspec
import pytest

from mlgit.domain.results import DatasetCheck
from mlgit.edges import installation
from mlgit.edges.cache import FileCache, NoCache
from mlgit.ops.evaluation import facts
from mlgit.ops.evaluation.facts import Facts, fact_key


class Kept:
    """A cache in memory."""

    def __init__(self) -> None:
        self.content: bytes | None = None

    def get(self, name: str, key: str) -> bytes | None:
        return self.content

    def put(self, name: str, key: str, content: bytes) -> None:
        self.content = content


def test_a_fact_is_found_by_the_next_command() -> None:
    cache = Kept()
    known = Facts(cache)
    assert known.find(float, "key") is None
    known.add("key", 0.1 + 0.2)
    assert known.find(float, "key") == 0.1 + 0.2
    known.save()
    assert Facts(cache).find(float, "key") == 0.1 + 0.2
    assert Facts(NoCache()).find(float, "key") is None


def test_what_does_not_fit_its_type_is_not_known() -> None:
    cache = Kept()
    known = Facts(cache)
    known.add("key", {"rows": "many"})
    known.save()
    assert Facts(cache).find(DatasetCheck, "key") is None


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b'{"key": }'])
def test_a_damaged_cache_is_empty(content: bytes) -> None:
    cache = Kept()
    cache.content = content
    assert Facts(cache).find(float, "key") is None


def test_the_facts_that_were_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_MAX_FACTS", 3)
    cache = Kept()
    for number in range(4):
        known = Facts(cache)
        known.find(float, "0")
        known.add(str(number), float(number))
        known.save()
    assert set(msgspec.json.decode(cache.content or b"")) == {"0", "2", "3"}


def test_a_fact_of_great_size_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_MAX_SIZE", 10)
    known = Facts(Kept())
    known.add("key", ["x"] * 10)
    assert known.find(list[str], "key") is None


@pytest.mark.parametrize(
    "other",
    [
        ("b", ["sha256:1", None], [1]),
        ("a", ["sha256:2", None], [1]),
        ("a", ["sha256:1", None], [2]),
        ("a", [None, "sha256:1"], [1]),
    ],
)
def test_every_input_is_in_the_key(other: tuple[str, list[str | None], list[int]]) -> None:
    assert fact_key("a", ["sha256:1", None], [1]) != fact_key(*other)


def test_another_program_finds_nothing(tmp_path: Path) -> None:
    FileCache(tmp_path, "one").put("evidence", "key", b"content")
    assert FileCache(tmp_path, "one").get("evidence", "key") == b"content"
    assert FileCache(tmp_path, "other").get("evidence", "key") is None
    assert installation.digest() == installation.digest()
