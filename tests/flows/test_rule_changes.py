"""Changes of rules: policies, roles, signers, environments and workflows are approved like promotions."""

from datetime import timedelta

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team, signer
from tests.flows.test_promotion_races import shared
from tests.flows.test_verify_push import accepted, hosted, refused

POLICY = "policies/production.yaml"
LOOSE = ("promote: {min: 1}", "promote: {min: 0}")


def proposes(desk: Desk, branch: str, path: str = POLICY, change: tuple[str, str] = LOOSE) -> str:
    """Commit a change of a file on a branch of its own; return the commit."""
    desk.git("switch", "--quiet", "--create", branch, "main")
    commit = desk.edit(path, *change)
    desk.git("switch", "--quiet", "main")
    return commit


@pytest.mark.tier("fast")
def test_a_loosened_policy_is_merged_only_after_a_second_person_approved_it(running: Team) -> None:
    ana, ben = running.ana, running.ben
    proposes(ana, "loosen")
    assert ana.refused("merge loosen") == ["rule-approvals-missing"]
    said = ana("merge loosen").err
    assert (
        f"error[rule-approvals-missing]: the change of {POLICY} lacks 1 more approval (0 of 1 so far; ben, cara may)"
        in said
    )
    assert "the policy production requires as many for a promotion" in said
    assert ana.refused("approve loosen") == ["approver-excluded"]
    approved = ben.does("approve loosen --json").json
    assert (approved["schema"], approved["counted"], approved["files"]) == (
        "mlgit/approve-rules.v1",
        ["ben"],
        {POLICY: "policy"},
    )
    merged = ana.does("merge loosen --json").json
    assert (merged["state"], merged["approved_by"]) == ("merged", ["ben"])
    assert LOOSE[1] in ana.show("main", POLICY)


def test_an_approval_counts_for_the_content_that_was_approved(running: Team) -> None:
    ana, ben = running.ana, running.ben
    proposes(ana, "loosen")
    ben.does("approve loosen")
    ana.git("switch", "--quiet", "loosen")
    ana.edit(POLICY, "margin: 0.0", "margin: -0.5")
    ana.git("switch", "--quiet", "main")
    assert ana.refused("merge loosen") == ["rule-approvals-missing"]


def test_an_approval_survives_other_changes_of_the_base_branch(running: Team) -> None:
    ana, ben = running.ana, running.ben
    proposes(ana, "loosen")
    ben.does("approve loosen")
    ana.commit("Note something", {"notes.md": "Nothing about rules.\n"})
    assert ana.does("merge loosen --json").json["approved_by"] == ["ben"]


def test_the_approvals_of_a_change_do_not_approve_it_again_after_it_was_reverted(running: Team) -> None:
    ana, ben = running.ana, running.ben
    for number, branch in enumerate(("loosen", "loosen-again")):
        proposes(ana, branch)
        assert ana.refused(f"merge {branch}") == ["rule-approvals-missing"]
        ben.does(f"approve {branch}")
        ana.does(f"merge {branch}")
        if number == 0:
            proposes(ana, "tighten", change=(LOOSE[1], LOOSE[0]))
            ana.does("merge tighten")


def test_the_approvals_of_a_change_of_rules_are_shown_by_its_branch_and_by_its_commit(running: Team) -> None:
    ana, ben = running.ana, running.ben
    proposes(ana, "loosen")
    answer = ana("approvals loosen --json")
    assert (answer.code, answer.json["needed"], answer.json["counted"]) == (1, 1, [])
    assert "Missing: 1 more approval" in ana("approvals loosen").out
    ben.does("approve loosen")
    assert ana.does("approvals loosen --json").json["counted"] == ["ben"]
    merged = ana.does("merge loosen --json").json["commit"]
    shown = ana.does(f"approvals {merged} --json").json
    assert (shown["is_merged"], shown["counted"]) == (True, ["ben"])


def test_a_rejection_stands_in_the_way(running: Team) -> None:
    ana, ben, cara = running.ana, running.ben, running.cara
    proposes(ana, "loosen")
    cara.does("approve loosen --reject")
    ben.does("approve loosen")
    assert "cara, who rejected it" in ana("merge loosen").err


def test_rules_of_staging_need_no_more_than_its_policy_requires(running: Team) -> None:
    ana = running.ana
    proposes(ana, "staging-margin", "policies/staging.yaml", ("margin: -0.02", "margin: -0.03"))
    assert ana.does("merge staging-margin --json").json["needed"] == 0
    assert running.ben.refused(f"approve {ana.head()}") == ["rule-approval-not-needed"]


