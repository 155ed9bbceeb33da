"""What Gitea took over from GitHub: paths and bodies that are the same at both, with each one's own words in the answers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final, Protocol, TypeVar
from urllib.parse import quote

from mlgit.domain.forge import CheckState, Comment, ForgeReview, Issue, PullRequest
from mlgit.domain.names import CommitId
from mlgit.edges.forge.address import Place
from mlgit.edges.forge.http import Http, Said
from mlgit.edges.forge.words import cut, given, state_of

UNTOLD: Final = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
"""How a forge says that there is no such thing, or none for this token."""

T_co = TypeVar("T_co", covariant=True)


class Told(Protocol[T_co]):
    """An answer in a forge's words."""

    def value(self) -> T_co:
        """Return it in our words."""
        ...


class User(Protocol):
    """An account in a forge's words."""

    @property
    def login(self) -> str:
        """The name of the account."""
        ...


class Hosted:
    """A repository at a forge, as far as GitHub and Gitea agree (see `ops.kernel.ports.forge.Forge`)."""

    _user: ClassVar[type[User]]
    _pull: ClassVar[type[Told[PullRequest]]]
    _review: ClassVar[type[Told[ForgeReview | None]]]
    _comment: ClassVar[type[Told[Comment]]]
    _issue: ClassVar[type[Told[Issue]]]
    _paged: ClassVar[Mapping[str, str]]
    """Asks for the longest pages that there are."""
    _longest_description: ClassVar[int]

    def __init__(self, place: Place, http: Http) -> None:
        """Take where it is, and the API there."""
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
        """Return the login that the token is of; None for a token that may not ask that, as an app's at GitHub."""
        try:
            return self._http.get("/user", self._user).login
        except Said as said:
            if said.status == HTTPStatus.FORBIDDEN:
                return None
            raise

    def pull_request(self, number: int) -> PullRequest:
        """Return a pull request."""
        return self._http.get(self._at("pulls", number), self._pull).value()

    def edit_pull_request(
        self, number: int, *, title: str | None = None, body: str | None = None, closed: bool | None = None
    ) -> PullRequest:
        """Change what is given."""
        sent = given(title=title, body=body, state=state_of(closed=closed))
        return self._http.send("PATCH", self._at("pulls", number), sent, self._pull).value()

    def reviews(self, number: int) -> list[ForgeReview]:
        """Return every submitted review, the oldest first."""
        found = self._http.pages(self._at("pulls", number, "reviews"), self._review, **self._paged)
        reviews = [one for review in found if (one := review.value())]
        return sorted(reviews, key=lambda one: (one.at, one.id))

    def comment(self, number: int, body: str) -> Comment:
        """Comment on a pull request or an issue."""
        return self._http.send("POST", self._at("issues", number, "comments"), {"body": body}, self._comment).value()

    def edit_comment(self, id: int, body: str) -> Comment:  # noqa: A002 - the forge's word
        """Replace the text of a comment."""
        return self._http.send("PATCH", self._at("issues", "comments", id), {"body": body}, self._comment).value()

    def edit_issue(self, number: int, *, body: str | None = None, closed: bool | None = None) -> Issue:
        """Change what is given."""
        sent = given(body=body, state=state_of(closed=closed))
        return self._http.send("PATCH", self._at("issues", number), sent, self._issue).value()

    def _post_status(self, commit: CommitId, name: str, state: CheckState, title: str, url: str | None) -> None:
        """Post a commit status; it knows no neutral result, and has no room for more than a title."""
        sent = {
            "context": name,
            "state": "success" if state == "neutral" else state,
            "description": cut(title, self._longest_description),
        }
        self._http.send("POST", self._at("statuses", commit), sent | given(target_url=url), Any, repeatable=True)

    def _told(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path; None where there is nothing, or nothing that this token may see."""
        try:
            return self._http.get(path, dict[str, Any])
        except Said as said:
            if said.status in UNTOLD:
                return None
            raise

    def _at(self, *parts: str | int) -> str:
        return f"/repos/{self.repository}" + "".join(f"/{quote(str(part), safe='')}" for part in parts)
