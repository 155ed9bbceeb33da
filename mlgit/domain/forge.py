"""What a forge knows of a change, in words that fit every forge: pull requests, reviews, checks, rules. Values only."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from mlgit.domain.names import CommitId

LONGEST: Final = 65_536
"""Characters that GitHub, and Gitea by default, take as the body of a pull request or a comment; more they refuse."""

CheckState = Literal["pending", "success", "failure", "neutral"]
Level = Literal["error", "warning", "notice"]


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request. `author` and `merged_by` are logins; None for somebody whose account is gone."""

    number: int
    url: str
    title: str
    body: str
    state: Literal["open", "closed", "merged"]
    draft: bool = False
    branch: str
    """Name of the branch that it brings, without `refs/heads/`."""
    head: CommitId
    base: str
    """Name of the branch that it goes to."""
    is_fork: bool
    """Whether the branch lies in another repository."""
    author: str | None
    merged_by: str | None = None
    merged_as: CommitId | None = None
    """The commit of the base branch that it became."""


class ForgeReview(msgspec.Struct, frozen=True, kw_only=True):
    """One submitted review. `dismissed` is a review that was taken back, whatever it said."""

    id: int
    login: str | None
    verdict: Literal["approve", "reject", "comment", "dismissed"]
    commit: CommitId | None
    """The commit that was looked at; None where the forge no longer knows."""
    at: datetime


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The latest result of a check on a commit; `by` is the app or the login that posted it."""

    name: str
    state: CheckState
    by: str | None


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """A remark on a line of a file; `line` 1 where none is known."""

    path: str
    line: int
    level: Level
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


class BranchRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a forge enforces on a branch, as far as it tells who asks; None where it does not tell."""

    required_checks: Sequence[str] | None = None
    strict_checks: bool | None = None
    """Whether a branch has to be up to date with the base before it is merged."""
    reviews: int | None = None
    """Approving reviews that are required."""
    code_owners: bool | None = None
    dismisses_stale: bool | None = None
    last_push_approved: bool | None = None
    """Whether somebody else than the last pusher has to approve."""
    linear: bool | None = None
    signed: bool | None = None
    force_push: bool | None = None
    """Whether a forced push is let through."""
    deletion: bool | None = None
    bypass: Sequence[str] | None = None
    """Who is not bound by the rules."""
    raw: Mapping[str, Any] = {}
    """What the forge said, word for word, for the record."""


def is_own(login: str | None, me: str | None) -> bool:
    """Tell whether something was written by whoever a token is of, so that it may be edited.

    The token of an app does not say whose it is (`me` is None). Then what any app wrote is taken for its own: no person can
    have a name that ends in `[bot]`, and what is another app's the forge refuses to change.
    """
    return login is not None and (login == me if me is not None else login.endswith("[bot]"))


def fits(body: str) -> bool:
    """Tell whether a forge takes a text as the body of something, however it counts characters."""
    return len(body.encode("utf-16-le")) // 2 <= LONGEST
