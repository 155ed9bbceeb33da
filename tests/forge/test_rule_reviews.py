"""Reviews of pull requests that change rules: counted by `merge`, the verdict and the audit, and kept on the ledger."""

import json
from typing import Any

import pytest

from tests.flows.people import Desk
from tests.flows.test_authorship import as_colleague
from tests.flows.test_rule_changes import POLICY, proposes
from tests.forge.desks import at_forge
from tests.forge.test_ci_forge import runner
from tests.forge.test_life import LEDGER, LOGINS, PROMOTE, AtForge, at

__all__ = ["at"]
BOTH = pytest.mark.parametrize("at", ["github", "gitea"], indirect=True)


@pytest.fixture
def guarded(at: AtForge) -> AtForge:
    """Version 2 is in production, after a review, so that changes of rules need one too."""
    at.ana.does(PROMOTE)
    at.review("ben")
    at.ana.does("merge")
    at.ana.does("apply production")
    return at


def opens(at: AtForge, by: Desk, branch: str = "loosen") -> int:
    """Propose a looser policy in a pull request; return its number."""
    proposes(by, branch)
    by.git("push", "--quiet", "origin", branch)
    return int(at.forge.open(LOGINS["ana"], branch, "main", "Loosen the policy").number)


def verdict(at: AtForge, number: int) -> list[str]:
    """Return the findings of `mlgit ci verdict` on a pull request, in Ana's clone as a job of a CI sees it."""
    ends = {"base": {"sha": at.forge.git.tip("main")}, "head": {"sha": at.forge.pull(number).head}}
    event = at.team.folder / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}, "pull_request": {"number": number, **ends}}))
    more = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event)}
    answer = runner(at, LOGINS["ana"], **more)("ci verdict --json").json
    return [finding["id"] for finding in answer.get("findings", [])]


def rule_snapshots(at: AtForge) -> list[dict[str, Any]]:
    at.ana.git("fetch", "--quiet", "origin")
    paths = [path for path in at.ana.files(LEDGER) if path.startswith("rule-reviews/") and path.endswith(".json")]
    return [json.loads(at.ana.show(LEDGER, path)) for path in sorted(paths)]


def audited(at: AtForge) -> list[tuple[str, list[str], list[str]]]:
    """Return verdict, approvers and findings of the newest change of rules, in a clone that knows no forge."""
    rows = at.clone(f"auditors-{at.team.now.moment:%H%M%S}-{len(list(at.team.folder.iterdir()))}")("audit --json").json[
        "rules"
    ][-1:]
    return [
        (
            row["verdict"],
            [one["person"] for one in row.get("approvals", [])],
            [finding["id"] for finding in row.get("findings", [])],
        )
        for row in rows
    ]


@BOTH
@pytest.mark.tier("fast")
def test_a_change_of_rules_is_merged_after_a_review_and_audited_without_the_forge(guarded: AtForge) -> None:
    at, ana = guarded, guarded.ana
    number = opens(at, ana)
    assert ana.refused("merge loosen") == ["rule-approvals-missing"]
    assert verdict(at, number) == ["rule-approvals-missing"]
    at.review("mallory", pull=number)
    assert ana.refused("merge loosen") == ["rule-approvals-missing"]
    at.review("ben", pull=number)
    assert verdict(at, number) == []
    assert ana.does("merge loosen --json").json["approved_by"] == ["ben"]
    (snapshot,) = rule_snapshots(at)
    assert (snapshot["kind"], snapshot["pull_request"], snapshot["pushers"]) == (
        "rule-reviews",
        number,
        [LOGINS["ana"]],
    )
    assert audited(at) == [("PROVEN", ["ben"], [])]


def test_a_review_counts_for_the_content_that_was_reviewed(guarded: AtForge) -> None:
    at, ana = guarded, guarded.ana
    number = opens(at, ana)
    at.review("ben", pull=number)
    ana.git("switch", "--quiet", "loosen")
    ana.edit(POLICY, "margin: 0.0", "margin: -0.5")
    ana.git("push", "--quiet", "origin", "loosen")
    ana.git("switch", "--quiet", "main")
    assert ana("merge loosen").ids == ["rule-approvals-missing"]
    assert verdict(at, number) == ["rule-approvals-missing"]


