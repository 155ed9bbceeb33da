"""Authorship is what a key proves: no text in a commit makes anybody independent of it."""

from typing import Any

import pytest

from tests.flows.builder import MODEL, OTHER
from tests.flows.people import Desk, Team
from tests.flows.test_approvals_flow import BRANCH, MANIFEST, POLICY, WHERE, on_branch, why
from tests.flows.test_verify_push import hosted, refused

UNSIGNED = "1 commit is unsigned: its author cannot be told, so one more approval is needed"


def as_colleague(desk: Desk, colleague: str = "ana", **settings: str) -> Desk:
    """The same person, whose Git claims to be a colleague's and signs nothing."""
    claimed = {"user_email": f"{colleague}@acme.example", "user_name": colleague.capitalize()}
    return desk.using(user_signingkey="", commit_gpgsign="false", **claimed, **settings)


def unknown(desk: Desk, name: str = WHERE) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk(f"approvals {name} --json").json["approvals"]["unknown_authors"]
    return found


def proposed_by(team: Team, desk: Desk, version: str = f"{MODEL}@2") -> None:
    """Let somebody make the promotion again, instead of Ana."""
    team.ana.git("branch", "--quiet", "-D", BRANCH)
    desk.does(f"promote {version} --to production")


@pytest.mark.tier("fast")
def test_a_reviewer_who_proposes_in_the_name_of_a_colleague_is_not_enough(proposed: Team) -> None:
    """The attack: Ben sets Git's author to Ana, proposes, and approves as himself."""
    ben = proposed.ben
    proposed_by(proposed, as_colleague(ben))
    assert UNSIGNED in ben.does("approve").out
    assert UNSIGNED in why(ben)
    assert [(one["part"], one["reason"]) for one in unknown(ben)] == [("proposal", "it is not signed")]
    proposed.cara.does("approve")
    assert "approved   ben, cara" in ben.does("merge").out


def test_a_reviewer_who_signs_it_in_the_name_of_a_colleague_is_its_author(proposed: Team) -> None:
    claiming = proposed.ben.using(user_email="ana@acme.example", user_name="Ana")
    proposed_by(proposed, claiming)
    assert proposed.ben.refused("approve") == ["approver-excluded"]
    assert "ben: made commit" in proposed.ben("approve").err


def test_a_signature_by_an_unlisted_key_proves_nothing(proposed: Team) -> None:
    proposed_by(proposed, proposed.mallory.using(user_email="ana@acme.example", user_name="Ana"))
    proposed.ben.does("approve")
    assert "1 commit has no signature that counts: its author cannot be told" in why(proposed.ana)
    assert "is not listed" in unknown(proposed.ana)[0]["reason"]


def test_a_signed_proposal_needs_no_more_approvals_than_the_policy_says(proposed: Team) -> None:
    proposed.ben.does("approve")
    assert unknown(proposed.ana) == []
    assert "approved   ben\n" in proposed.ana.does("merge").out


def test_one_unsigned_commit_on_the_branch_is_enough(proposed: Team) -> None:
    text = proposed.ana.show(BRANCH, MANIFEST)
    on_branch(as_colleague(proposed.ben), {MANIFEST: f"{text}\nreason: it has to go out today\n"})
    proposed.ben.does("approve")
    assert UNSIGNED in why(proposed.ana)


def test_each_role_needs_one_more_as_well(proposed: Team) -> None:
    proposed.ana.edit(POLICY, "promote: {min: 1}", "promote: {min: 1, roles: {risk: 1}}")
    proposed_by(proposed, as_colleague(proposed.ben))
    proposed.ben.does("approve")
    proposed.cara.does("approve")
    assert "1 more approval as risk (1 of 2 so far; nobody who is listed may" in why(proposed.ana)


def test_a_policy_can_refuse_unknown_authors(proposed: Team) -> None:
    proposed.ana.edit(POLICY, "evidence: signed", "unknown_author: refuse\nevidence: signed")
    proposed_by(proposed, as_colleague(proposed.ben))
    proposed.ben.does("approve")
    proposed.cara.does("approve")
    assert "a known author of each commit (the policy refuses others)" in why(proposed.ana)


