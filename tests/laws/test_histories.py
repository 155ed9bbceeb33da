"""Whatever people do with mlgit, in whatever order, happens as a small model in memory says; and the audit says so too.

The model knows versions, who wants what where, who agreed and what the ledger has seen. Each command runs for real, on a
real repository, and has to be let in exactly where the model lets it in. Afterwards every change of a legal history is
PROVEN; of one to which somebody laid hands beside mlgit, not all are.

`make check` tries a few short histories, the same each time; `make thorough` many long ones, others each time.
"""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.flows.builder import MODEL
from tests.flows.people import Answer, Desk, Team

_ENVIRONMENTS = ("staging", "production")
_REVIEWERS = ("ben", "cara")
# Which gates there are makes no difference to the order of things; this one is judged in no time.
_POLICY = """\
kind: policy
schema: 1
name: {name}
gates: [{{id: size}}]
approvals: {{promote: {{min: {needed}}}, rollback: {{min: {needed}}}}}
evidence: {evidence}
"""

environments = st.sampled_from(_ENVIRONMENTS)
versions = st.sampled_from([1, 2, 3])
reviewers = st.sampled_from(_REVIEWERS)


class Waiting(msgspec.Struct):
    """A proposal that nobody has merged: what it wants, and since which change it has been meant."""

    version: int
    change: str
    since: int
    agreed: set[str]


class Place(msgspec.Struct):
    """What the model knows of an environment."""

    wanted: int | None = None
    changes: int = 0
    running: int | None = None
    verified: list[int] = []
    waiting: Waiting | None = None


