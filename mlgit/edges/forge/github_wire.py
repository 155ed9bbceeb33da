"""The parts of GitHub's answers that mlgit reads, as far as they differ from Gitea's (see `wire`)."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from mlgit.domain import forge
from mlgit.domain.names import CommitId
from mlgit.edges.forge import wire

_DELETED_ACCOUNT: Final = "ghost"

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


class GitHubUser(msgspec.Struct, frozen=True):
    """An account."""

    login: str

    @property
    def is_deleted(self) -> bool:
        """Whether it stands for an account that was deleted."""
        return self.login == _DELETED_ACCOUNT


class GitHubActivity(msgspec.Struct, frozen=True):
    """A change of a ref: a push, or its creation or deletion."""

    before: str
    after: str
    activity_type: str
    actor: GitHubUser | None = None

    @property
    def is_creation(self) -> bool:
        """Whether the ref did not exist before."""
        return self.activity_type == "branch_creation" or not self.before.strip("0")


class GitHubRepository(wire.RepositoryPayload, frozen=True):
    """A repository, with what the token may do there."""

    permissions: dict[str, bool] = {}


class GitHubPullRequest(wire.PullRequestPayload[GitHubUser], frozen=True, kw_only=True):
    """A pull request; in a list it lacks `merged_by`."""

    merged_at: datetime | None = None

    @property
    def is_merged(self) -> bool:
        """Whether it was merged."""
        return self.merged_at is not None


class GitHubReview(msgspec.Struct, frozen=True):
    """A review; one that is not submitted yet has no time."""

    id: int
    user: GitHubUser | None
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
    commit_id: CommitId | None
    submitted_at: datetime | None = None

    def to_domain(self) -> forge.ForgeReview | None:
        """Return it as a value of the domain; None for one that is not submitted."""
        if self.state == "PENDING" or self.submitted_at is None:
            return None
        return forge.ForgeReview(
            id=self.id,
            login=wire.login_of(self.user),
            verdict=_VERDICTS[self.state],
            commit=self.commit_id,
            at=self.submitted_at,
        )


class GitHubApp(msgspec.Struct, frozen=True):
    """An app."""

    slug: str | None = None


class GitHubCheckRun(msgspec.Struct, frozen=True):
    """A run of a check; a conclusion that is not known to be good counts as a failure."""

    name: str
    status: str
    conclusion: str | None
    app: GitHubApp | None = None

    def to_domain(self) -> forge.CommitCheck:
        """Return it as a value of the domain."""
        is_complete = self.status == "completed"
        state = _CONCLUSIONS.get(self.conclusion, "failure") if is_complete else "pending"
        return forge.CommitCheck(name=self.name, state=state, by=self.app.slug if self.app else None)


class GitHubStatus(wire.StatusPayload[GitHubUser], frozen=True, kw_only=True):
    """A commit status."""

    state: Literal["error", "failure", "pending", "success"]

    def to_domain(self) -> forge.CommitCheck:
        """Return it as a value of the domain."""
        return self.to_check(self.state)


class GitHubDeployment(msgspec.Struct, frozen=True):
    """A deployment; `payload` is whatever its author gave it."""

    id: int
    sha: CommitId
    payload: Any = None


class GitHubDeploymentStatus(msgspec.Struct, frozen=True):
    """A status of a deployment."""

    state: str
    description: str | None = None


class GitHubBranchPolicy(msgspec.Struct, frozen=True):
    """How the branches of an environment are limited: to protected ones, else to those that match a pattern."""

    protected_branches: bool


class GitHubEnvironment(msgspec.Struct, frozen=True):
    """An environment; without a policy, every branch may use it."""

    deployment_branch_policy: GitHubBranchPolicy | None = None


class GitHubBranchPattern(msgspec.Struct, frozen=True):
    """A pattern of branches or tags."""

    name: str