def test_a_rejection_by_review_stands_in_the_way(guarded: AtForge) -> None:
    at, ana = guarded, guarded.ana
    number = opens(at, ana)
    at.review("cara", "CHANGES_REQUESTED", pull=number)
    at.review("ben", pull=number)
    assert "cara, who rejected it" in ana("merge loosen").err


def test_whoever_opened_or_pushed_does_not_count(guarded: AtForge) -> None:
    at, ana = guarded, guarded.ana
    at.forge.branch_pusher = LOGINS["ben"]
    number = opens(at, as_colleague(ana))
    at.review("ben", pull=number)
    assert "ben, made commit" in ana("merge loosen").err
    at.review("cara", pull=number)
    assert ana.does("merge loosen --json").json["approved_by"] == ["cara"]


def test_the_forge_vouches_for_unsigned_commits_of_a_squash(guarded: AtForge) -> None:
    at, ana = guarded, guarded.ana
    number = opens(at, as_colleague(ana))
    at.review("ben", pull=number)
    at.forge.merge(LOGINS["cara"], number, method="squash")
    ana.git("pull", "--quiet", "origin", "main")
    assert rule_snapshots(at) == []
    assert audited(at) == [("UNPROVEN", [], ["approvals-not-on-ledger"])]
    ana.does("apply production")
    ana.does("apply production")  # and again, which adds nothing
    assert len(rule_snapshots(at)) == 1
    assert audited(at) == [("PROVEN", ["ben"], [])]


def test_a_snapshot_that_no_applier_signed_proves_nothing(guarded: AtForge) -> None:
    at = guarded
    number = opens(at, at.ana)
    at.review("ben", pull=number)
    cara = at_forge(at.team.cara, at.forge, LOGINS["cara"])
    cara.does("merge loosen")
    assert audited(at) == [("UNPROVEN", ["ben"], ["ledger-entry-unsigned"])]
    at.ana.git("pull", "--quiet", "origin", "main")
    at.ana.does("apply production")
    assert audited(at) == [("PROVEN", ["ben"], [])]


def test_an_author_who_cannot_be_told_is_refused_where_the_policy_says_so(guarded: AtForge) -> None:
    at, ana = guarded, guarded.ana
    proposes(ana, "refuse", change=("exclude:", "unknown_author: refuse\nexclude:"))
    ana.git("push", "--quiet", "origin", "refuse")
    number = at.forge.open(LOGINS["ana"], "refuse", "main", "Refuse unknown authors").number
    at.review("ben", pull=number)
    ana.does("merge refuse")
    at.forge.branch_pusher = "mallory"
    number = opens(at, as_colleague(ana))
    at.review("ben", pull=number)
    at.review("cara", pull=number)
    assert "a known author of each commit (the policy refuses others)" in ana("merge loosen").err


@BOTH
def test_a_signed_approval_is_written_into_the_pull_request_so_that_its_check_runs_again(guarded: AtForge) -> None:
    at = guarded
    number = opens(at, at.ana)
    at.forge.pulls[number].body = "Why: fewer people."
    at.ben.git("fetch", "--quiet", "origin")
    said = at.ben.does("approve loosen --json").json
    assert (said["pull_request"].rpartition("/")[2], said["counted"]) == (str(number), ["ben"])
    body = at.forge.pulls[number].body
    assert body.startswith("Why: fewer people.\n\n<!-- mlgit:signatures -->\nApprovals that count: ben (")
    at.ben.does("approve loosen")
    assert at.forge.pulls[number].body.count("mlgit:signatures") == 1


def test_without_a_token_the_approval_is_made_and_says_what_to_do(guarded: AtForge) -> None:
    at = guarded
    opens(at, at.ana)
    nobody = at_forge(at.team.ben, at.forge, None)
    nobody.git("fetch", "--quiet", "origin")
    answer = nobody.does("approve loosen")
    assert "run the check mlgit/verdict of its pull request again at the forge" in answer.text
    assert at.ana.does("merge loosen --json").json["approved_by"] == ["ben"]
