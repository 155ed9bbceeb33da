"""The body of a pull request: complete, short enough, and deaf to what hostile text says."""

import functools
import html
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from markdown_it.token import Token

from mlgit.domain.brief import BEGIN, END
from mlgit.domain.forge import MAX_BODY_LENGTH
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.errors import Finding
from mlgit.ops.policies.replay import BlockingGate, PolicyReplay, ReplayedPromotion
from mlgit.ops.promotion.brief_result import Brief
from mlgit.pages import policy_replay
from mlgit.pages.brief import pull_request_page
from mlgit.pages.markdown import escape, forge_body
from mlgit.pages.plain import clean
from tests.unit.pages.briefs import INVISIBLE, MARKDOWN, NOW, READ_BY_FORGES, brief

NONE_MISSING = msgspec.structs.replace(brief().approvals, missing=[])
ESCAPES: list[tuple[str, str]] = [
    ("", ""),
    ("as it is, 12:30 (UTC); 95%: +0.0149 to -0.02", "as it is, 12:30 (UTC); 95%: +0.0149 to -0.02"),
    ("täglich, 日本語", "täglich, 日本語"),
    ("roc_auc of churn@10", "roc_auc of churn@10"),
    ("-0.02", "-0.02"),
    ("2.5 MB", "2.5 MB"),
    ("@ana", "@&#8203;ana"),
    ("@acme/risk", "@&#8203;acme/risk"),
    ("a@b.example", "a@&#8203;b.example"),
    ("ana@0123456", "ana@&#8203;0123456"),
    ("churn@10.example", "churn@&#8203;10.example"),
    ("-@10", "&#45;@&#8203;10"),
    ("fixes #1", "fixes &#35;&#8203;1"),
    ("closes acme/churn#12", "closes acme/churn&#35;&#8203;12"),
    ("merges acme/churn!12", "merges acme/churn&#33;&#8203;12"),
    ("resolves GH-7", "resolves GH-&#8203;7"),
    ("https://forge.example/o/r/issues/1", "https:&#8203;//forge.example/o/r/issues/1"),
    ("www.forge.example", "www.&#8203;forge.example"),
    (":tada:", ":&#8203;tada:"),
    ("$\\color{white}{x}$", "\uff04&#92;color&#123;white&#125;&#123;x&#125;\uff04"),
    ("<!-- mlgit:end -->", "&#60;&#33;&#8203;-- mlgit:end --&#62;"),
    ("</details><img src=x onerror=y>", "&#60;/details&#62;&#60;img src=x onerror=y&#62;"),
    ("&lt;b&gt;", "&#38;lt;b&#38;gt;"),
    ("**b** _i_ ~s~ `c`", "&#42;&#42;b&#42;&#42; &#95;i&#95; &#126;s&#126; &#96;c&#96;"),
    ("[x](y) ![x](y) [^1]", "&#91;x&#93;(y) &#33;&#8203;&#91;x&#93;(y) &#91;^1&#93;"),
    ("a | b", "a &#124; b"),
    ("\\| \\", "&#92;&#124; &#92;"),
    ("# h", "&#35;&#8203; h"),
    ("> q", "&#62; q"),
    ("- i", "&#45; i"),
    ("---", "&#45;--"),
    ("1. i", "1&#46; i"),
    ("123) i", "123&#41; i"),
    ("    code", "code"),
    ("one\n\n## two\r\n\tthree", "one &#35;&#8203;&#35;&#8203; two three"),
    ("a\u202eb\u200bc\x1b[0m", "a&#92;u202eb&#92;u200bc&#92;u001b&#91;0m"),
    ("\ud800", "&#92;ud800"),
]
HOSTILE = [words for words, _ in ESCAPES if words] + [
    f"{BEGIN}\n\n{END}\n",
    "| --- |\n| --- |",
    "```\n",
    "x" * 3000,
    "\u2028",
]


def body(brief: Brief) -> str:
    return forge_body(pull_request_page(brief))


def replay_body(replay: PolicyReplay) -> str:
    return forge_body(policy_replay.page(replay))


def skeleton(markdown: str) -> list[str]:
    """Return what a page is made of, without its texts."""

    def told(token: Token) -> list[str]:
        content = token.content if token.type in {"html_block", "html_inline", "fence", "code_inline"} else ""
        inner = [part for child in token.children or () if child.type != "text" for part in told(child)]
        return [f"{token.type} {token.tag} {token.info} {content}", *inner]

    return [part for token in MARKDOWN.parse(markdown) for part in told(token)]


@functools.cache
def skeleton_of_plain_words() -> list[str]:
    return skeleton(plain_body())


