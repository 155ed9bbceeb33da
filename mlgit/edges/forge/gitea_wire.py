"""The parts of Gitea's and Forgejo's answers that mlgit reads, as far as they differ from GitHub's (see `wire`)."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from mlgit.domain import forge
from mlgit.domain.branch_protection import ADMINISTRATORS
from mlgit.domain.names import CommitId
from mlgit.edges.forge import wire

DRAFT_PREFIX: Final = "WIP: "
"""How the title of a draft begins."""

_VERDICTS: Final[dict[str, Literal["approve", "reject", "comment"]]] = {
    "APPROVED": "approve",
    "REQUEST_CHANGES": "reject",
    "COMMENT": "comment",
}


class GiteaUser(msgspec.Struct, frozen=True):
    """An account."""

    id: int
    login: str

    @property
    def is_deleted(self) -> bool:
        """Whether it stands for an account that was deleted: Gitea shows a ghost without an id of its own."""
        return self.id <= 0


class GiteaTimelineEvent(msgspec.Struct, frozen=True):
    """Something that happened to a pull request; `pull_push` is a push to its branch."""

    type: str
    user: GiteaUser | None = None


class GiteaRepository(wire.RepositoryPayload, frozen=True):
    """A repository, with what the token may do there."""

    permissions: dict[str, bool] | None = None


class GiteaPullRequest(wire.PullRequestPayload[GiteaUser], frozen=True, kw_only=True):
    """A pull request."""

    body: str = ""
    merged: bool = False

    @property
    def is_merged(self) -> bool:
        """Whether it was merged."""
        return self.merged

    @property
    def is_draft(self) -> bool:
        """Whether it is a draft; an older Gitea says so by the title alone."""
        return self.draft or self.title.startswith(DRAFT_PREFIX)


class GiteaReview(msgspec.Struct, frozen=True):
    """A review, or what Gitea lists among them: one that is not submitted yet, and one that is only requested."""

    id: int
    user: GiteaUser | None
    state: Literal["APPROVED", "REQUEST_CHANGES", "COMMENT", "PENDING", "REQUEST_REVIEW"]
    commit_id: CommitId | Literal[""]
    submitted_at: datetime
    dismissed: bool = False

    def to_domain(self) -> forge.ForgeReview | None:
        """Return it as a value of the domain; None for one that is not submitted."""
        if self.state not in _VERDICTS:
            return None
        return forge.ForgeReview(
            id=self.id,
            login=wire.login_of(self.user),
            verdict="dismissed" if self.dismissed else _VERDICTS[self.state],
            commit=self.commit_id or None,
            at=self.submitted_at,
        )


class GiteaIssue(wire.IssuePayload[GiteaUser], frozen=True, kw_only=True):
    """An issue."""

    body: str = ""


class GiteaLabel(msgspec.Struct, frozen=True):
    """A label of the repository."""

    id: int
    name: str


class GiteaStatus(wire.StatusPayload[GiteaUser], frozen=True, kw_only=True):
    """A commit status."""

    id: int
    status: Literal["pending", "success", "error", "failure", "warning", "skipped"]

    def to_domain(self) -> forge.CommitCheck:
        """Return it as a value of the domain."""
        return self.to_check(self.status)


class GiteaBranch(msgspec.Struct, frozen=True):
    """A branch, with the part of its protection that everybody may read."""

    protected: bool
    effective_branch_protection_name: str = ""
    required_approvals: int = 0
    enable_status_check: bool = False
    status_check_contexts: list[str] | None = None


class GiteaProtection(msgspec.Struct, frozen=True):
    """The protection of a branch; an older Gitea leaves out what it does not know.

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

    def bypass_actors(self) -> list[str]:
        """Return who may change the branch without what the protection asks of a pull request."""
        actors = [] if self.block_admin_merge_override or self.apply_to_admins else [ADMINISTRATORS]
        if self.enable_push and not self.enable_push_whitelist:
            actors.append("everybody with write access")
        elif self.enable_push:
            actors += [*(self.push_whitelist_usernames or []), *(self.push_whitelist_teams or [])]
        return sorted(actors)
