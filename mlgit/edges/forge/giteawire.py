"""The parts of Gitea's answers that mlgit reads, in Gitea's words, and what they mean in ours."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from mlgit.domain import forge
from mlgit.domain.names import CommitId
from mlgit.domain.ruleset import ADMINISTRATORS

DRAFT: Final = "WIP: "
"""How the title of a draft begins."""

_VERDICTS: Final[dict[str, Literal["approve", "reject", "comment"]]] = {
    "APPROVED": "approve",
    "REQUEST_CHANGES": "reject",
    "COMMENT": "comment",
}
_STATES: Final[dict[str, forge.CheckState]] = {
    "success": "success",
    "pending": "pending",
    "warning": "neutral",
    "skipped": "neutral",
}


class User(msgspec.Struct, frozen=True):
    """An account."""

    id: int
    login: str


class Repository(msgspec.Struct, frozen=True):
    """A repository, with what the token may do there."""

    full_name: str
    permissions: dict[str, bool] | None = None


class Side(msgspec.Struct, frozen=True):
    """One of the two branches of a pull request; `repo` is None for a fork that is gone."""

    ref: str
    sha: CommitId
    repo: Repository | None


class Pull(msgspec.Struct, frozen=True):
    """A pull request."""

    number: int
    html_url: str
    title: str
    state: Literal["open", "closed"]
    head: Side
    base: Side
    user: User | None
    body: str = ""
    draft: bool = False
    merged: bool = False
    merge_commit_sha: CommitId | None = None
    merged_by: User | None = None

    def value(self) -> forge.PullRequest:
        """Return it in our words."""
        here, there = self.base.repo, self.head.repo
        return forge.PullRequest(
            number=self.number,
            url=self.html_url,
            title=self.title,
            body=self.body,
            state="merged" if self.merged else self.state,
            draft=self.draft or self.title.startswith(DRAFT),
            branch=self.head.ref,
            head=self.head.sha,
            base=self.base.ref,
            is_fork=here is None or there is None or here.full_name != there.full_name,
            author=_login(self.user),
            merged_by=_login(self.merged_by),
            merged_as=self.merge_commit_sha if self.merged else None,
        )


class Review(msgspec.Struct, frozen=True):
    """A review, or what Gitea lists among them: one that is not submitted yet, and one that is only asked for."""

    id: int
    user: User | None
    state: Literal["APPROVED", "REQUEST_CHANGES", "COMMENT", "PENDING", "REQUEST_REVIEW"]
    commit_id: CommitId | Literal[""]
    submitted_at: datetime
    dismissed: bool = False

    def value(self) -> forge.ForgeReview | None:
        """Return it in our words; None for one that is not submitted."""
        if self.state not in _VERDICTS:
            return None
        return forge.ForgeReview(
            id=self.id,
            login=_login(self.user),
            verdict="dismissed" if self.dismissed else _VERDICTS[self.state],
            commit=self.commit_id or None,
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
    """An issue."""

    number: int
    html_url: str
    title: str
    user: User | None
    body: str = ""
    pull_request: dict[str, Any] | None = None

    def value(self) -> forge.Issue:
        """Return it in our words."""
        return forge.Issue(
            number=self.number, url=self.html_url, title=self.title, body=self.body, author=_login(self.user)
        )


class Label(msgspec.Struct, frozen=True):
    """A label of the repository."""

    id: int
    name: str


class Status(msgspec.Struct, frozen=True):
    """A commit status."""

    id: int
    context: str
    status: Literal["pending", "success", "error", "failure", "warning", "skipped"]
    creator: User | None = None

    def value(self) -> forge.Check:
        """Return it in our words."""
        return forge.Check(name=self.context, state=_STATES.get(self.status, "failure"), by=_login(self.creator))


class Branch(msgspec.Struct, frozen=True):
    """A branch, with what of its rule everybody may know."""

    protected: bool
    effective_branch_protection_name: str = ""
    required_approvals: int = 0
    enable_status_check: bool = False
    status_check_contexts: list[str] | None = None


class Protection(msgspec.Struct, frozen=True):
    """A rule; what an older Gitea does not know of is not there.

    That administrators are bound as well, Gitea calls `block_admin_merge_override` and Forgejo `apply_to_admins`.
    """

    block_on_outdated_branch: bool = False
    dismiss_stale_approvals: bool = False
    require_signed_commits: bool = False
    enable_force_push: bool = False
    block_admin_merge_override: bool = False
    apply_to_admins: bool = False
    enable_push: bool = False
    enable_push_whitelist: bool = False
    push_whitelist_usernames: list[str] | None = None
    push_whitelist_teams: list[str] | None = None

    def bypass(self) -> list[str]:
        """Return who may change the branch without what the rule asks of a pull request."""
        found = [] if self.block_admin_merge_override or self.apply_to_admins else [ADMINISTRATORS]
        if self.enable_push and not self.enable_push_whitelist:
            found.append("whoever may write")
        elif self.enable_push:
            found += [*(self.push_whitelist_usernames or []), *(self.push_whitelist_teams or [])]
        return sorted(found)


def _login(user: User | None) -> str | None:
    """Return a login; Gitea shows somebody whose account is gone as a ghost without an id."""
    return None if user is None or user.id <= 0 else user.login
