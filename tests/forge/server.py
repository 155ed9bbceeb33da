"""HTTP on loopback for the fake forge: tokens, pages, faults, redirects, and the contract."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.forge.contract import contract
from tests.forge.state import Refusal, User

if TYPE_CHECKING:
    from tests.forge.fake import FakeForge

PAGE = 30
"""Entries on a page, whatever more is asked for: who wants all has to go on to the next page."""


class LoggedRequest(NamedTuple):
    """A request, for the log of the fake."""

    login: str | None
    method: str
    path: str
    body: Any


@dataclass
class Fault:
    """A response in place of the real one.

    Args:
        status: of the answer.
        times: how often; then all is well again.
        method: only to such requests; to all if empty.
        path: only where the path ends so (before the query); everywhere if empty.
        retry_after: seconds to name in `Retry-After`; none named for None.
        secondary: whether GitHub's secondary rate limit is meant; the status should be 403 or 429.
        body: bytes to answer with, in place of a message.
        location: where to redirect to.
        headers: more of them.
        hang: do not answer, until the forge ends.
        cut: close the connection without an answer.
        after: do what was asked for, and only then answer so.
    """

    status: int
    times: int = 1
    method: str = ""
    path: str = ""
    retry_after: int | None = 0
    secondary: bool = False
    body: bytes | None = None
    location: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    cut: bool = False
    after: bool = False

    def meets(self, method: str, path: str) -> bool:
        """Whether it is for a request."""
        return self.times > 0 and self.method in {"", method} and path.endswith(self.path)

    def words(self) -> bytes:
        """Return the body."""
        if self.body is not None:
            return self.body
        message = (
            "You have exceeded a secondary rate limit. Please wait."
            if self.secondary
            else f"Told to answer {self.status}"
        )
        return json.dumps({"message": message, "documentation_url": "https://docs.github.com/rest"}).encode()


@dataclass
class ApiRequest:
    """A request, for a handler."""

    user: User | None
    query: dict[str, str]
    body: Any
    words: dict[str, str]
    """The values of the placeholders of the path."""

    def number(self, name: str) -> int:
        """Return a number of the path."""
        return int(self.words[name])


@dataclass
class ApiResponse:
    """An answer: a list is paged, under a key of a mapping if `key` is given."""

    body: Any
    status: int = 200
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[ApiRequest], ApiResponse]


class Api(Protocol):
    """One forge's API: handlers by method and path, and how it says no."""

    described: bool
    """Whether there is a description to hold it against."""

    def routes(self) -> dict[tuple[str, str], Handler]: ...
    def refusal(self, refusal: Refusal) -> dict[str, Any]: ...


class Server:
    """Serves an API of a fake forge on a free port."""

    def __init__(self, forge: "FakeForge", api: Api, base: str) -> None:
        self.base = base
        self.forge = forge
        self._api = api
        self._routes = [
            (method, template, _pattern(template), handler) for (method, template), handler in api.routes().items()
        ]
        self._over = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> None:
        """Serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no longer."""
        self._over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, method: str, target: str, token: str, sent: bytes) -> tuple[int, dict[str, str], bytes] | None:
        """Return status, headers and body; None to close the connection without."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        forge = self.forge
        user = next((one for one in forge.users.values() if one.token == token), None)
        with forge.lock:
            body = json.loads(sent) if sent else None
            forge.requests.append(LoggedRequest(user and user.login, method, target.removeprefix(self.base), body))
            fault = next((one for one in forge.faults if one.meets(method, parts.path)), None)
            if fault:
                fault.times -= 1
        if fault:
            if fault.after:
                self._response(method, parts.path, query, user, token, sent)
            if fault.hang:
                self._over.wait()
            return None if fault.cut or fault.hang else self._fault_response(fault)
        with forge.lock:
            return self._response(method, parts.path, query, user, token, sent)

    def _fault_response(self, fault: Fault) -> tuple[int, dict[str, str], bytes]:
        headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
        if fault.location:
            headers["Location"] = fault.location
        return fault.status, headers | fault.headers, fault.words()

    def _response(
        self, method: str, path: str, query: dict[str, str], user: User | None, token: str, sent: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if not path.startswith(f"{self.base}/"):
            return 404, {}, b'{"message":"Not Found"}'
        path = path.removeprefix(self.base)
        moved = self._redirect(method, path, query)
        if moved:
            return moved
        path = re.sub(r"^/repositories/1(?=/|$)", f"/repos/{self.forge.repository}", path)
        found = next(((t, h, hit) for m, t, p, h in self._routes if m == method and (hit := p.fullmatch(path))), None)
        if found is None:
            self.forge.violations.append(f"there is no {method} {path}")
            return 404, {}, b'{"message":"Not Found"}'
        template, handler, hit = found
        asked = ApiRequest(
            user, query, json.loads(sent) if sent else {}, {k: unquote(v) for k, v in hit.groupdict().items()}
        )
        try:
            answer = self._handle(handler, asked, token)
        except Refusal as refusal:
            answer = ApiResponse(self._api.refusal(refusal), refusal.status)
        headers = dict(answer.headers)
        content = self._paged(answer, path, query, headers)
        if self._api.described:
            if answer.status < 300:
                content = contract().complete(method, template, answer.status, content)
            raw = json.dumps(content).encode()
            self.forge.violations += contract().faults(method, path, query, sent, answer.status, raw)
        return answer.status, headers, b"" if answer.status == 204 else json.dumps(content).encode()

    def _handle(self, handler: Handler, asked: ApiRequest, token: str) -> ApiResponse:
        if token and asked.user is None:
            raise Refusal(401, "Bad credentials")
        named = "/".join(asked.words[key] for key in ("owner", "repo") if key in asked.words)
        hidden = asked.user is None or not asked.user.may("read")
        if named and (named.lower() != self.forge.repository.lower() or hidden):
            raise Refusal(404, "Not Found")
        return handler(asked)

    def _redirect(self, method: str, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes] | None:
        for former in self.forge.former:
            if path.startswith(f"/repos/{former}/") or path == f"/repos/{former}":
                rest = path.removeprefix(f"/repos/{former}") + (f"?{urlencode(query)}" if query else "")
                where = f"{self.forge.api}/repositories/1{rest}"
                body = json.dumps({"message": "Moved Permanently", "url": where}).encode()
                return 301 if method == "GET" else 307, {"Location": where}, body
        return None

    def _paged(self, answer: ApiResponse, path: str, query: dict[str, str], headers: dict[str, str]) -> Any:
        entries = answer.body[answer.key] if answer.key else answer.body
        if not isinstance(entries, list):
            return answer.body
        page = int(query.get("page", "1"))
        size = min(int(query.get("per_page", query.get("limit", PAGE))), PAGE)
        last = max(1, -(-len(entries) // size))
        links = []
        for name, number in (("next", page + 1), ("last", last)):
            if page < last:
                where = f"{self.forge.api}{path}?{urlencode(query | {'page': str(number)})}"
                links.append(f'<{where}>; rel="{name}"')
        if links:
            headers["Link"] = ", ".join(links)
        shown = entries[(page - 1) * size : page * size]
        return answer.body | {answer.key: shown} if answer.key else shown


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # an answer leaves in one piece

        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = self.headers.get("Authorization", "").partition(" ")[2]
            try:
                answer = server.answer(self.command, self.path, token, sent)
            except Exception as error:
                server.forge.violations.append(f"the fake failed at {self.command} {self.path}: {error!r}")
                raise
            if answer is None:
                self.close_connection = True
                return
            status, headers, body = answer
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler
