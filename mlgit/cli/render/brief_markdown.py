"""A brief as the body of a pull request, and a replay of a policy as a comment: Markdown as GitHub and Gitea read it.

Whatever a repository says is text and nothing else. A forge looks for mentions, issues and links in the text that the
Markdown gives, after it was read; so it is not enough that nothing is Markdown, and those are broken by a space of no width.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlgit.cli.render import text
from mlgit.cli.render.brief_blocks import (
    Block,
    Command,
    Items,
    Paragraph,
    Part,
    Section,
    Table,
    Title,
)
from mlgit.cli.render.brief_document import document
from mlgit.domain.brief import BEGIN, END
from mlgit.domain.forge import fits_in_body
from mlgit.ops.policies.replay import PolicyReplay, ReplayedPromotion
from mlgit.ops.promotion.brief import Brief

_NOTHING = "&#8203;"  # a space of no width
_ACTS = re.compile(
    # A mention, a commit of somebody (name@1234567), or an address; `churn@10` is none, and people copy it.
    r"(?P<mention>@)(?!(?<=[a-z0-9]@)\d{1,6}(?![\w@-]|\.\w))"
    r"|(?P<issue>[#!])"
    r"|(?P<dash>(?<=[gG][hH])-(?=\d))"
    r"|(?P<link>:(?=//)|(?<=[wW]{3})\.)"
    r"|(?P<emoji>:(?=[\w+-]+:))"
    r"|(?P<money>\$)"
    r"|(?P<list>\A\d{1,9}[.)](?=\s|\Z)|\A[-+=](?!\d))"
    r"|(?P<markup>[\\`*{}\[\]<>|~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))"
)
_COMMAND = re.compile(r"[A-Za-z0-9 ._/@\"-]+")


class _Limits(NamedTuple):
    """How many rows and items are shown, in the open and folded away, and how many characters of a text."""

    shown: int
    folded: int
    characters: int


# The last of them fits whatever a brief says: some 150 texts, each character of which is written with at most twelve.
_LIMITS = (
    _Limits(20, 100, 600),
    _Limits(20, 50, 300),
    _Limits(10, 20, 200),
    _Limits(5, 10, 120),
    _Limits(3, 5, 60),
    _Limits(1, 1, 20),
)


def body(brief: Brief) -> str:
    """Return a brief between the marks of what is mlgit's in a body.

    What is too long for a forge is cut, the less important first, and it is said that there is more. Of two equal briefs,
    the bodies are equal.

    Returns:
        Markdown of no more characters than a forge takes, the first line and the last one being `BEGIN` and `END`.
    """
    step = brief.next if brief.state == "open" else None
    return _fitted([*document(brief), *([Section("What comes next", [Command(step)])] if step else [])])


def policy_replay_markdown(found: PolicyReplay) -> str:
    """Return what a changed policy would have said of the promotions of the past, as a section of a comment.

    Returns:
        Markdown of no more characters than a forge takes between the same marks as a body.
    """
    return _fitted(list(_replayed(found)))


def plain(words: str, most: int | None = None) -> str:
    """Return text in which no character means anything to Markdown, to HTML or to a forge, on one line.

    It may stand in a paragraph, a cell, an item, a heading, and inside of HTML. Every character is written as itself or as a
    reference, which CommonMark 0.31 (2.5) never takes for structure.

    Args:
        words: the text, whoever wrote it.
        most: after how many characters it is cut.
    """
    line = " ".join(words.split())
    cleaned = text.clean(line if most is None else line[: most + 1])  # which never makes it shorter
    if most is not None and len(cleaned) > most:
        cleaned = cleaned[: most - 1].rstrip() + "…"
    return _ACTS.sub(_harmless, cleaned)


def _harmless(match: re.Match[str]) -> str:
    found = match[0]
    match match.lastgroup:
        case "mention" | "dash" | "link" | "emoji":
            return found + _NOTHING
        case "issue":
            return _reference(found) + _NOTHING
        case "money":
            return "\uff04"  # a wide dollar: GitHub looks for formulas wherever there is a usual one
        case _:
            return found[:-1] + _reference(found[-1])


def _reference(character: str) -> str:
    return f"&#{ord(character)};"


def _fitted(parts: Sequence[Part]) -> str:
    for limits in _LIMITS:
        written = "\n\n".join([BEGIN, *(_part(part, limits) for part in parts), END])
        if fits_in_body(written):
            break
    return written


def _part(part: Part, limits: _Limits) -> str:
    if not isinstance(part, Section):
        return _block(part, limits, limits.shown)
    most = limits.folded if part.folded else limits.shown
    blocks = [_block(block, limits, most) for block in part.blocks]
    title = plain(part.title, limits.characters)
    if part.folded:
        return "\n\n".join([f"<details>\n<summary>{title}</summary>", *blocks, "</details>"])
    return "\n\n".join([f"### {title}", *blocks])


def _block(block: Block, limits: _Limits, most: int) -> str:
    def said(words: str) -> str:
        return plain(words, limits.characters)

    match block:
        case Title(words):
            return f"## {said(words)}"
        case Paragraph(words, strong):
            return f"**{said(words)}**" if strong else said(words)
        case Command(line):
            return f"```sh\n{line}\n```" if _COMMAND.fullmatch(line) else said(line)
        case Items(items):
            more = [_more(len(items) - most)] if len(items) > most else []
            return "\n".join(f"- {said(item)}" for item in [*items[:most], *more])
        case Table(header, rows):
            cut = [[_more(len(rows) - most), *[""] * (len(header) - 1)]] if len(rows) > most else []
            lines = [[said(cell) for cell in row] for row in [header, *rows[:most], *cut]]
            lines.insert(1, ["---"] * len(header))
            return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _more(count: int) -> str:
    return f"and {count:,} more"


def _replayed(found: PolicyReplay) -> Iterator[Part]:
    last = text.plural(len(found.judged), "promotion")
    yield Title(f"What policy {found.tried} would have said")
    yield Paragraph(
        f"It would have blocked {found.blocked} of the last {last} that were merged under policy {found.policy}.",
        strong=True,
    )
    let = f"It would have let through {found.let_through_and_rolled_back} that was later rolled back."
    gone = f"{text.plural(found.unjudged, 'promotion')} cannot be judged: evidence is gone."
    notes = [let] * bool(found.let_through_and_rolled_back) + [gone] * bool(found.unjudged)
    notes += [f"cannot be read: {path}" for path in found.unread]
    if notes:
        yield Items(notes)
    # Blocked first, then what cannot be judged, then what was let through and came back.
    order = {"fail": 0, "wait": 0, "error": 1, "pass": 2}
    others = [one for one in found.judged if one.now != "pass" or one.rolled_back]
    rows = [_row(one) for one in sorted(others, key=lambda one: order[one.now])]
    if rows:
        yield Table(("Version", "Environment", "Judged", "Then", "Now", "Rolled back", "Why"), rows)


def _row(one: ReplayedPromotion) -> tuple[str, ...]:
    why = "; ".join(f"{refusal.gate}: {refusal.message}" for refusal in one.refused_by)
    rolled_back = "yes" if one.rolled_back else ""
    return one.candidate, one.environment, f"{one.at:%Y-%m-%d}", one.then or "-", one.now, rolled_back, why
