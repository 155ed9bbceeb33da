"""What operations ask of a forge. Each provider in `edges.forge` fills it in; every call may go over a network."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from mlgit.domain.forge import (
    Annotation,
    BranchRules,
    Check,
    CheckState,
    Comment,
    ForgeReview,
    Issue,
    PullRequest,
)
from mlgit.domain.names import CommitId


class Forge(Protocol):
    """Where pull requests are kept: one repository of one forge.

    Every method raises MlgitError with what to do: `forge-refused` (it said no: rights, validation, conflict),
    `forge-unknown` (there is no such thing, or nothing that this token may see), and Unjudged where no answer can be had
    (`forge-unreachable`, `forge-limited` after retries, `forge-answer-odd` for an answer that is not as described). Where it is
    not known whether a change was made, `forge-unreachable` says so under `why`, and nothing was tried twice. Lists are
    read to their last page, or not at all.
    """

    @property
    def name(self) -> Literal["github", "gitea"]: ...
    @property
    def repository(self) -> str:
        """Owner and name, `acme/churn`."""
        ...

    @property
    def url(self) -> str:
        """Address of the repository for people."""
        ...

    def me(self) -> str | None:
        """Return the login that the token is of; None where a token is no person's or app's that can be told."""
        ...

    # Pull requests

    def pull_request(self, number: int) -> PullRequest: ...
    def pull_requests(
        self, *, branch: str | None = None, base: str | None = None, state: Literal["open", "all"] = "open"
    ) -> list[PullRequest]:
        """Return those of a branch of this repository (never of a fork's of the same name), or to a base; newest first.

        Who merged them (`merged_by`) a list need not say; `pull_request` does.
        """
        ...

    def pull_requests_of(self, commit: CommitId) -> list[PullRequest]:
        """Return the merged pull requests that brought a commit; none for a commit that the forge does not have."""
        ...

    def open_pull_request(
        self, *, branch: str, base: str, title: str, body: str, draft: bool = False
    ) -> PullRequest: ...
    def edit_pull_request(
        self, number: int, *, title: str | None = None, body: str | None = None, closed: bool | None = None
    ) -> PullRequest: ...
    def reviews(self, number: int) -> list[ForgeReview]:
        """Return every submitted review, the oldest first."""
        ...

    # Words

    def comments(self, number: int) -> list[Comment]: ...
    def comment(self, number: int, body: str) -> Comment: ...
    def edit_comment(self, id: int, body: str) -> Comment: ...  # noqa: A002 - the forge's word
    def issues(self, *, label: str | None = None) -> list[Issue]:
        """Return open issues, without pull requests."""
        ...

    def open_issue(self, *, title: str, body: str, labels: Sequence[str] = ()) -> Issue: ...
    def edit_issue(self, number: int, *, body: str | None = None, closed: bool | None = None) -> Issue: ...
    def label(self, number: int, labels: Sequence[str]) -> None:
        """Add labels; decoration, so what cannot be set is left."""
        ...

    # Checks and deployments

    def checks(self, commit: CommitId) -> list[Check]:
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

    def deployment(
        self,
        commit: CommitId,
        environment: str,
        state: Literal["in_progress", "success", "failure", "inactive"],
        *,
        description: str,
        payload: dict[str, Any] | None = None,
    ) -> None:
        """Tell the forge what an environment runs; decoration on a forge without deployments."""
        ...

    # Rules

    def rules(self, branch: str) -> BranchRules:
        """Return what is enforced on a branch, as far as the token may see."""
        ...

    def permissions(self) -> dict[str, str]:
        """Return what the token may do with the repository, by the forge's own words; empty where it does not tell."""
        ...