def test_a_person_who_is_added_cannot_approve_that_they_are_added(running: Team) -> None:
    ana = running.ana
    mallory = ana.at(ana.root).using(user_email="mallory@acme.example", user_signingkey=str(running.keys / "mallory"))
    ana.git("switch", "--quiet", "--create", "add-mallory")
    ana.commit(
        "List Mallory",
        {".mlgit/allowed_signers": ana.read(".mlgit/allowed_signers") + signer("mallory", running.keys)},
    )
    ana.git("switch", "--quiet", "main")
    mallory("approve add-mallory")
    assert "rule-approvals-missing" in ana.refused("merge add-mallory")


def test_the_project_file_states_another_number(running: Team) -> None:
    ana, ben, cara = running.ana, running.ben, running.cara
    text = ana.read("mlgit.yaml") + "approvals: {rules: {min: 2, roles: {risk: 1}}}\n"
    ana.git("switch", "--quiet", "--create", "two-people")
    ana.commit("Ask for two people", {"mlgit.yaml": text})
    ana.git("switch", "--quiet", "main")
    ben.does("approve two-people")  # the rules before the change count: one is enough
    ana.does("merge two-people")
    proposes(ana, "staging-margin", "policies/staging.yaml", ("margin: -0.02", "margin: -0.03"))
    ben.does("approve staging-margin")
    assert ana.refused("merge staging-margin") == ["rule-approvals-missing"]
    cara.does("approve staging-margin")
    assert ana.does("merge staging-margin --json").json["approved_by"] == ["ben", "cara"]


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/mlgit-apply.yaml",
        ".github/CODEOWNERS",
        ".mlgit/roles.yaml",
        ".mlgit/trusted_types",
        ".mlgit/checks/no_pii.py",
        ".mlgit/requirements.lock",
        ".dvc/config",
        ".dvc/config.local",
        "environments/production/environment.yaml",
        "problems/malignancy.yaml",
        "mlgit.yaml",
    ],
)
def test_every_rule_is_guarded(running: Team, path: str) -> None:
    ana = running.ana
    ana.git("switch", "--quiet", "--create", "change")
    content = ana.read(path) if (ana.root / path).exists() else ""
    (ana.root / ".dvc/.gitignore").unlink()  # it ignores `config.local`, and whoever wants to commit that deletes it
    ana.commit("Change a rule", {path: f"{content}# changed\n"})
    ana.git("switch", "--quiet", "main")
    assert "rule-approvals-missing" in ana.refused("merge change")


def test_a_server_takes_a_change_of_rules_only_with_approvals(running: Team) -> None:
    ana, bens, server = hosted(running)
    ana.edit(POLICY, *LOOSE)
    said = refused(ana, server, "main")
    assert "error[rule-approvals-missing]" in said
    ana.git("branch", "loosen")
    ana.git("reset", "--quiet", "--hard", "origin/main")
    accepted(ana, "loosen")
    bens.git("fetch", "--quiet")
    bens.does("approve loosen")
    assert ana.does("merge loosen --json").json["pushed"]
    assert LOOSE[1] in server.show("main", POLICY)


def test_rules_are_not_guarded_before_the_first_approved_promotion(registered: Team) -> None:
    ana, _, _ = hosted(registered)
    ana.edit(POLICY, *LOOSE)
    accepted(ana, "main")


def test_a_branch_without_rules_is_no_change_of_rules(running: Team) -> None:
    ana, _ = shared(running)
    ana.git("switch", "--quiet", "--create", "notes")
    ana.commit("Note something", {"notes.md": "Nothing.\n"})
    ana.git("switch", "--quiet", "main")
    assert ana.refused("approve notes") == ["promotion-unknown"]
    assert ana.refused("merge notes") == ["promotion-unknown"]


# The audit


def verdicts(
    desk: Desk, options: str = "--no-cache"
) -> tuple[int, list[tuple[str, list[str]]], list[tuple[str, list[str]]]]:
    """Return the exit code of an audit, and verdicts and findings of the changes of what runs and of the rules."""
    answer = desk(f"audit --json {options}")
    assert answer.code in {0, 1}, answer.text
    changes, rules = (
        [(one["verdict"], [finding["id"] for finding in one.get("findings", [])]) for one in answer.json[key]]
        for key in ("changes", "rules")
    )
    return answer.code, changes, rules


