"""Which files are rules, and what a change of them requires."""

from typing import Any

import pytest

from mlgit.domain.gates.base import RiskCondition
from mlgit.domain.records.ledger import FileChange
from mlgit.domain.records.policy import ApprovalRule, ApprovalRules, Policy, RoleRequirement
from mlgit.domain.records.project import ProjectApprovals, RuleApprovals
from mlgit.domain.rule_approvals import approvals_needed, decision, requirement
from mlgit.domain.rule_files import FOLDERS, affects, changed_rules, rule_kind
from tests import samples


def policy(name: str, minimum: int, **changes: Any) -> Policy:
    approvals = ApprovalRules(promote=ApprovalRule(min=minimum))
    return samples.policy(**{"name": name, "approvals": approvals, "evidence": "signed"} | changes)


STRICT = policy("production", 2, exclude=("author", "lineage"))
LIGHT = policy("staging", 1, exclude=("bots",))
FREE = policy("free", 3, evidence="none")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("mlgit.yaml", "project"),
        ("policies/production.yaml", "policy"),
        ("environments/production/environment.yaml", "environment"),
        ("environments/production/delay.yaml", None),
        ("problems/delay.yaml", "problem"),
        ("models/delay/model.yaml", None),
        ("holds/production/delay.yaml", None),
        (".mlgit/roles.yaml", "roles"),
        (".mlgit/allowed_signers", "signers"),
        (".mlgit/trusted_types", "trusted types"),
        (".mlgit/requirements.lock", "requirements"),
        (".mlgit/anything-else", "setting"),
        (".mlgit/checks/no_pii.py", "setting"),
        (".mlgit/schemas/policy.schema.json", None),
        (".github/workflows/deploy.yml", "workflow"),
        (".github/actions/setup/action.yml", "workflow"),
        (".gitea/workflows/deploy.yml", "workflow"),
        (".forgejo/workflows/deploy.yml", "workflow"),
        (".github/dependabot.yml", None),
        (".github/CODEOWNERS", "code owners"),
        ("CODEOWNERS", "code owners"),
        ("docs/CODEOWNERS", "code owners"),
        (".dvc/config", "DVC remote"),
        (".dvc/config.local", "DVC remote"),
        (".dvc/.gitignore", None),
        ("src/train.py", None),
    ],
)
def test_a_path_says_whether_it_is_a_rule(path: str, kind: str | None) -> None:
    assert rule_kind(path) == kind
    if kind is not None:
        assert any(path == folder or path.startswith(f"{folder}/") for folder in FOLDERS)


def test_a_problem_is_a_rule_once_it_exists() -> None:
    changes = [("problems/new.yaml", "A"), ("problems/old.yaml", "M"), ("policies/new.yaml", "A"), ("README.md", "M")]
    assert changed_rules(changes) == {"policies/new.yaml": "policy", "problems/old.yaml": "problem"}


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("policies/production.yaml", True),
        ("policies/staging.yaml", False),
        ("environments/production/environment.yaml", True),
        ("environments/staging/environment.yaml", False),
        (".mlgit/roles.yaml", True),
    ],
)
def test_a_policy_counts_where_it_is_in_force_and_most_rules_everywhere(path: str, *, counts: bool) -> None:
    assert affects(path, "production", "production") is counts


@pytest.mark.parametrize(
    ("paths", "number"),
    [
        (["policies/staging.yaml"], 1),
        (["policies/production.yaml"], 2),
        (["policies/staging.yaml", "policies/production.yaml"], 2),
        (["environments/staging/environment.yaml"], 1),
        (["environments/test/environment.yaml"], 0),  # its policy asks for no evidence
        (["policies/unused.yaml"], 2),  # an environment may have it soon
        (["policies/staging.yaml", "policies/unused.yaml"], 2),
        (["environments/unlisted/environment.yaml"], 2),
        ([".mlgit/roles.yaml"], 2),
        (["mlgit.yaml"], 2),
    ],
)
def test_by_default_as_many_approve_as_the_strictest_policy_requires(paths: list[str], number: int) -> None:
    policies = {"staging": LIGHT, "production": STRICT, "test": FREE}
    assert requirement(samples.project(), policies, paths).needed == number


def test_whom_a_policy_excludes_does_not_approve_its_change() -> None:
    needed = requirement(samples.project(), {"staging": LIGHT, "production": STRICT}, ["mlgit.yaml"])
    assert (needed.exclude, needed.evidence) == (("author", "lineage", "bots"), "signed")
    assert needed.why == "the policy production requires as many for a promotion"


@pytest.mark.parametrize(("forge", "evidence"), [("none", "signed"), ("github", "forge")])
def test_the_project_file_states_another_number(forge: str, evidence: str) -> None:
    rules = RuleApprovals(min=3, roles={"risk": 1})
    project = samples.project(approvals=ProjectApprovals(rules=rules), forge=forge)
    needed = requirement(project, {"test": FREE}, ["policies/unused.yaml"])
    assert (needed.rule, needed.evidence) == (ApprovalRule(min=3, roles={"risk": 1}), evidence)
    assert needed.why == "approvals.rules of mlgit.yaml states it"
    none = samples.project(approvals=ProjectApprovals(rules=RuleApprovals(min=0)))
    assert requirement(none, {"a": STRICT}, ["mlgit.yaml"]).needed == 0


def test_what_any_risk_and_any_change_requires_counts() -> None:
    roles = {"risk": RoleRequirement(min=2, when=RiskCondition(risk="high"))}
    promote = ApprovalRule(min=1, roles=dict(roles))
    assert approvals_needed(policy("a", 1, approvals=ApprovalRules(promote=promote))) == 2
    assert approvals_needed(policy("a", 1, approvals=ApprovalRules(rollback=ApprovalRule(min=4)))) == 4
    assert approvals_needed(FREE) == 0


def test_a_decision_is_over_the_old_and_the_new_content_and_how_often_it_was_made() -> None:
    files = {"mlgit.yaml": FileChange(before=samples.sha(1), after=samples.sha(2))}
    others = [
        decision({"mlgit.yaml": FileChange(before=samples.sha(2), after=samples.sha(1))}, 0),
        decision({"mlgit.yaml": FileChange(before=samples.sha(1))}, 0),
        decision({"other.yaml": files["mlgit.yaml"]}, 0),
        decision(files, 1),
        decision(files, 2),
    ]
    assert len({decision(files, 0), *others}) == 6
    assert decision(dict(files), 0) == decision(files, 0)
