"""Parts of the JSON that GitHub's REST API answers with and that Gitea and Forgejo copied from it.

What differs between the two (how a deleted account looks, what may be null) is narrowed in `github_wire` and `gitea_wire`.
"""

from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import msgspec

from mlgit.domain import forge
from mlgit.domain.names import CommitId


class Account(Protocol):
    """An account as a provider shows it."""

    @property
    def login(self) -> str:
        """The name of the account."""
        ...

    @property
    def is_deleted(self) -> bool:
        """Whether it stands for an account that was deleted."""
        ...


AccountT = TypeVar("AccountT", bound=Account)

_CHECK_STATES: Final[dict[str, forge.CheckState]] = {
    "success": "success",
    "pending": "pending",
    "warning": "neutral",
    "skipped": "neutral",
}


class RepositoryPayload(msgspec.Struct, frozen=True):
    """A repository."""

    full_name: str


class BranchPayload(msgspec.Struct, frozen=True):
    """One of the two branches of a pull request; `repo` is None for a deleted fork."""

    ref: str
    sha: CommitId
    repo: RepositoryPayload | None


class PullRequestPayload(msgspec.Struct, Generic[AccountT], frozen=True, kw_only=True):
    """A pull request."""

    number: int
    html_url: str
    title: str
    state: Literal["open", "closed"]
    head: BranchPayload
    base: BranchPayload
    user: AccountT | None
    body: str | None = None
    draft: bool = False
    merge_commit_sha: CommitId | None = None
    merged_by: AccountT | None = None

    @property
    def is_merged(self) -> bool:
        """Whether it was merged; each provider says so in its own field."""
        raise NotImplementedError

    @property
    def is_draft(self) -> bool:
        """Whether it is a draft."""
        return self.draft

    def to_domain(self) -> forge.PullRequest:
        """Return it as a value of the domain."""
        target, source = self.base.repo, self.head.repo
        return forge.PullRequest(
            number=self.number,
            url=self.html_url,
            title=self.title,
            body=self.body or "",
            state="merged" if self.is_merged else self.state,
            draft=self.is_draft,
            branch=self.head.ref,
            head=self.head.sha,
            base=self.base.ref,
            is_fork=target is None or source is None or target.full_name != source.full_name,
            author=login_of(self.user),
            merged_by=login_of(self.merged_by),
            # Of an open pull request GitHub shows a test merge here, which is on no branch.
            merged_as=self.merge_commit_sha if self.is_merged else None,
        )


class CommentPayload(msgspec.Struct, Generic[AccountT], frozen=True):
    """A comment."""

    id: int
    user: AccountT | None
    body: str = ""

    def to_domain(self) -> forge.Comment:
        """Return it as a value of the domain."""
        return forge.Comment(id=self.id, login=login_of(self.user), body=self.body)


class IssuePayload(msgspec.Struct, Generic[AccountT], frozen=True, kw_only=True):
    """An issue, or a pull request as a list of issues shows it."""

    number: int
    html_url: str
    title: str
    user: AccountT | None
    body: str | None = None
    pull_request: dict[str, Any] | None = None

    def to_domain(self) -> forge.Issue:
        """Return it as a value of the domain."""
        return forge.Issue(
            number=self.number,
            url=self.html_url,
            title=self.title,
            body=self.body or "",
            author=login_of(self.user),
        )


class StatusPayload(msgspec.Struct, Generic[AccountT], frozen=True, kw_only=True):
    """A commit status."""

    context: str
    creator: AccountT | None = None

    def to_check(self, state: str) -> forge.CommitCheck:
        """Return it as a check; a state that is not known to be good counts as a failure."""
        return forge.CommitCheck(
            name=self.context, state=_CHECK_STATES.get(state, "failure"), by=login_of(self.creator)
        )


def login_of(account: Account | None) -> str | None:
    """Return the login of an account; None where there is none, or where it was deleted."""
    return None if account is None or account.is_deleted else account.login
