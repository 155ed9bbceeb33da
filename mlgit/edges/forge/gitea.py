"""Gitea and Forgejo: their REST API (https://docs.gitea.com/api).

They have commit statuses, but neither check runs nor deployments.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final, Literal

import msgspec

from mlgit.domain.forge import (
    Annotation,
    BranchRules,
    CheckState,
    Comment,
    CommitCheck,
    EnvironmentRules,
    Issue,
    PullRequest,
)
from mlgit.domain.names import CommitId
from mlgit.edges.forge.client import RequestRefused
from mlgit.edges.forge.gitea_wire import (
    DRAFT_PREFIX,
    GiteaBranch,
    GiteaIssue,
    GiteaLabel,
    GiteaProtection,
    GiteaPullRequest,
    GiteaRepository,
    GiteaReview,
    GiteaStatus,
    GiteaTimelineEvent,
    GiteaUser,
)
from mlgit.edges.forge.rest import RestForge, present
from mlgit.edges.forge.wire import CommentPayload

LOGIN_HINT: Final = "set GITEA_API_URL and, made in the settings of your account there, GITEA_TOKEN"
"""How a person gives mlgit a token."""

_PAGE_SIZE: Final = "50"  # the most that Gitea gives by default
_LABEL_COLOUR: Final = "#ededed"


class Gitea(RestForge):
    """A repository at a Gitea or a Forgejo (see `ops.kernel.ports.forge.Forge`)."""

    name: Final = "gitea"
    _user, _pull_request, _review, _issue = GiteaUser, GiteaPullRequest, GiteaReview, GiteaIssue
    _comment = CommentPayload[GiteaUser]
    _page_query: ClassVar = {"limit": _PAGE_SIZE}
    _max_description = 255

    # Pull requests

    def pull_requests(
        self, *, branch: str | None = None, base: str | None = None, state: Literal["open", "all"] = "open"
    ) -> list[PullRequest]:
        """Return those from a branch of this repository, or to a base, newest first; Gitea does not filter, so all are read."""
        payloads = self._client.pages(self._path("pulls"), GiteaPullRequest, state=state, limit=_PAGE_SIZE)
        pull_requests = sorted((payload.to_domain() for payload in payloads), key=lambda pull: -pull.number)
        return [
            pull
            for pull in pull_requests
            if (branch is None or (pull.branch == branch and not pull.is_fork)) and base in {None, pull.base}
        ]

    def pull_requests_of(self, commit: CommitId) -> list[PullRequest]:
        """Return the merged pull request of a commit, if there is one; Gitea names one at most."""
        try:
            return [self._client.get(self._path("commits", commit, "pull"), GiteaPullRequest).to_domain()]
        except RequestRefused as refusal:
            if refusal.status in {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}:
                return []
            raise

    def open_pull_request(self, *, branch: str, base: str, title: str, body: str, draft: bool = False) -> PullRequest:
        """Open a pull request; at Gitea the title marks a draft."""
        full_title = f"{DRAFT_PREFIX}{title}" if draft else title
        fields = {"head": branch, "base": base, "title": full_title, "body": body}
        return self._client.send("POST", self._path("pulls"), fields, GiteaPullRequest).to_domain()

    def pushers(self, pull_request: PullRequest) -> list[str] | None:
        """Return who opened the pull request, with what the branch had then, and who pushed to it since, by its timeline."""
        if pull_request.is_fork or pull_request.author is None:
            return None
        path = self._path("issues", pull_request.number, "timeline")
        try:
            events = self._client.pages(path, GiteaTimelineEvent, limit=_PAGE_SIZE)
        except RequestRefused:
            return None
        accounts = [event.user for event in events if event.type == "pull_push"]
        if any(account is None or account.is_deleted for account in accounts):
            return None
        return list(dict.fromkeys([pull_request.author, *(account.login for account in accounts if account)]))

    # Comments and issues

    def comments(self, number: int) -> list[Comment]:
        """Return the comments on a pull request or an issue."""
        payloads = self._client.pages(self._path("issues", number, "comments"), self._comment)
        return [payload.to_domain() for payload in payloads]

    def issues(self, *, label: str | None = None) -> list[Issue]:
        """Return open issues, without pull requests."""
        query = {"state": "open", "type": "issues", "limit": _PAGE_SIZE} | present(labels=label)
        payloads = self._client.pages(self._path("issues"), GiteaIssue, **query)
        return [payload.to_domain() for payload in payloads if payload.pull_request is None]

    def _label_values(self, labels: Sequence[str]) -> list[int]:
        """Return the ids of labels, since Gitea takes no names; create those that the repository lacks."""
        if not labels:
            return []
        path = self._path("labels")
        ids = {label.name: label.id for label in self._client.pages(path, GiteaLabel, limit=_PAGE_SIZE)}
        for name in labels:
            if name not in ids:
                ids[name] = self._client.send("POST", path, {"name": name, "color": _LABEL_COLOUR}, GiteaLabel).id
        return [ids[name] for name in labels]

    # Checks and deployments

    def checks(self, commit: CommitId) -> list[CommitCheck]:
        """Return the latest status of each context."""
        latest: dict[str, GiteaStatus] = {}
        for status in self._client.pages(self._path("commits", commit, "statuses"), GiteaStatus, limit=_PAGE_SIZE):
            if status.context not in latest or latest[status.context].id < status.id:
                latest[status.context] = status
        return [status.to_domain() for status in latest.values()]

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
        """Post a commit status: Gitea shows its name, its state and its title only."""
        del summary, annotations
        self._post_status(commit, name, state, title, url)

    def report_deployment(
        self,
        commit: CommitId,
        environment: str,
        state: Literal["in_progress", "success", "failure", "inactive"],
        *,
        description: str,
        payload: dict[str, Any] | None = None,
    ) -> None:
        """Do nothing: Gitea has no deployments."""

    # Rules

    def branch_rules(self, branch: str) -> BranchRules:
        """Return what the protection of a branch enforces; a part of it can be read by administrators only."""
        branch_answer = self._client.get(self._path("branches", branch), dict[str, Any])
        public = self._client.convert(branch_answer, GiteaBranch)
        protection_answer: dict[str, Any] | None = {}
        if public.protected:
            name = public.effective_branch_protection_name or branch
            protection_answer = self._get_if_visible(self._path("branch_protections", name))
        rules = BranchRules(
            required_checks=(public.status_check_contexts or []) if public.enable_status_check else [],
            required_reviews=public.required_approvals,
            code_owner_review=False,  # Gitea requests their review, and merges without it
            last_push_approval=False,
            allow_force_push=None if public.protected else True,
            allow_deletion=not public.protected,
            bypass_actors=None if public.protected else [],
            raw={"branch": branch_answer, "protection": protection_answer},
        )
        if protection_answer is None:
            return rules
        protection = self._client.convert(protection_answer, GiteaProtection)
        return msgspec.structs.replace(
            rules,
            strict_checks=protection.block_on_outdated_branch,
            dismiss_stale_reviews=protection.dismiss_stale_approvals,
            signed_commits=protection.require_signed_commits,
            allow_force_push=protection.enable_force_push or not public.protected,
            bypass_actors=protection.bypass_actors() if public.protected else [],
        )

    def environment_rules(self, name: str) -> EnvironmentRules | None:  # noqa: ARG002 - Gitea has none
        """Return None: Gitea has no environments."""
        return None

    def permissions(self) -> dict[str, str]:
        """Return `yes` or `no` for each of `admin`, `push`, `pull`."""
        permissions = self._client.get(self._path(), GiteaRepository).permissions or {}
        return {name: "yes" if allowed else "no" for name, allowed in sorted(permissions.items())}