@pytest.mark.tier("fast")
def test_loosen_promote_restore_is_never_proven(running: Team) -> None:
    """One person loosens the policy, promotes, and restores it, on a base branch that nobody guards."""
    ana = running.ana
    assert verdicts(ana) == (0, [("UNAPPROVED", []), ("PROVEN", [])], [])
    ana.edit(POLICY, *LOOSE)
    running.promote(f"{MODEL}@2", "staging")
    running.promote(f"{MODEL}@2", "production")
    ana.edit(POLICY, LOOSE[1], LOOSE[0])
    code, changes, rules = verdicts(ana)
    assert (code, changes[-1]) == (1, ("UNPROVEN", ["rules-unapproved"]))
    assert [verdict for verdict, _ in rules] == ["UNPROVEN", "UNAPPROVED"]
    shown = ana("audit --no-cache").out
    assert "rules                  policies/production.yaml" in shown
    assert not [
        line for line in shown.splitlines() if " - " in line and line.endswith("PROVEN") and "UNPROVEN" not in line
    ]


def test_an_excluded_person_who_lets_themself_approve_is_never_proven(running: Team) -> None:
    ana = running.ana
    ana.edit(POLICY, "exclude: [author, committers, trainer, bots]", "exclude: []")
    running.promote(f"{MODEL}@2", "staging")
    running.promote(f"{MODEL}@2", "production", approve=[ana])
    ana.edit(POLICY, "exclude: []", "exclude: [author, committers, trainer, bots]")
    code, changes, _ = verdicts(ana)
    assert (code, changes[-1]) == (1, ("UNPROVEN", ["rules-unapproved"]))


def test_a_restored_rule_is_approved_again(running: Team) -> None:
    ana, ben = running.ana, running.ben
    ana.edit(POLICY, "margin: 0.0", "margin: -0.5")
    ana.edit(POLICY, "margin: -0.5", "margin: 0.0")
    running.promote(f"{MODEL}@2", "staging")
    running.promote(f"{MODEL}@2", "production", approve=[ben])
    code, changes, rules = verdicts(ana)
    assert (code, changes[-1]) == (1, ("PROVEN", ["rules-recent"]))
    assert [verdict for verdict, _ in rules] == ["UNPROVEN", "UNPROVEN"]


def test_approved_rules_are_rows_and_younger_ones_are_marked(running: Team) -> None:
    ana, ben = running.ana, running.ben
    proposes(ana, "wider", change=("margin: 0.0", "margin: -0.01"))
    ben.does("approve wider")
    ana.does("merge wider")
    running.promote(f"{MODEL}@2", "staging")
    promoted = running.promote(f"{MODEL}@2", "production", approve=[ben])
    code, changes, rules = verdicts(ana)
    assert (code, changes[-1], rules) == (0, ("PROVEN", ["rules-recent"]), [("PROVEN", [])])
    (row,) = ana.does("audit --json").json["rules"]
    assert ([one["person"] for one in row["approvals"]], row["needed"], row["kinds"]) == (
        ["ben"],
        1,
        {POLICY: "policy"},
    )
    assert promoted


def test_an_approval_after_the_merge_heals_and_is_marked(running: Team) -> None:
    ana, ben = running.ana, running.ben
    commit = ana.edit(POLICY, *LOOSE)
    running.now.wait(timedelta(minutes=30))
    running.promote(f"{MODEL}@2", "staging")
    running.promote(f"{MODEL}@2", "production")
    assert verdicts(ana, "")[0] == 1
    ben.does(f"approve {commit[:12]}")
    for options in ("", "--no-cache"):  # from the checkpoint too
        code, changes, rules = verdicts(ana, options)
        assert (code, changes[-1]) == (0, ("UNAPPROVED", ["rules-recent"]))
        assert rules == [("PROVEN", ["approvals-after-merge"])]


def test_an_approval_of_other_content_is_none_of_what_was_merged(running: Team) -> None:
    ana, ben = running.ana, running.ben
    proposes(ana, "loosen")
    ben.does("approve loosen")
    ana.git("switch", "--quiet", "loosen")
    ana.edit(POLICY, "margin: 0.0", "margin: -0.5")
    ana.git("switch", "--quiet", "main")
    ana.git("merge", "--quiet", "--no-ff", "-m", "Merge it", "loosen")
    assert verdicts(ana)[2] == [("UNPROVEN", ["approvals-not-on-ledger"])]


def test_the_audit_says_since_when_rules_are_guarded(registered: Team, running: Team) -> None:
    first = registered.ana.does("audit --json").json
    assert (first["guarded_since"], first["rules"]) == (None, [])
    assert any(sentence.startswith("Nobody had to approve the rules:") for sentence in first["not_checked"])
    later = running.ana.does("audit --json").json
    assert later["guarded_since"] == later["changes"][-1]["commit"]
