"""The parts of GitHub's answers that mlgit reads, in GitHub's words, and what they mean in ours."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from mlgit.domain import forge
from mlgit.domain.names import CommitId

_GHOST: Final = "ghost"  # stands for accounts that are gone

_VERDICTS: Final[dict[str, Literal["approve", "reject", "comment", "dismissed"]]] = {
    "APPROVED": "approve",
    "CHANGES_REQUESTED": "reject",
    "COMMENTED": "comment",
    "DISMISSED": "dismissed",
}
_CONCLUSIONS: Final[dict[str | None, forge.CheckState]] = {
    "success": "success",
    "neutral": "neutral",
    "skipped": "neutral",
}
_STATES: Final[dict[str, forge.CheckState]] = {"success": "success", "pending": "pending"}


class User(msgspec.Struct, frozen=True):
    """An account."""

    login: str


class Repository(msgspec.Struct, frozen=True):
    """A repository, with what the token may do there."""

    full_name: str
    permissions: dict[str, bool] = {}


class Side(msgspec.Struct, frozen=True):
    """One of the two branches of a pull request; `repo` is None for a fork that is gone."""

    ref: str
    sha: CommitId
    repo: Repository | None


class Pull(msgspec.Struct, frozen=True):
    """A pull request; in a list it lacks `merged_by`."""

    number: int
    html_url: str
    title: str
    state: Literal["open", "closed"]
    head: Side
    base: Side
    user: User | None
    body: str | None = None
    draft: bool = False
    merged_at: datetime | None = None
    merge_commit_sha: CommitId | None = None
    merged_by: User | None = None

    def value(self) -> forge.PullRequest:
        """Return it in our words."""
        here, there = self.base.repo, self.head.repo
        merged = self.merged_at is not None
        return forge.PullRequest(
            number=self.number,
            url=self.html_url,
            title=self.title,
            body=self.body or "",
            state="merged" if merged else self.state,
            draft=self.draft,
            branch=self.head.ref,
            head=self.head.sha,
            base=self.base.ref,
            is_fork=here is None or there is None or here.full_name != there.full_name,
            author=_login(self.user),
            merged_by=_login(self.merged_by),
            merged_as=self.merge_commit_sha if merged else None,  # before, it is a merge that GitHub only tried
        )


class Review(msgspec.Struct, frozen=True):
    """A review; one that is not submitted yet has no time."""

    id: int
    user: User | None
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
    commit_id: CommitId | None
    submitted_at: datetime | None = None

    def value(self) -> forge.ForgeReview | None:
        """Return it in our words; None for one that is not submitted."""
        if self.state == "PENDING" or self.submitted_at is None:
            return None
        return forge.ForgeReview(
            id=self.id,
            login=_login(self.user),
            verdict=_VERDICTS[self.state],
            commit=self.commit_id,
            at=self.submitted_at,
        )


class Comment(msgspec.Struct, frozen=True):
    """A comment."""

    id: int
    user: User | None
    body: str = ""

    def value(self) -> forge.Comment:
        """Return it in our words."""
        return forge.Comment(id=self.id, login=_login(self.user), body=self.body)


class Issue(msgspec.Struct, frozen=True):
    """An issue, or a pull request as a list of issues shows it."""

    number: int
    html_url: str
    title: str
    user: User | None
    body: str | None = None
    pull_request: dict[str, Any] | None = None

    def value(self) -> forge.Issue:
        """Return it in our words."""
        return forge.Issue(
            number=self.number,
            url=self.html_url,
            title=self.title,
            body=self.body or "",
            author=_login(self.user),
        )


class App(msgspec.Struct, frozen=True):
    """An app."""

    slug: str | None = None


class Run(msgspec.Struct, frozen=True):
    """A run of a check. Only the conclusions that are known to be good are taken for good."""

    name: str
    status: str
    conclusion: str | None
    app: App | None = None

    def value(self) -> forge.Check:
        """Return it in our words."""
        done = self.status == "completed"
        state = _CONCLUSIONS.get(self.conclusion, "failure") if done else "pending"
        return forge.Check(name=self.name, state=state, by=self.app.slug if self.app else None)


class Status(msgspec.Struct, frozen=True):
    """A commit status."""

    context: str
    state: Literal["error", "failure", "pending", "success"]
    creator: User | None = None

    def value(self) -> forge.Check:
        """Return it in our words."""
        return forge.Check(name=self.context, state=_STATES.get(self.state, "failure"), by=_login(self.creator))


class Deployment(msgspec.Struct, frozen=True):
    """A deployment."""

    id: int
    sha: CommitId


def _login(user: User | None) -> str | None:
    return None if user is None or user.login == _GHOST else user.login
