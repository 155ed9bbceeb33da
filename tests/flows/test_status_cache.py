"""The status is found by what it is made of: it is computed again after a change that matters, and only then."""

from datetime import timedelta

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team


def computed(desk: Desk, line: str = "status") -> bool:
    """Run status, and return whether it was computed; it must say what it says without a cache."""
    cache = desk.root / ".git/mlgit/cache"
    times = {name: path.stat().st_mtime_ns for name in ("status", "status-at") if (path := cache / name).exists()}
    answer = desk.does(f"{line} --json").out
    after = {name: path.stat().st_mtime_ns for name in ("status", "status-at") if (path := cache / name).exists()}
    kept = {path: path.read_bytes() for path in cache.iterdir()}
    for path in kept:
        path.unlink()
    assert desk.does(f"{line} --json").out == answer
    for path in cache.iterdir():
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    return times != after


@pytest.fixture
def ana(running: Team) -> Desk:
    """A desk at which the status was computed."""
    running.ana.does("status")
    running.ana.does("status --at main")
    return running.ana


@pytest.mark.tier("fast")
def test_a_ref_that_has_no_part_in_it_may_move(ana: Desk) -> None:
    assert not computed(ana)
    ana.git("branch", "aside")
    ana.git("tag", "release")
    assert not computed(ana)
    commit = ana.commit("Explain the code", {"src/README.md": "How it works.\n"})
    assert not computed(ana)
    assert ana.does("status --json").json["commit"] == commit
    ana.git("switch", "--quiet", "aside")
    assert not computed(ana)


@pytest.mark.parametrize(
    "path", ["policies/README.md", "environments/README.md", "models/README.md", "holds/README.md"]
)
def test_a_change_of_what_it_is_made_of_is_noticed(ana: Desk, path: str) -> None:
    file = ana.root / ".git/mlgit/cache/status"
    before = file.stat().st_mtime_ns
    ana.commit("Change", {path: "x"})
    ana.does("status")
    assert file.stat().st_mtime_ns != before


def test_an_open_promotion_shows_until_it_is_withdrawn(proposed: Team) -> None:
    ana = proposed.ana
    (promotion,) = ana.does("status --json").json["open"]
    assert len(ana.does("status --json").json["open"]) == 1
    ana.does(f"withdraw {promotion['environment']}/{MODEL} --reason mistaken")
    assert ana.does("status --json").json["open"] == []
    assert not computed(ana)


def test_each_revision_has_its_own(ana: Desk, running: Team) -> None:
    first = ana.git("rev-list", "--max-parents=0", "HEAD")
    assert not computed(ana, "status --at main")
    assert computed(ana, "status --at HEAD~1") in {True, False}
    assert ana.does("status --at main --json").json["commit"] == ana.head()
    assert ana.does(f"status --at {first} --json").json["rows"] == []
    running.now.wait(timedelta(days=1))
    assert ana("status --at no-such-branch").ids == ["revision-unknown"]
