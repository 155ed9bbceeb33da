"""The port to a forge: pull requests, reviews, issues, checks and branch protection. Each call may go over the network."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from mlgit.domain.forge import (
    Annotation,
    BranchRules,
    CheckState,
    Comment,
    CommitCheck,
    EnvironmentRules,
    ForgeKind,
    ForgeReview,
    Issue,
    PullRequest,
)
from mlgit.domain.names import CommitId


class Forge(Protocol):
    """One repository at a forge: GitHub, Gitea or Forgejo.

    Every method may raise MlgitError for a missing permission, invalid fields or a conflict (`forge-request-rejected`), or for
    an object that does not exist or that the token may not read (`forge-resource-unknown`); and Inconclusive without a usable
    response (`forge-unreachable`, `forge-rate-limited` after retries, `forge-response-invalid`). A change whose response was
    lost may have been made: it is not tried again, and the `why` of `forge-unreachable` says so. Lists are complete.
    """

    @property
    def name(self) -> ForgeKind:
        """The kind of forge."""
        ...

    @property
    def repository(self) -> str:
        """Owner and name, `acme/churn`."""
        ...

    @property
    def url(self) -> str:
        """Web address of the repository."""
        ...

    def token_login(self) -> str | None:
        """Return the login of the account that the token belongs to; None where the forge does not reveal it."""
        ...

    # Pull requests

    def pull_request(self, number: int) -> PullRequest:
        """Return a pull request."""
        ...

    def pull_requests(
        self, *, branch: str | None = None, base: str | None = None, state: Literal["open", "all"] = "open"
    ) -> list[PullRequest]:
        """Return pull requests, newest first; `merged_by` may be missing, `pull_request` has it.

        Args:
            branch: only those from this branch of the repository itself, not of a fork.
            base: only those to this branch.
            state: only open ones, or all.
        """
        ...

    def pull_requests_of(self, commit: CommitId) -> list[PullRequest]:
        """Return the merged pull requests that contain a commit; none for a commit that the forge does not have."""
        ...

    def open_pull_request(self, *, branch: str, base: str, title: str, body: str, draft: bool = False) -> PullRequest:
        """Open a pull request from a branch of the repository."""
        ...

    def edit_pull_request(
        self, number: int, *, title: str | None = None, body: str | None = None, closed: bool | None = None
    ) -> PullRequest:
        """Change what is not None; `closed` closes or opens it again."""
        ...

    def pushers(self, pull_request: PullRequest) -> list[str] | None:
        """Return the logins of everybody who pushed to the branch of a pull request; None where the forge does not tell.

        It is None as well where what it tells is incomplete, or where an account is gone.
        """
        ...

    def reviews(self, number: int) -> list[ForgeReview]:
        """Return every submitted review, oldest first."""
        ...

    # Comments and issues

    def comments(self, number: int) -> list[Comment]:
        """Return the comments on a pull request or an issue, oldest first."""
        ...

    def add_comment(self, number: int, body: str) -> Comment:
        """Add a comment to a pull request or an issue."""
        ...

    def edit_comment(self, id: int, body: str) -> Comment:  # noqa: A002 - the name that forges use
        """Replace the text of a comment."""
        ...

    def issues(self, *, label: str | None = None) -> list[Issue]:
        """Return open issues, without pull requests."""
        ...

    def open_issue(self, *, title: str, body: str, labels: Sequence[str] = ()) -> Issue:
        """Open an issue."""
        ...

    def edit_issue(self, number: int, *, body: str | None = None, closed: bool | None = None) -> Issue:
        """Change what is not None; `closed` closes or opens it again."""
        ...

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        """Add labels to a pull request or an issue; a rejection is ignored, because labels decide nothing."""
        ...

    # Checks and deployments

    def checks(self, commit: CommitId) -> list[CommitCheck]:
        """Return the latest result of each check and status on a commit."""
        ...

    def post_check(
        self,
        commit: CommitId,
        name: str,
        state: CheckState,
        *,
        title: str,
        summary: str = "",
        annotations: Sequence[Annotation] = (),
        url: str | None = None,
    ) -> None:
        """Post a result on a commit, as a check run if the token permits it, otherwise as a commit status."""
        ...

    def report_deployment(
        self,
        commit: CommitId,
        environment: str,
        state: Literal["in_progress", "success", "failure", "inactive"],
        *,
        description: str,
        payload: dict[str, Any] | None = None,
    ) -> None:
        """Report the state of a deployment; does nothing at a forge without deployments."""
        ...

    # Branch protection

    def branch_rules(self, branch: str) -> BranchRules:
        """Return the branch protection of a branch, as far as the token may read it."""
        ...

    def environment_rules(self, name: str) -> EnvironmentRules | None:
        """Return which branches may use an environment; None where there is none of that name."""
        ...

    def permissions(self) -> dict[str, str]:
        """Return the permissions of the token by the forge's names; empty if the forge does not reveal them."""
        ...
