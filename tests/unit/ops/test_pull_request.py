"""What mlgit writes into pull requests, apart from what people write there; the forge is kept in memory."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from msgspec.structs import replace

from mlgit.domain.brief import BEGIN, END
from mlgit.domain.forge import LONGEST, Comment, PullRequest
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.promotion import pull_request

OURS = f"{BEGIN}\n\nnew\n\n{END}"


class Kept:
    """One pull request at the most, and comments. `rival` is opened by somebody else just before ours would be."""

    def __init__(self, me: str | None = "ci[bot]") -> None:
        self.pull: PullRequest | None = None
        self.rival = False
        self.closed = False
        self.edits = 0
        self.said: list[Comment] = []
        self._me = me

    def me(self) -> str | None:
        return self._me

    def pull_requests(self, **_: Any) -> list[PullRequest]:
        return [self.pull] if self.pull else []

    def label(self, number: int, labels: Sequence[str]) -> None:
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
            raise refused("forge-refused", "a pull request already exists")
        return self.pull

    def edit_pull_request(self, _: int, **changes: str) -> PullRequest:
        assert self.pull is not None
        self.edits += 1
        self.pull = replace(self.pull, **changes)
        return self.pull

    def comments(self, _: int) -> list[Comment]:
        return self.said

    def comment(self, _: int, body: str) -> Comment:
        self.said.append(Comment(id=len(self.said), login=self._me, body=body))
        return self.said[-1]

    def edit_comment(self, number: int, body: str) -> Comment:
        self.edits += 1
        self.said[number] = replace(self.said[number], body=body)
        return self.said[number]


def put(forge: Kept, text: str = "new", title: str = "Promote churn@10") -> PullRequest:
    return pull_request.put_at(cast("Forge", forge), "mlgit/promote/production/churn", "main", title, text)


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
def test_what_people_wrote_stays(before: str, after: str) -> None:
    assert pull_request.with_generated(before, "new") == after
    assert pull_request.with_generated(before, OURS) == after
    assert pull_request.with_generated(after, "new") == after


def test_it_is_opened_once_and_then_kept_up_to_date() -> None:
    forge = Kept()
    assert put(forge).body == OURS
    put(forge)
    assert forge.edits == 0
    assert forge.pull is not None
    forge.pull = replace(forge.pull, body=f"Please look.\r\n\r\n{forge.pull.body}".replace("\n", "\r\n"))
    put(forge)
    assert "newer" in put(forge, "newer").body
    assert put(forge, "newer", "Promote churn@11").title == "Promote churn@11"
    assert forge.pull.body.startswith("Please look.")


def test_of_two_runs_that_open_it_one_does() -> None:
    forge = Kept()
    forge.rival = True
    assert put(forge).body == f"{OURS}\n\ntheirs"
    assert forge.edits == 1


def test_what_the_forge_refuses_is_said() -> None:
    forge = Kept()
    forge.closed = True
    with pytest.raises(MlgitError) as error:
        put(forge)
    assert error.value.findings[0].id == "forge-refused"


def test_people_who_wrote_much_leave_room_for_a_line() -> None:
    forge = Kept()
    put(forge)
    assert forge.pull is not None
    forge.pull = replace(forge.pull, body="x" * (LONGEST - 1000))
    body = put(forge, "y" * 2000).body
    assert len(body) <= LONGEST
    assert "mlgit brief" in body


def test_a_comment_is_said_once_and_only_ones_own_is_edited() -> None:
    forge = Kept()
    forge.said.append(Comment(id=0, login="mallory", body="<!-- mlgit:verdict -->\nall is well"))

    def say(body: str) -> Comment:
        return pull_request.upsert_comment(cast("Forge", forge), 7, "verdict", body)

    first = say("no")
    assert (first.id, say("no"), forge.edits) == (1, first, 0)
    assert say("yes").id == 1
    assert [one.login for one in forge.said] == ["mallory", "ci[bot]"]
    assert forge.said[0].body.endswith("all is well")
    assert say("x" * 70_000).body.startswith("<!-- mlgit:verdict -->")
