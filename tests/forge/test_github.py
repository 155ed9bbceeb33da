"""Requests to GitHub, against the fake: each request and response follows GitHub's OpenAPI description, or the test fails."""

from datetime import UTC, datetime

import pytest

from mlgit.domain.forge import Annotation, BranchRules, CommitCheck, ForgeReview
from mlgit.edges.forge import open_forge
from mlgit.errors import MlgitError
from mlgit.ops.kernel.ports.forge import Forge
from tests.flows.conftest import MakeRepo, Repo
from tests.forge.conftest import MakeForge
from tests.forge.fake import BOT, FakeForge, Rules


def open_as(forge: FakeForge, login: str | None = "ana") -> Forge:
    return open_forge(forge.kind, None, forge.environment(login) | {"PATH": ""})


def ids(caught: pytest.ExceptionInfo[MlgitError]) -> list[str]:
    return [one.id for one in caught.value.findings]


@pytest.mark.tier("fast")
def test_a_pull_request_is_opened_found_edited_and_closed(clone: Repo, forge: FakeForge) -> None:
    ana = open_as(forge)
    made = ana.open_pull_request(branch="promote/x", base="main", title="Promote x", body="Because", draft=True)
    assert (made.number, made.state, made.draft, made.is_fork) == (1, "open", True, False)
    assert (made.branch, made.base, made.head, made.author) == ("promote/x", "main", clone.head, "ana")
    assert made.url == f"{ana.url}/pull/1" == f"{forge.url}/acme/churn/pull/1"
    assert (made.merged_by, made.merged_as) == (None, None)
    assert ana.pull_requests(branch="promote/x", base="main") == [made] == ana.pull_requests()
    assert ana.pull_requests(branch="promote") == [] == ana.pull_requests(base="other")

    edited = ana.edit_pull_request(1, title="Promote x again", body="")
    assert (edited.title, edited.body) == ("Promote x again", "")
    assert ana.edit_pull_request(1, closed=True).state == "closed"
    assert ana.pull_requests(branch="promote/x") == []
    assert [one.number for one in ana.pull_requests(branch="promote/x", state="all")] == [1]
    assert ana.edit_pull_request(1, closed=False).state == "open"

    with pytest.raises(MlgitError) as caught:
        ana.open_pull_request(branch="promote/x", base="main", title="Twice", body="")
    assert ids(caught) == ["forge-request-rejected"]
    assert "already exists" in caught.value.findings[0].why
    with pytest.raises(MlgitError) as caught:
        ana.pull_request(7)
    assert ids(caught) == ["forge-resource-unknown"]


def test_a_branch_of_a_fork_with_the_same_name_is_not_listed(
    clone: Repo, make_repo: MakeRepo, forge: FakeForge
) -> None:
    bare = make_repo("fork.git", "--bare")
    clone.write({"c": "1\n"}).commit("Sneak in")
    clone.git("push", "--quiet", str(bare.root), "promote/x")
    forge.fork("mallory", bare.root)
    forge.open("dan", "promote/x", "main", "Sneak in", owner="mallory")
    ana = open_as(forge)
    assert ana.pull_requests(branch="promote/x") == []
    (theirs,) = ana.pull_requests(base="main")
    assert theirs.is_fork
    assert theirs.head == clone.head == clone.git("ls-remote", "origin", "refs/pull/1/head").split()[0]


def test_all_reviews_are_read_oldest_first_with_deleted_accounts(clone: Repo, forge: FakeForge) -> None:
    forge.open("ana", "promote/x", "main", "Promote x")
    for _ in range(64):
        forge.review("dan", 1, "COMMENTED")
    old = clone.head
    forge.review("ben", 1)
    rejected = forge.review("cara", 1, "CHANGES_REQUESTED")
    clone.write({"c": "1\n"}).commit("More")
    clone.git("push", "--quiet", "origin", "promote/x")
    forge.review("cara", 1)
    forge.dismiss("ana", 1, rejected.id)
    forge.delete_user("ben")

    found = open_as(forge).reviews(1)
    assert len(found) == 67
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert [(one.login, one.verdict, one.commit) for one in found[64:]] == [
        (None, "approve", old),
        ("cara", "dismissed", old),
        ("cara", "approve", clone.head),
    ]
    assert found[0] == ForgeReview(
        id=found[0].id, login="dan", verdict="comment", commit=old, at=datetime(2026, 3, 1, 12, 2, tzinfo=UTC)
    )


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_merged_pull_request_has_who_merged_it_and_the_merge_commit(
    clone: Repo, forge: FakeForge, method: str
) -> None:
    clone.write({"c": "1\n"}).commit("More")
    clone.git("push", "--quiet", "origin", "promote/x")
    forge.open("ana", "promote/x", "main", "Promote x")
    new = forge.merge("ben", 1, method)  # type: ignore[arg-type]
    clone.git("fetch", "--quiet", "origin")
    assert clone.git("rev-parse", "origin/main") == new
    assert clone.git("diff", new, "promote/x") == ""
    assert len(clone.git("rev-list", "--first-parent", "main..origin/main").split()) == (2 if method == "rebase" else 1)

    ana = open_as(forge)
    found = ana.pull_request(1)
    assert (found.state, found.merged_by, found.merged_as, found.head) == ("merged", "ben", new, clone.head)
    assert ana.pull_requests_of(new) == [found] == ana.pull_requests_of(clone.head)
    assert ana.pull_requests_of("0" * 40) == []
    assert ana.pull_requests(state="all")[0].state == "merged"


