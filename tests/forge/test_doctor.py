"""`mlgit doctor` at a forge: recommended rules are ok, missing ones are reported, unreadable ones are inconclusive."""

from typing import Any

import pytest

from mlgit.domain.branch_protection import VERDICT_CHECK, BranchRole, recommended_ruleset
from tests.flows.people import Answer, Desk
from tests.forge import test_life
from tests.forge.desks import ForgeDesk, at_forge
from tests.forge.fake import Rules
from tests.forge.test_life import AtForge

at = test_life.at

FLOW = f"on: pull_request\njobs: {{validate: {{name: {VERDICT_CHECK}, steps: []}}}}\n"
WEAK = Rules(checks=("lint",), force_push=True, deletion=True, bypass=("mallory",))


def enforced(role: BranchRole) -> Rules:
    """Return a forge's rules as they are once it took what is recommended."""
    asked = {rule["type"]: rule.get("parameters", {}) for rule in recommended_ruleset(role, "any")["rules"]}
    reviews, checks = asked.get("pull_request", {}), asked.get("required_status_checks", {})
    return Rules(
        reviews=reviews.get("required_approving_review_count", 0),
        checks=tuple(one["context"] for one in checks.get("required_status_checks", ())),
        strict=checks.get("strict_required_status_checks_policy", False),
        code_owners=reviews.get("require_code_owner_review", False),
        dismiss_stale=reviews.get("dismiss_stale_reviews_on_push", False),
        last_push=reviews.get("require_last_push_approval", False),
        force_push="non_fast_forward" not in asked,
        deletion="deletion" not in asked,
    )


def asked_by(desk: Desk) -> tuple[Answer, dict[str, Any]]:
    """Ask the doctor; return the answer, and what it says of the forge, by check, without the environments."""
    answer = desk("doctor --json")
    checks = {one["check"]: one for one in answer.json["checks"] if one["group"] == "forge"}
    return answer, {name: one for name, one in checks.items() if name != "environments"}


def environments(desk: Desk) -> dict[str, Any]:
    """Ask the doctor; return what it says of the forge's environments."""
    return next(one for one in desk("doctor --json").json["checks"] if one["check"] == "environments")


def states(checks: dict[str, Any]) -> dict[str, str]:
    return {name: one["state"] for name, one in checks.items()}


@pytest.fixture
def admin(at: AtForge) -> ForgeDesk:
    """Ana, who may see all rules; the forge enforces those that are recommended."""
    at.ana.commit("Post the verdict", {".github/workflows/mlgit-validate.yaml": FLOW})
    at.forge.users["Ana-A"].role = "admin"
    at.forge.rules = {"main": enforced("base"), "mlgit-ledger": enforced("ledger")}
    return at_forge(at.team.ana, at.forge, "Ana-A")


@pytest.mark.tier("fast")
def test_recommended_rules_are_ok_and_each_missing_rule_is_reported(at: AtForge, admin: Desk) -> None:
    answer, checks = asked_by(admin)
    assert answer.code == 0, answer.text
    assert states(checks) == dict.fromkeys(("base-rules", "ledger-rules", "token"), "ok")
    assert checks["base-rules"]["summary"] == "main is protected"
    assert checks["ledger-rules"]["summary"] == "mlgit-ledger is protected"
    assert checks["token"]["summary"].startswith("acme/churn, as Ana-A: admin yes")

    at.forge.rules = {"main": WEAK}  # and none for the ledger
    answer, checks = asked_by(admin)
    assert answer.code == 1
    assert states(checks) == {"base-rules": "error", "ledger-rules": "error", "token": "ok"}
    told = {
        name: {one["message"].partition(": ")[2]: one.get("severity", "error") for one in found["findings"]}
        for name, found in checks.items()
    }
    assert told == {
        "base-rules": {
            "no force pushes": "error",
            "no deletion": "error",
            "nobody bypasses the rules": "warning",
            f"the check {VERDICT_CHECK} is required": "error",
            "branches are up to date before merging": "warning",
            "a review is required": "error",
            "code owners review": "warning",
            "a push dismisses reviews": "warning",
            "somebody else approves the last push": "warning",
        },
        "ledger-rules": {"no force pushes": "error", "no deletion": "error"},
        "token": {},
    }
    shown = admin("doctor").out
    assert "fix  `mlgit doctor --print-ruleset` prints rules that contain it" in shown
    assert "fix  `mlgit doctor --print-ruleset ledger` prints rules that contain it" in shown
    errors, warnings = shown.count("\nerror["), shown.count("\nwarning[")
    assert (errors, warnings > 4) == (6, True)
    assert f" checks: {errors} errors, {warnings} warnings, 0 inconclusive" in shown


