"""The REST API that Gitea copied from GitHub: requests that are the same at both, and hooks for what differs."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final, Protocol, TypeVar
from urllib.parse import quote

from mlgit.domain.forge import CheckState, Comment, ForgeReview, Issue, PullRequest
from mlgit.domain.names import CommitId
from mlgit.edges.forge.address import ForgeAddress
from mlgit.edges.forge.client import ApiClient, RequestRefused
from mlgit.edges.forge.wire import Account
from mlgit.errors import MlgitError

NOT_VISIBLE: Final = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
"""Statuses of what does not exist, or may not be read with this token."""

_ELLIPSIS: Final = "..."

T_co = TypeVar("T_co", covariant=True)


class Payload(Protocol[T_co]):
    """A part of an answer that stands for a value of the domain."""

    def to_domain(self) -> T_co:
        """Return that value."""
        ...


class RestForge:
    """A repository at a forge, as far as GitHub and Gitea agree (see `ops.kernel.ports.forge.Forge`)."""

    _user: ClassVar[type[Account]]
    _pull_request: ClassVar[type[Payload[PullRequest]]]
    _review: ClassVar[type[Payload[ForgeReview | None]]]
    _comment: ClassVar[type[Payload[Comment]]]
    _issue: ClassVar[type[Payload[Issue]]]
    _page_query: ClassVar[Mapping[str, str]]
    """Asks for the longest pages that the forge gives."""
    _max_description: ClassVar[int]
    """Characters that the forge accepts as the description of a commit status or a deployment."""

    def __init__(self, address: ForgeAddress, client: ApiClient) -> None:
        """Take where the repository is, and a client of the API there."""
        self._client = client
        self._address = address

    @property
    def repository(self) -> str:
        """Owner and name."""
        return self._address.repository

    @property
    def url(self) -> str:
        """Web address of the repository."""
        return f"{self._address.web}/{self._address.repository}"

    def token_login(self) -> str | None:
        """Return the login of the token; None for one that may not read it, such as the token of a GitHub app."""
        try:
            return self._client.get("/user", self._user).login
        except RequestRefused as refusal:
            if refusal.status == HTTPStatus.FORBIDDEN:
                return None
            raise

    def pull_request(self, number: int) -> PullRequest:
        """Return a pull request."""
        return self._client.get(self._path("pulls", number), self._pull_request).to_domain()

    def edit_pull_request(
        self, number: int, *, title: str | None = None, body: str | None = None, closed: bool | None = None
    ) -> PullRequest:
        """Change the given fields."""
        fields = present(title=title, body=body, state=_state(closed=closed))
        return self._client.send("PATCH", self._path("pulls", number), fields, self._pull_request).to_domain()

    def reviews(self, number: int) -> list[ForgeReview]:
        """Return every submitted review, oldest first."""
        payloads = self._client.pages(self._path("pulls", number, "reviews"), self._review, **self._page_query)
        reviews = [review for payload in payloads if (review := payload.to_domain())]
        return sorted(reviews, key=lambda review: (review.at, review.id))

    def add_comment(self, number: int, body: str) -> Comment:
        """Comment on a pull request or an issue."""
        path = self._path("issues", number, "comments")
        return self._client.send("POST", path, {"body": body}, self._comment).to_domain()

    def edit_comment(self, id: int, body: str) -> Comment:  # noqa: A002 - the forge's word
        """Replace the text of a comment."""
        path = self._path("issues", "comments", id)
        return self._client.send("PATCH", path, {"body": body}, self._comment).to_domain()

    def open_issue(self, *, title: str, body: str, labels: Sequence[str] = ()) -> Issue:
        """Open an issue."""
        fields = {"title": title, "body": body, "labels": self._label_values(labels)}
        return self._client.send("POST", self._path("issues"), fields, self._issue).to_domain()

    def edit_issue(self, number: int, *, body: str | None = None, closed: bool | None = None) -> Issue:
        """Change the given fields."""
        fields = present(body=body, state=_state(closed=closed))
        return self._client.send("PATCH", self._path("issues", number), fields, self._issue).to_domain()

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        """Add labels; a refusal is ignored."""
        path = self._path("issues", number, "labels")
        ignore_refusal(
            lambda: self._client.send("POST", path, {"labels": self._label_values(labels)}, list[Any], repeatable=True)
        )

    def _label_values(self, labels: Sequence[str]) -> list[Any]:
        """Return labels as the forge takes them."""
        return list(labels)

    def _post_status(self, commit: CommitId, name: str, state: CheckState, title: str, url: str | None) -> None:
        """Post a commit status, which has no neutral state, and room for a title alone."""
        fields = {
            "context": name,
            "state": "success" if state == "neutral" else state,
            "description": truncate(title, self._max_description),
        }
        self._client.send(
            "POST", self._path("statuses", commit), fields | present(target_url=url), Any, repeatable=True
        )

    def _get_if_visible(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path; None where there is none, or none that this token may read."""
        try:
            return self._client.get(path, dict[str, Any])
        except RequestRefused as refusal:
            if refusal.status in NOT_VISIBLE:
                return None
            raise

    def _path(self, *parts: str | int) -> str:
        return f"/repos/{self.repository}" + "".join(f"/{quote(str(part), safe='')}" for part in parts)


def present(**fields: str | None) -> dict[str, str]:
    """Return the fields that are not None."""
    return {key: value for key, value in fields.items() if value is not None}


def truncate(text: str, length: int) -> str:
    """Return a text of at most `length` characters, with an ellipsis where it was cut."""
    return text if len(text) <= length else text[: length - len(_ELLIPSIS)] + _ELLIPSIS


def ignore_refusal(request: Callable[[], object]) -> None:
    """Make a request that is decoration: without it nothing is lost."""
    try:
        request()
    except MlgitError:
        return


def _state(*, closed: bool | None) -> str | None:
    return None if closed is None else "closed" if closed else "open"
