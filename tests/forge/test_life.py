"""The life of a promotion through pull requests: opened, reviewed, merged at the forge, applied, and audited without it."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.builder import MODEL, ROLES
from tests.flows.people import Desk, Team
from tests.forge.desks import at_forge
from tests.forge.fake import BOT, FakeForge, Refusal

WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"
LEDGER = "origin/mlgit-ledger"
LOGINS = {"ana": "Ana-A", "ben": "ben-b", "cara": "Cara-C"}
PROMOTE = f"promote {MODEL}@2 --to production"


class AtForge:
    """A team whose `origin` is at a forge, with version 2 in staging; reviews of production's pull requests count."""

    def __init__(self, team: Team, forge: FakeForge) -> None:
        self.team, self.forge = team, forge
        self.ana = at_forge(team.ana, forge, LOGINS["ana"])
        self.ben = at_forge(team.ben, forge, LOGINS["ben"])

    def review(self, who: str, state: Any = "APPROVED", *, pull: int = 1) -> int:
        """Review what the branch is now; return the number of the review."""
        return int(self.forge.review(LOGINS.get(who, who), pull, state).id)

    def approvals(self, by: Desk | None = None) -> dict[str, Any]:
        answer = (by or self.ana)(f"approvals {WHERE} --json")
        assert answer.code in {0, 1}, answer.text
        return dict(answer.json)

    def counted(self) -> list[str]:
        return [one["person"] for one in self.approvals()["approvals"]["counted"]]

    def reasons(self) -> dict[str, str]:
        return {one["person"]: one["reason"] for one in self.approvals()["approvals"]["uncounted"]}

    def snapshots(self) -> list[dict[str, Any]]:
        """Everything that the ledger has of reviews, in the order of the numbers."""
        self.ana.git("fetch", "--quiet", "origin")
        paths = [path for path in self.ana.files(LEDGER) if path.startswith("reviews/") and path.endswith(".json")]
        return [json.loads(self.ana.show(LEDGER, path)) for path in sorted(paths)]

    def bring_up_to_date(self) -> None:
        """Let the base go on with something that no decision rests on, and merge it into the branch."""
        self.ana.commit("Write down something else", {"notes.md": "Nothing to do with it.\n"})
        self.ana.git("push", "--quiet", "origin", "main")
        self.ana.git("switch", "--quiet", BRANCH)
        self.ana.git("merge", "--quiet", "--no-edit", "main")
        self.ana.git("push", "--quiet", "origin", BRANCH)
        self.ana.git("switch", "--quiet", "main")

    def delete_branch(self) -> None:
        """Delete the branch everywhere, and fetch what there is."""
        self.ana.git("push", "--quiet", "origin", "--delete", BRANCH)
        self.ana.git("branch", "--quiet", "-D", BRANCH)
        self.ana.git("fetch", "--quiet", "--prune", "origin")

    def clone(self, folder: str) -> Desk:
        """A new clone by somebody who knows no forge."""
        return self.team.ben.clone(folder, source=self.team.folder / "origin.git")


@pytest.fixture
def at(proposed: Team, request: pytest.FixtureRequest) -> Iterator[AtForge]:
    """Nothing is open, and the policy asks for one reviewer. The forge is GitHub, unless a test names another."""
    ana = proposed.ana
    kind: Any = getattr(request, "param", "github")
    ana.git("branch", "--quiet", "-D", BRANCH)
    roles = ROLES
    for name, login in LOGINS.items():
        roles = roles.replace(f"[{name}@acme.example", f"[{name}@acme.example", 1)
        roles = roles.replace(f"  {name}: {{", f"  {name}: {{logins: [{login.lower()}], ")
    proposed.change_rules(
        "Let reviews count",
        {
            ".mlgit/roles.yaml": roles,
            "mlgit.yaml": ana.read("mlgit.yaml").replace("forge: none", f"forge: {kind}"),
            "policies/production.yaml": ana.read("policies/production.yaml").replace(
                "evidence: signed", "evidence: forge"
            ),
        },
    )
    origin = proposed.folder / "origin.git"
    ana.clone("origin.git", "--bare")
    ana.git("remote", "add", "origin", origin.as_uri())
    ana.git("fetch", "--quiet", "origin")
    people = dict.fromkeys(LOGINS.values(), "write") | {"mallory": "write"}
    with FakeForge(origin, people=people, kind=kind, now=lambda: proposed.now.moment) as forge:
        yield AtForge(proposed, forge)