def test_a_pushed_merge_merges_the_pull_request(clone: Repo, forge: FakeForge) -> None:
    forge.open("ana", "promote/x", "main", "Promote x")
    forge.pusher = "cara"
    clone.git("switch", "--quiet", "main")
    clone.git("merge", "--quiet", "--no-ff", "promote/x", "--message", "Merge")
    clone.git("push", "--quiet", "origin", "main")
    found = open_as(forge).pull_request(1)
    assert (found.state, found.merged_as, found.merged_by) == ("merged", clone.head, "cara")


def test_comments_and_issues_are_written_listed_and_changed(forge: FakeForge) -> None:
    forge.open("ana", "promote/x", "main", "Promote x")
    ana, bot = open_as(forge), open_as(forge, BOT)
    made = bot.add_comment(1, "First")
    for n in range(40):
        forge.comment("ben", 1, f"{n}")
    assert bot.edit_comment(made.id, "Better").body == "Better"
    found = ana.comments(1)
    assert len(found) == 41
    assert (found[0].id, found[0].login, found[0].body) == (made.id, BOT, "Better")

    issue = ana.open_issue(title="Drift", body="It drifts", labels=["mlgit"])
    ana.open_issue(title="Other", body="")
    ana.add_labels(1, ["mlgit", "promotion"])
    assert forge.pulls[1].labels == ["mlgit", "promotion"]
    assert ana.issues(label="mlgit") == [issue]
    assert len(ana.issues()) == 2
    assert ana.edit_issue(issue.number, body="It no longer does", closed=True).body == "It no longer does"
    assert ana.issues(label="mlgit") == []


def test_refused_labels_are_ignored(forge: FakeForge) -> None:
    forge.open("ana", "promote/x", "main", "Promote x")
    open_as(forge, "dan").add_labels(1, ["mlgit"])
    assert forge.pulls[1].labels == []


def test_the_latest_result_of_each_check_and_status_is_read(clone: Repo, forge: FakeForge) -> None:
    for n in range(35):
        forge.check(f"check-{n}", clone.head)
    forge.check("verdict", clone.head, "success")
    forge.check("verdict", clone.head, "timed_out", app="another-app")
    forge.check("verdict", clone.head, None)
    forge.check("skipped", clone.head, "skipped")
    forge.status("ben", "old", clone.head, "success")
    forge.status("cara", "old", clone.head, "error")
    forge.status("ben", "old", "main", "success")
    found = open_as(forge).checks(clone.head)
    assert len(found) == 39
    assert found[35:] == [
        CommitCheck(name="verdict", state="pending", by="github-actions"),
        CommitCheck(name="verdict", state="failure", by="another-app"),
        CommitCheck(name="skipped", state="neutral", by="github-actions"),
        CommitCheck(name="old", state="failure", by="cara"),
    ]


def test_an_app_posts_check_runs_and_a_person_statuses(clone: Repo, forge: FakeForge) -> None:
    marks = [Annotation(path="a", line=1, level="error", title="Bad", message=f"{n}") for n in range(60)]
    open_as(forge, BOT).post_check(
        clone.head,
        "mlgit/verdict",
        "failure",
        title="No",
        summary="x" * 70_000,
        annotations=marks,
        url="https://acme.example",
    )
    (run,) = forge.runs
    assert (run.name, run.conclusion, run.app, run.details_url) == (
        "mlgit/verdict",
        "failure",
        "github-actions",
        "https://acme.example",
    )
    assert len(run.output["annotations"]) == 50
    assert run.output["annotations"][0]["annotation_level"] == "failure"
    assert len(run.output["summary"]) == 65_535

    ana = open_as(forge)
    ana.post_check(clone.head, "mlgit/verdict", "pending", title="y" * 200)
    ana.post_check(clone.head, "mlgit/verdict", "neutral", title="Nothing to judge")
    assert [(one.state, one.user.login, len(one.description or "")) for one in forge.statuses] == [
        ("pending", "ana", 140),
        ("success", "ana", 16),
    ]
    assert [one.path.rsplit("/", 1)[1] for one in forge.requests if one.login == "ana"].count("check-runs") == 1


def test_a_token_that_may_post_neither_is_refused(clone: Repo, forge: FakeForge) -> None:
    forge.withheld = {"checks", "statuses"}
    with pytest.raises(MlgitError) as caught:
        open_as(forge, BOT).post_check(clone.head, "mlgit/verdict", "success", title="Yes")
    assert ids(caught) == ["forge-request-rejected"]


