"""GitHub, or an Enterprise Server: its REST API, version 2022-11-28 (https://docs.github.com/rest)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar, Final, Literal

from mlgit.domain.forge import Annotation, BranchRules, Check, CheckState, Comment, Issue, PullRequest
from mlgit.domain.names import CommitId
from mlgit.edges.forge import githubwire as wire
from mlgit.edges.forge.address import Place
from mlgit.edges.forge.githubrules import merged_rules
from mlgit.edges.forge.hosted import UNTOLD, Hosted
from mlgit.edges.forge.http import Http, Said
from mlgit.edges.forge.words import cut, given, quietly

HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
HOW_TO_ASK: Final = "set GITHUB_TOKEN or GH_TOKEN, or run `gh auth login`"

_PAGE: Final = "100"
_LONGEST_SUMMARY: Final = 65_535
_LONGEST_TITLE: Final = 255
_MOST_ANNOTATIONS: Final = 50  # in one request

_LEVELS: Final = {"error": "failure", "warning": "warning", "notice": "notice"}


class GitHub(Hosted):
    """A repository at GitHub (see `ops.kernel.ports.forge.Forge`)."""

    name: Final = "github"
    _user, _pull, _review, _comment, _issue = wire.User, wire.Pull, wire.Review, wire.Comment, wire.Issue
    _paged: ClassVar = {"per_page": _PAGE}
    _longest_description = 140

    def __init__(self, place: Place, http: Http) -> None:
        """Take where it is, and the API there."""
        super().__init__(place, http)
        self._runs_refused = False

    # Pull requests

    def pull_requests(
        self, *, branch: str | None = None, base: str | None = None, state: Literal["open", "all"] = "open"
    ) -> list[PullRequest]:
        """Return those of a branch of this repository, or to a base, newest first; a list never says who merged."""
        query = {"state": state, "per_page": _PAGE}
        if branch is not None:
            # A repository that was moved keeps answering under its old name, but its branches are known by the new owner.
            query["head"] = f"{self._home.full_name.split('/')[0]}:{branch}"
        if base is not None:
            query["base"] = base
        found = [one.value() for one in self._http.pages(self._at("pulls"), wire.Pull, **query)]
        found.sort(key=lambda one: -one.number)
        return [one for one in found if branch is None or (one.branch == branch and not one.is_fork)]

    def pull_requests_of(self, commit: CommitId) -> list[PullRequest]:
        """Return the merged pull requests that brought a commit; none for a commit that GitHub does not have."""
        try:
            found = self._http.pages(self._at("commits", commit, "pulls"), wire.Pull, per_page=_PAGE)
        except Said as said:
            if said.status == HTTPStatus.UNPROCESSABLE_ENTITY:
                return []
            raise
        return [self.pull_request(one.number) for one in found if one.merged_at is not None]

    def open_pull_request(self, *, branch: str, base: str, title: str, body: str, draft: bool = False) -> PullRequest:
        """Open a pull request."""
        sent = {"head": branch, "base": base, "title": title, "body": body, "draft": draft}
        return self._http.send("POST", self._at("pulls"), sent, wire.Pull).value()

    # Words

    def comments(self, number: int) -> list[Comment]:
        """Return the comments on a pull request or an issue."""
        found = self._http.pages(self._at("issues", number, "comments"), wire.Comment, per_page=_PAGE)
        return [one.value() for one in found]

    def issues(self, *, label: str | None = None) -> list[Issue]:
        """Return open issues, without pull requests."""
        query = {"state": "open", "per_page": _PAGE} | given(labels=label)
        found = self._http.pages(self._at("issues"), wire.Issue, **query)
        return [one.value() for one in found if one.pull_request is None]

    def open_issue(self, *, title: str, body: str, labels: Sequence[str] = ()) -> Issue:
        """Open an issue."""
        sent = {"title": title, "body": body, "labels": list(labels)}
        return self._http.send("POST", self._at("issues"), sent, wire.Issue).value()

    def label(self, number: int, labels: Sequence[str]) -> None:
        """Add labels, if that can be done."""
        quietly(
            lambda: self._http.send(
                "POST", self._at("issues", number, "labels"), {"labels": list(labels)}, list[Any], repeatable=True
            )
        )

    # Checks and deployments

    def checks(self, commit: CommitId) -> list[Check]:
        """Return the latest run of each check of each app, and the latest status of each context."""
        at = self._at("commits", commit)
        runs = self._http.pages(f"{at}/check-runs", wire.Run, "check_runs", filter="latest", per_page=_PAGE)
        statuses: dict[str, wire.Status] = {}
        for one in self._http.pages(f"{at}/statuses", wire.Status, per_page=_PAGE):
            statuses.setdefault(one.context, one)  # GitHub tells the newest first
        return [one.value() for one in runs] + [one.value() for one in statuses.values()]

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
        """Post a check run, which an app may; a commit status where that is refused. GitHub takes 50 annotations at once."""
        if not self._runs_refused:
            output = {"title": title, "summary": cut(summary or title, _LONGEST_SUMMARY)}
            marked = [_annotation(one) for one in annotations[:_MOST_ANNOTATIONS]]
            run = {"name": name, "head_sha": commit, "output": output | ({"annotations": marked} if marked else {})}
            done = {"status": "in_progress"} if state == "pending" else {"status": "completed", "conclusion": state}
            try:
                self._http.send(
                    "POST", self._at("check-runs"), run | done | given(details_url=url), Any, repeatable=True
                )
            except Said as said:
                if said.status not in UNTOLD:
                    raise
                self._runs_refused = True
            else:
                return
        self._post_status(commit, name, state, title, url)

    def deployment(
        self,
        commit: CommitId,
        environment: str,
        state: Literal["in_progress", "success", "failure", "inactive"],
        *,
        description: str,
        payload: dict[str, Any] | None = None,
    ) -> None:
        """Tell what an environment runs: a status of its newest deployment if that is of the commit, else of a new one."""
        told = cut(description, self._longest_description)
        path = self._at("deployments")
        newest = self._http.get(path, list[wire.Deployment], environment=environment, per_page="1")
        if newest and newest[0].sha == commit:
            made = newest[0]
        else:
            # GitHub would merge the base into the commit, and ask for checks that mlgit has looked at itself.
            sent = {"ref": commit, "environment": environment, "auto_merge": False, "required_contexts": []}
            made = self._http.send(
                "POST", path, sent | {"description": told, "payload": payload or {}}, wire.Deployment
            )
        status = {"state": state, "description": told}
        self._http.send("POST", self._at("deployments", made.id, "statuses"), status, Any, repeatable=True)

    # Rules

    def rules(self, branch: str) -> BranchRules:
        """Return what rulesets and the branch's protection enforce; the latter is told to administrators only."""
        rules: list[dict[str, Any]] | None
        try:
            rules = self._http.pages(self._at("rules", "branches", branch), dict[str, Any], per_page=_PAGE)
        except Said as said:
            if said.status not in UNTOLD:
                raise
            rules = None  # a private repository of a plan without rulesets
        numbers = sorted({one["ruleset_id"] for one in rules or () if isinstance(one.get("ruleset_id"), int)})
        rulesets = [self._told(self._at("rulesets", number)) or {"id": number} for number in numbers]
        protection: dict[str, Any] | None
        try:
            protection = self._http.get(self._at("branches", branch, "protection"), dict[str, Any])
        except Said as said:
            if said.status not in UNTOLD:
                raise
            # A branch without protection and a token that may not look are told apart by the words alone.
            protection = {} if "not protected" in said.words else None
        return merged_rules(rules, rulesets, protection, self._http.read)

    def permissions(self) -> dict[str, str]:
        """Return `yes` or `no` for each of `admin`, `maintain`, `push`, `triage`, `pull`."""
        return {name: "yes" if may else "no" for name, may in sorted(self._home.permissions.items())}

    @cached_property
    def _home(self) -> wire.Repository:
        return self._http.get(self._at(), wire.Repository)


def _annotation(one: Annotation) -> Mapping[str, Any]:
    return {
        "path": one.path,
        "start_line": one.line,
        "end_line": one.line,
        "annotation_level": _LEVELS[one.level],
        "title": cut(one.title, _LONGEST_TITLE),
        "message": one.message,
    }
