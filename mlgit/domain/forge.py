"""What a forge knows about a change: pull requests, reviews, checks, branch rules. Plain values, the same for every forge."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from mlgit.domain.names import CommitId

MAX_BODY_LENGTH: Final = 65_536
"""Characters that GitHub, and Gitea by default, accept as the body of a pull request or a comment."""

ForgeKind = Literal["github", "gitea"]

CheckState = Literal["pending", "success", "failure", "neutral"]
AnnotationLevel = Literal["error", "warning", "notice"]


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request. `author` and `merged_by` are logins; None for a deleted account."""

    number: int
    url: str
    title: str
    body: str
    state: Literal["open", "closed", "merged"]
    draft: bool = False
    branch: str
    """Name of the source branch, without `refs/heads/`."""
    head: CommitId
    base: str
    """Name of the target branch."""
    is_fork: bool
    """Whether the branch lies in another repository."""
    author: str | None
    merged_by: str | None = None
    merged_as: CommitId | None = None
    """The commit on the base branch that the merge made."""


class ForgeReview(msgspec.Struct, frozen=True, kw_only=True):
    """A submitted review; `dismissed` replaces the verdict of a dismissed one."""

    id: int
    login: str | None
    verdict: Literal["approve", "reject", "comment", "dismissed"]
    commit: CommitId | None
    """The reviewed commit; None where the forge no longer knows it."""
    at: datetime


class CommitCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The latest result of a check on a commit; `by` is the app or login that posted it."""

    name: str
    state: CheckState
    by: str | None


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """A remark on a line of a file; line 1 where none is known."""

    path: str
    line: int
    level: AnnotationLevel
    title: str
    message: str


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment on a pull request or an issue."""

    id: int
    login: str | None
    body: str


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """An issue."""

    number: int
    url: str
    title: str
    body: str
    author: str | None


class EnvironmentRules(msgspec.Struct, frozen=True, kw_only=True):
    """Which branches and tags may use an environment of a forge, with its secrets: None for all of them.

    `protected_only` where these are the protected branches, whichever they are.
    """

    allowed: Sequence[str] | None
    protected_only: bool = False


class BranchRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a forge enforces on a branch; None where the token is not allowed to read it."""

    required_checks: Sequence[str] | None = None
    strict_checks: bool | None = None
    """Whether a branch has to be up to date with its base before it is merged."""
    required_reviews: int | None = None
    """Number of required approving reviews."""
    code_owner_review: bool | None = None
    dismiss_stale_reviews: bool | None = None
    last_push_approval: bool | None = None
    """Whether somebody other than the last pusher has to approve."""
    linear_history: bool | None = None
    signed_commits: bool | None = None
    allow_force_push: bool | None = None
    allow_deletion: bool | None = None
    bypass_actors: Sequence[str] | None = None
    """Who is exempt from the rules."""
    raw: Mapping[str, Any] = {}
    """The answers of the forge, unchanged."""


def is_own(author: str | None, token_login: str | None) -> bool:
    """Tell whether something was written by the account of the token, so that it may be edited.

    The token of an app does not reveal its login (`token_login` is None). Then anything that an app wrote is taken for its own:
    no person's login can end in `[bot]`, and the forge refuses to change what belongs to another app.
    """
    return author is not None and (author == token_login if token_login is not None else author.endswith("[bot]"))


def fits_in_body(text: str) -> bool:
    """Tell whether a forge accepts a text as a body: counted in UTF-16 units, which are never fewer than characters."""
    return len(text.encode("utf-16-le")) // 2 <= MAX_BODY_LENGTH
