"""An HTTP client of one API: bounded in time, size and attempts; every response is decoded into a known type."""

import time
import weakref
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import msgspec

from mlgit import __version__
from mlgit.edges.forge.response import HttpResponse
from mlgit.errors import Finding, Inconclusive, MlgitError, inconclusive

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Seconds for each step of a request."""
TOTAL_TIMEOUT: Final = 120.0
"""Seconds for a whole response, however steadily it arrives."""
MAX_RESPONSE_BYTES: Final = 16 << 20
MAX_ATTEMPTS: Final = 4
MAX_WAIT: Final = 60.0
"""Seconds that a rate limit is waited for; a longer one is reported."""
MAX_PAGES: Final = 200
"""Pages of a list; at 50 to 100 entries a page, more belong to no repository that people review in."""

_FIRST_BACKOFF: Final = 1.0  # seconds; doubled with each attempt
_MAX_REDIRECTS: Final = 3
_MAX_QUOTED: Final = 600  # characters of a forge's message that are passed on
_REDIRECTS: Final = {301, 302, 307, 308}
_REPEATABLE_METHODS: Final = {"GET", "PUT", "PATCH"}
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

T = TypeVar("T")


class RequestRefused(MlgitError):
    """The forge refused a request (`forge-request-rejected`), or does not have what it names (`forge-resource-unknown`)."""

    def __init__(self, status: int, message: str, finding: Finding) -> None:
        super().__init__(finding)
        self.status = status
        self.message = message


class ApiClient:
    """A client of the API at one address; the token is sent to that address and no other."""

    def __init__(
        self,
        api: str,
        headers: Mapping[str, str],
        token: str | None,
        *,
        login_hint: str,
        pause: Callable[[float], None] = time.sleep,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        """Take the address of the API.

        Args:
            api: the address, without a `/` at the end.
            headers: of every request.
            token: of whom to authenticate as; nobody if None.
            login_hint: how a person gives mlgit a token, for messages.
            pause: waits for some seconds.
            timeout: of each step of a request.
        """
        self._api = api
        self._origin = _origin(api)
        self._token = token
        self._login_hint = login_hint
        self._pause = pause
        is_local = urlsplit(api).scheme == "http"  # which is accepted on loopback alone
        self._client = httpx.Client(
            headers={"User-Agent": f"mlgit/{__version__}", "Accept": "application/json"} | dict(headers),
            timeout=timeout,
            follow_redirects=False,
            trust_env=not is_local,  # a proxy of the environment is meant for remote hosts
        )
        # A forge is not a context manager, so its connections are closed when it is collected.
        weakref.finalize(self, self._client.close)

    def get(self, path: str, type_: type[T], **query: str) -> T:
        """Return the object at a path.

        Args:
            path: below the address of the API, its parts quoted.
            type_: of the object.
            query: parameters.

        Raises:
            RequestRefused: the forge refused, or has no such object.
            Inconclusive: there is no usable response (`forge-unreachable`, `forge-rate-limited`, `forge-response-invalid`).
        """
        return self._decode(self._request("GET", self._url(path, query)), type_)

    def pages(self, path: str, type_: type[T], key: str | None = None, **query: str) -> list[T]:
        """Return a whole list, page by page.

        Args:
            path: below the address of the API.
            type_: of an entry.
            key: of the list in the response, if it is not the response itself.
            query: parameters.

        Raises:
            MlgitError: as `get`; also where there are more than `MAX_PAGES` pages (`forge-response-invalid`).
        """
        entries: list[T] = []
        url: str | None = self._url(path, query)
        pages_read = 0
        while url is not None:
            if pages_read == MAX_PAGES:
                raise self._unexpected(f"the list at {path} has more than {MAX_PAGES} pages")
            pages_read += 1
            response = self._request("GET", url)
            if key is not None:
                part = self._decode(response, dict[str, msgspec.Raw]).get(key, b"null")
                response = msgspec.structs.replace(response, content=bytes(part))
            entries += self._decode(response, list[type_])  # type: ignore[valid-type]
            url = self._next_page(response, url)
        return entries

    def send(
        self, method: str, path: str, body: Mapping[str, Any], type_: type[T], *, repeatable: bool | None = None
    ) -> T:
        """Change an object; return it as the forge answers.

        Args:
            method: POST, PUT or PATCH.
            path: below the address of the API.
            body: the fields to send.
            type_: of the response.
            repeatable: whether sending it twice does no harm; by default PUT and PATCH do none, POST does.

        Raises:
            MlgitError: as `get`. Where the change may have been made, the `why` of `forge-unreachable` mentions it.
        """
        may_repeat = method in _REPEATABLE_METHODS if repeatable is None else repeatable
        return self._decode(self._request(method, self._url(path, {}), body, repeatable=may_repeat), type_)

    def convert(self, value: Any, type_: type[T]) -> T:
        """Return a part of a response as a type.

        Raises:
            Inconclusive: it does not fit (`forge-response-invalid`).
        """
        try:
            return msgspec.convert(value, type_)
        except msgspec.ValidationError as error:
            raise self._unexpected(self._quote(str(error))) from error

    # Requests

    def _request(
        self, method: str, url: str, body: Mapping[str, Any] | None = None, *, repeatable: bool = True
    ) -> HttpResponse:
        """Send a request, again after a pause where that can help and does no harm."""
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._send_following_redirects(method, url, body)
            except httpx.HTTPError as error:
                maybe_done = not repeatable and not isinstance(error, _NEVER_SENT)
                if maybe_done or attempt == MAX_ATTEMPTS:
                    raise self._unreachable(f"{method}: {self._quote(str(error))}", maybe_done=maybe_done) from error
                self._pause(_backoff(attempt))
                continue
            if response.status < HTTPStatus.MULTIPLE_CHOICES:
                return response
            is_limit = response.is_rate_limited
            if not is_limit and response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise self._refusal(response)
            wait = _backoff(attempt) if response.retry_after is None else response.retry_after
            maybe_done = not repeatable and not is_limit  # a server may fail after it made the change
            if maybe_done or attempt == MAX_ATTEMPTS or wait > MAX_WAIT:
                message = self._quote(response.error_message)
                if is_limit:
                    raise self._rate_limited(message, wait)
                raise self._unreachable(f"{method}: {message}", maybe_done=maybe_done)
            self._pause(wait)

    def _send_following_redirects(self, method: str, url: str, body: Mapping[str, Any] | None) -> HttpResponse:
        """Follow redirects as far as they stay at the same host, as those of a renamed repository do."""
        response = self._send_once(method, url, body)
        for _ in range(_MAX_REDIRECTS):
            if response.status not in _REDIRECTS:
                break
            target = response.headers.get("location", "")
            url = self._same_host(url, target, "it redirects to nowhere, or to another host")
            response = self._send_once(method, url, body)
        return response

    def _send_once(self, method: str, url: str, body: Mapping[str, Any] | None) -> HttpResponse:
        headers = {"Authorization": f"token {self._token}"} if self._token else {}
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        deadline = time.monotonic() + TOTAL_TIMEOUT
        with self._client.stream(method, url, headers=headers, content=content) as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                size += len(part)
                if size > MAX_RESPONSE_BYTES:
                    raise self._unexpected(f"a response has more than {MAX_RESPONSE_BYTES >> 20} MB")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"the response was not complete after {TOTAL_TIMEOUT:g} s")
                parts.append(part)
            return HttpResponse(response.status_code, response.headers, b"".join(parts))

    def _next_page(self, response: HttpResponse, url: str) -> str | None:
        link = httpx.Response(HTTPStatus.OK, headers=response.headers).links.get("next", {}).get("url")
        return link and self._same_host(url, link, "the link to the next page of a list leads to another host")

    def _same_host(self, url: str, target: str, problem: str) -> str:
        """Return an address that the forge gave, if it is one of its own: the token is sent nowhere else."""
        try:
            absolute = urljoin(url, target) if target else ""
            is_same = _origin(absolute) == self._origin
        except (ValueError, httpx.InvalidURL):
            is_same = False
        if not is_same:
            raise self._unexpected(problem)
        return absolute

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        return self._api + path + (f"?{urlencode(query)}" if query else "")

    def _decode(self, response: HttpResponse, type_: type[T]) -> T:
        try:
            return msgspec.json.decode(response.content, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._unexpected(self._quote(str(error))) from error

    # Errors

    def _refusal(self, response: HttpResponse) -> MlgitError:
        message = self._quote(response.error_message)
        if response.status < HTTPStatus.BAD_REQUEST:
            return self._unexpected(f"it keeps answering with status {response.status}")
        if response.status == HTTPStatus.UNAUTHORIZED:
            why = message if self._token else f"no token was sent; {message}"
            finding = Finding(
                "forge-request-rejected", f"{self._host} does not accept the token", why, self._login_hint
            )
        elif response.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            fix = "check that it exists under this name, and that the token may read it"
            finding = Finding("forge-resource-unknown", f"{self._host} does not have what was requested", message, fix)
        elif response.status == HTTPStatus.FORBIDDEN:
            fix = f"give the token the permission that it lacks, or use another: {self._login_hint}"
            finding = Finding("forge-request-rejected", f"{self._host} does not let this token do that", message, fix)
        else:
            fix = "change what the message names, and run the command again"
            finding = Finding("forge-request-rejected", f"{self._host} refused the request", message, fix)
        return RequestRefused(response.status, message, finding)

    def _rate_limited(self, message: str, wait: float) -> Inconclusive:
        return inconclusive(
            "forge-rate-limited",
            f"{self._host} accepts no more requests for now",
            why=f"{message}; the limit ends in {wait:.0f} s",
            fix="run the command again later; a token for this work alone has limits of its own",
        )

    def _unreachable(self, why: str, *, maybe_done: bool) -> Inconclusive:
        more = "; the change may have been made nevertheless" if maybe_done else ""
        fix = "look at the forge first, then run the command again" if maybe_done else "run the command again later"
        return inconclusive("forge-unreachable", f"{self._host} does not answer", why=why + more, fix=fix)

    def _unexpected(self, why: str) -> Inconclusive:
        return inconclusive(
            "forge-response-invalid",
            f"{self._host} gave a response that mlgit does not understand",
            why=why,
            fix="check that it is the forge that mlgit.yaml names, and whether a newer mlgit supports it",
        )

    @property
    def _host(self) -> str:
        return urlsplit(self._api).netloc

    def _quote(self, text: str) -> str:
        """Return a text for messages: short, and without the token, which a forge or a library may repeat."""
        text = text.replace(self._token, "***") if self._token else text
        return text[:_MAX_QUOTED]


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = httpx.URL(url)
    return parts.scheme, parts.host, parts.port


def _backoff(attempt: int) -> float:
    return float(_FIRST_BACKOFF * 2 ** (attempt - 1))
