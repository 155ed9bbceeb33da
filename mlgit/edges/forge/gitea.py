"""Gitea and Forgejo: their REST API (https://docs.gitea.com/api).

They have commit statuses, but neither check runs nor deployments.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final, Literal

import msgspec

from mlgit.domain.forge import Annotation, BranchRules, Check, CheckState, Comment, Issue, PullRequest
from mlgit.domain.names import CommitId
from mlgit.edges.forge import giteawire as wire
from mlgit.edges.forge.hosted import Hosted
from mlgit.edges.forge.http import Said
from mlgit.edges.forge.words import given, quietly

HOW_TO_ASK: Final = "set GITEA_API_URL and, made in the settings of your account there, GITEA_TOKEN"

_PAGE: Final = "50"
_COLOUR: Final = "#ededed"


class Gitea(Hosted):
    """A repository at a Gitea or a Forgejo (see `ops.kernel.ports.forge.Forge`)."""

    name: Final = "gitea"
    _user, _pull, _review, _comment, _issue = wire.User, wire.Pull, wire.Review, wire.Comment, wire.Issue
    _paged: ClassVar = {"limit": _PAGE}
    _longest_description = 255

    # Pull requests

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

    # Words

    def comments(self, number: int) -> list[Comment]:
        """Return the comments on a pull request or an issue."""
        return [one.value() for one in self._http.pages(self._at("issues", number, "comments"), wire.Comment)]

    def issues(self, *, label: str | None = None) -> list[Issue]:
        """Return open issues, without pull requests."""
        query = {"state": "open", "type": "issues", "limit": _PAGE} | given(labels=label)
        found = self._http.pages(self._at("issues"), wire.Issue, **query)
        return [one.value() for one in found if one.pull_request is None]

    def open_issue(self, *, title: str, body: str, labels: Sequence[str] = ()) -> Issue:
        """Open an issue."""
        sent = {"title": title, "body": body, "labels": self._label_ids(labels)}
        return self._http.send("POST", self._at("issues"), sent, wire.Issue).value()

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
        """Do nothing: Gitea knows no deployments."""

    # Rules

    def rules(self, branch: str) -> BranchRules:
        """Return what the rule that reaches the branch enforces; what the branch itself does not tell, only to administrators."""
        shown = self._http.get(self._at("branches", branch), dict[str, Any])
        facts = self._http.read(shown, wire.Branch)
        told: dict[str, Any] | None = {}
        if facts.protected:
            told = self._told(self._at("branch_protections", facts.effective_branch_protection_name or branch))
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

    def permissions(self) -> dict[str, str]:
        """Return `yes` or `no` for each of `admin`, `push`, `pull`."""
        told = self._http.get(self._at(), wire.Repository).permissions or {}
        return {name: "yes" if may else "no" for name, may in sorted(told.items())}
