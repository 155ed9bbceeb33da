"""Requests to Gitea, against the fake."""

import msgspec
import pytest

from mlgit.domain.forge import Annotation, CommitCheck
from mlgit.edges.forge.gitea_wire import GiteaProtection
from mlgit.errors import MlgitError
from tests.flows.conftest import Repo
from tests.forge.fake import FakeForge, Rules
from tests.forge.test_github import ids, open_as


@pytest.mark.tier("fast")
def test_a_pull_request_is_opened_found_edited_and_closed(clone: Repo, gitea: FakeForge) -> None:
    ana = open_as(gitea)
    made = ana.open_pull_request(branch="promote/x", base="main", title="Promote x", body="Because", draft=True)
    assert (made.number, made.state, made.draft, made.is_fork, made.title) == (1, "open", True, False, "WIP: Promote x")
    assert (made.branch, made.base, made.head, made.author) == ("promote/x", "main", clone.head, "ana")
    assert made.url == f"{ana.url}/pulls/1"
    assert ana.pull_requests(branch="promote/x", base="main") == [made]
    assert ana.pull_requests(branch="promote") == [] == ana.pull_requests(base="other")
    assert ana.edit_pull_request(1, title="Promote x").draft is False
    assert ana.edit_pull_request(1, closed=True).state == "closed"
    assert [one.number for one in ana.pull_requests(state="all")] == [1]
    ana.edit_pull_request(1, closed=False)
    with pytest.raises(MlgitError) as caught:
        ana.open_pull_request(branch="promote/x", base="main", title="Twice", body="")
    assert ids(caught) == ["forge-request-rejected"]


def test_all_reviews_are_read_with_dismissed_ones(clone: Repo, gitea: FakeForge) -> None:
    gitea.open("ana", "promote/x", "main", "Promote x")
    for _ in range(31):
        gitea.review("dan", 1, "COMMENTED")
    gitea.review("ben", 1)
    rejected = gitea.review("cara", 1, "CHANGES_REQUESTED")
    gitea.review("cara", 1)
    gitea.dismiss("ana", 1, rejected.id)
    gitea.delete_user("ben")
    found = open_as(gitea).reviews(1)
    assert len(found) == 34
    assert [(one.login, one.verdict, one.commit) for one in found[31:]] == [
        (None, "approve", clone.head),
        ("cara", "dismissed", clone.head),
        ("cara", "approve", clone.head),
    ]


def test_a_merged_pull_request_has_who_merged_it_and_the_merge_commit(clone: Repo, gitea: FakeForge) -> None:
    gitea.open("ana", "promote/x", "main", "Promote x")
    ana = open_as(gitea)
    assert ana.pull_requests_of(clone.head) == []
    new = gitea.merge("ben", 1)
    found = ana.pull_request(1)
    assert (found.state, found.merged_by, found.merged_as) == ("merged", "ben", new)
    assert ana.pull_requests_of(new) == [found]
    assert ana.pull_requests_of("0" * 40) == []


def test_comments_labels_and_issues_are_written_listed_and_changed(gitea: FakeForge) -> None:
    gitea.open("ana", "promote/x", "main", "Promote x")
    ana = open_as(gitea)
    made = ana.add_comment(1, "First")
    assert ana.edit_comment(made.id, "Better").body == "Better"
    assert [one.body for one in ana.comments(1)] == ["Better"]
    issue = ana.open_issue(title="Drift", body="It drifts", labels=["mlgit"])
    ana.add_labels(1, ["mlgit", "promotion"])
    open_as(gitea, "dan").add_labels(1, ["rude"])
    assert gitea.pulls[1].labels == ["mlgit", "promotion"]
    assert ana.issues(label="mlgit") == [issue] == ana.issues()
    ana.edit_issue(issue.number, closed=True)
    assert ana.issues() == []


def test_checks_are_statuses(clone: Repo, gitea: FakeForge) -> None:
    gitea.status("ben", "verdict", clone.head, "success")
    gitea.status("ben", "other", clone.head, "warning")
    mark = Annotation(path="a", line=1, level="error", title="Bad", message="Bad")
    open_as(gitea).post_check(clone.head, "verdict", "failure", title="No", annotations=[mark])
    assert sorted(open_as(gitea).checks(clone.head), key=lambda one: one.name) == [
        CommitCheck(name="other", state="neutral", by="ben"),
        CommitCheck(name="verdict", state="failure", by="ana"),
    ]
    open_as(gitea).report_deployment(clone.head, "production", "success", description="churn@2")
    assert gitea.deployments == []


GUARDED = Rules(reviews=2, checks=("a",), strict=True)
LENIENT = Rules(reviews=2, checks=("a",), strict=True, bypass=("cara",))


@pytest.mark.parametrize(
    ("rules", "login", "expected"),
    [
        (None, "ben", (0, [], False, True, True, [])),
        (LENIENT, "ana", (2, ["a"], True, False, False, ["administrators"])),
        (GUARDED, "ana", (2, ["a"], True, False, False, [])),
        (GUARDED, "ben", (2, ["a"], None, None, False, None)),
    ],
)  # fmt: skip
def test_rules_are_read_as_far_as_the_token_may(
    gitea: FakeForge, rules: Rules | None, login: str, expected: tuple[object, ...]
) -> None:
    if rules:
        gitea.rules["main"] = rules
    found = open_as(gitea, login).branch_rules("main")
    assert (
        found.required_reviews,
        found.required_checks,
        found.strict_checks,
        found.allow_force_push,
        found.allow_deletion,
        found.bypass_actors,
    ) == expected


@pytest.mark.parametrize(
    ("told", "bypass"),
    [
        ({"block_admin_merge_override": True}, []),
        ({"apply_to_admins": True}, []),
        ({"apply_to_admins": False}, ["administrators"]),
        ({}, ["administrators"]),
    ],
)
def test_forgejo_has_its_own_setting_that_binds_administrators(told: dict[str, bool], bypass: list[str]) -> None:
    assert msgspec.convert(told, GiteaProtection).bypass_actors() == bypass


def test_a_token_has_a_login_and_permissions(gitea: FakeForge) -> None:
    assert open_as(gitea, "dan").token_login() == "dan"
    assert open_as(gitea, "dan").permissions() == {"admin": "no", "pull": "yes", "push": "no"}
    with pytest.raises(MlgitError) as caught:
        open_as(gitea, None).token_login()
    assert ids(caught) == ["forge-request-rejected"]
