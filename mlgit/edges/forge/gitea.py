"""Gitea and Forgejo: their REST API (https://docs.gitea.com/api).

They have commit statuses, but neither check runs nor deployments.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from mlgit.domain.forge import Annotation, BranchRules, Check, CheckState, Comment, ForgeReview, Issue, PullRequest
from mlgit.domain.names import CommitId
from mlgit.edges.forge import giteawire as wire
from mlgit.edges.forge.address import Place
from mlgit.edges.forge.http import Http, Said
from mlgit.edges.forge.words import cut, given, quietly, state_of

HOW_TO_ASK: Final = "set GITEA_API_URL and, made in the settings of your account there, GITEA_TOKEN"

_PAGE: Final = "50"
_LONGEST_DESCRIPTION: Final = 255
_COLOUR: Final = "#ededed"
_UNTOLD: Final = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


class Gitea:
    """A repository at a Gitea or a Forgejo (see `ops.forge_port.Forge`)."""

    name: Final = "gitea"

    def __init__(self, place: Place, http: Http) -> None:
        self._http = http
        self._place = place

    @property
    def repository(self) -> str:
        """Owner and name."""
        return self._place.repository

    @property
    def url(self) -> str:
        """Address of the repository for people."""
        return f"{self._place.web}/{self._place.repository}"

    def me(self) -> str | None:
        """Return the login that the token is of; None for a token that may not ask that."""
        try:
            return self._http.get("/user", wire.User).login
        except Said as said:
            if said.status == HTTPStatus.FORBIDDEN:
                return None
            raise

    # Pull requests

    def pull_request(self, number: int) -> PullRequest:
        """Return a pull request."""
        return self._http.get(self._at("pulls", number), wire.Pull).value()

    def pull_requests(
        self, *, branch: str | None = None, base: str | None = None, state: Literal["open", "all"] = "open"
    ) -> list[PullRequest]:
        """Return those of a branch of this repository, or to a base, newest first; Gitea lists all, so all are read."""
        found = [one.value() for one in self._http.pages(self._at("pulls"), wire.Pull, state=state, limit=_PAGE)]
        found.sort(key=lambda one: -one.number)
        return [
            one
            for one in found
            if (branch is None or (one.branch == branch and not one.is_fork)) and base in {None, one.base}
        ]

    def pull_requests_of(self, commit: CommitId) -> list[PullRequest]:
        """Return the merged pull request that brought a commit, if there is one: Gitea tells of one alone."""
        try:
            return [self._http.get(self._at("commits", commit, "pull"), wire.Pull).value()]
        except Said as said:
            if said.status in {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}:
                return []
            raise

    def open_pull_request(self, *, branch: str, base: str, title: str, body: str, draft: bool = False) -> PullRequest:
        """Open a pull request; at Gitea the title of a draft says so."""
        named = f"{wire.DRAFT}{title}" if draft else title
        sent = {"head": branch, "base": base, "title": named, "body": body}
        return self._http.send("POST", self._at("pulls"), sent, wire.Pull).value()

    def edit_pull_request(
        self, number: int, *, title: str | None = None, body: str | None = None, closed: bool | None = None
    ) -> PullRequest:
        """Change what is given."""
        sent = given(title=title, body=body, state=state_of(closed=closed))
        return self._http.send("PATCH", self._at("pulls", number), sent, wire.Pull).value()

    def reviews(self, number: int) -> list[ForgeReview]:
        """Return every submitted review, the oldest first."""
        found = self._http.pages(self._at("pulls", number, "reviews"), wire.Review, limit=_PAGE)
        reviews = [one for review in found if (one := review.value())]
        return sorted(reviews, key=lambda one: (one.at, one.id))

    # Words

    def comments(self, number: int) -> list[Comment]:
        """Return the comments on a pull request or an issue."""
        return [one.value() for one in self._http.pages(self._at("issues", number, "comments"), wire.Comment)]

    def comment(self, number: int, body: str) -> Comment:
        """Comment on a pull request or an issue."""
        return self._http.send("POST", self._at("issues", number, "comments"), {"body": body}, wire.Comment).value()

    def edit_comment(self, id: int, body: str) -> Comment:  # noqa: A002 - the forge's word
        """Replace the text of a comment."""
        return self._http.send("PATCH", self._at("issues", "comments", id), {"body": body}, wire.Comment).value()

    def issues(self, *, label: str | None = None) -> list[Issue]:
        """Return open issues, without pull requests."""
        query = {"state": "open", "type": "issues", "limit": _PAGE} | given(labels=label)
        found = self._http.pages(self._at("issues"), wire.Issue, **query)
        return [one.value() for one in found if one.pull_request is None]

    def open_issue(self, *, title: str, body: str, labels: Sequence[str] = ()) -> Issue:
        """Open an issue."""
        sent = {"title": title, "body": body, "labels": self._label_ids(labels)}
        return self._http.send("POST", self._at("issues"), sent, wire.Issue).value()

    def edit_issue(self, number: int, *, body: str | None = None, closed: bool | None = None) -> Issue:
        """Change what is given."""
        sent = given(body=body, state=state_of(closed=closed))
        return self._http.send("PATCH", self._at("issues", number), sent, wire.Issue).value()

    def label(self, number: int, labels: Sequence[str]) -> None:
        """Add labels, if that can be done."""
        quietly(
            lambda: self._http.send(
                "POST",
                self._at("issues", number, "labels"),
                {"labels": self._label_ids(labels)},
                list[wire.Label],
                repeatable=True,
            )
        )

    def _label_ids(self, labels: Sequence[str]) -> list[int]:
        """Return the ids of labels, by which alone Gitea sets them; make those that the repository lacks."""
        if not labels:
            return []
        path = self._at("labels")
        known = {one.name: one.id for one in self._http.pages(path, wire.Label, limit=_PAGE)}
        for name in labels:
            if name not in known:
                known[name] = self._http.send("POST", path, {"name": name, "color": _COLOUR}, wire.Label).id
        return [known[name] for name in labels]

    # Checks and deployments

    def checks(self, commit: CommitId) -> list[Check]:
        """Return the latest status of each context."""
        latest: dict[str, wire.Status] = {}
        for one in self._http.pages(self._at("commits", commit, "statuses"), wire.Status, limit=_PAGE):
            if one.context not in latest or latest[one.context].id < one.id:
                latest[one.context] = one
        return [one.value() for one in latest.values()]

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
        """Post a commit status: its name, its state and its title are all that Gitea shows."""
        del summary, annotations
        sent = {
            "context": name,
            "state": "success" if state == "neutral" else state,
            "description": cut(title, _LONGEST_DESCRIPTION),
        }
        self._http.send("POST", self._at("statuses", commit), sent | given(target_url=url), Any, repeatable=True)

    def deployment(
        self,
        commit: CommitId,
        environment: str,
        state: Literal["in_progress", "success", "failure", "inactive"],
        *,
        description: str,
        payload: dict[str, Any] | None = None,
    ) -> None:
        """Do nothing: Gitea knows no deployments."""

    # Rules

    def rules(self, branch: str) -> BranchRules:
        """Return what the rule that reaches the branch enforces; what the branch itself does not tell, only to administrators."""
        shown = self._http.get(self._at("branches", branch), dict[str, Any])
        facts = self._http.read(shown, wire.Branch)
        told: dict[str, Any] | None = {}
        if facts.protected:
            told = self._protection(facts.effective_branch_protection_name or branch)
        known = BranchRules(
            required_checks=(facts.status_check_contexts or []) if facts.enable_status_check else [],
            reviews=facts.required_approvals,
            code_owners=False,  # Gitea asks them for a review, and merges without
            last_push_approved=False,
            force_push=None if facts.protected else True,
            deletion=not facts.protected,
            bypass=None if facts.protected else [],
            raw={"branch": shown, "protection": told},
        )
        if told is None:
            return known
        rule = self._http.read(told, wire.Protection)
        return msgspec.structs.replace(
            known,
            strict_checks=rule.block_on_outdated_branch,
            dismisses_stale=rule.dismiss_stale_approvals,
            signed=rule.require_signed_commits,
            force_push=rule.enable_force_push or not facts.protected,
            bypass=rule.bypass() if facts.protected else [],
        )

    def _protection(self, name: str) -> dict[str, Any] | None:
        try:
            return self._http.get(self._at("branch_protections", name), dict[str, Any])
        except Said as said:
            if said.status in _UNTOLD:
                return None
            raise

    def permissions(self) -> dict[str, str]:
        """Return `yes` or `no` for each of `admin`, `push`, `pull`."""
        told = self._http.get(self._at(), wire.Repository).permissions or {}
        return {name: "yes" if may else "no" for name, may in sorted(told.items())}

    def _at(self, *parts: str | int) -> str:
        return f"/repos/{self.repository}" + "".join(f"/{quote(str(part), safe='')}" for part in parts)
