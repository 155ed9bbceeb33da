"""What changed since the champion, as a reviewer reads it: one row for each thing, and the details folded away."""

from collections.abc import Iterator, Sequence
from typing import Any

from mlgit.cli.render import text
from mlgit.cli.render.brief_blocks import (
    FEW,
    Block,
    Items,
    Paragraph,
    Part,
    Section,
    Table,
    count,
    few,
    value,
)
from mlgit.ops.promotion.brief import Brief
from mlgit.ops.promotion.brief_changes import CardChange, CodeChange, ColumnsChange, DataChange, Since


def changes(brief: Brief) -> Iterator[Part]:
    """Yield what a brief says of the changes since the champion."""
    found = brief.since
    if found is None:
        yield Section("What changed", [Paragraph(_unchanged(brief))])
        return
    rows = [
        *_data(found.data),
        ("rows trained on", count(found.rows_before), count(found.rows_after)),
        *_code(found.code),
        *((one.what, value(one.before), value(one.after)) for one in found.params),
        *_columns(found.columns),
        *([("packages", value(found.lock.before), value(found.lock.after))] if found.lock else []),
        *_card(found.card),
        *((one.what, value(one.before, one.what), value(one.after, one.what)) for one in found.other),
    ]
    differing = [row for row in rows if row[1] != row[2]]
    same = [row[0] for row in rows if row[1] == row[2]]
    blocks: list[Block] = [Table(("What", found.champion, brief.candidate or "-"), differing)] if differing else []
    if same:
        blocks.append(Paragraph(f"The same: {', '.join(same)}."))
    yield Section(f"What changed since {found.champion}", blocks)
    yield from _details(found)


def _unchanged(brief: Brief) -> str:
    if brief.candidate is None:
        return "Nothing takes its place."
    return "It is the champion itself." if brief.champion else "There is no champion that it could differ from."


def _data(changes: Sequence[DataChange]) -> Iterator[tuple[str, str, str]]:
    for one in changes:
        before, after = _content(one.before, one.rows_before), _content(one.after, one.rows_after)
        yield f"data {one.dataset}", "-" if one.same else before, "-" if one.same else after
        if one.contract is None:
            yield f"contract of {one.dataset}", "unknown: the commit trained from is not here", "-"
        else:
            changed = text.plural(len(one.contract), "rule is otherwise", "rules are otherwise")
            yield f"contract of {one.dataset}", "-", changed if one.contract else "-"


def _content(stored: Any, rows: int | None) -> str:
    if stored is None:
        return "not used"
    counted = "" if rows is None else f"{rows:,} rows, "
    return f"{counted}{text.size(stored.size)}, {stored.sha256[7:19]}"


def _code(code: CodeChange) -> Iterator[tuple[str, str, str]]:
    if code.same:
        yield "code and parameters, by digest", "-", "-"
        return
    if code.unknown is not None:
        yield "code", code.before[:12], f"{code.after[:12]}; what changed cannot be told: {code.unknown}"
        return
    files = text.plural(len(code.files), "file")
    # There are no commits on the way where it leads back.
    by = f" in {text.plural(code.commits, 'commit')} by {few(code.authors)}" if code.commits else ""
    yield "code", code.before[:12], f"{code.after[:12]}: {files}{by}"


def _columns(columns: ColumnsChange) -> Iterator[tuple[str, str, str]]:
    added = f"with {few(columns.added)}" if columns.added else ""
    removed = f"without {few(columns.removed)}" if columns.removed else ""
    order = "in another order" if columns.reordered else ""
    yield "columns", "-", ", ".join(filter(None, [added, removed, order])) or "-"


def _card(card: CardChange) -> Iterator[tuple[str, str, str]]:
    if card.unknown is not None:
        yield "card", "-", f"cannot be compared: {card.unknown}"
        return
    yield "card", "-", "; ".join(f"{heading}: {deed}" for heading, deed in card.sections.items()) or "-"


def _details(found: Since) -> Iterator[Section]:
    if found.code.files:
        title = f"{text.plural(len(found.code.files), 'file')} of the code that changed"
        yield Section(title, [Items([f"{mark} {path}" for path, mark in found.code.files.items()])], folded=True)
    rules = [
        (one.dataset, change.what, value(change.before), value(change.after))
        for one in found.data
        for change in one.contract or ()
    ]
    if rules:
        yield Section("Contracts that changed", [Table(("Dataset", "Rule", "Before", "Now"), rules)], folded=True)
    if len(found.columns.added) + len(found.columns.removed) > FEW:
        names = [f"+ {name}" for name in found.columns.added] + [f"- {name}" for name in found.columns.removed]
        yield Section("Columns that changed", [Items(names)], folded=True)
