"""The port of a forge. Each provider in `edges.forge` implements it; every call may go over a network."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from mlgit.domain.forge import (
    Annotation,
    BranchRules,
    CheckState,
    Comment,
    CommitCheck,
    ForgeKind,
    ForgeReview,
    Issue,
    PullRequest,
)
from mlgit.domain.names import CommitId


class Forge(Protocol):
    """One repository of one forge, with its pull requests.

    Every method may raise MlgitError: `forge-request-rejected` (missing permission, invalid fields, conflict),
    `forge-resource-unknown` (no such object, or none that this token may read); and Inconclusive where there is no
    usable response (`forge-unreachable`, `forge-rate-limited` after retries, `forge-response-invalid` for a response
    that is not as documented). Where a change may have been made nevertheless, the `why` of `forge-unreachable`
    mentions it, and it was not tried twice. Lists are read to their last page, or not at all.
    """

    @property
    def name(self) -> ForgeKind: ...
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

    def pull_request(self, number: int) -> PullRequest: ...
    def pull_requests(
        self, *, branch: str | None = None, base: str | None = None, state: Literal["open", "all"] = "open"
    ) -> list[PullRequest]:
        """Return those from a branch of this repository (not of a fork), or to a base; newest first.

        A list may lack `merged_by`; `pull_request` has it.
        """
        ...

    def pull_requests_of(self, commit: CommitId) -> list[PullRequest]:
        """Return the merged pull requests of a commit; none for a commit that the forge does not have."""
        ...

    def open_pull_request(
        self, *, branch: str, base: str, title: str, body: str, draft: bool = False
    ) -> PullRequest: ...
    def edit_pull_request(
        self, number: int, *, title: str | None = None, body: str | None = None, closed: bool | None = None
    ) -> PullRequest: ...
    def reviews(self, number: int) -> list[ForgeReview]:
        """Return every submitted review, oldest first."""
        ...

    # Comments and issues

    def comments(self, number: int) -> list[Comment]: ...
    def add_comment(self, number: int, body: str) -> Comment: ...
    def edit_comment(self, id: int, body: str) -> Comment: ...  # noqa: A002 - the forge's word
    def issues(self, *, label: str | None = None) -> list[Issue]:
        """Return open issues, without pull requests."""
        ...

    def open_issue(self, *, title: str, body: str, labels: Sequence[str] = ()) -> Issue: ...
    def edit_issue(self, number: int, *, body: str | None = None, closed: bool | None = None) -> Issue: ...
    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        """Add labels; a refusal is ignored."""
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
        """Post a result: a check run where the token may, a commit status otherwise."""
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
        """Report to the forge what an environment runs; does nothing at a forge without deployments."""
        ...

    # Rules

    def branch_rules(self, branch: str) -> BranchRules:
        """Return what is enforced on a branch, as far as the token may read it."""
        ...

    def permissions(self) -> dict[str, str]:
        """Return the permissions of the token on the repository, by the forge's names; empty where it does not reveal them."""
        ...
