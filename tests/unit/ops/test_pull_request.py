"""Pull requests and comments by mlgit: generated text is replaced, text of people stays. The forge is in memory."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from msgspec.structs import replace

from mlgit.domain.brief import BEGIN, END
from mlgit.domain.forge import MAX_BODY_LENGTH, Comment, PullRequest
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.promotion import pull_request

OURS = f"{BEGIN}\n\nnew\n\n{END}"


class InMemoryForge:
    """One pull request at the most, and comments. `rival` is opened by somebody else just before ours would be."""

    def __init__(self, me: str | None = "ci[bot]") -> None:
        self.pull: PullRequest | None = None
        self.rival = False
        self.closed = False
        self.edits = 0
        self.said: list[Comment] = []
        self._me = me

    def token_login(self) -> str | None:
        return self._me

    def pull_requests(self, **_: Any) -> list[PullRequest]:
        return [self.pull] if self.pull else []

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        assert (number, list(labels)) == (7, ["mlgit"])

    def open_pull_request(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        mine = not self.rival and not self.closed
        if not self.closed:
            self.pull = PullRequest(
                number=7,
                url="https://forge.example/pull/7",
                title=title if mine else "theirs",
                body=body if mine else "theirs",
                state="open",
                branch=branch,
                head="a" * 40,
                base=base,
                is_fork=False,
                author="ada",
            )
        if not mine or self.pull is None:
            raise refused("forge-request-rejected", "a pull request already exists")
        return self.pull

    def edit_pull_request(self, _: int, **changes: str) -> PullRequest:
        assert self.pull is not None
        self.edits += 1
        self.pull = replace(self.pull, **changes)
        return self.pull

    def comments(self, _: int) -> list[Comment]:
        return self.said

    def add_comment(self, _: int, body: str) -> Comment:
        self.said.append(Comment(id=len(self.said), login=self._me, body=body))
        return self.said[-1]

    def edit_comment(self, number: int, body: str) -> Comment:
        self.edits += 1
        self.said[number] = replace(self.said[number], body=body)
        return self.said[number]


def open_or_update(forge: InMemoryForge, text: str = "new", title: str = "Promote churn@10") -> PullRequest:
    return pull_request.open_or_update(cast("Forge", forge), "mlgit/promote/production/churn", "main", title, text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", OURS),
        ("Look at the south.", f"{OURS}\n\nLook at the south."),
        (f"above\n{BEGIN}\nold\n{END}\nbelow", f"above\n{OURS}\nbelow"),
        (f"{BEGIN}\nold\n{END} {BEGIN} theirs {END}", f"{OURS} {BEGIN} theirs {END}"),
        (f"{END}\n{BEGIN}\nold", f"{OURS}\n\n{END}\n{BEGIN}\nold"),
        (f"{END} {BEGIN} old {END}", f"{END} {OURS}"),
    ],
)
def test_text_of_people_stays_in_the_body(before: str, after: str) -> None:
    assert pull_request.replace_generated_text(before, "new") == after
    assert pull_request.replace_generated_text(before, OURS) == after
    assert pull_request.replace_generated_text(after, "new") == after


def test_a_pull_request_is_opened_once_and_then_updated() -> None:
    forge = InMemoryForge()
    assert open_or_update(forge).body == OURS
    open_or_update(forge)
    assert forge.edits == 0
    assert forge.pull is not None
    forge.pull = replace(forge.pull, body=f"Please look.\r\n\r\n{forge.pull.body}".replace("\n", "\r\n"))
    open_or_update(forge)
    assert "newer" in open_or_update(forge, "newer").body
    assert open_or_update(forge, "newer", "Promote churn@11").title == "Promote churn@11"
    assert forge.pull.body.startswith("Please look.")


def test_a_pull_request_of_a_concurrent_run_is_updated() -> None:
    forge = InMemoryForge()
    forge.rival = True
    assert open_or_update(forge).body == f"{OURS}\n\ntheirs"
    assert forge.edits == 1


def test_a_refusal_of_the_forge_is_raised() -> None:
    forge = InMemoryForge()
    forge.closed = True
    with pytest.raises(MlgitError) as error:
        open_or_update(forge)
    assert error.value.findings[0].id == "forge-request-rejected"


def test_a_full_body_gets_one_line() -> None:
    forge = InMemoryForge()
    open_or_update(forge)
    assert forge.pull is not None
    forge.pull = replace(forge.pull, body="x" * (MAX_BODY_LENGTH - 1000))
    body = open_or_update(forge, "y" * 2000).body
    assert len(body) <= MAX_BODY_LENGTH
    assert "mlgit brief" in body


def test_a_comment_is_written_once_and_only_an_own_one_is_edited() -> None:
    forge = InMemoryForge()
    forge.said.append(Comment(id=0, login="mallory", body="<!-- mlgit:verdict -->\nall is well"))

    def say(body: str) -> Comment:
        return pull_request.upsert_comment(cast("Forge", forge), 7, "verdict", body)

    first = say("no")
    assert (first.id, say("no"), forge.edits) == (1, first, 0)
    assert say("yes").id == 1
    assert [one.login for one in forge.said] == ["mallory", "ci[bot]"]
    assert forge.said[0].body.endswith("all is well")
    assert say("x" * 70_000).body.startswith("<!-- mlgit:verdict -->")
