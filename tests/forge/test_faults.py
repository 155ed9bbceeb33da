"""Failures of a forge: errors, rate limits, invalid responses, redirects. Nothing sleeps: pauses are recorded."""

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mlgit.edges.forge import client
from mlgit.edges.forge.client import ApiClient
from mlgit.errors import Exit, MlgitError
from tests.forge.conftest import MakeForge
from tests.forge.fake import FakeForge
from tests.forge.test_github import ids, open_as

ELSEWHERE = {"Link": '<https://evil.example/2>; rel="next"'}
LINK = '</repos/acme/churn/issues/1/comments?page=2>; rel="next"'
PULLS = "/repos/acme/churn/pulls"


class PullRequestClient:
    """A client of the pull requests of a fake forge, with the pauses that it made."""

    def __init__(self, forge: FakeForge, timeout: float = 5) -> None:
        self.waited: list[float] = []
        token = forge.tokens["ana"]
        self.client = ApiClient(
            forge.api, {}, token, login_hint="", pause=self.waited.append, timeout=httpx.Timeout(timeout)
        )

    def read(self) -> Any:
        return self.client.pages(PULLS, Any, state="open")

    def open(self) -> Any:
        return self.client.send("POST", PULLS, {"head": "promote/x", "base": "main", "title": "Promote x"}, Any)


@pytest.mark.parametrize(
    ("fault", "waited"),
    [
        ({"status": 503}, [0]),
        ({"status": 502, "retry_after": None, "times": 3}, [1, 2, 4]),
        ({"status": 500, "retry_after": 7}, [7]),
        ({"status": 429, "retry_after": 5, "times": 2}, [5, 5]),
        ({"status": 403, "secondary": True, "retry_after": 30}, [30]),
        ({"status": 403, "secondary": True, "retry_after": None}, [1]),
        (
            {"status": 403, "retry_after": None, "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}},
            [0],
        ),
        ({"status": 429, "retry_after": None, "headers": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}}, [0]),
        ({"status": 429, "retry_after": None, "headers": {"Retry-After": "soon"}}, [1]),
        ({"status": 503, "cut": True}, [1]),
    ],
)
def test_transient_failures_are_retried_after_a_pause(
    forge: FakeForge, fault: dict[str, Any], waited: list[float]
) -> None:
    forge.open("ana", "promote/x", "main", "Promote x")
    forge.fault(**fault)
    client_ = PullRequestClient(forge)
    assert len(client_.read()) == 1
    assert client_.waited == waited


