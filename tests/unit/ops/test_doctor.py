"""Checks of the doctor that depend on more than files: keys, the forge, the machine."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from mlgit.domain.branch_protection import VERDICT_CHECK
from mlgit.domain.forge import BranchRules
from mlgit.edges.ssh import signers
from mlgit.errors import Exit, inconclusive, refused
from mlgit.ops import doctor
from mlgit.ops.doctor import forge, person, rules, workflows
from mlgit.ops.doctor.context import CheckResult, DoctorContext, RemoteSettings
from tests import samples
from tests.unit.ops.projects import FORMATS, state, yaml

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRyaW5rIG1lIGFuZCBncm93IHVwLCBzYWlkIHRoZSBi"
GUARDED = BranchRules(
    required_checks=[VERDICT_CHECK],
    strict_checks=True,
    required_reviews=2,
    code_owner_review=True,
    dismiss_stale_reviews=True,
    last_push_approval=True,
    allow_force_push=False,
    allow_deletion=False,
    bypass_actors=(),
)


class Forge:
    """A forge with the given rules, or that raises the given error."""

    name = "github"
    repository = "acme/churn"

    def __init__(self, branch_rules: Any, may: Mapping[str, str] = {}) -> None:
        self._branch_rules = branch_rules
        self._may = may

    def branch_rules(self, branch: str) -> BranchRules:
        if isinstance(self._branch_rules, Exception):
            raise self._branch_rules
        return self._branch_rules

    def token_login(self) -> str | None:
        return "ana"

    def permissions(self) -> Mapping[str, str]:
        return self._may


class Machine:
    """A machine on which everything is in order, except for the given allowed-signers file."""

    def lines_of_key(self, content: bytes) -> tuple[str, Sequence[signers.Signer]]:
        lines = signers.parse(content, "signers").signers
        return "SHA256:abc", lines

    def remote(self, name: str) -> RemoteSettings:
        return RemoteSettings("folder", verifies=True, committed=())


def context(
    files: Mapping[str, bytes] = {}, *, branch_rules: Any = None, shipped: Mapping[str, bytes] = {}
) -> DoctorContext:
    """Return the healthy project, at a forge if it has branch rules, with some files replaced."""
    kind = "none" if branch_rules is None else "github"
    project = {"mlgit.yaml": yaml(samples.project(forge=kind))}

    workspace: Any = SimpleNamespace(
        forge=lambda: Forge(branch_rules),
        formats=FORMATS,
        clock=SimpleNamespace(now=lambda: NOW),
        repository=SimpleNamespace(root="/somewhere", identity=lambda: ("Ana", ADDRESS)),
    )
    made = DoctorContext(workspace, Machine(), shipped)  # type: ignore[arg-type]
    made.base = ("main", state(project | dict(files)))  # type: ignore[misc]
    return made


ADDRESS = next(iter(samples.roles().people.values())).emails[0]


def ids(result: CheckResult) -> list[str]:
    return [finding.id for finding in result.findings]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f'{ADDRESS} namespaces="git,mlgit-approval" {KEY}', None),
        (f"{ADDRESS} {KEY}", None),
        (f'{ADDRESS} namespaces="git" {KEY}', "may not sign approvals"),
        (f'{ADDRESS} namespaces="mlgit-approval" {KEY}', "may not sign commits"),
        (f'{ADDRESS} valid-before="20260228Z" {KEY}', "is not valid now"),
        (f'{ADDRESS} valid-after="20260302Z" {KEY}', "is not valid now"),
        (f"{ADDRESS},x@elsewhere.example {KEY}", None),
        (f"x@elsewhere.example {KEY}", "an address of nobody"),
    ],
)
def test_a_signing_key_needs_a_valid_line_of_the_person_for_approvals(line: str, said: str | None) -> None:
    found = person.signing_key(context({".mlgit/allowed_signers": f"{line}\n".encode()}))
    if said is None:
        assert ids(found) == []
    else:
        assert set(ids(found)) == {"signing-key-invalid"}
        assert any(said in finding.message for finding in found.findings)


def test_one_valid_line_of_a_key_is_enough() -> None:
    lines = f'{ADDRESS} valid-before="20260101Z" {KEY}\n{ADDRESS} valid-after="20260101Z" {KEY}\n'
    assert ids(person.signing_key(context({".mlgit/allowed_signers": lines.encode()}))) == []


def test_two_protected_branches_are_ok() -> None:
    guarded = context(branch_rules=GUARDED)
    assert ids(forge.base_rules(guarded)) == ids(forge.ledger_rules(guarded)) == []
    assert forge.base_rules(guarded).summary == "main is protected"


def test_missing_rules_and_unreadable_rules_are_told_apart() -> None:
    lacking = forge.base_rules(context(branch_rules=msgspec.structs.replace(GUARDED, allow_force_push=True)))
    assert ids(lacking) == ["branch-unprotected"]
    assert not lacking.inconclusive
    hidden = forge.base_rules(context(branch_rules=msgspec.structs.replace(GUARDED, bypass_actors=None)))
    assert ids(hidden) == ["branch-protection-inconclusive"]
    assert hidden.inconclusive


@pytest.mark.parametrize(
    ("branch_rules", "state_"),
    [
        (GUARDED, "ok"),
        (msgspec.structs.replace(GUARDED, strict_checks=False), "warning"),
        (msgspec.structs.replace(GUARDED, allow_deletion=True, bypass_actors=None), "error"),
        (msgspec.structs.replace(GUARDED, bypass_actors=None), "inconclusive"),
        (inconclusive("forge-unreachable", "the forge does not answer"), "inconclusive"),
        (refused("forge-request-rejected", "this token may not"), "inconclusive"),
    ],
)
def test_a_missing_answer_is_not_ok(branch_rules: Any, state_: str) -> None:
    checked, _ = doctor._run_check(context(branch_rules=branch_rules), "base-rules")
    assert checked.state == state_


def test_an_error_goes_before_an_inconclusive_check() -> None:
    def diagnosis(*states: Any) -> doctor.Diagnosis:
        checks = [doctor.CheckReport(check="x", group="machine", state=one, summary="") for one in states]
        return doctor.Diagnosis(checks=checks)

    assert diagnosis("ok", "warning").exit is Exit.YES
    assert diagnosis("ok", "inconclusive").exit is Exit.INCONCLUSIVE
    assert diagnosis("inconclusive", "error").exit is Exit.NO


def test_shipped_workflows_are_required_only_at_a_forge() -> None:
    path, content = ".github/workflows/mlgit-validate.yaml", b"on: push\n"
    assert ids(workflows.shipped(context(shipped={path: content}))) == []
    assert ids(workflows.shipped(context(branch_rules=GUARDED, shipped={path: content}))) == ["workflow-mismatch"]
    assert ids(
        workflows.shipped(context({path: b"on: pull_request\n"}, branch_rules=GUARDED, shipped={path: content}))
    ) == ["workflow-mismatch"]
    assert ids(workflows.shipped(context({path: content}, branch_rules=GUARDED, shipped={path: content}))) == []


def test_a_forge_without_the_verdict_job_is_reported() -> None:
    assert ids(workflows.safe(context(branch_rules=GUARDED))) == ["verdict-job-missing"]
    job = b'on: push\njobs: {one: {name: "mlgit/verdict"}}\n'
    assert ids(workflows.safe(context({".github/workflows/a.yaml": job}, branch_rules=GUARDED))) == []


def test_owners_are_required_only_at_a_forge() -> None:
    assert ids(rules.owners(context())) == []
    assert ids(rules.owners(context(branch_rules=GUARDED))) == ["codeowners-missing"]


def test_known_owners_of_all_files_are_ok() -> None:
    assert ids(rules.owners(context({"CODEOWNERS": f"* {ADDRESS} @acme/risk\n".encode()}))) == []


def test_a_new_policy_needs_an_owner_too() -> None:
    text = f"* {ADDRESS}\n/policies/\n/policies/production.yaml {ADDRESS}\n".encode()
    (uncovered,) = rules.owners(context({"CODEOWNERS": text})).findings
    assert uncovered.message == "policies/ has no owner"


def test_every_check_has_a_docstring() -> None:
    assert all(check.__doc__ for _, check in doctor.CHECKS.values())
