"""Holds: versions and freezes that block changes until they are lifted or expire."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.flows.builder import MODEL, OTHER
from tests.flows.people import Desk, Team

PRODUCTION, STAGING = f"production/{MODEL}", f"staging/{MODEL}"
BRANCH = f"mlgit/promote/{PRODUCTION}"
SECOND = f"{PRODUCTION}@2"


def held(desk: Desk, line: str) -> str:
    """Add or lift a hold, and merge it as people do; return its name."""
    told = desk.does(f"hold {line} --json").json
    desk.git("merge", "--quiet", "--no-ff", "-m", f"Merge hold {told['name']}", told["branch"])
    name = told["name"]
    assert isinstance(name, str)
    return name


def deploy(team: Team) -> None:
    team.ben.does("approve")
    team.ben.does("merge")
    team.ana.does("apply")


def test_a_version_that_is_held_cannot_be_promoted(running: Team) -> None:
    ana = running.ana
    assert held(ana, f"add staging/{MODEL}@2 --reason 'wrong unit'") == f"{STAGING}@2"
    answer = ana(f"promote {MODEL}@2 --to staging")
    assert (answer.code, answer.ids) == (1, ["version-held"])
    assert "why  ana@acme.example: wrong unit" in answer.text
    assert f"mlgit hold lift {STAGING}@2" in answer.text
    assert "hold" not in ana("promote triage@1 --to staging").text
    ana.does("validate")


@pytest.mark.tier("fast")
def test_a_hold_leaves_the_work_tree_alone_and_counts_once_it_is_merged(running: Team) -> None:
    ana = running.ana
    told = ana.does(f"hold add staging/{MODEL}@2 --reason 'wrong unit'")
    assert f"Next: git switch main && git merge --no-ff mlgit/hold/{STAGING}@2" in told.out
    assert (ana.git("status", "--short"), ana.does("hold list").out) == ("", "Nothing is held.\n")
    assert ana.git("diff", "--name-status", f"main...mlgit/hold/{STAGING}@2") == f"A\tholds/{STAGING}@2.yaml"
    assert "is proposed as" in ana.does(f"promote {MODEL}@2 --to staging").out


def test_a_hold_blocks_the_merge_of_an_open_promotion(proposed: Team) -> None:
    proposed.ben.does("approve")
    held(proposed.ana, f"add production/{MODEL}@2 --reason INC-7")
    assert proposed.ana.refused("merge") == ["version-held"]
    (waiting,) = proposed.ana.does("status --json").json["open"]
    assert (waiting["gates"], waiting["ready"]) == (f"{MODEL}@2 is held", False)


def test_a_hold_blocks_applying_a_merged_promotion(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    name = held(proposed.ana, f"add production/{MODEL}@2 --reason INC-7")
    answer = proposed.ana("apply production")
    assert (answer.code, answer.ids) == (1, ["version-held"])
    assert "blocked" in proposed.ana.does("status").out
    held(proposed.ana, f"lift {name} --reason 'it was another one'")
    assert [one["state"] for one in proposed.ana.does("apply production --json").json["results"]] == ["applied"]


def test_a_hold_on_a_running_version_leaves_it_running(proposed: Team) -> None:
    deploy(proposed)
    held(proposed.ana, f"add production/{MODEL}@2 --reason 'to be looked at'")
    assert {one["state"] for one in proposed.ana.does("apply --json").json["results"]} == {"up-to-date"}


FREEZES: list[tuple[str, bool, bool]] = [
    ("production", True, False),
    (f"production/{MODEL}", True, False),
    ("--everywhere", True, True),
    (f"--everywhere {MODEL}", True, True),
    ("staging", False, True),
    (f"production/{OTHER}", False, False),
]
"""What is frozen, and whether that stops the promotion of the model to production, and to staging."""


@pytest.mark.parametrize(("what", "production", "staging"), FREEZES, ids=[what for what, _, _ in FREEZES])
def test_a_freeze_blocks_every_change_in_its_scope(proposed: Team, what: str, production: bool, staging: bool) -> None:
    proposed.ben.does("approve")
    held(proposed.ana, f"add {what} --reason 'year end'")
    assert proposed.ana("merge --dry-run").ids == (["change-frozen"] if production else [])
    assert proposed.ana(f"promote {MODEL}@3 --to staging --dry-run").ids == (["change-frozen"] if staging else [])


def test_a_freeze_does_not_block_a_rollback(proposed: Team) -> None:
    deploy(proposed)
    held(proposed.ana, "add --everywhere --reason 'year end'")
    proposed.ana.does("rollback production --reason 'INC-7, at night'")
    deploy(proposed)
    rows = proposed.ana.does("status --json").json["rows"]
    assert {row["environment"]: (row["champion"], row["deployed"]) for row in rows}["production"] == (
        f"{MODEL}@1",
        "yes",
    )


def test_a_hold_on_a_version_blocks_a_rollback_to_it(proposed: Team) -> None:
    deploy(proposed)
    held(proposed.ana, f"add --everywhere {MODEL}@1 --reason 'revoked data'")
    assert proposed.ana.refused("rollback production --reason x") == ["rollback-version-missing"]
    assert proposed.ana.refused(f"rollback production --to-version {MODEL}@1 --reason x") == ["version-held"]


def test_a_hold_added_after_a_rollback_was_proposed_blocks_it(proposed: Team) -> None:
    deploy(proposed)
    proposed.ana.does("rollback production --reason x")
    proposed.ben.does("approve")
    held(proposed.ana, f"add production/{MODEL}@1 --reason 'that one is no better'")
    assert proposed.ana.refused("merge") == ["version-held"]


def test_a_hold_expires(proposed: Team) -> None:
    proposed.ben.does("approve")
    held(proposed.ana, "add production --reason 'over the weekend' --until 2d")
    assert proposed.ana.refused("merge") == ["change-frozen"]
    proposed.now.wait(timedelta(days=2))
    assert "over" in proposed.ana.does("hold list").out
    proposed.ana.does("merge")
    proposed.ana.does("apply")


def test_an_expired_hold_can_be_added_again(running: Team) -> None:
    held(running.ana, f"add staging/{MODEL}@2 --reason once --until 1h")
    running.now.wait(timedelta(hours=2))
    held(running.ana, f"add staging/{MODEL}@2 --reason twice --until 1h")
    (shown,) = running.ana.does("hold list --json").json["holds"]
    assert (shown["reason"], shown["in_force"]) == ("twice", True)


def test_a_promotion_cannot_lift_a_hold(proposed: Team) -> None:
    ana = proposed.ana
    proposed.ben.does("approve")
    held(ana, f"add production/{MODEL}@2 --reason INC-7")
    ana.git("switch", "--quiet", BRANCH)
    ana.git("merge", "--quiet", "-m", "Promote with what is new on main", "main")
    ana.git("rm", "--quiet", f"holds/{SECOND}.yaml")
    ana.git("commit", "--quiet", "-m", "Promote and lift the hold")
    ana.git("switch", "--quiet", "main")
    assert ana.refused("merge") == ["version-held"]
    ana.git("merge", "--quiet", "--no-ff", "-m", "By hand", BRANCH)
    answer = ana("apply production")
    assert (answer.code, "version-held" in answer.ids) == (1, True)


WRONG: list[tuple[str, str, int]] = [
    (f"add production/{MODEL}@9 --reason x", "version-unknown", 1),
    ("add production/malignacy --reason x", "model-unknown", 1),
    ("add prodction --reason x", "environment-unknown", 1),
    ("lift production/nothing --reason x", "hold-unknown", 1),
    ("add --reason x", "hold-environment-ambiguous", 2),
    (f"add production/{MODEL} --everywhere --reason x", "hold-environment-ambiguous", 2),
    ("add production --reason x --until 2020-01-01", "time-in-past", 2),
    ("add production --reason x --until 999999w", "time-out-of-range", 2),
]


@pytest.mark.parametrize(("line", "finding", "code"), WRONG, ids=[line for line, _, _ in WRONG])
def test_unknown_versions_models_and_environments_cannot_be_held(
    running: Team, line: str, finding: str, code: int
) -> None:
    assert running.ana.refused(f"hold {line}", code=code) == [finding]


def test_an_invalid_time_is_a_usage_error(running: Team) -> None:
    answer = running.ana("hold add production --reason x --until tomorrow")
    assert (answer.code, "is not a time" in answer.text) == (2, True)


SAME: list[tuple[str, Callable[[Desk], object]]] = [
    ("a dry run", lambda ana: ana.does(f"hold add staging/{MODEL}@2 --reason x --dry-run")),
    ("a dry run of lifting", lambda ana: ana.does(f"hold lift {STAGING}@3 --reason x --dry-run")),
    ("the same once more", lambda ana: ana.does(f"hold add staging/{MODEL}@3 --reason first")),
    ("another reason", lambda ana: ana.refused(f"hold add staging/{MODEL}@3 --reason x --until 2d")),
]


@pytest.mark.parametrize(("what", "does"), SAME, ids=[what for what, _ in SAME])
def test_nothing_is_changed_by(running: Team, what: str, does: Callable[[Desk], object]) -> None:
    held(running.ana, f"add staging/{MODEL}@3 --reason first")
    before = running.ana.everything()
    does(running.ana)
    assert running.ana.everything() == before, what


BROKEN: list[tuple[str, str, str]] = [
    (
        "scope",
        "{scope: environment, model: malignancy, environment: staging, reason: x, by: ana}",
        "hold-scope-mismatch",
    ),
    ("no version", "{scope: version, model: malignancy, reason: x, by: ana}", "hold-scope-mismatch"),
    ("model", "{scope: model, model: malignacy, reason: x, by: ana}", "model-unknown"),
    ("environment", "{scope: environment, environment: prod, reason: x, by: ana}", "environment-unknown"),
    (
        "version",
        f"{{scope: version, model: malignancy, version: 9, digest: 'sha256:{9:064}', reason: x, by: a}}",
        "version-unknown",
    ),
    (
        "digest",
        f"{{scope: version, model: malignancy, version: 1, digest: 'sha256:{9:064}', reason: x, by: a}}",
        "slot-digest-mismatch",
    ),
]


@pytest.mark.parametrize(("what", "text", "finding"), BROKEN, ids=[what for what, _, _ in BROKEN])
def test_a_hold_written_by_hand_is_validated(running: Team, what: str, text: str, finding: str) -> None:
    running.ana.commit("Hold by hand", {"holds/mine.yaml": f"{{kind: hold, schema: 1, {text[1:]}\n"})
    assert finding in running.ana("validate").ids, what
    assert finding in running.ana("validate --base main~1").ids, what


def test_an_invalid_hold_file_blocks_every_change(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ana.commit("Hold by hand", {"holds/mine.yaml": "kind: hold\nschema: 1\nscope: all\n"})
    assert proposed.ana("merge").code == 1
    (proposed.root / "holds/mine.yaml").unlink()
    (proposed.root / "holds/mine.yaml").symlink_to("../mlgit.yaml")
    proposed.ana.git("commit", "--quiet", "-am", "Hold elsewhere")
    assert proposed.ana.refused("merge") == ["path-is-link"]


def test_markup_and_control_characters_have_no_effect(running: Team) -> None:
    held(running.ana, f"add staging/{MODEL}@2 --reason '\x1b[31mred'")
    assert "\x1b" not in running.ana.does("hold list").out
    assert "\x1b" not in running.ana(f"promote {MODEL}@2 --to staging").text


@pytest.mark.parametrize(
    ("subject", "name"),
    [("production", "production/environment"), ("--everywhere", "everywhere/environment")],
)
def test_a_freeze_is_lifted_by_what_was_frozen(running: Team, subject: str, name: str) -> None:
    ana = running.ana
    told = ana.does(f"hold add {subject} --reason 'year-end' --json").json
    assert told["name"] == name
    ana.git("merge", "--quiet", "--no-ff", "-m", "Freeze", told["branch"])
    lifted = ana.does(f"hold lift {name.partition('/')[0]} --reason 'the year has ended' --json").json
    assert (lifted["name"], lifted["action"]) == (name, "lift")