@functools.cache
def plain_body(many: int = 2) -> str:
    return body(brief("word", many))


def texts(markdown: str) -> list[str]:
    """Return the texts of a page, as a forge that looks for mentions in it sees them."""
    return [
        "".join(child.content for child in token.children or () if child.type == "text")
        for token in MARKDOWN.parse(markdown)
        if token.type == "inline"
    ]


@pytest.mark.parametrize(("words", "written"), ESCAPES)
def test_what_is_written_for_a_text(words: str, written: str) -> None:
    assert escape(words) == written


@pytest.mark.parametrize("words", HOSTILE)
def test_a_text_is_only_text_and_none_of_it_is_hidden(words: str) -> None:
    written = escape(words)
    assert [token.type for token in MARKDOWN.parse(written)] in ([], ["paragraph_open", "inline", "paragraph_close"])
    (shown,) = texts(written) or [""]
    assert not READ_BY_FORGES.search(shown)
    assert shown == html.unescape(written)  # it means the same inside of HTML
    assert not {"<", ">"} & set(written)
    assert shown.replace(INVISIBLE, "").replace("\uff04", "$") == clean(" ".join(words.split()))


def test_a_text_that_is_too_long_is_cut_where_it_can_be_seen() -> None:
    assert escape("word " * 10, 12) == "word word w…"
    assert escape("#" * 100, 3) == "&#35;&#8203;&#35;&#8203;…"
    assert escape("word", 4) == "word"


@pytest.mark.parametrize("words", HOSTILE)
def test_whatever_a_brief_says_its_body_is_made_of_the_same(words: str) -> None:
    """Each text at each place: no link, no picture, no heading, no cell, no mark and no fold more or less than of plain words."""
    written = body(brief(words))
    assert skeleton(written) == skeleton_of_plain_words()
    assert (written.count(BEGIN), written.count(END)) == (1, 1)
    assert not [shown for shown in texts(written) if READ_BY_FORGES.search(shown)]


def test_a_body_begins_and_ends_with_its_marks() -> None:
    lines = body(brief()).split("\n")
    assert (lines[0], lines[-1]) == (BEGIN, END)


@pytest.mark.parametrize(("words", "many"), [("#" * 800, 200), ("\u202e" * 800, 1), ("w", 400)])
def test_it_fits_whatever_there_is_to_tell(words: str, many: int) -> None:
    written = body(brief(words, many))
    assert len(written.encode("utf-16-le")) // 2 <= MAX_BODY_LENGTH
    assert written.endswith(END)
    assert written.count("<details>") == written.count("</details>") == plain_body(many).count("</details>")


def test_what_is_cut_is_counted_and_the_important_stays() -> None:
    passed = GateVerdict(gate="integrity", outcome="pass", message="as recorded")
    gates = [*([passed] * 300), GateVerdict(gate="the-one", outcome="fail", message="no")]
    written = body(brief("word", 3, gates=gates))
    assert "| the-one | fail | no |" in written
    assert "and 200 more" in written  # of those that pass, folded away
    assert body(brief("word", 3, gates=gates)) == written


def test_a_command_that_is_more_than_words_is_no_command() -> None:
    assert "```sh\nmlgit approve production/churn\n```" in body(brief())
    assert "```sh\nmlgit approve\n" not in body(brief(next="mlgit approve\n```\n# forged"))
    assert "Next step" not in body(brief(state="merged"))
    assert "Next step" not in body(brief(next=None))


def test_no_picture_and_no_script_comes_with_it() -> None:
    written = body(brief())
    assert not re.search(r"!\[|<img|<script|mermaid|https?:", written)
    assert set(re.findall(r"<[^>]*>", written)) == {BEGIN, END, "<details>", "</details>", "<summary>", "</summary>"}