class Histories(RuleBasedStateMachine):
    """A team at work."""

    scene: Callable[[], Team]

    def __init__(self) -> None:
        super().__init__()
        self.team = type(self).scene()
        self.places = {name: Place() for name in _ENVIRONMENTS}
        self.held: set[tuple[str, int]] = set()
        self.clean = True

    def teardown(self) -> None:
        shutil.rmtree(self.team.folder)

    @initialize()
    def begin(self) -> None:
        self.team.ana.commit(
            "Say what staging and production ask for",
            {
                "policies/staging.yaml": _POLICY.format(name="staging", needed=0, evidence="none"),
                "policies/production.yaml": _POLICY.format(name="production", needed=1, evidence="signed"),
            },
        )

    # What people do with mlgit

    @precondition(lambda self: self.clean)
    @rule(version=versions, environment=environments)
    def promote(self, version: int, environment: str) -> None:
        place = self.places[environment]
        first = self.places["staging"]
        in_order = environment == "staging" or first.wanted == version
        seen = environment == "staging" or first.running == version
        answer = self.team.ana(f"promote {MODEL}@{version} --to {environment}")
        if in_order and place.wanted == version:
            _is(answer, 0)
        elif not in_order:
            _is(answer, 1, "environment-skipped")
        elif (environment, version) in self.held:
            _is(answer, 1, "version-held")
        elif not seen and answer.code == 1:
            _is(answer, 1, "upstream-environment-unverified")
        else:
            _is(answer, 0)
            if not self._stands(environment, version, "promote"):
                place.waiting = Waiting(version, "promote", place.changes, set())

    @precondition(lambda self: self.clean)
    @rule(environment=environments)
    def roll_back(self, environment: str) -> None:
        place = self.places[environment]
        others = [version for version in place.verified if version != place.wanted]
        answer = self.team.ana(f"rollback {environment}/{MODEL} --reason INC-7")
        if place.wanted is None:
            _is(answer, 1)
        elif not others:
            _is(answer, 1, "rollback-version-missing")
        elif (environment, others[-1]) in self.held and answer.code == 1:
            _is(answer, 1)  # whether an older one is looked for is not this model's to say
        else:
            _is(answer, 0)
            back = int(self._proposed(environment))
            assert back in others
            assert (environment, back) not in self.held
            if not self._stands(environment, back, "rollback"):
                place.waiting = Waiting(back, "rollback", place.changes, set())

    @precondition(lambda self: self.clean)
    @rule(environment=environments, name=st.sampled_from(["ana", *_REVIEWERS]))
    def approve(self, environment: str, name: str) -> None:
        place = self.places[environment]
        answer = self._desk(name)(f"approve {environment}/{MODEL}")
        if place.waiting is None or not self._holds(environment):
            _is(answer, 1)
        elif name == "ana":
            _is(answer, 1, "approver-excluded")
        else:
            _is(answer, 0)
            place.waiting.agreed.add(name)

    @precondition(lambda self: self.clean)
    @rule(environment=environments)
    def merge(self, environment: str) -> None:
        place = self.places[environment]
        assume(place.waiting is not None)
        waiting = place.waiting
        assert waiting is not None
        needed = 1 if environment == "production" else 0
        answer = self.team.ana(f"merge {environment}/{MODEL}")
        if not self._holds(environment) or len(waiting.agreed) < needed:
            _is(answer, 1)
            return
        _is(answer, 0)
        if waiting.change == "rollback" and place.wanted is not None:
            self.held.add((environment, place.wanted))
        place.wanted, place.waiting, place.changes = waiting.version, None, place.changes + 1

    @precondition(lambda self: self.clean)
    @rule()
    def apply(self) -> None:
        _is(self.team.ana("apply"), 0)
        for place in self.places.values():
            if place.wanted is not None and place.running != place.wanted:
                place.running = place.wanted
                place.verified.append(place.wanted)

    @precondition(lambda self: self.clean)
    @rule(version=versions, environment=environments, back=st.booleans())
    def bring(self, version: int, environment: str, back: bool) -> None:
        """All of it in a row, which single steps seldom are."""
        if back:
            self.roll_back(environment)
        else:
            self.promote(version, environment)
        if self.places[environment].waiting is not None:
            self.approve(environment, "ben")
            self.merge(environment)
        self.apply()

    @precondition(lambda self: self.clean and self.held)
    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        environment, version = data.draw(st.sampled_from(sorted(self.held)))
        answer = self.team.ana(f"hold lift {environment}/{MODEL}-v{version} --reason mended")
        _is(answer, 0)
        branch = next(line for line in self.team.ana.git("branch", "--list", "mlgit/hold/*").split() if "/" in line)
        self.team.ben.git("merge", "--quiet", "--no-edit", branch)
        self.team.ben.git("branch", "--quiet", "-D", branch)
        self.held.discard((environment, version))

    @rule(hours=st.integers(1, 100))
    def wait(self, hours: int) -> None:
        self.team.now.wait(timedelta(hours=hours))

    @precondition(lambda self: self.clean)
    @rule()
    def work_on(self) -> None:
        self.team.ben.commit("Write something down", {"notes.md": f"{self.team.now.moment}\n"})

    # What people do beside it

    @precondition(lambda self: self.clean and self.places["production"].wanted is not None)
    @rule(version=versions)
    def write_a_manifest(self, version: int) -> None:
        path = f"environments/production/{MODEL}.yaml"
        before = self.team.ana.read(path)
        digest = msgspec.json.decode(self.team.ana.read(f"models/{MODEL}/versions/v{version}/version.json"))["digest"]
        lines = [
            f"    version: {version}"
            if line.strip().startswith("version:") and number < _line(before, "replaces:")
            else line
            for number, line in enumerate(before.splitlines())
        ]
        lines = [
            f"    digest: {digest}"
            if line.strip().startswith("digest:") and number < _line(before, "replaces:")
            else line
            for number, line in enumerate(lines)
        ]
        after = "\n".join(lines) + "\n"
        assume(after != before)
        self.team.ana.commit("Just run it", {path: after})
        self.clean = False

    @precondition(lambda self: self.clean and self.places["staging"].wanted is not None)
    @rule()
    def edit_a_version(self) -> None:
        path = f"models/{MODEL}/versions/v1/version.json"
        self.team.ana.commit("A better number", {path: self.team.ana.read(path).replace('"seed": ', '"seed": 1')})
        self.clean = False

    @precondition(lambda self: self.clean and self.places["production"].wanted is not None)
    @rule()
    def take_a_promotion_back(self) -> None:
        path = f"environments/production/{MODEL}.yaml"
        last = self.team.ana.git("log", "-1", "--first-parent", "--format=%H", "--", path)
        before = self.team.ana.git("show", f"{last}^:{path}") if self.places["production"].changes > 1 else None
        assume(before is not None)
        assert before is not None
        self.team.ana.commit("Revert it", {path: f"{before}\n"})
        self.clean = False

    # What has to be so at any time

    @invariant()
    def what_is_merged_is_what_the_model_says(self) -> None:
        if not self.clean:
            return
        rows = self.team.ana.does("status --json").json["rows"]
        for row in rows:
            assert row["champion"] == f"{MODEL}@{self.places[row['environment']].wanted}"
        assert len(rows) == sum(place.wanted is not None for place in self.places.values())

    @invariant()
    def the_audit_tells_legal_from_illegal(self) -> None:
        answer = self.team.cara("audit --full --json")
        verdicts = [change["verdict"] for change in answer.json["changes"]]
        if self.clean:
            assert answer.code == 0, answer.text
            assert set(verdicts) <= {"PROVEN"}
            assert len(verdicts) == sum(place.changes for place in self.places.values())
        else:
            assert answer.code == 1, answer.text

    # How the model knows

    def _desk(self, name: str) -> Desk:
        desk = getattr(self.team, name)
        assert isinstance(desk, Desk)
        return desk

    def _proposed(self, environment: str) -> str:
        branch = f"mlgit/promote/{environment}/{MODEL}"
        text = self.team.ana.show(branch, f"environments/{environment}/{MODEL}.yaml")
        return next(line.split(": ")[1] for line in text.splitlines() if line.strip().startswith("version:"))

    def _stands(self, environment: str, version: int, change: str) -> bool:
        """Whether just this is proposed already, and still could be merged once people agreed."""
        waiting = self.places[environment].waiting
        same = waiting is not None and (waiting.version, waiting.change) == (version, change)
        return same and self._holds(environment)

    def _holds(self, environment: str) -> bool:
        """Whether nothing but missing approvals stands against what waits."""
        place, first = self.places[environment], self.places["staging"]
        waiting = place.waiting
        if waiting is None or waiting.since != place.changes or (environment, waiting.version) in self.held:
            return False
        if waiting.change == "rollback" or environment == "staging":
            return True
        return first.wanted == waiting.version == first.running


