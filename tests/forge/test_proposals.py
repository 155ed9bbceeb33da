"""Each proposal has one pull request, however often it is made; text of people stays plain text."""

import re

from tests.flows.builder import MODEL
from tests.flows.people import Answer
from tests.forge import test_life
from tests.forge.test_life import WHERE, AtForge

at = test_life.at

WORDS = "'closes #1, @acme/all'"
STANDING = f"standing-approval add production/{MODEL} --approver ben --until 90d --reason {WORDS}"
OVERRIDE = f"override add production/{MODEL}@3 --waive slice-harm --approver ben --until 4h --review-by 2026-04-01"
LINES = {
    f"Recertify {MODEL}@1 in production": f"recertify {WHERE} --reason {WORDS}",
    f"Approve promotions of {MODEL} to production in advance": STANDING,
    f"Override gates of {MODEL}@3 in production": f"{OVERRIDE} --incident {WORDS}",
    f"Hold {MODEL}@3 in production": f"hold add production/{MODEL}@3 --reason {WORDS}",
}
"""By the title of its pull request, what is proposed."""


def test_each_kind_of_proposal_has_one_pull_request_of_its_own(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    for line in LINES.values():
        assert "pull request http" not in ana.does(f"{line} --no-pull-request").out
    assert not forge.pulls

    opened = [ana.does(f"{line} --json").json for line in LINES.values()]
    urls = [f"{forge.url}/{forge.repository}/pull/{number}" for number in range(1, len(LINES) + 1)]
    assert [(one["pull_request"], one["warnings"]) for one in opened] == [(url, []) for url in urls]
    assert [forge.pulls[number].branch for number in forge.pulls] == [one["branch"] for one in opened]
    assert [(one.title, one.labels) for one in forge.pulls.values()] == [(title, ["mlgit"]) for title in LINES]
    for one in forge.pulls.values():
        assert "closes" in one.body
        assert not re.search(r"@acme|(?<!&)#\d", one.body)
        one.body += "\n\nBen, please look at it."

    again = [ana.does(line) for line in LINES.values()]
    assert len(forge.pulls) == len(LINES)
    for url, answer, one in zip(urls, again, forge.pulls.values(), strict=True):
        assert f"\n  pull request {url}\n" in answer.out
        assert one.body.endswith("Ben, please look at it.")
    assert again[0].out.endswith(f"Next: mlgit approve {WHERE}, run by ben or cara, or their review of {urls[0]}\n")
    assert again[-1].out.endswith(f"It counts once it is in main: by that pull request.\nNext: merge {urls[-1]}\n")

    forge.fault(503, times=99)
    for line in [*LINES.values()][:2]:  # one that is a promotion, and one that is none
        answer = ana.does(line)
        assert answer.ids == ["forge-unreachable"]
        assert "pull request http" not in answer.out


def test_an_automatic_promotion_has_a_pull_request_until_it_is_merged(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    ana.does(STANDING)
    at.ben.does(f"standing-approval approve {WHERE}")
    forge.merge("Cara-C", 1)
    ana.git("pull", "--quiet", "origin", "main")
    path = "environments/production/environment.yaml"
    ana.commit("Let it run by itself", {path: ana.read(path) + "auto_promote: true\n"})
    ana.git("push", "--quiet", "origin", "main")

    def auto_promote(words: str = "") -> Answer:
        return ana.does(f"auto-promote production {words}")

    before = ana.everything()
    assert "would be proposed" in auto_promote("--dry-run").out
    assert ana.everything() == before
    assert [*forge.pulls] == [1]
    (first,) = [one for one in auto_promote("--json").json["results"] if one["model"] == MODEL]
    assert (first["state"], first["proposed"]["pull_request"]) == ("proposed", f"{forge.url}/{forge.repository}/pull/2")
    assert forge.pulls[2].title == f"Promote {MODEL}@2 to production"
    assert MODEL in forge.pulls[2].body
    again = auto_promote().out
    assert "proposed already" in again
    assert f"\n  pull request {first['proposed']['pull_request']}\n" in again
    assert [*forge.pulls] == [1, 2]

    merged = auto_promote("--merge").out
    assert f"{MODEL}@2 (now {MODEL}@1): merged" in merged
    assert "pull request" not in merged
    assert not forge.pull(2).open
    assert [*forge.pulls] == [1, 2]


def test_a_withdrawn_proposal_has_its_pull_request_closed_with_the_reason(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    ana.does(f"recertify {WHERE}")
    outcome = ana.does(f"withdraw {WHERE} --reason {WORDS} --json").json
    assert (outcome["state"], outcome["pull_request"], outcome["warnings"]) == (
        "withdrawn",
        f"{forge.url}/{forge.repository}/pull/1",
        [],
    )
    assert not forge.pull(1).open
    (comment,) = forge.comments
    assert "closes" in comment.body
    assert not re.search(r"@acme|(?<!&)#\d", comment.body)

    ana.does(f"recertify {WHERE}")
    forge.fault(503, times=99)
    answer = ana.does(f"withdraw {WHERE}")
    assert answer.ids == ["forge-unreachable"]
    assert "Withdrew" in answer.out
