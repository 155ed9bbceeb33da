"""The rules of branches: what is recommended is what GitHub takes, and keeps; what is lacking is named."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlgit.domain.forge import BranchRules
from mlgit.domain.ruleset import VERDICT, recommended, untold, weaknesses

SOUND = BranchRules(
    required_checks=[VERDICT],
    strict_checks=True,
    reviews=1,
    code_owners=True,
    dismisses_stale=True,
    last_push_approved=True,
    force_push=False,
    deletion=False,
    bypass=[],
)
OPENAPI = Path(__file__).parents[2] / "data/github-openapi.json"


def schema(name: str) -> dict[str, Any]:
    """Return a schema of GitHub's description of itself, as one that stands alone."""
    components = json.loads(OPENAPI.read_text())["components"]
    return {"$ref": f"#/components/schemas/{name}", "components": components}


@pytest.mark.parametrize("role", ["base", "ledger"])
def test_what_is_recommended_is_a_rule_set_of_github(role: Any) -> None:
    document = recommended(role, "main")
    # The answer of GitHub holds all that was posted, and these of its own.
    jsonschema.validate(document | {"id": 1, "source": "acme/churn"}, schema("repository-ruleset"))
    for rule in document["rules"]:
        jsonschema.validate(rule, schema(f"repository-rule-{rule['type'].replace('_', '-')}"))
    assert document["bypass_actors"] == []
    assert document["enforcement"] == "active"


def test_a_rule_with_a_word_too_few_is_no_rule_of_github() -> None:
    rule = next(one for one in recommended("base", "main")["rules"] if one["type"] == "pull_request")
    del rule["parameters"]["require_last_push_approval"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(rule, schema("repository-rule-pull-request"))


@pytest.mark.parametrize("role", ["base", "ledger"])
def test_sound_rules_lack_nothing(role: Any) -> None:
    assert list(weaknesses(role, SOUND)) == []
    assert untold(role, SOUND) == []


@pytest.mark.parametrize(
    ("change", "grave"),
    [
        ({"force_push": True}, True),
        ({"deletion": True}, True),
        ({"bypass": ["admins"]}, False),
        ({"required_checks": []}, True),
        ({"required_checks": ["mlgit/verdict2"]}, True),
        ({"strict_checks": False}, False),
        ({"reviews": 0}, True),
        ({"code_owners": False}, False),
        ({"dismisses_stale": False}, False),
        ({"last_push_approved": False}, False),
    ],
)
def test_each_rule_that_is_missing_is_named(change: dict[str, Any], grave: bool) -> None:
    (weak,) = weaknesses(
        "base", BranchRules(**{name: getattr(SOUND, name) for name in SOUND.__struct_fields__} | change)
    )
    assert weak.grave is grave


STATUS = f"mlgit-validate / {VERDICT} (pull_request)"
NAMES: list[tuple[str, set[str]]] = [
    (VERDICT, {"github", "gitea"}),
    (f"verdict / {VERDICT}", {"github", "gitea"}),
    (f"judge / {VERDICT} (pull_request)", {"gitea"}),
    (STATUS, {"gitea"}),
    (f"*{VERDICT}*", {"gitea"}),
    (f"mlgit-* / {VERDICT} (pull_re?uest)", {"gitea"}),
    (f"{VERDICT}*", {"gitea"}),
    ("*", set()),  # any other check satisfies it
    ("mlgit-validate / *", set()),
    (f"{VERDICT}2*", set()),
    (f"mlgit-validate / {VERDICT} (push)", set()),
    (f"x{VERDICT}", set()),
]


@pytest.mark.parametrize(("context", "forges"), NAMES, ids=[one[0] for one in NAMES])
@pytest.mark.parametrize("forge", ["github", "gitea"])
def test_a_required_check_is_the_verdict_by_the_names_that_the_forge_gives_it(
    context: str, forges: set[str], forge: Any
) -> None:
    rules = BranchRules(required_checks=["lint", context])
    assert (not list(weaknesses("base", rules, forge))) is (forge in forges)


def test_at_a_gitea_whoever_pushes_to_the_ledger_has_to_and_some_rules_are_not_there() -> None:
    rules = BranchRules(bypass=["administrators", "ana"], code_owners=False, dismisses_stale=False)
    assert next(weaknesses("base", rules, "gitea")).without == "administrators, ana need not keep them"
    assert next(weaknesses("ledger", rules, "gitea")).without == "administrators need not keep them"
    assert not list(weaknesses("ledger", BranchRules(bypass=["ana"]), "gitea"))
    assert list(weaknesses("ledger", BranchRules(bypass=["ana"])))
    known = {one.rule: one.known for one in weaknesses("base", rules, "gitea")}
    assert (known["code owners review"], known["a push takes reviews back"]) == (False, True)


def test_the_ledger_needs_no_reviews() -> None:
    assert (
        list(weaknesses("ledger", BranchRules(reviews=0, required_checks=[], force_push=False, deletion=False))) == []
    )


def test_what_is_not_told_is_neither_well_nor_wrong() -> None:
    assert list(weaknesses("base", BranchRules())) == []
    assert len(untold("base", BranchRules())) == 9
    assert untold("ledger", BranchRules(force_push=False, deletion=False)) == ["who bypasses the rules"]
