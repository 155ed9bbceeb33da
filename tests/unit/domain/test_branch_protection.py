"""Branch protection: recommended rules are valid at GitHub, and missing ones are reported."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlgit.domain.branch_protection import VERDICT_CHECK, missing_rules, recommended_ruleset, unreadable_rules
from mlgit.domain.forge import BranchRules

SOUND = BranchRules(
    required_checks=[VERDICT_CHECK],
    strict_checks=True,
    required_reviews=1,
    code_owner_review=True,
    dismiss_stale_reviews=True,
    last_push_approval=True,
    allow_force_push=False,
    allow_deletion=False,
    bypass_actors=[],
)
OPENAPI = Path(__file__).parents[2] / "data/github-openapi.json"


def schema(name: str) -> dict[str, Any]:
    """Return a schema of GitHub's description of itself, as one that stands alone."""
    components = json.loads(OPENAPI.read_text())["components"]
    return {"$ref": f"#/components/schemas/{name}", "components": components}


@pytest.mark.parametrize("role", ["base", "ledger"])
def test_a_recommended_ruleset_is_valid_at_github(role: Any) -> None:
    document = recommended_ruleset(role, "main")
    # The answer of GitHub holds all that was posted, and these of its own.
    jsonschema.validate(document | {"id": 1, "source": "acme/churn"}, schema("repository-ruleset"))
    for rule in document["rules"]:
        jsonschema.validate(rule, schema(f"repository-rule-{rule['type'].replace('_', '-')}"))
    assert document["bypass_actors"] == []
    assert document["enforcement"] == "active"


def test_a_rule_without_a_parameter_is_not_valid_at_github() -> None:
    rule = next(rule for rule in recommended_ruleset("base", "main")["rules"] if rule["type"] == "pull_request")
    del rule["parameters"]["require_last_push_approval"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(rule, schema("repository-rule-pull-request"))


@pytest.mark.parametrize("role", ["base", "ledger"])
def test_complete_rules_lack_nothing(role: Any) -> None:
    assert list(missing_rules(role, SOUND)) == []
    assert unreadable_rules(role, SOUND) == []


@pytest.mark.parametrize(
    ("change", "critical"),
    [
        ({"allow_force_push": True}, True),
        ({"allow_deletion": True}, True),
        ({"bypass_actors": ["admins"]}, False),
        ({"required_checks": []}, True),
        ({"required_checks": ["mlgit/verdict2"]}, True),
        ({"strict_checks": False}, False),
        ({"required_reviews": 0}, True),
        ({"code_owner_review": False}, False),
        ({"dismiss_stale_reviews": False}, False),
        ({"last_push_approval": False}, False),
    ],
)
def test_each_missing_rule_is_reported(change: dict[str, Any], critical: bool) -> None:
    (missing,) = missing_rules(
        "base", BranchRules(**{name: getattr(SOUND, name) for name in SOUND.__struct_fields__} | change)
    )
    assert missing.critical is critical


STATUS = f"mlgit-validate / {VERDICT_CHECK} (pull_request)"
NAMES: list[tuple[str, set[str]]] = [
    (VERDICT_CHECK, {"github", "gitea"}),
    (f"verdict / {VERDICT_CHECK}", {"github", "gitea"}),
    (f"judge / {VERDICT_CHECK} (pull_request)", {"gitea"}),
    (STATUS, {"gitea"}),
    (f"*{VERDICT_CHECK}*", {"gitea"}),
    (f"mlgit-* / {VERDICT_CHECK} (pull_re?uest)", {"gitea"}),
    (f"{VERDICT_CHECK}*", {"gitea"}),
    ("*", set()),  # any other check satisfies it
    ("mlgit-validate / *", set()),
    (f"{VERDICT_CHECK}2*", set()),
    (f"mlgit-validate / {VERDICT_CHECK} (push)", set()),
    (f"x{VERDICT_CHECK}", set()),
]


@pytest.mark.parametrize(("context", "forges"), NAMES, ids=[one[0] for one in NAMES])
@pytest.mark.parametrize("forge", ["github", "gitea"])
def test_the_verdict_is_recognised_by_each_forges_names(context: str, forges: set[str], forge: Any) -> None:
    rules = BranchRules(required_checks=["lint", context])
    assert (not list(missing_rules("base", rules, forge))) is (forge in forges)


def test_gitea_has_fewer_rules_and_lists_who_pushes_to_the_ledger() -> None:
    rules = BranchRules(bypass_actors=["administrators", "ana"], code_owner_review=False, dismiss_stale_reviews=False)
    assert next(missing_rules("base", rules, "gitea")).consequence == "administrators, ana can bypass them"
    assert next(missing_rules("ledger", rules, "gitea")).consequence == "administrators can bypass them"
    assert not list(missing_rules("ledger", BranchRules(bypass_actors=["ana"]), "gitea"))
    assert list(missing_rules("ledger", BranchRules(bypass_actors=["ana"])))
    supported = {rule.rule: rule.supported for rule in missing_rules("base", rules, "gitea")}
    assert (supported["code owners review"], supported["a push dismisses reviews"]) == (False, True)


def test_the_ledger_needs_no_reviews() -> None:
    assert (
        list(
            missing_rules(
                "ledger",
                BranchRules(required_reviews=0, required_checks=[], allow_force_push=False, allow_deletion=False),
            )
        )
        == []
    )


def test_unreadable_rules_are_listed_and_not_missing() -> None:
    assert list(missing_rules("base", BranchRules())) == []
    assert len(unreadable_rules("base", BranchRules())) == 9
    assert unreadable_rules("ledger", BranchRules(allow_force_push=False, allow_deletion=False)) == ["bypass list"]
