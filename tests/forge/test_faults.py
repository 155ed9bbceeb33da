"""What mlgit does when a forge fails, limits, lies, or sends elsewhere. Nothing sleeps: what would be waited for is noted."""

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mlgit.edges.forge import http
from mlgit.edges.forge.http import Http
from mlgit.errors import Exit, MlgitError
from tests.forge.conftest import MakeForge
from tests.forge.fake import FakeForge
from tests.forge.test_github import asked_by, ids

ELSEWHERE = {"Link": '<https://evil.example/2>; rel="next"'}
LINK = '</repos/acme/churn/issues/1/comments?page=2>; rel="next"'
PULLS = "/repos/acme/churn/pulls"


class Asker:
    """An API with what it waited for."""

    def __init__(self, forge: FakeForge, timeout: float = 5) -> None:
        self.waited: list[float] = []
        token = forge.tokens["ana"]
        self.http = Http(forge.api, {}, token, how_to_ask="", pause=self.waited.append, timeout=httpx.Timeout(timeout))

    def read(self) -> Any:
        return self.http.pages(PULLS, Any, state="open")

    def open(self) -> Any:
        return self.http.send("POST", PULLS, {"head": "promote/x", "base": "main", "title": "Promote x"}, Any)


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
def test_what_passes_is_waited_out(forge: FakeForge, fault: dict[str, Any], waited: list[float]) -> None:
    forge.open("ana", "promote/x", "main", "Promote x")
    forge.fault(**fault)
    asker = Asker(forge)
    assert len(asker.read()) == 1
    assert asker.waited == waited


@pytest.mark.parametrize(
    ("fault", "finding", "exit_code"),
    [
        ({"status": 401}, "forge-refused", Exit.NO),
        ({"status": 403}, "forge-refused", Exit.NO),
        ({"status": 404}, "forge-unknown", Exit.NO),
        ({"status": 410}, "forge-unknown", Exit.NO),
        ({"status": 409}, "forge-refused", Exit.NO),
        ({"status": 422}, "forge-refused", Exit.NO),
        ({"status": 422, "body": b"\xff<html>"}, "forge-refused", Exit.NO),
        ({"status": 503, "times": 4}, "forge-unreachable", Exit.UNJUDGED),
        ({"status": 503, "times": 4, "cut": True}, "forge-unreachable", Exit.UNJUDGED),
        ({"status": 503, "retry_after": 3600}, "forge-unreachable", Exit.UNJUDGED),
        ({"status": 429, "times": 4}, "forge-limited", Exit.UNJUDGED),
        ({"status": 429, "retry_after": 3600}, "forge-limited", Exit.UNJUDGED),
        ({"status": 403, "secondary": True, "retry_after": 99999999999999}, "forge-limited", Exit.UNJUDGED),
        ({"status": 200, "body": b""}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 200, "body": b"<html>log in</html>"}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 200, "body": b'{"message":"a mapping"}'}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 200, "body": b'["\xff"]'}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 200, "body": b"[" * 100_000}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 304}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 301, "location": None}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 302, "location": "https://evil.example/"}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 307, "location": "//evil.example/"}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 301, "location": "http://127.0.0.1:1/"}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 301, "times": 4, "location": "http://[::"}, "forge-unreachable", Exit.UNJUDGED),
        ({"status": 301, "times": 9, "location": "/round/and/round"}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 200, "body": b"[]", "headers": ELSEWHERE}, "forge-answer-odd", Exit.UNJUDGED),
        ({"status": 200, "body": b"[]", "times": 999, "headers": {"Link": LINK}}, "forge-answer-odd", Exit.UNJUDGED),
    ],
)  # fmt: skip
def test_what_does_not_pass_is_said_and_the_token_never_is(
    forge: FakeForge, fault: dict[str, Any], finding: str, exit_code: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "PAGES", 5)
    forge.fault(**fault)
    with pytest.raises(MlgitError) as caught:
        Asker(forge).read()
    (found,) = caught.value.findings
    assert (found.id, caught.value.exit) == (finding, exit_code)
    assert "127.0.0.1" in found.message
    assert forge.tokens["ana"] not in str(found)


