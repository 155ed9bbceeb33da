"""Checks of the doctor whose answers depend on more than files: keys, the forge, the machine."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from mlgit.domain.forge import BranchRules
from mlgit.domain.ruleset import VERDICT
from mlgit.edges.ssh import signers
from mlgit.errors import Exit, inconclusive, refused
from mlgit.ops import doctor
from mlgit.ops.doctor import flows, forge, person, rules
from mlgit.ops.doctor.subject import RemoteSettings, Subject
from tests import samples
from tests.unit.ops.projects import FORMATS, state, yaml

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRyaW5rIG1lIGFuZCBncm93IHVwLCBzYWlkIHRoZSBi"
GUARDED = BranchRules(
    required_checks=[VERDICT],
    strict_checks=True,
    reviews=2,
    code_owners=True,
    dismisses_stale=True,
    last_push_approved=True,
    force_push=False,
    deletion=False,
    bypass=(),
)


class Forge:
    """A forge that tells what it was given to tell."""

    name = "github"
    repository = "acme/churn"

    def __init__(self, told: Any, may: Mapping[str, str] = {}) -> None:
        self._told = told
        self._may = may

    def rules(self, branch: str) -> BranchRules:
        if isinstance(self._told, Exception):
            raise self._told
        return self._told

    def me(self) -> str | None:
        return "ana"

    def permissions(self) -> Mapping[str, str]:
        return self._may


class Machine:
    """A machine on which all is well, but for the file of signers that it is given."""

    approvals = signers.APPROVALS

    def lines_of_key(self, content: bytes) -> tuple[str, Sequence[signers.Signer]]:
        lines = signers.parse(content, "signers").signers
        return "SHA256:abc", lines

    def remote(self, name: str) -> RemoteSettings:
        return RemoteSettings("folder", verifies=True, committed=())


def subject(files: Mapping[str, bytes] = {}, *, told: Any = None, shipped: Mapping[str, bytes] = {}) -> Subject:
    """Return the healthy project, at a forge where rules are told, with some files replaced."""
    kind = "none" if told is None else "github"
    project = {"mlgit.yaml": yaml(samples.project(forge=kind))}

    workspace: Any = SimpleNamespace(
        forge=lambda: Forge(told),
        formats=FORMATS,
        clock=SimpleNamespace(now=lambda: NOW),
        repository=SimpleNamespace(root="/somewhere", identity=lambda: ("Ana", ADDRESS)),
    )
    made = Subject(workspace, Machine(), shipped)  # type: ignore[arg-type]
    made.base = ("main", state(project | dict(files)))  # type: ignore[misc]
    return made


ADDRESS = next(iter(samples.roles().people.values())).emails[0]


def ids(said: doctor.Said) -> list[str]:
    return [finding.id for finding in said.findings]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f'{ADDRESS} namespaces="git,mlgit-approval" {KEY}', None),
        (f"{ADDRESS} {KEY}", None),
        (f'{ADDRESS} namespaces="git" {KEY}', "may not sign approvals"),
        (f'{ADDRESS} valid-before="20260228Z" {KEY}', "is not valid now"),
        (f'{ADDRESS} valid-after="20260302Z" {KEY}', "is not valid now"),
        (f"{ADDRESS},x@elsewhere.example {KEY}", None),
        (f"x@elsewhere.example {KEY}", "an address of nobody"),
    ],
)
def test_a_key_counts_where_its_line_is_the_persons_for_approvals_and_valid(line: str, said: str | None) -> None:
    found = person.signing_key(subject({".mlgit/allowed_signers": f"{line}\n".encode()}))
    if said is None:
        assert ids(found) == []
    else:
        assert set(ids(found)) == {"key-unfit"}
        assert any(said in finding.message for finding in found.findings)


def test_one_line_of_a_key_that_holds_is_enough() -> None:
    lines = f'{ADDRESS} valid-before="20260101Z" {KEY}\n{ADDRESS} valid-after="20260101Z" {KEY}\n'
    assert ids(person.signing_key(subject({".mlgit/allowed_signers": lines.encode()}))) == []


def test_a_forge_that_guards_both_branches_is_well() -> None:
    guarded = subject(told=GUARDED)
    assert ids(forge.base_rules(guarded)) == ids(forge.ledger_rules(guarded)) == []
    assert forge.base_rules(guarded).what == "main is guarded"


def test_rules_that_lack_and_rules_that_are_not_told_are_two_things() -> None:
    lacking = forge.base_rules(subject(told=msgspec.structs.replace(GUARDED, force_push=True)))
    assert ids(lacking) == ["branch-unprotected"]
    assert not lacking.unjudged
    hidden = forge.base_rules(subject(told=msgspec.structs.replace(GUARDED, bypass=None)))
    assert ids(hidden) == ["rules-untold"]
    assert hidden.unjudged


@pytest.mark.parametrize(
    ("told", "state_"),
    [
        (GUARDED, "well"),
        (msgspec.structs.replace(GUARDED, strict_checks=False), "warning"),
        (msgspec.structs.replace(GUARDED, deletion=True, bypass=None), "error"),
        (msgspec.structs.replace(GUARDED, bypass=None), "unjudged"),
        (inconclusive("forge-unreachable", "the forge does not answer"), "unjudged"),
        (refused("forge-refused", "this token may not"), "unjudged"),
    ],
)
def test_an_answer_that_is_not_there_is_not_taken_for_a_good_one(told: Any, state_: str) -> None:
    checked, _ = doctor._check(subject(told=told), "base-rules")
    assert checked.state == state_


def test_an_error_is_graver_than_a_question_left_open() -> None:
    def diagnosis(*states: Any) -> doctor.Diagnosis:
        checks = [doctor.Checked(check="x", group="machine", state=one, what="") for one in states]
        return doctor.Diagnosis(checks=checks)

    assert diagnosis("well", "warning").exit is Exit.YES
    assert diagnosis("well", "unjudged").exit is Exit.UNJUDGED
    assert diagnosis("unjudged", "error").exit is Exit.NO


def test_shipped_workflows_are_asked_for_only_at_a_forge() -> None:
    path, content = ".github/workflows/mlgit-validate.yaml", b"on: push\n"
    assert ids(flows.shipped(subject(shipped={path: content}))) == []
    assert ids(flows.shipped(subject(told=GUARDED, shipped={path: content}))) == ["workflow-differs"]
    assert ids(flows.shipped(subject({path: b"on: pull_request\n"}, told=GUARDED, shipped={path: content}))) == [
        "workflow-differs"
    ]
    assert ids(flows.shipped(subject({path: content}, told=GUARDED, shipped={path: content}))) == []


def test_a_forge_without_the_verdict_is_told() -> None:
    assert ids(flows.safe(subject(told=GUARDED))) == ["verdict-missing"]
    job = b'on: push\njobs: {one: {name: "mlgit/verdict"}}\n'
    assert ids(flows.safe(subject({".github/workflows/a.yaml": job}, told=GUARDED))) == []


def test_owners_are_asked_for_only_at_a_forge() -> None:
    assert ids(rules.owners(subject())) == []
    assert ids(rules.owners(subject(told=GUARDED))) == ["codeowners-missing"]


def test_owners_of_every_rule_who_are_known_are_well() -> None:
    assert ids(rules.owners(subject({"CODEOWNERS": f"* {ADDRESS} @acme/risk\n".encode()}))) == []


def test_a_new_policy_needs_an_owner_too() -> None:
    text = f"* {ADDRESS}\n/policies/\n/policies/production.yaml {ADDRESS}\n".encode()
    (uncovered,) = rules.owners(subject({"CODEOWNERS": text})).findings
    assert uncovered.message == "policies/ has no owner"


def test_every_check_has_an_id_and_says_what_it_looks_at() -> None:
    assert all(check.__doc__ for _, check in doctor.CHECKS.values())