@pytest.mark.parametrize(
    ("fault", "finding", "exit_code"),
    [
        ({"status": 401}, "forge-request-rejected", Exit.NO),
        ({"status": 403}, "forge-request-rejected", Exit.NO),
        ({"status": 404}, "forge-resource-unknown", Exit.NO),
        ({"status": 410}, "forge-resource-unknown", Exit.NO),
        ({"status": 409}, "forge-request-rejected", Exit.NO),
        ({"status": 422}, "forge-request-rejected", Exit.NO),
        ({"status": 422, "body": b"\xff<html>"}, "forge-request-rejected", Exit.NO),
        ({"status": 503, "times": 4}, "forge-unreachable", Exit.INCONCLUSIVE),
        ({"status": 503, "times": 4, "cut": True}, "forge-unreachable", Exit.INCONCLUSIVE),
        ({"status": 503, "retry_after": 3600}, "forge-unreachable", Exit.INCONCLUSIVE),
        ({"status": 429, "times": 4}, "forge-rate-limited", Exit.INCONCLUSIVE),
        ({"status": 429, "retry_after": 3600}, "forge-rate-limited", Exit.INCONCLUSIVE),
        ({"status": 403, "secondary": True, "retry_after": 99999999999999}, "forge-rate-limited", Exit.INCONCLUSIVE),
        ({"status": 200, "body": b""}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 200, "body": b"<html>log in</html>"}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 200, "body": b'{"message":"a mapping"}'}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 200, "body": b'["\xff"]'}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 200, "body": b"[" * 100_000}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 304}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 301, "location": None}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 302, "location": "https://evil.example/"}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 307, "location": "//evil.example/"}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 301, "location": "http://127.0.0.1:1/"}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 301, "times": 4, "location": "http://[::"}, "forge-unreachable", Exit.INCONCLUSIVE),
        ({"status": 301, "times": 9, "location": "/round/and/round"}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 200, "body": b"[]", "headers": ELSEWHERE}, "forge-response-invalid", Exit.INCONCLUSIVE),
        ({"status": 200, "body": b"[]", "times": 999, "headers": {"Link": LINK}}, "forge-response-invalid", Exit.INCONCLUSIVE),
    ],
)  # fmt: skip
def test_lasting_failures_are_reported_without_the_token(
    forge: FakeForge, fault: dict[str, Any], finding: str, exit_code: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_PAGES", 5)
    forge.fault(**fault)
    with pytest.raises(MlgitError) as caught:
        PullRequestClient(forge).read()
    (found,) = caught.value.findings
    assert (found.id, caught.value.exit) == (finding, exit_code)
    assert "127.0.0.1" in found.message
    assert forge.tokens["ana"] not in str(found)


def test_the_page_limit_is_inclusive(forge: FakeForge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_PAGES", 2)
    pull = forge.open("ana", "promote/x", "main", "Promote x")
    for n in range(60):
        forge.comment("ben", pull.number, f"{n}")
    path = "/repos/acme/churn/issues/1/comments"
    assert len(PullRequestClient(forge).client.pages(path, Any)) == 60
    forge.comment("ben", pull.number, "one more")
    with pytest.raises(MlgitError) as caught:
        PullRequestClient(forge).client.pages(path, Any)
    assert ids(caught) == ["forge-response-invalid"]


def test_a_token_in_a_message_of_the_forge_is_masked(forge: FakeForge) -> None:
    forge.fault(422, body=f'{{"message": "what is {forge.tokens["ana"]}?"}}'.encode())
    with pytest.raises(MlgitError) as caught:
        PullRequestClient(forge).read()
    assert caught.value.findings[0].why == "what is ***?"


@pytest.mark.parametrize(
    ("fault", "opened", "asked"),
    [
        ({"status": 429}, 1, 2),  # a limit is told before anything is done
        ({"status": 503}, 0, 1),
        ({"status": 503, "after": True}, 1, 1),
        ({"status": 503, "cut": True, "after": True}, 1, 1),
    ],
)
def test_a_request_that_may_have_been_carried_out_is_not_repeated(
    forge: FakeForge, fault: dict[str, Any], opened: int, asked: int
) -> None:
    forge.fault(**fault)
    client_ = PullRequestClient(forge)
    if fault["status"] == 429:
        client_.open()
    else:
        with pytest.raises(MlgitError) as caught:
            client_.open()
        assert ids(caught) == ["forge-unreachable"]
        assert "may have been made" in caught.value.findings[0].why
    assert len(forge.pulls) == opened
    assert len(forge.requests) == asked


@pytest.mark.parametrize(
    "ask",
    [
        lambda client_: client_.client.send("PATCH", f"{PULLS}/1", {"title": "Other"}, Any),
        lambda client_: client_.client.send(
            "POST", "/repos/acme/churn/issues/1/labels", {"labels": ["a"]}, Any, repeatable=True
        ),
    ],
)
def test_a_repeatable_request_is_repeated(forge: FakeForge, ask: Callable[[PullRequestClient], Any]) -> None:
    forge.open("ana", "promote/x", "main", "Promote x")
    forge.fault(503, after=True)
    ask(PullRequestClient(forge))
    assert len(forge.requests) == 2


def test_a_forge_that_hangs_times_out(forge: FakeForge) -> None:
    forge.fault(200, hang=True, times=4)
    with pytest.raises(MlgitError) as caught:
        PullRequestClient(forge, timeout=0.05).read()
    assert ids(caught) == ["forge-unreachable"]


def test_a_refused_connection_is_unreachable(make_forge: MakeForge) -> None:
    forge = make_forge()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        api = f"http://127.0.0.1:{free.getsockname()[1]}"
    client_ = PullRequestClient(forge)
    client_.client = ApiClient(api, {}, "secret", login_hint="", pause=client_.waited.append)
    with pytest.raises(MlgitError) as caught:
        client_.open()
    assert ids(caught) == ["forge-unreachable"]
    assert "may have been made" not in caught.value.findings[0].why
    assert client_.waited == [1, 2, 4]


@pytest.mark.parametrize(("name", "value"), [("MAX_RESPONSE_BYTES", 10), ("TOTAL_TIMEOUT", -1.0)])
def test_a_response_is_limited_in_size_and_time(
    forge: FakeForge, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    monkeypatch.setattr(client, name, value)
    forge.open("ana", "promote/x", "main", "Promote x")
    with pytest.raises(MlgitError) as caught:
        PullRequestClient(forge).read()
    assert ids(caught) == ["forge-response-invalid" if name == "MAX_RESPONSE_BYTES" else "forge-unreachable"]


@pytest.mark.parametrize(
    "body",
    [
        b'[{"id": 1, "user": null, "state": "LGTM", "commit_id": null, "submitted_at": "2026-03-01T12:00:00Z"}]',
        b'[{"id": 1, "user": null, "state": "APPROVED", "commit_id": "main", "submitted_at": "2026-03-01T12:00:00Z"}]',
        b'[{"id": 1, "user": null, "state": "APPROVED", "commit_id": null, "submitted_at": "yesterday"}]',
        b'[{"id": true, "user": null, "state": "APPROVED", "commit_id": null, "submitted_at": "2026-03-01T12:00:00Z"}]',
        b'[{"id": 1, "user": {"login": 5}, "state": "APPROVED", "commit_id": null}]',
    ],
)
@pytest.mark.parametrize("kind", ["github", "gitea"])
def test_an_invalid_review_is_refused(make_forge: MakeForge, kind: str, body: bytes) -> None:
    forge = make_forge(kind=kind)
    forge.fault(200, body=body)
    with pytest.raises(MlgitError) as caught:
        open_as(forge).reviews(1)
    assert ids(caught) == ["forge-response-invalid"]


def test_a_missing_or_wrong_token_is_reported_with_a_hint(forge: FakeForge) -> None:
    for login in (None, "ana"):
        asked = open_as(forge, login)
        forge.users["ana"].token = f"not-{login}"
        with pytest.raises(MlgitError) as caught:
            asked.token_login()
        assert ids(caught) == ["forge-request-rejected"]
        assert "GITHUB_TOKEN" in caught.value.findings[0].fix