def _line(text: str, start: str) -> int:
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines) if line.startswith(start)), len(lines))


def _is(answer: Answer, code: int, finding: str | None = None) -> None:
    assert answer.code == code, answer.text
    assert finding is None or finding in answer.ids, answer.text


@pytest.mark.tier("check")
def test_every_history_is_told_as_it_was(scenes: Path, tmp_path: Path) -> None:
    _try_histories(scenes, tmp_path, _SHORT)


@pytest.mark.tier("thorough")
def test_every_long_history_is_told_as_it_was(scenes: Path, tmp_path: Path) -> None:
    _try_histories(scenes, tmp_path, _LONG)


_SHORT = settings(max_examples=6, stateful_step_count=18, derandomize=True, phases=[Phase.generate])
_LONG = settings(max_examples=100, stateful_step_count=40, derandomize=False, phases=[Phase.generate, Phase.shrink])


def _try_histories(scenes: Path, tmp_path: Path, extent: settings) -> None:
    begun = 0

    def scene() -> Team:
        nonlocal begun
        begun += 1
        folder = tmp_path / str(begun)
        shutil.copytree(scenes / "registered", folder, symlinks=True)
        team = Team.at(folder, keys=scenes / "keys")
        return team.__enter__()

    machine: Any = type("Machine", (Histories,), {"scene": staticmethod(scene)})
    run_state_machine_as_test(
        machine,
        settings=settings(extent, deadline=None, suppress_health_check=list(HealthCheck)),
    )
