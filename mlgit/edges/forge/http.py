"""Questions to one API over HTTP, and nowhere else: bounded in time, size and tries; every answer read into a known shape."""

import time
import weakref
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import msgspec

from mlgit import __version__
from mlgit.edges.forge.answers import Answer
from mlgit.errors import Finding, Inconclusive, MlgitError, inconclusive

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Seconds for each step of an exchange."""
WHOLE: Final = 120.0
"""Seconds for a whole answer, however steadily it drips."""
LARGEST: Final = 16 << 20
"""Bytes of an answer."""
TRIES: Final = 4
LONGEST_WAIT: Final = 60.0
"""Seconds that a limit is waited out; a longer one is told to the person."""
PAGES: Final = 200

_BACKOFF: Final = 1.0
_REDIRECTS: Final = 3
_SAID: Final = 600  # characters of what a forge says that are passed on
_MOVED: Final = {301, 302, 307, 308}
_REPEATABLE: Final = {"GET", "PUT", "PATCH"}
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

T = TypeVar("T")


class Said(MlgitError):
    """The forge said no (`forge-refused`), or that there is no such thing (`forge-unknown`)."""

    def __init__(self, status: int, words: str, finding: Finding) -> None:
        super().__init__(finding)
        self.status = status
        self.words = words


class Http:
    """An API, at one address; a token goes to that address and no other."""

    def __init__(
        self,
        api: str,
        headers: Mapping[str, str],
        token: str | None,
        *,
        how_to_ask: str,
        pause: Callable[[float], None] = time.sleep,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        """Take an API.

        Args:
            api: its address, without a `/` at the end.
            headers: of every request.
            token: who asks; nobody if None.
            how_to_ask: in words, how a person gives mlgit a token.
            pause: waits for some seconds.
            timeout: of each step of an exchange.
        """
        self._api = api
        self._origin = _origin(api)
        self._token = token
        self._how_to_ask = how_to_ask
        self._pause = pause
        local = urlsplit(api).scheme == "http"
        self._client = httpx.Client(
            headers={"User-Agent": f"mlgit/{__version__}", "Accept": "application/json"} | dict(headers),
            timeout=timeout,
            follow_redirects=False,
            trust_env=not local,  # a proxy of the environment is for what is far away
        )
        # Whoever forgets to close a forge leaves no connection behind.
        weakref.finalize(self, self._client.close)

    def get(self, path: str, kind: type[T], **query: str) -> T:
        """Return what is at a path.

        Args:
            path: below the address of the API, its parts quoted.
            kind: the shape of the answer.
            query: what else is asked.

        Raises:
            Said: the forge refused, or knows nothing of it.
            Unjudged: no answer can be had (`forge-unreachable`, `forge-limited`, `forge-answer-odd`).
        """
        return self._shaped(self._ask("GET", self._at(path, query)), kind)

    def pages(self, path: str, kind: type[T], key: str | None = None, **query: str) -> list[T]:
        """Return all of a list, page by page.

        Args:
            path: below the address of the API.
            kind: the shape of an entry.
            key: where the list is in the answer, if it is not the answer itself.
            query: what else is asked.

        Raises:
            MlgitError: as `get`; also where there are more pages than anybody reads (`forge-answer-odd`).
        """
        found: list[T] = []
        url: str | None = self._at(path, query)
        read = 0
        while url is not None:
            if read == PAGES:
                raise self._odd(f"the list at {path} has more than {PAGES} pages")
            read += 1
            answer = self._ask("GET", url)
            if key is not None:
                part = self._shaped(answer, dict[str, msgspec.Raw]).get(key, b"null")
                answer = msgspec.structs.replace(answer, content=bytes(part))
            found += self._shaped(answer, list[kind])  # type: ignore[valid-type]
            url = self._next(answer, url)
        return found

    def send(
        self, method: str, path: str, body: Mapping[str, Any], kind: type[T], *, repeatable: bool | None = None
    ) -> T:
        """Change something; return what the forge says that it is now.

        Args:
            method: POST, PUT or PATCH.
            path: below the address of the API.
            body: what is sent.
            kind: the shape of the answer.
            repeatable: whether doing it twice does no harm; PUT and PATCH are so by their meaning, POST is not.

        Raises:
            MlgitError: as `get`. Where nobody can tell whether it was done, `forge-unreachable` says so.
        """
        again = method in _REPEATABLE if repeatable is None else repeatable
        return self._shaped(self._ask(method, self._at(path, {}), body, repeatable=again), kind)

    # Asking

    def _ask(self, method: str, url: str, body: Mapping[str, Any] | None = None, *, repeatable: bool = True) -> Answer:
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = self._followed(method, url, body)
            except httpx.HTTPError as error:
                unsure = not repeatable and not isinstance(error, _NEVER_SENT)
                if unsure or attempt == TRIES:
                    raise self._silent(f"{method}: {self._clean(str(error))}", unsure=unsure) from error
                self._pause(_backoff(attempt))
                continue
            if answer.status < HTTPStatus.MULTIPLE_CHOICES:
                return answer
            limit = answer.is_limit
            if not limit and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise self._said(answer)
            told = answer.wait
            wait = _backoff(attempt) if told is None else told
            unsure = not repeatable and not limit  # what failed inside may have been done before it failed
            if unsure or attempt == TRIES or wait > LONGEST_WAIT:
                words = self._clean(answer.words)
                raise self._limited(words, wait) if limit else self._silent(f"{method}: {words}", unsure=unsure)
            self._pause(wait)

    def _followed(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        """Ask, and follow redirects as far as they stay at the same host, as those of a renamed repository do."""
        answer = self._once(method, url, body)
        for _ in range(_REDIRECTS):
            if answer.status not in _MOVED:
                break
            url = self._here(url, answer.headers.get("location", ""), "it sends on to nowhere, or to another host")
            answer = self._once(method, url, body)
        return answer

    def _once(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        headers = {"Authorization": f"token {self._token}"} if self._token else {}
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        until = time.monotonic() + WHOLE
        with self._client.stream(method, url, headers=headers, content=content) as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                size += len(part)
                if size > LARGEST:
                    raise self._odd(f"an answer has more than {LARGEST >> 20} MB")
                if time.monotonic() > until:
                    raise httpx.ReadTimeout(f"the answer was not whole after {WHOLE:g} s")
                parts.append(part)
            return Answer(response.status_code, response.headers, b"".join(parts))

    def _next(self, answer: Answer, url: str) -> str | None:
        link = httpx.Response(HTTPStatus.OK, headers=answer.headers).links.get("next", {}).get("url")
        return link and self._here(url, link, "the next page of a list is said to be at another host")

    def _here(self, url: str, to: str, otherwise: str) -> str:
        """Return an address that the forge gave, if it is one of its own: a token goes nowhere else."""
        try:
            there = urljoin(url, to) if to else ""
            same = _origin(there) == self._origin
        except (ValueError, httpx.InvalidURL):
            same = False
        if not same:
            raise self._odd(otherwise)
        return there

    def _at(self, path: str, query: Mapping[str, str]) -> str:
        return self._api + path + (f"?{urlencode(query)}" if query else "")

    def read(self, value: Any, kind: type[T]) -> T:
        """Return a part of an answer in a shape.

        Raises:
            Unjudged: it is not so (`forge-answer-odd`).
        """
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise self._odd(self._clean(str(error))) from error

    # What is wrong

    def _shaped(self, answer: Answer, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._odd(self._clean(str(error))) from error

    def _said(self, answer: Answer) -> MlgitError:
        words = self._clean(answer.words)
        if answer.status < HTTPStatus.BAD_REQUEST:
            return self._odd(f"status {answer.status}, again and again")
        if answer.status == HTTPStatus.UNAUTHORIZED:
            why = words if self._token else f"no token was sent; {words}"
            finding = Finding("forge-refused", f"{self._host} does not know who asks", why, self._how_to_ask)
        elif answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            fix = "look whether it is there under this name, and whether the token may see it"
            finding = Finding("forge-unknown", f"{self._host} knows nothing of what was asked for", words, fix)
        elif answer.status == HTTPStatus.FORBIDDEN:
            fix = f"give the token the right that it lacks, or use another: {self._how_to_ask}"
            finding = Finding("forge-refused", f"{self._host} does not let this token do that", words, fix)
        else:
            fix = "change what it names, and run the command again"
            finding = Finding("forge-refused", f"{self._host} refused what was asked", words, fix)
        return Said(answer.status, words, finding)

    def _limited(self, words: str, wait: float) -> Inconclusive:
        return inconclusive(
            "forge-limited",
            f"{self._host} takes no more requests for now",
            why=f"{words}; more are welcome in {wait:.0f} s",
            fix="run the command again later; a token for this work alone has limits of its own",
        )

    def _silent(self, why: str, *, unsure: bool) -> Inconclusive:
        more = "; what was asked may have been done nevertheless" if unsure else ""
        fix = "look at the forge first, then run the command again" if unsure else "run the command again later"
        return inconclusive("forge-unreachable", f"{self._host} does not answer", why=why + more, fix=fix)

    def _odd(self, why: str) -> Inconclusive:
        return inconclusive(
            "forge-answer-odd",
            f"{self._host} answers in a way that mlgit does not know",
            why=why,
            fix="see whether it is the forge that mlgit.yaml names, and whether a newer mlgit knows it",
        )

    @property
    def _host(self) -> str:
        return urlsplit(self._api).netloc

    def _clean(self, text: str) -> str:
        """Return text for people: short, and without the token, wherever a forge or a library got it from."""
        text = text.replace(self._token, "***") if self._token else text
        return text[:_SAID]


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = httpx.URL(url)
    return parts.scheme, parts.host, parts.port


def _backoff(attempt: int) -> float:
    return float(_BACKOFF * 2 ** (attempt - 1))
