"""GitHub, or an Enterprise Server: its REST API, version 2022-11-28 (https://docs.github.com/rest)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar, Final, Literal

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
from mlgit.edges.forge.address import ForgeAddress
from mlgit.edges.forge.client import ApiClient, RequestRefused
from mlgit.edges.forge.github_rules import merged_rules
from mlgit.edges.forge.github_wire import (
    GitHubActivity,
    GitHubBranchPattern,
    GitHubCheckRun,
    GitHubDeployment,
    GitHubDeploymentStatus,
    GitHubEnvironment,
    GitHubPullRequest,
    GitHubRepository,
    GitHubReview,
    GitHubStatus,
    GitHubUser,
)
from mlgit.edges.forge.rest import NOT_VISIBLE, RestForge, present, truncate
from mlgit.edges.forge.wire import CommentPayload, IssuePayload

HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
LOGIN_HINT: Final = "set GITHUB_TOKEN or GH_TOKEN, or run `gh auth login`"
"""How a person gives mlgit a token."""

# Limits of GitHub's API, from its documentation.
_PAGE_SIZE: Final = "100"
_MAX_CHECK_SUMMARY: Final = 65_535
_MAX_ANNOTATION_TITLE: Final = 255
_MAX_ANNOTATIONS: Final = 50  # in one request

_ANNOTATION_LEVELS: Final = {"error": "failure", "warning": "warning", "notice": "notice"}


class GitHub(RestForge):
    """A repository at GitHub (see `ops.kernel.ports.forge.Forge`)."""

    name: Final = "github"
    _user, _pull_request, _review = GitHubUser, GitHubPullRequest, GitHubReview
    _comment = CommentPayload[GitHubUser]
    _issue = IssuePayload[GitHubUser]
    _page_query: ClassVar = {"per_page": _PAGE_SIZE}
    _max_description = 140

    def __init__(self, address: ForgeAddress, client: ApiClient) -> None:
        """Take where the repository is, and a client of the API there."""
        super().__init__(address, client)
        self._check_runs_refused = False

    # Pull requests

    def pull_requests(
        self, *, branch: str | None = None, base: str | None = None, state: Literal["open", "all"] = "open"
    ) -> list[PullRequest]:
        """Return those from a branch of this repository, or to a base, newest first; a list never names who merged."""
        query = {"state": state, "per_page": _PAGE_SIZE}
        if branch is not None:
            # A renamed repository still answers under its old name, but its branches are found by the new owner.
            query["head"] = f"{self._repository_info.full_name.split('/')[0]}:{branch}"
        if base is not None:
            query["base"] = base
        payloads = self._client.pages(self._path("pulls"), GitHubPullRequest, **query)
        pull_requests = sorted((payload.to_domain() for payload in payloads), key=lambda pull: -pull.number)
        return [pull for pull in pull_requests if branch is None or (pull.branch == branch and not pull.is_fork)]

    def pull_requests_of(self, commit: CommitId) -> list[PullRequest]:
        """Return the merged pull requests of a commit; none for a commit that GitHub does not have."""
        try:
            payloads = self._client.pages(
                self._path("commits", commit, "pulls"), GitHubPullRequest, per_page=_PAGE_SIZE
            )
        except RequestRefused as refusal:
            if refusal.status == HTTPStatus.UNPROCESSABLE_ENTITY:
                return []
            raise
        return [self.pull_request(payload.number) for payload in payloads if payload.is_merged]

    def open_pull_request(self, *, branch: str, base: str, title: str, body: str, draft: bool = False) -> PullRequest:
        """Open a pull request."""
        fields = {"head": branch, "base": base, "title": title, "body": body, "draft": draft}
        return self._client.send("POST", self._path("pulls"), fields, GitHubPullRequest).to_domain()

    def pushers(self, pull_request: PullRequest) -> list[str] | None:
        """Return who pushed to the branch, from its head back to its creation, by the activity of the repository."""
        if pull_request.is_fork:
            return None
        query = {"ref": f"refs/heads/{pull_request.branch}", "per_page": _PAGE_SIZE}
        try:
            activities = self._client.pages(self._path("activity"), GitHubActivity, **query)
        except RequestRefused:
            return None
        # GitHub lists the newest first; what came after the head, such as the deletion of the branch, does not matter.
        start = next((n for n, one in enumerate(activities) if one.after == pull_request.head), None)
        logins: list[str] = []
        for activity in activities[start:] if start is not None else ():
            if activity.actor is None or activity.actor.is_deleted:
                return None
            logins.append(activity.actor.login)
            if activity.is_creation:
                return list(dict.fromkeys(reversed(logins)))
        return None

    # Comments and issues

    def comments(self, number: int) -> list[Comment]:
        """Return the comments on a pull request or an issue."""
        path = self._path("issues", number, "comments")
        return [payload.to_domain() for payload in self._client.pages(path, self._comment, per_page=_PAGE_SIZE)]

    def issues(self, *, label: str | None = None) -> list[Issue]:
        """Return open issues, without pull requests."""
        query = {"state": "open", "per_page": _PAGE_SIZE} | present(labels=label)
        payloads = self._client.pages(self._path("issues"), self._issue, **query)
        return [payload.to_domain() for payload in payloads if payload.pull_request is None]

    # Checks and deployments

    def checks(self, commit: CommitId) -> list[CommitCheck]:
        """Return the latest run of each check of each app, and the latest status of each context."""
        path = self._path("commits", commit)
        query = {"filter": "latest", "per_page": _PAGE_SIZE}
        runs = self._client.pages(f"{path}/check-runs", GitHubCheckRun, "check_runs", **query)
        statuses: dict[str, GitHubStatus] = {}
        for status in self._client.pages(f"{path}/statuses", GitHubStatus, per_page=_PAGE_SIZE):
            statuses.setdefault(status.context, status)  # GitHub lists the newest first
        return [run.to_domain() for run in runs] + [status.to_domain() for status in statuses.values()]

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
        """Post a check run, which only an app may; a commit status where that is refused."""
        if not self._check_runs_refused:
            run = _check_run(commit, name, state, title, summary, annotations) | present(details_url=url)
            try:
                self._client.send("POST", self._path("check-runs"), run, Any, repeatable=True)
            except RequestRefused as refusal:
                if refusal.status not in NOT_VISIBLE:
                    raise
                self._check_runs_refused = True
            else:
                return
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
        """Report what an environment runs, as a status of its newest deployment if that has the commit, else of a new one.

        What the newest status of that deployment, or of one for the same promotion, says already is not posted again: a promotion
        that stays blocked would otherwise be reported with every run.
        """
        text = truncate(description, self._max_description)
        path = self._path("deployments")
        newest = self._client.get(path, list[GitHubDeployment], environment=environment, per_page="1")
        if newest and self._is_reported(newest[0], commit, state, text, payload or {}):
            return
        if newest and newest[0].sha == commit:
            deployment = newest[0]
        else:
            # By default GitHub merges the base into the commit, and waits for checks that mlgit has verified itself.
            fields = {"ref": commit, "environment": environment, "auto_merge": False, "required_contexts": []}
            more = {"description": text, "payload": payload or {}}
            deployment = self._client.send("POST", path, fields | more, GitHubDeployment)
        status = {"state": state, "description": text}
        self._client.send("POST", self._path("deployments", deployment.id, "statuses"), status, Any, repeatable=True)

    def _is_reported(
        self, newest: GitHubDeployment, commit: CommitId, state: str, text: str, payload: dict[str, Any]
    ) -> bool:
        """Return whether the newest deployment is of the same commit or promotion, and its last status the same."""
        promotion = payload.get("promotion")
        known = newest.payload.get("promotion") if isinstance(newest.payload, dict) else None
        if newest.sha != commit and (promotion is None or promotion != known):
            return False
        path = self._path("deployments", newest.id, "statuses")
        statuses = self._client.get(path, list[GitHubDeploymentStatus], per_page="1")
        return bool(statuses) and (statuses[0].state, statuses[0].description) == (state, text)

    # Rules

    def branch_rules(self, branch: str) -> BranchRules:
        """Return what rulesets and the branch's protection enforce; only administrators can read the latter."""
        rules: list[dict[str, Any]] | None
        try:
            rules = self._client.pages(self._path("rules", "branches", branch), dict[str, Any], per_page=_PAGE_SIZE)
        except RequestRefused as refusal:
            if refusal.status not in NOT_VISIBLE:
                raise
            rules = None  # a private repository of a plan without rulesets
        numbers = sorted({rule["ruleset_id"] for rule in rules or () if isinstance(rule.get("ruleset_id"), int)})
        rulesets = [self._get_if_visible(self._path("rulesets", number)) or {"id": number} for number in numbers]
        protection: dict[str, Any] | None
        try:
            protection = self._client.get(self._path("branches", branch, "protection"), dict[str, Any])
        except RequestRefused as refusal:
            if refusal.status not in NOT_VISIBLE:
                raise
            # A branch without protection and a token that may not read it differ in the message alone.
            protection = {} if "not protected" in refusal.message else None
        return merged_rules(rules, rulesets, protection, self._client.convert)

    def environment_rules(self, name: str) -> EnvironmentRules | None:
        """Return which branches may use an environment; None where there is none of that name."""
        path = self._path("environments", name)
        found = self._get_if_visible(path)
        if found is None:
            return None
        policy = self._client.convert(found, GitHubEnvironment).deployment_branch_policy
        if policy is None:
            return EnvironmentRules(allowed=None)
        if policy.protected_branches:
            return EnvironmentRules(allowed=[], protected_only=True)
        patterns = self._client.pages(
            f"{path}/deployment-branch-policies", GitHubBranchPattern, "branch_policies", per_page=_PAGE_SIZE
        )
        return EnvironmentRules(allowed=[pattern.name for pattern in patterns])

    def permissions(self) -> dict[str, str]:
        """Return `yes` or `no` for each of `admin`, `maintain`, `push`, `triage`, `pull`."""
        permissions = self._repository_info.permissions
        return {name: "yes" if allowed else "no" for name, allowed in sorted(permissions.items())}

    @cached_property
    def _repository_info(self) -> GitHubRepository:
        return self._client.get(self._path(), GitHubRepository)


def _check_run(
    commit: CommitId, name: str, state: CheckState, title: str, summary: str, annotations: Sequence[Annotation]
) -> dict[str, Any]:
    output: dict[str, Any] = {"title": title, "summary": truncate(summary or title, _MAX_CHECK_SUMMARY)}
    if annotations:
        output["annotations"] = [_annotation(annotation) for annotation in annotations[:_MAX_ANNOTATIONS]]
    status = {"status": "in_progress"} if state == "pending" else {"status": "completed", "conclusion": state}
    return {"name": name, "head_sha": commit, "output": output} | status


def _annotation(annotation: Annotation) -> Mapping[str, Any]:
    return {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": _ANNOTATION_LEVELS[annotation.level],
        "title": truncate(annotation.title, _MAX_ANNOTATION_TITLE),
        "message": annotation.message,
    }