def test_whoever_can_sign_proposes_it_again(proposed: Team) -> None:
    proposed_by(proposed, as_colleague(proposed.ana))
    assert len(unknown(proposed.ana)) == 1
    assert "is proposed as" in proposed.ana.does(f"promote {MODEL}@2 --to production").out
    assert unknown(proposed.ana) == []
    proposed.ben.does("approve")
    proposed.ana.does("merge")


def test_an_environment_without_approvals_needs_no_signature(proposed: Team) -> None:
    as_colleague(proposed.ana).does(f"promote {OTHER}@1 --to staging")
    proposed.ana.does(f"merge staging/{OTHER}")


def test_a_branch_brought_up_to_date_by_a_merge_has_no_new_author(proposed: Team) -> None:
    proposed.ana.commit("Say more", {"README.md": "# Malignancy\n"})
    someone = as_colleague(proposed.mallory, "somebody")
    someone.git("switch", "--quiet", BRANCH)
    someone.git("merge", "--quiet", "--no-edit", "main")
    someone.git("switch", "--quiet", "main")
    proposed.ben.does("approve")
    assert unknown(proposed.ana) == []


# The other ways


def test_a_version_registered_in_the_name_of_a_colleague(running: Team) -> None:
    """Ben registers in Ana's name: who trained it, as the record says, is as good as the commit that added the record."""
    ana, ben = running.ana, running.ben
    ana.edit("params.yaml", "fit: worse", "fit: better")
    ana.does(f"train {MODEL}")
    as_colleague(ben).does(f"register {MODEL}")
    running.promote(f"{MODEL}@4", "staging")
    ana.does(f"promote {MODEL}@4 --to production")
    assert [one["part"] for one in unknown(ana)] == ["training"]
    ben.does("approve")
    assert UNSIGNED in why(ana)


def test_what_a_version_is_made_from_in_the_name_of_a_colleague(running: Team) -> None:
    ana, ben = running.ana, running.ben
    ana.edit(POLICY, "exclude: [author, ", "exclude: [lineage, author, ")
    changed = as_colleague(ben).edit("params.yaml", "fit: worse", "fit: better")
    ana.does(f"train {MODEL}")
    ana.does(f"register {MODEL}")
    running.promote(f"{MODEL}@4", "staging")
    ana.does(f"promote {MODEL}@4 --to production")
    assert (changed, "lineage") in {(one["commit"], one["part"]) for one in unknown(ana)}
    ben.does("approve")
    assert "so one more approval is needed" in why(ana)


def test_a_merge_by_hand_is_refused_by_apply_and_seen_by_an_audit(proposed: Team) -> None:
    ben = proposed.ben
    proposed_by(proposed, as_colleague(ben))
    ben.does("approve")
    ben.git("merge", "--quiet", "--no-ff", "-m", "Merge it", BRANCH)
    assert "approvals-missing" in ben("apply production").ids
    change = ben("audit --json").json["changes"][-1]
    assert (change["verdict"], len(change["unknown_authors"])) == ("UNPROVEN", 1)


def test_a_push_of_it_is_refused(proposed: Team) -> None:
    proposed_by(proposed, as_colleague(proposed.ben))
    _, bens, server = hosted(proposed)
    bens.does("approve")
    bens.git("merge", "--quiet", "--no-ff", "-m", "Merge it", f"origin/{BRANCH}")
    assert UNSIGNED in refused(bens, server, "main")


def test_a_change_of_rules_in_the_name_of_a_colleague(proposed: Team) -> None:
    """Ben makes a policy weaker in Ana's name, and approves that."""
    ben = proposed.ben
    someone = as_colleague(ben)
    someone.git("switch", "--quiet", "--create", "weaker")
    someone.edit(POLICY, "max_drop: 0.02", "max_drop: 0.5")
    someone.git("switch", "--quiet", "main")
    ben.does("approve weaker")
    answer = ben("merge weaker")
    assert answer.ids == ["rule-approvals-missing"], answer.text
    assert UNSIGNED in answer.err


def test_a_second_model_is_as_safe(running: Team) -> None:
    running.promote(f"{OTHER}@1", "staging")
    as_colleague(running.ben).does(f"promote {OTHER}@1 --to production")
    running.ben.does("approve")
    assert UNSIGNED in why(running.ana)
