"""Stateful property test: mlgit accepts exactly the commands that a small model in memory accepts, and audits agree.

The model has the desired version of each environment, open promotions, approvals, and the versions that the ledger has verified.
Each command is run on a real repository. Afterwards every change of a valid history is PROVEN; if somebody changed files with Git
alone, the audit finds it.

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
# Any gate will do; this one needs no data.
_POLICY = """\
kind: policy
schema: 1
name: {name}
gates: [{{id: size}}]
approvals: {{promote: {{min: {needed}}}, rollback: {{min: {needed}}}}}
evidence: {evidence}
"""

environment_names = st.sampled_from(_ENVIRONMENTS)
versions = st.sampled_from([1, 2, 3])
reviewers = st.sampled_from(_REVIEWERS)


class OpenPromotion(msgspec.Struct):
    """A promotion that is not merged: its version, kind, the number of changes before it, and who approved it."""

    version: int
    change: str
    since: int
    approvers: set[str]


class EnvironmentState(msgspec.Struct):
    """The state of an environment in the model."""

    desired: int | None = None
    changes: int = 0
    running: int | None = None
    verified: list[int] = []
    open: OpenPromotion | None = None


class Histories(RuleBasedStateMachine):
    """A team at work."""

    scene: Callable[[], Team]

    def __init__(self) -> None:
        super().__init__()
        self.team = type(self).scene()
        self.environments = {name: EnvironmentState() for name in _ENVIRONMENTS}
        self.held: set[tuple[str, int]] = set()
        self.clean = True

    def teardown(self) -> None:
        shutil.rmtree(self.team.folder)

    @initialize()
    def begin(self) -> None:
        self.team.ana.commit(
            "Configure staging and production",
            {
                "policies/staging.yaml": _POLICY.format(name="staging", needed=0, evidence="none"),
                "policies/production.yaml": _POLICY.format(name="production", needed=1, evidence="signed"),
            },
        )

    # What people do with mlgit

    @precondition(lambda self: self.clean)
    @rule(version=versions, environment=environment_names)
    def promote(self, version: int, environment: str) -> None:
        state = self.environments[environment]
        first = self.environments["staging"]
        in_order = environment == "staging" or first.desired == version
        is_verified = environment == "staging" or first.running == version
        answer = self.team.ana(f"promote {MODEL}@{version} --to {environment}")
        if in_order and state.desired == version:
            _is(answer, 0)
        elif not in_order:
            _is(answer, 1, "environment-skipped")
        elif (environment, version) in self.held:
            _is(answer, 1, "version-held")
        elif not is_verified and answer.code == 1:
            _is(answer, 1, "upstream-environment-unverified")
        else:
            _is(answer, 0)
            if not self._is_proposed(environment, version, "promote"):
                state.open = OpenPromotion(version, "promote", state.changes, set())

    @precondition(lambda self: self.clean)
    @rule(environment=environment_names)
    def roll_back(self, environment: str) -> None:
        state = self.environments[environment]
        others = [version for version in state.verified if version != state.desired]
        answer = self.team.ana(f"rollback {environment}/{MODEL} --reason INC-7")
        if state.desired is None:
            _is(answer, 1)
        elif not others:
            _is(answer, 1, "rollback-version-missing")
        elif (environment, others[-1]) in self.held and answer.code == 1:
            _is(answer, 1)  # the model does not say whether an older one is used instead
        else:
            _is(answer, 0)
            back = int(self._proposed(environment))
            assert back in others
            assert (environment, back) not in self.held
            if not self._is_proposed(environment, back, "rollback"):
                state.open = OpenPromotion(back, "rollback", state.changes, set())

    @precondition(lambda self: self.clean)
    @rule(environment=environment_names, name=st.sampled_from(["ana", *_REVIEWERS]))
    def approve(self, environment: str, name: str) -> None:
        state = self.environments[environment]
        answer = self._desk(name)(f"approve {environment}/{MODEL}")
        if state.open is None or not self._is_mergeable(environment):
            _is(answer, 1)
        elif name == "ana":
            _is(answer, 1, "approver-excluded")
        else:
            _is(answer, 0)
            state.open.approvers.add(name)

    @precondition(lambda self: self.clean)
    @rule(environment=environment_names)
    def merge(self, environment: str) -> None:
        state = self.environments[environment]
        assume(state.open is not None)
        promotion = state.open
        assert promotion is not None
        needed = 1 if environment == "production" else 0
        answer = self.team.ana(f"merge {environment}/{MODEL}")
        if not self._is_mergeable(environment) or len(promotion.approvers) < needed:
            _is(answer, 1)
            return
        _is(answer, 0)
        if promotion.change == "rollback" and state.desired is not None:
            self.held.add((environment, state.desired))
        state.desired, state.open, state.changes = promotion.version, None, state.changes + 1

    @precondition(lambda self: self.clean)
    @rule()
    def apply(self) -> None:
        _is(self.team.ana("apply"), 0)
        for state in self.environments.values():
            if state.desired is not None and state.running != state.desired:
                state.running = state.desired
                state.verified.append(state.desired)

    @precondition(lambda self: self.clean)
    @rule(version=versions, environment=environment_names, back=st.booleans())
    def promote_and_apply(self, version: int, environment: str, back: bool) -> None:
        """Run all steps in a row, which independent steps rarely do."""
        if back:
            self.roll_back(environment)
        else:
            self.promote(version, environment)
        if self.environments[environment].open is not None:
            self.approve(environment, "ben")
            self.merge(environment)
        self.apply()

    @precondition(lambda self: self.clean and self.held)
    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        environment, version = data.draw(st.sampled_from(sorted(self.held)))
        answer = self.team.ana(f"hold lift {environment}/{MODEL}@{version} --reason mended")
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

    # What people do with Git alone

    @precondition(lambda self: self.clean and self.environments["production"].desired is not None)
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

    @precondition(lambda self: self.clean and self.environments["staging"].desired is not None)
    @rule()
    def edit_a_version(self) -> None:
        path = f"models/{MODEL}/versions/v1/version.json"
        self.team.ana.commit("A better number", {path: self.team.ana.read(path).replace('"seed": ', '"seed": 1')})
        self.clean = False

    @precondition(lambda self: self.clean and self.environments["production"].desired is not None)
    @rule()
    def take_a_promotion_back(self) -> None:
        path = f"environments/production/{MODEL}.yaml"
        last = self.team.ana.git("log", "-1", "--first-parent", "--format=%H", "--", path)
        before = self.team.ana.git("show", f"{last}^:{path}") if self.environments["production"].changes > 1 else None
        assume(before is not None)
        assert before is not None
        self.team.ana.commit("Revert it", {path: f"{before}\n"})
        self.clean = False

    # Invariants

    @invariant()
    def champions_are_those_of_the_model(self) -> None:
        if not self.clean:
            return
        rows = self.team.ana.does("status --json").json["rows"]
        for row in rows:
            assert row["champion"] == f"{MODEL}@{self.environments[row['environment']].desired}"
        assert len(rows) == sum(state.desired is not None for state in self.environments.values())

    @invariant()
    def the_audit_distinguishes_valid_from_invalid_histories(self) -> None:
        answer = self.team.cara("audit --no-cache --json")
        verdicts = [change["verdict"] for change in answer.json["changes"]]
        if self.clean:
            assert answer.code == 0, answer.text
            assert set(verdicts) <= {"PROVEN", "UNAPPROVED"}
            assert len(verdicts) == sum(state.changes for state in self.environments.values())
        else:
            assert answer.code == 1, answer.text

    # Helpers

    def _desk(self, name: str) -> Desk:
        desk = getattr(self.team, name)
        assert isinstance(desk, Desk)
        return desk

    def _proposed(self, environment: str) -> str:
        branch = f"mlgit/promote/{environment}/{MODEL}"
        text = self.team.ana.show(branch, f"environments/{environment}/{MODEL}.yaml")
        return next(line.split(": ")[1] for line in text.splitlines() if line.strip().startswith("version:"))

    def _is_proposed(self, environment: str, version: int, change: str) -> bool:
        """Return whether the same promotion is open already, and can be merged when it is approved."""
        promotion = self.environments[environment].open
        same = promotion is not None and (promotion.version, promotion.change) == (version, change)
        return same and self._is_mergeable(environment)

    def _is_mergeable(self, environment: str) -> bool:
        """Return whether an open promotion lacks nothing but approvals."""
        state, first = self.environments[environment], self.environments["staging"]
        promotion = state.open
        if promotion is None or promotion.since != state.changes or (environment, promotion.version) in self.held:
            return False
        if promotion.change == "rollback" or environment == "staging":
            return True
        return first.desired == promotion.version == first.running


def _line(text: str, start: str) -> int:
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines) if line.startswith(start)), len(lines))


def _is(answer: Answer, code: int, finding: str | None = None) -> None:
    assert answer.code == code, answer.text
    assert finding is None or finding in answer.ids, answer.text


@pytest.mark.tier("check")
def test_histories_follow_the_model(scenes: Path, tmp_path: Path) -> None:
    _run_histories(scenes, tmp_path, _SHORT)


@pytest.mark.tier("thorough")
def test_long_histories_follow_the_model(scenes: Path, tmp_path: Path) -> None:
    _run_histories(scenes, tmp_path, _LONG)


_SHORT = settings(max_examples=6, stateful_step_count=18, derandomize=True, phases=[Phase.generate])
_LONG = settings(max_examples=100, stateful_step_count=40, derandomize=False, phases=[Phase.generate, Phase.shrink])


def _run_histories(scenes: Path, tmp_path: Path, extent: settings) -> None:
    started = 0

    def scene() -> Team:
        nonlocal started
        started += 1
        folder = tmp_path / str(started)
        shutil.copytree(scenes / "registered", folder, symlinks=True)
        team = Team.at(folder, keys=scenes / "keys")
        return team.__enter__()

    machine: Any = type("Machine", (Histories,), {"scene": staticmethod(scene)})
    run_state_machine_as_test(
        machine,
        settings=settings(extent, deadline=None, suppress_health_check=list(HealthCheck)),
    )