def test_a_list_may_have_as_many_pages_as_are_read(forge: FakeForge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PAGES", 2)
    pull = forge.open("ana", "promote/x", "main", "Promote x")
    for n in range(60):
        forge.comment("ben", pull.number, f"{n}")
    path = "/repos/acme/churn/issues/1/comments"
    assert len(Asker(forge).http.pages(path, Any)) == 60
    forge.comment("ben", pull.number, "one more")
    with pytest.raises(MlgitError) as caught:
        Asker(forge).http.pages(path, Any)
    assert ids(caught) == ["forge-answer-odd"]


def test_a_forge_that_repeats_the_token_is_not_repeated(forge: FakeForge) -> None:
    forge.fault(422, body=f'{{"message": "what is {forge.tokens["ana"]}?"}}'.encode())
    with pytest.raises(MlgitError) as caught:
        Asker(forge).read()
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
def test_what_may_have_been_done_is_not_done_again(
    forge: FakeForge, fault: dict[str, Any], opened: int, asked: int
) -> None:
    forge.fault(**fault)
    asker = Asker(forge)
    if fault["status"] == 429:
        asker.open()
    else:
        with pytest.raises(MlgitError) as caught:
            asker.open()
        assert ids(caught) == ["forge-unreachable"]
        assert "may have been done" in caught.value.findings[0].why
    assert len(forge.pulls) == opened
    assert len(forge.requests) == asked


@pytest.mark.parametrize(
    "ask",
    [
        lambda asker: asker.http.send("PATCH", f"{PULLS}/1", {"title": "Other"}, Any),
        lambda asker: asker.http.send(
            "POST", "/repos/acme/churn/issues/1/labels", {"labels": ["a"]}, Any, repeatable=True
        ),
    ],
)
def test_what_does_no_harm_twice_is_done_again(forge: FakeForge, ask: Callable[[Asker], Any]) -> None:
    forge.open("ana", "promote/x", "main", "Promote x")
    forge.fault(503, after=True)
    ask(Asker(forge))
    assert len(forge.requests) == 2


def test_a_forge_that_says_nothing_is_not_waited_for_without_end(forge: FakeForge) -> None:
    forge.fault(200, hang=True, times=4)
    with pytest.raises(MlgitError) as caught:
        Asker(forge, timeout=0.05).read()
    assert ids(caught) == ["forge-unreachable"]


def test_a_forge_that_is_not_there_is_unreachable(make_forge: MakeForge) -> None:
    forge = make_forge()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        api = f"http://127.0.0.1:{free.getsockname()[1]}"
    asker = Asker(forge)
    asker.http = Http(api, {}, "secret", how_to_ask="", pause=asker.waited.append)
    with pytest.raises(MlgitError) as caught:
        asker.open()
    assert ids(caught) == ["forge-unreachable"]
    assert "may have been done" not in caught.value.findings[0].why
    assert asker.waited == [1, 2, 4]


@pytest.mark.parametrize(("name", "value"), [("LARGEST", 10), ("WHOLE", -1.0)])
def test_an_answer_is_read_within_bounds(
    forge: FakeForge, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    monkeypatch.setattr(http, name, value)
    forge.open("ana", "promote/x", "main", "Promote x")
    with pytest.raises(MlgitError) as caught:
        Asker(forge).read()
    assert ids(caught) == ["forge-answer-odd" if name == "LARGEST" else "forge-unreachable"]


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
def test_a_review_that_is_not_as_described_counts_for_nothing(make_forge: MakeForge, kind: str, body: bytes) -> None:
    forge = make_forge(kind=kind)
    forge.fault(200, body=body)
    with pytest.raises(MlgitError) as caught:
        asked_by(forge).reviews(1)
    assert ids(caught) == ["forge-answer-odd"]


def test_who_has_no_token_or_a_wrong_one_is_told_how_to_get_one(forge: FakeForge) -> None:
    for login in (None, "ana"):
        asked = asked_by(forge, login)
        forge.users["ana"].token = f"not-{login}"
        with pytest.raises(MlgitError) as caught:
            asked.me()
        assert ids(caught) == ["forge-refused"]
        assert "GITHUB_TOKEN" in caught.value.findings[0].fix