@pytest.mark.parametrize("at", ["gitea"], indirect=True)
def test_at_gitea_only_the_unsupported_rules_are_missing(at: AtForge, admin: Desk) -> None:
    guarded = Rules(reviews=1, checks=(f"*{VERDICT_CHECK}*",), strict=True, dismiss_stale=True)
    at.forge.rules = {"main": guarded, "mlgit-ledger": Rules()}
    answer, checks = asked_by(admin)
    assert answer.code == 0, answer.text
    assert states(checks) == {"base-rules": "warning", "ledger-rules": "ok", "token": "ok"}
    told = {one["message"]: one["fix"] for one in checks["base-rules"]["findings"]}
    assert told == dict.fromkeys(
        (
            "main lacks the rule: code owners review",
            "main lacks the rule: somebody else approves the last push",
        ),
        "Gitea has no such rule: agree that whoever merges checks it",
    )

    at.forge.rules["main"] = Rules(checks=("lint",), strict=True, dismiss_stale=True)
    answer, checks = asked_by(admin)
    assert answer.code == 1
    fixes = {one["fix"] for one in checks["base-rules"]["findings"] if one.get("severity") != "warning"}
    assert fixes == {"set it in the protection of the branch, under Branches of the repository's settings"}


def test_unreadable_rules_are_inconclusive(at: AtForge, admin: Desk) -> None:
    answer, checks = asked_by(at.ben)
    assert answer.code == 3, answer.text
    assert states(checks) == {"base-rules": "inconclusive", "ledger-rules": "inconclusive", "token": "ok"}
    assert {one["id"] for found in checks.values() for one in found["findings"]} == {"branch-protection-inconclusive"}

    at.forge.users["Ana-A"].token = "another"
    answer, checks = asked_by(admin)
    assert answer.code == 3, answer.text
    assert set(states(checks).values()) == {"inconclusive"}


SECRET = "{run: mlgit apply, env: {DVC: '${{ secrets.MLGIT_DVC_READ }}'}}"
DEPLOYS = f"""\
on: {{push: {{branches: [main]}}}}
jobs:
  apply:
    strategy: {{matrix: {{environment: [staging, production]}}}}
    environment: "${{{{ matrix.environment }}}}"
    steps: [{SECRET}]
  train: {{environment: {{name: mlgit-train}}, steps: [{SECRET}]}}
  other: {{environment: docs, steps: []}}
"""
GATES = f"on: pull_request\njobs: {{gate: {{environment: mlgit-gate, steps: [{SECRET}]}}}}\n"


def test_environments_with_secrets_are_limited_to_the_base_branch(at: AtForge, admin: Desk) -> None:
    flows = {".github/workflows/mlgit-apply.yaml": DEPLOYS, ".github/workflows/mlgit-gate.yaml": GATES}
    at.ana.commit("Deploy", flows)
    at.forge.environments = {"staging": ("main",), "production": (), "mlgit-train": ("main",)}
    assert environments(admin)["state"] == "ok"
    at.forge.environments |= {"production": None, "mlgit-train": ("main", "release/*")}
    found = environments(admin)
    assert found["state"] == "error"
    assert [(finding["id"], finding["message"]) for finding in found["findings"]] == [
        ("environment-open", "every branch may use the environment production"),
        ("environment-open", "release/* may use the environment mlgit-train"),
    ]
    del at.forge.environments["mlgit-train"]
    assert [finding["id"] for finding in environments(admin)["findings"]] == [
        "environment-open",
        "environment-missing",
    ]