def test_a_deployment_is_created_once_and_collects_statuses(clone: Repo, forge: FakeForge) -> None:
    forge.check("still-running", clone.head, None)
    bot = open_as(forge, BOT)
    bot.report_deployment(
        clone.head, "production", "in_progress", description="churn@2", payload={"digest": "sha256:1"}
    )
    bot.report_deployment(clone.head, "production", "success", description="churn@2")
    bot.report_deployment(clone.git("rev-parse", "main"), "production", "success", description="churn@1")
    first, second = forge.deployments
    assert [one["state"] for one in first.statuses] == ["in_progress", "success"]
    assert (first.commit, first.environment, first.payload) == (clone.head, "production", {"digest": "sha256:1"})
    assert [one["state"] for one in second.statuses] == ["success"]


FREE = BranchRules(
    required_checks=[],
    strict_checks=False,
    required_reviews=0,
    code_owner_review=False,
    dismiss_stale_reviews=False,
    last_push_approval=False,
    linear_history=False,
    signed_commits=False,
    allow_force_push=True,
    allow_deletion=True,
    bypass_actors=[],
)
ALL = Rules(
    reviews=2,
    checks=("b", "a"),
    strict=True,
    code_owners=True,
    dismiss_stale=True,
    last_push=True,
    linear=True,
    signed=True,
    bypass=("cara",),
)
STRICT = BranchRules(
    required_checks=["a", "b"],
    strict_checks=True,
    required_reviews=2,
    code_owner_review=True,
    dismiss_stale_reviews=True,
    last_push_approval=True,
    linear_history=True,
    signed_commits=True,
    allow_force_push=False,
    allow_deletion=False,
)


@pytest.mark.parametrize(
    ("rules", "login", "expected", "bypass"),
    [
        (None, "ana", FREE, []),
        (None, "ben", BranchRules(), None),
        (ALL, "ana", STRICT, ["User 102"]),
        (ALL, "ben", STRICT, None),
        (Rules(reviews=1, protection=True), "ben", BranchRules(), None),
        (
            Rules(reviews=2, checks=("b", "a"), strict=True, code_owners=True, dismiss_stale=True, last_push=True,
                  linear=True, signed=True, bypass=("cara",), protection=True),
            "ana", STRICT, ["administrators"],
        ),
    ],
)  # fmt: skip
def test_rules_combine_rulesets_and_protection(
    forge: FakeForge, rules: Rules | None, login: str, expected: BranchRules, bypass: list[str] | None
) -> None:
    if rules:
        forge.rules["main"] = rules
    found = open_as(forge, login).branch_rules("main")
    names = [name for name in BranchRules.__struct_fields__ if name not in {"raw", "bypass_actors"}]
    if rules is ALL and login == "ben":  # the ruleset demands all of it, and whoever may read is told
        assert found.required_reviews == 2
    assert {name: getattr(found, name) for name in names} == {name: getattr(expected, name) for name in names}
    assert found.bypass_actors == bypass
    assert {"rules", "rulesets", "protection"} == set(found.raw)


def test_unreadable_rules_are_unknown(forge: FakeForge) -> None:
    forge.fault(403, path="/rules/branches/main")
    found = open_as(forge).branch_rules("main")
    assert (found.required_reviews, found.required_checks, found.allow_force_push, found.bypass_actors) == (
        None,
        None,
        None,
        None,
    )


def test_the_rules_of_a_branch_with_a_slash_are_read(forge: FakeForge) -> None:
    forge.rules["promote/x"] = Rules(reviews=3)
    assert open_as(forge, "ben").branch_rules("promote/x").required_reviews == 3


@pytest.mark.parametrize(
    ("login", "name", "may"),
    [
        ("ana", "ana", ["admin", "maintain", "pull", "push", "triage"]),
        ("dan", "dan", ["pull"]),
        (BOT, None, ["pull", "push", "triage"]),
    ],
)  # fmt: skip
def test_a_token_has_a_login_and_permissions(forge: FakeForge, login: str, name: str | None, may: list[str]) -> None:
    person = open_as(forge, login)
    assert person.token_login() == name
    assert [right for right, word in person.permissions().items() if word == "yes"] == may


def test_an_enterprise_server_has_its_api_below_a_path(make_forge: MakeForge) -> None:
    forge = make_forge(base_path="/api/v3")
    asked = open_forge(
        "github",
        None,
        {"GITHUB_SERVER_URL": forge.url, "GITHUB_REPOSITORY": "acme/churn", "GITHUB_TOKEN": forge.tokens["ana"]},
    )
    assert asked.token_login() == "ana"
    forge.rename("acme/customers")
    assert asked.pull_requests(branch="promote/x") == []


def test_a_renamed_repository_is_followed(clone: Repo, forge: FakeForge) -> None:
    ana = open_as(forge)
    forge.rename("other/customers")
    made = ana.open_pull_request(branch="promote/x", base="main", title="Promote x", body="")
    assert ana.pull_requests(branch="promote/x") == [made]
    assert not made.is_fork
