"""The state of the fake forge, and its refusals."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ROLES = ("none", "read", "triage", "write", "maintain", "admin")
"""What somebody may do with a repository, the least first."""


class Refusal(Exception):
    """An answer that is a no."""

    def __init__(self, status: int, message: str, *errors: dict[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


@dataclass
class User:
    """An account. `app` is the name of the app that a bot is of; `gone` is an account that was deleted."""

    login: str
    id: int
    token: str
    role: str = "write"
    app: str | None = None
    gone: bool = False

    def may(self, role: str) -> bool:
        """Whether the rights are those of a role, or more."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass
class Rules:
    """What is enforced on a branch; `protection` says it the old way, as the protection of a branch, not as a ruleset."""

    reviews: int = 0
    checks: tuple[str, ...] = ()
    strict: bool = False
    code_owners: bool = False
    dismiss_stale: bool = False
    last_push: bool = False
    linear: bool = False
    signed: bool = False
    force_push: bool = False
    deletion: bool = False
    bypass: tuple[str, ...] = ()
    protection: bool = False


@dataclass
class Comment:
    """A comment."""

    id: int
    number: int
    user: User
    body: str
    at: datetime


@dataclass
class Issue:
    """An issue, and what a pull request shares with it."""

    id: int
    number: int
    user: User
    title: str
    body: str
    at: datetime
    open: bool = True
    labels: list[str] = field(default_factory=list)
    closed_at: datetime | None = None


@dataclass
class Review:
    """A review; `state` in GitHub's words, `before` what it was before it was dismissed."""

    id: int
    user: User
    state: str
    body: str
    commit: str | None
    at: datetime
    official: bool = True
    before: str | None = None


@dataclass
class Pull(Issue):
    """A pull request."""

    branch: str = ""
    base: str = ""
    owner: str = ""
    """Of the repository that the branch is in."""
    head: str = ""
    based_on: str = ""
    draft: bool = False
    reviews: list[Review] = field(default_factory=list)
    merged_at: datetime | None = None
    merged_by: User | None = None
    merged_as: str | None = None
    commits: list[str] = field(default_factory=list)
    pusher: str | None = None
    pushes: list[tuple[str, str, User]] = field(default_factory=list)
    """Where the branch was before and after each push, and who pushed; the oldest first."""


@dataclass
class CheckRun:
    """A run of a check."""

    id: int
    name: str
    commit: str
    app: str
    status: str
    conclusion: str | None
    at: datetime
    output: dict[str, Any] = field(default_factory=dict)
    details_url: str | None = None


@dataclass
class Status:
    """A commit status."""

    id: int
    context: str
    commit: str
    state: str
    user: User
    at: datetime
    description: str | None = None
    target_url: str | None = None


@dataclass
class Deployment:
    """A deployment, with its statuses, the oldest first."""

    id: int
    commit: str
    environment: str
    user: User
    description: str | None
    payload: Any
    at: datetime
    statuses: list[dict[str, Any]] = field(default_factory=list)