def all_kept(audit: Any) -> bool:
    """Whether every change of what runs, and of rules, kept every rule."""
    counts = audit["counts"]
    return bool(counts["PROVEN"] + counts["UNAPPROVED"] == len(audit["changes"]) + len(audit["rules"]))


@pytest.mark.tier("fast")
def test_reviews_are_fetched_counted_and_audited_without_the_forge(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    proposed = ana.does(f"{PROMOTE} --json").json
    assert (proposed["pull_request"], proposed["warnings"]) == (f"{forge.url}/{forge.repository}/pull/1", [])
    assert forge.pulls[1].title == f"Promote {MODEL}@2 to production"
    assert MODEL in forge.pulls[1].body

    forge.pulls[1].body += "\n\nBen, please look at the slices."
    again = ana.does(PROMOTE)
    assert "was proposed already" in again.out
    assert "pull request" in again.out
    assert [*forge.pulls] == [1]
    assert forge.pulls[1].body.endswith("Ben, please look at the slices.")

    first = at.approvals()
    assert (first["pull_request"], first["approvals"]["counted"], first["approvals"]["evidence"]) == (
        proposed["pull_request"],
        [],
        "forge",
    )
    at.review("ben", "CHANGES_REQUESTED")
    assert at.reasons() == {"ben": "rejected it"}
    at.review("mallory")
    dismissed = at.review("ben")
    assert at.counted() == ["ben"]
    forge.dismiss("Cara-C", 1, dismissed)
    assert at.reasons() == {
        "ben": "the review was dismissed",
        "@mallory": "no entry of .mlgit/roles.yaml has this login",
    }
    assert "approvals-missing" in ana(f"merge {WHERE}").ids
    at.review("ben")
    at.review("ben", "COMMENTED")
    reviewed = forge.pulls[1].head

    at.bring_up_to_date()
    assert forge.pull(1).head != reviewed
    assert at.counted() == ["ben"]

    forge.check("mlgit/verdict", forge.pull(1).head)
    squashed = forge.merge("Cara-C", 1, "squash")
    at.delete_branch()
    applied = ana.does("apply production --json").json["results"][0]
    assert (applied["state"], applied["approved_by"]) == ("applied", ["ben"])
    (told,) = at.snapshots()
    assert (told["pull_request"], told["merged_as"], told["merged_by"]) == (1, squashed, "Cara-C")
    assert [one["verdict"] for one in told["reviews"]] == ["reject", "approve", "dismissed", "approve", "comment"]
    assert told["checks"] == [{"name": "mlgit/verdict", "state": "success", "by": "github-actions"}]
    assert ana.does("apply production --json").json["results"][0]["state"] == "up-to-date"
    assert len(at.snapshots()) == 1

    asked = len(forge.requests)
    fresh = at.clone("fresh")
    audit = fresh.does("audit --json").json
    assert all_kept(audit)
    last = audit["changes"][-1]
    assert [(one["person"], one["review"]) for one in last["approvals"]] == [
        ("ben", f"review {told['reviews'][3]['id']} of acme/churn#1")
    ]
    assert any("No forge was queried" in sentence for sentence in audit["not_checked"])
    assert "ben" in fresh.does(f"why production/{MODEL}").out
    assert at.approvals(fresh)["approvals"]["counted"][0]["person"] == "ben"
    assert len(forge.requests) == asked


@pytest.mark.parametrize(
    ("at", "method"), [("github", "rebase"), ("gitea", "squash"), ("github", "mlgit")], indirect=["at"]
)
def test_every_merge_method_can_be_audited(at: AtForge, method: Any) -> None:
    ana = at.ana
    ana.does(PROMOTE)
    at.review("ben")
    if method == "mlgit":
        ana.does(f"merge {WHERE}")
    else:
        at.forge.merge("Cara-C", 1, method)
        ana.git("fetch", "--quiet", "origin")
    (applied,) = ana.does("apply production --json").json["results"]
    assert (applied["state"], applied["approved_by"]) == ("applied", ["ben"])
    audit = at.clone("fresh").does("audit --json").json
    assert all_kept(audit)


def test_reviews_by_authors_do_not_count_and_reviews_of_an_old_promotion_are_stale(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    robot = at_forge(at.team.ana, forge, BOT)
    robot.does(PROMOTE)
    assert forge.pulls[1].user.login == BOT
    at.review("ana")
    at.review("ben")
    assert (at.counted(), at.reasons()) == (["ben"], {"ana": "author of the promotion"})
    before = forge.pull(1).head

    # The policy changes, so that the promotion is made again in the same place, and the branch moves by force.
    ana.edit("policies/production.yaml", "max_drop: 0.02", "max_drop: 0.03")
    ana.git("push", "--quiet", "origin", "main")
    robot.does(PROMOTE)
    assert [*forge.pulls] == [1]
    assert forge.pull(1).head != before
    assert at.counted() == []
    assert at.reasons()["ben"].startswith("stale")
    at.review("ben")
    assert at.counted() == ["ben"]

    # A signature proves more than a review: Cara does not need an account.
    at.team.cara.does(f"approve {WHERE}")
    assert at.counted() == ["ben", "cara"]
    at.review("cara", "CHANGES_REQUESTED")
    assert at.counted() == ["ben"]


def test_without_an_answer_nothing_is_counted_and_nothing_deployed(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    forge.fault(503, times=99)
    opened = ana.does(PROMOTE)
    assert "forge-unreachable" in opened.ids
    assert not forge.pulls
    assert f"mlgit promote {MODEL}@2 --to production" in opened.out
    assert ana(f"approvals {WHERE}").code == 3
    assert ana(f"merge {WHERE}").code == 3
    forge.faults.clear()
    ana.does(PROMOTE)
    at.review("ben")
    forge.merge("Cara-C", 1)
    ana.git("fetch", "--quiet", "origin")
    forge.fault(401, times=99)
    ledger = ana.head(LEDGER)
    assert ana("apply production").code == 3
    assert ana.head(LEDGER) == ledger  # that the forge refuses to tell is nothing against the promotion
    forge.faults.clear()
    ana.does("apply production")

    # What was decided once is mended without the forge.
    forge.fault(503, times=99)
    served = next((at.team.root / "deployed").rglob("model.skops"), None)
    assert served is not None
    served.chmod(0o644)
    served.write_bytes(b"something else")
    ana.does("apply production")
    assert at.clone("fresh").does("audit --json").json["changes"][-1]["verdict"] == "PROVEN"


def test_a_review_that_only_the_ledger_names_is_not_proven(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    ana.does(f"{PROMOTE} --no-pull-request")
    assert not forge.pulls
    forge.open("Cara-C", BRANCH, "main", "Promote it")
    at.team.cara.does(f"approve {WHERE}")
    assert at.reasons() == {"cara": "opened pull request 1"}
    decision = at.approvals()["decision"]
    promotion = at.approvals()["promotion"]
    merged = forge.merge("mallory", 1)
    ana.git("fetch", "--quiet", "origin")
    assert "approvals-missing" in ana("apply production").ids

    # Somebody who may write to the ledger states a review of a commit that nobody has.
    ana.git("switch", "--quiet", "--detach", LEDGER)
    path = f"reviews/{promotion}/1.json"
    review = {"id": 1, "login": "ben-b", "verdict": "approve", "commit": "c" * 40, "at": "2026-03-01T13:00:00Z"}
    told = {
        "kind": "reviews",
        "schema": 1,
        "promotion": promotion,
        "environment": "production",
        "model": MODEL,
        "forge": "github",
        "repository": "acme/churn",
        "pull_request": 1,
        "url": forge.url,
        "branch": BRANCH,
        "base": "main",
        "head": "c" * 40,
        "author": "Cara-C",
        "merged_as": merged,
        "reviews": [review | {"decision": decision}],
        "by": "mallory",
        "at": "2026-03-09T00:00:00Z",
    }
    ana.commit("Keep the reviews", {path: json.dumps(told)})
    ana.git("push", "--quiet", "origin", "HEAD:mlgit-ledger")
    ana.git("switch", "--quiet", "main")
    ana.git("fetch", "--quiet", "origin")
    audit = ana("audit --json")
    last = audit.json["changes"][-1]
    assert last["verdict"] == "UNPROVEN"
    assert {one["id"] for one in last["findings"]} == {
        "rules-recent",
        "reviewed-commit-missing",
        "ledger-entry-unsigned",
        "apply-rejected",
    }
    assert "approvals-missing" in ana("apply production").ids


def test_a_rollback_and_a_hold_have_pull_requests_of_their_own(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    back = ana.does("rollback staging --reason 'INC-7 @acme/all'").out
    held = ana.does(f"hold add production/{MODEL} --reason 'closes #1, @acme/all'").out
    assert [one.title for one in forge.pulls.values()] == [
        f"Roll back staging to {MODEL}@1",
        f"Hold {MODEL} in production",
    ]
    assert not any(re.search(r"@acme|(?<!&)#\d", one.body) for one in forge.pulls.values())
    assert f"pull request {forge.url}/{forge.repository}/pull/1" in back
    assert f"pull request {forge.url}/{forge.repository}/pull/2" in held
    ana.does(f"hold add production/{MODEL} --reason 'closes #1, @acme/all'")
    assert [*forge.pulls] == [1, 2]


def test_one_of_two_racing_pull_requests_is_merged_and_can_be_rolled_back(at: AtForge) -> None:
    """Each was approved by itself, on the same base; the forge cannot merge the second, and the audit proves what landed."""
    ana, forge = at.ana, at.forge
    ana.does(f"{PROMOTE} --no-pull-request")
    ana.git("push", "--quiet", "origin", f"{BRANCH}:refs/heads/other", f":{BRANCH}")
    ana.git("branch", "--quiet", "-D", BRANCH)
    forge.open(LOGINS["ana"], "other", "main", "Promote it as well")
    at.team.now.moment += timedelta(minutes=1)
    ana.does(PROMOTE)
    for number in (1, 2):
        at.review("ben", pull=number)
    forge.merge("Cara-C", 2, "squash")
    with pytest.raises(Refusal, match="not mergeable"):
        forge.merge("Cara-C", 1, "squash")
    ana.git("pull", "--quiet", "--ff-only", "origin", "main")
    ana.does("apply production")

    ana.does("rollback production --reason INC-7")
    assert forge.pulls[3].title == f"Roll back production to {MODEL}@1"
    at.review("ben", pull=3)
    forge.merge("Cara-C", 3, "merge")
    ana.git("pull", "--quiet", "--ff-only", "origin", "main")
    (applied,) = ana.does("apply production --json").json["results"]
    assert (applied["version"], applied["state"], applied["approved_by"]) == (f"{MODEL}@1", "applied", ["ben"])
    changes = at.clone("afterwards").does("audit --env production --json").json["changes"]
    assert [(one["after"], one["verdict"]) for one in changes] == [
        (f"{MODEL}@{number}", "PROVEN") for number in (1, 2, 1)
    ]


def test_reviews_are_recorded_for_an_environment_without_a_target(at: AtForge) -> None:
    ana = at.ana
    path = "environments/production/environment.yaml"
    nowhere = ana.read(path).partition("target:")[0] + "target: {type: none}\n"
    at.team.change_rules("Run it elsewhere", {path: nowhere}, ana=ana, ben=at.ben)
    ana.does(PROMOTE)
    at.review("ben")
    at.forge.merge("Cara-C", 1)
    ana.git("fetch", "--quiet", "origin")
    for _ in range(2):
        assert ana.does("apply production --json").json["results"][0]["state"] == "no-target"
        assert [one["merged_by"] for one in at.snapshots()] == ["Cara-C"]
    assert at.clone("fresh").does("audit --json").json["changes"][-1]["verdict"] == "PROVEN"
