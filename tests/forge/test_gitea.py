"""What mlgit asks of Gitea, against the fake."""

import msgspec
import pytest

from mlgit.domain.forge import Annotation, Check
from mlgit.edges.forge.giteawire import Protection
from mlgit.errors import MlgitError
from tests.flows.conftest import Repo
from tests.forge.fake import FakeForge, Rules
from tests.forge.test_github import asked_by, ids


@pytest.mark.tier("fast")
def test_a_pull_request_is_opened_found_edited_and_closed(clone: Repo, gitea: FakeForge) -> None:
    ana = asked_by(gitea)
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
    assert ids(caught) == ["forge-refused"]


def test_reviews_are_read_to_the_last_with_what_was_dismissed(clone: Repo, gitea: FakeForge) -> None:
    gitea.open("ana", "promote/x", "main", "Promote x")
    for _ in range(31):
        gitea.review("dan", 1, "COMMENTED")
    gitea.review("ben", 1)
    rejected = gitea.review("cara", 1, "CHANGES_REQUESTED")
    gitea.review("cara", 1)
    gitea.dismiss("ana", 1, rejected.id)
    gitea.delete_user("ben")
    found = asked_by(gitea).reviews(1)
    assert len(found) == 34
    assert [(one.login, one.verdict, one.commit) for one in found[31:]] == [
        (None, "approve", clone.head),
        ("cara", "dismissed", clone.head),
        ("cara", "approve", clone.head),
    ]


def test_a_merged_pull_request_tells_by_whom_and_as_what(clone: Repo, gitea: FakeForge) -> None:
    gitea.open("ana", "promote/x", "main", "Promote x")
    ana = asked_by(gitea)
    assert ana.pull_requests_of(clone.head) == []
    new = gitea.merge("ben", 1)
    found = ana.pull_request(1)
    assert (found.state, found.merged_by, found.merged_as) == ("merged", "ben", new)
    assert ana.pull_requests_of(new) == [found]
    assert ana.pull_requests_of("0" * 40) == []


def test_comments_labels_and_issues_are_written_listed_and_changed(gitea: FakeForge) -> None:
    gitea.open("ana", "promote/x", "main", "Promote x")
    ana = asked_by(gitea)
    made = ana.comment(1, "First")
    assert ana.edit_comment(made.id, "Better").body == "Better"
    assert [one.body for one in ana.comments(1)] == ["Better"]
    issue = ana.open_issue(title="Drift", body="It drifts", labels=["mlgit"])
    ana.label(1, ["mlgit", "promotion"])
    asked_by(gitea, "dan").label(1, ["rude"])
    assert gitea.pulls[1].labels == ["mlgit", "promotion"]
    assert ana.issues(label="mlgit") == [issue] == ana.issues()
    ana.edit_issue(issue.number, closed=True)
    assert ana.issues() == []


def test_checks_are_statuses(clone: Repo, gitea: FakeForge) -> None:
    gitea.status("ben", "verdict", clone.head, "success")
    gitea.status("ben", "other", clone.head, "warning")
    mark = Annotation(path="a", line=1, level="error", title="Bad", message="Bad")
    asked_by(gitea).post_check(clone.head, "verdict", "failure", title="No", annotations=[mark])
    assert sorted(asked_by(gitea).checks(clone.head), key=lambda one: one.name) == [
        Check(name="other", state="neutral", by="ben"),
        Check(name="verdict", state="failure", by="ana"),
    ]
    asked_by(gitea).deployment(clone.head, "production", "success", description="churn@2")
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
def test_rules_are_told_as_far_as_the_token_may_see(
    gitea: FakeForge, rules: Rules | None, login: str, expected: tuple[object, ...]
) -> None:
    if rules:
        gitea.rules["main"] = rules
    found = asked_by(gitea, login).rules("main")
    assert (
        found.reviews,
        found.required_checks,
        found.strict_checks,
        found.force_push,
        found.deletion,
        found.bypass,
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
def test_a_forgejo_says_under_a_name_of_its_own_that_administrators_are_bound(
    told: dict[str, bool], bypass: list[str]
) -> None:
    assert msgspec.convert(told, Protection).bypass() == bypass


def test_a_token_tells_whose_it_is_and_what_it_may(gitea: FakeForge) -> None:
    assert asked_by(gitea, "dan").me() == "dan"
    assert asked_by(gitea, "dan").permissions() == {"admin": "no", "pull": "yes", "push": "no"}
    with pytest.raises(MlgitError) as caught:
        asked_by(gitea, None).me()
    assert ids(caught) == ["forge-refused"]