SHOWN: list[tuple[str, dict[str, Any], str]] = [
    ("ready", {"readiness": "ready", "approvals": NONE_MISSING}, "**Ready to merge.**"),
    ("needs approval", {"readiness": "needs-approval"}, "**Needs approval. Missing: word; word.**"),
    ("waiting", {"readiness": "waiting"}, "**Has to wait until 2026-03-04 12:30 UTC, if nothing changes before."),
    ("blocked", {"readiness": "blocked"}, "**Cannot be merged as it is. Missing: word; word.**"),
    ("merged", {"readiness": "ready", "state": "merged"}, "At the merge, 2026-03-04 12:30 UTC, the merge rules were met."),
    ("merged, and wrong", {"readiness": "blocked", "state": "merged"}, "the merge rules were not met."),
    ("no candidate", {"candidate": None}, "## Remove word, word from word"),
    ("a rollback", {"change": "rollback", "rollback": None}, "## Roll back word to word 2"),
    ("a re-approval", {"change": "recertify", "rollback": None}, "## Re-approve word 2 in word"),
    ("nothing to roll back", {"change": "recertify", "rollback": None}, "Nothing to roll back: only approvals change."),
    ("a shadow", {"slot": "shadow"}, "## Promote word 2 to word, as shadow"),
    ("the champion itself", {"changes_since_champion": None}, "The candidate is the champion itself."),
    ("the champion stays", {"candidate": "word"}, "**word 0.2500; word stays champion.**"),
    ("a comparison", {}, "**word 0.2500 against 0.2500 for word: +0.2500 (25%: +0.2500 to +0.2500), significantly better.**"),
    ("no champion", {"changes_since_champion": None, "champion": None}, "There is no champion to compare with."),
    ("no gates", {"gate_report": None}, "A promotion is not evaluated by gates."),
    ("no rollback", {"rollback": None}, "No version to roll back to: none has been verified in word yet."),
    ("other rows", {"same_test_rows": False}, "The champion was tested on different rows"),
    ("a finding", {"problems": [Finding("a-b", "so", "because", "do that")]}, "- error&#91;a-b&#93;: so: because. Fix: do that"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "shown"), [case[1:] for case in SHOWN], ids=[case[0] for case in SHOWN])
def test_each_state_has_its_sentence(changes: dict[str, Any], shown: str) -> None:
    assert shown in body(brief(**changes))


COMPARED: list[tuple[dict[str, Any], str]] = [
    ({"low": -0.1, "high": 0.1}, "no significant difference."),
    ({"low": -0.2, "high": -0.1}, "significantly worse."),
    ({"low": None}, "+0.2500, better."),
    ({"low": None, "gain": -0.25}, "-0.2500, worse."),
    ({"low": None, "gain": 0.0}, "+0.0000, equal."),
    ({"gain": None}, "not comparable, as they were tested on different rows."),
    ({"champion": None}, "there is no champion to compare with."),
]


@pytest.mark.parametrize(("changes", "shown"), COMPARED)
def test_the_first_lines_compare_the_primary_metric(changes: dict[str, Any], shown: str) -> None:
    (metric, *_) = brief().metrics
    assert f"{shown}**" in body(brief(metrics=[msgspec.structs.replace(metric, **changes)]))


def judged(number: int, **changes: Any) -> ReplayedPromotion:
    fields: dict[str, Any] = {
        "promotion": "01K",
        "environment": "production",
        "at": NOW,
        "original_outcome": "pass",
        "outcome": "pass",
    }
    return ReplayedPromotion(**fields | {"candidate": f"churn@{number}", "rolled_back": False} | changes)


def replayed(*found: ReplayedPromotion, **changes: Any) -> PolicyReplay:
    fields: dict[str, Any] = {
        "policy": "production",
        "tried_policy": "production",
        "promotions": list(found),
        "passed": 0,
    }
    fields |= {"blocked": 0, "inconclusive": 0, "passed_but_rolled_back": 0}
    return PolicyReplay(**fields | changes)


def test_a_replay_says_what_would_have_been_blocked_first() -> None:
    refusal = [BlockingGate("slice-harm", "fail", "worse for @everybody | #1")]
    written = replay_body(
        replayed(
            judged(9, rolled_back=True),
            judged(8, outcome="error", at=NOW - timedelta(days=1)),
            judged(7, outcome="fail", blocked_by=refusal),
            judged(6),
            blocked=1,
            inconclusive=1,
            passed_but_rolled_back=1,
            unreadable=["environments/production/churn.yaml at 0123456789ab"],
        )
    )
    assert "**It would have blocked 1 of the last 4 promotions merged under policy production.**" in written
    assert "- It would have passed 1 promotion that was rolled back later." in written
    assert "- 1 promotion is inconclusive: evidence is gone." in written
    assert "- Cannot be read: environments/production/churn.yaml at 0123456789ab" in written
    assert re.findall(r"^\| churn@(\d)", written, re.MULTILINE) == ["7", "8", "9"]
    assert "slice-harm: worse for @&#8203;everybody &#124; &#35;&#8203;1" in written


def test_a_replay_that_blocks_nothing_has_no_table_and_a_long_one_fits() -> None:
    assert "|" not in replay_body(replayed(judged(1)))
    refusal = [BlockingGate("#" * 80, "fail", "#" * 2000)] * 20
    written = replay_body(replayed(*(judged(one, outcome="fail", blocked_by=refusal) for one in range(400))))
    assert len(written) <= MAX_BODY_LENGTH
    assert re.search(r"and \d+ more", written)
