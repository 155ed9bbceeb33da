"""The part of a brief on what changed since the champion: one row for each thing, and the details collapsed."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mlgit.domain.formatting import NAMES_LISTED, first_names, plural, size
from mlgit.domain.records.version import StoredFile
from mlgit.ops.promotion.brief_changes import CardChange, ChangesSinceChampion, CodeChange, ColumnsChange, DataChange
from mlgit.ops.promotion.brief_result import Brief
from mlgit.pages.document import Block, BulletList, PageSection, Paragraph, Table

Row = tuple[str, str, str]
"""What is compared, its value in the champion, and that in the candidate; equal where nothing changed."""


def changes(brief: Brief) -> Iterator[PageSection]:
    """Yield the sections on what changed since the champion."""
    changed = brief.changes_since_champion
    if changed is None:
        yield PageSection("Changes", [Paragraph(_nothing_compared(brief))])
        return
    rows = [
        *_data(changed.data),
        ("training rows", _count(changed.training_rows_before), _count(changed.training_rows_after)),
        *_code(changed.code),
        *((param.field, _value(param.before), _value(param.after)) for param in changed.params),
        *_columns(changed.columns),
        *(
            [("packages", _value(changed.lock_file.before), _value(changed.lock_file.after))]
            if changed.lock_file
            else []
        ),
        *_card(changed.card),
        *(
            (other.field, _value(other.before, other.field), _value(other.after, other.field))
            for other in changed.other
        ),
    ]
    differing = [row for row in rows if row[1] != row[2]]
    same = [row[0] for row in rows if row[1] == row[2]]
    blocks: list[Block] = [Table(("Item", changed.champion, brief.candidate or "-"), differing)] if differing else []
    if same:
        blocks.append(Paragraph(f"Unchanged: {', '.join(same)}."))
    yield PageSection(f"Changes since {changed.champion}", blocks)
    yield from _details(changed)


def _nothing_compared(brief: Brief) -> str:
    if brief.candidate is None:
        return "No version takes the place of those that are removed."
    return "The candidate is the champion itself." if brief.champion else "There is no champion to compare with."


def _data(datasets: Sequence[DataChange]) -> Iterator[Row]:
    for data in datasets:
        before, after = _content(data.before, data.rows_before), _content(data.after, data.rows_after)
        yield f"data {data.dataset}", "-" if data.same else before, "-" if data.same else after
        if data.contract is None:
            yield f"contract of {data.dataset}", "unknown: the training commit is not in this clone", "-"
        else:
            yield (
                f"contract of {data.dataset}",
                "-",
                f"{plural(len(data.contract), 'rule')} changed" if data.contract else "-",
            )


def _content(stored: StoredFile | None, rows: int | None) -> str:
    if stored is None:
        return "not used"
    counted = "" if rows is None else f"{rows:,} rows, "
    return f"{counted}{size(stored.size)}, {stored.sha256[7:19]}"


def _code(code: CodeChange) -> Iterator[Row]:
    if code.same:
        yield "code and parameters", "-", "-"
        return
    if code.not_compared is not None:
        yield "code", code.before[:12], f"{code.after[:12]}; cannot be compared: {code.not_compared}"
        return
    files = plural(len(code.files), "file")
    # There are no commits in between where the candidate is the older one.
    by = f" in {plural(code.commits, 'commit')} by {first_names(code.authors)}" if code.commits else ""
    yield "code", code.before[:12], f"{code.after[:12]}: {files}{by}"


def _columns(columns: ColumnsChange) -> Iterator[Row]:
    added = f"added {first_names(columns.added)}" if columns.added else ""
    removed = f"removed {first_names(columns.removed)}" if columns.removed else ""
    order = "reordered" if columns.reordered else ""
    yield "columns", "-", "; ".join(filter(None, [added, removed, order])) or "-"


def _card(card: CardChange) -> Iterator[Row]:
    if card.not_compared is not None:
        yield "card", "-", f"cannot be compared: {card.not_compared}"
        return
    yield "card", "-", "; ".join(f"{heading}: {change}" for heading, change in card.sections.items()) or "-"


def _details(changed: ChangesSinceChampion) -> Iterator[PageSection]:
    if changed.code.files:
        title = f"{plural(len(changed.code.files), 'code file')} changed"
        files = [f"{status} {path}" for path, status in changed.code.files.items()]
        yield PageSection(title, [BulletList(files)], collapsed=True)
    rules = [
        (data.dataset, rule.field, _value(rule.before), _value(rule.after))
        for data in changed.data
        for rule in data.contract or ()
    ]
    if rules:
        header = ("Dataset", "Rule", "Before", "Now")
        yield PageSection(f"{plural(len(rules), 'contract rule')} changed", [Table(header, rules)], collapsed=True)
    columns = [f"added {name}" for name in changed.columns.added]
    columns += [f"removed {name}" for name in changed.columns.removed]
    if len(columns) > NAMES_LISTED:
        yield PageSection(f"{plural(len(columns), 'column')} changed", [BulletList(columns)], collapsed=True)


def _count(rows: int | None) -> str:
    return "unknown" if rows is None else f"{rows:,}"


def _value(value: Any, what: str = "") -> str:
    """Return a value of a record as text: a digest cut short, a size with its unit, anything else as JSON."""
    if value is None:
        return "-"
    if what == "size":
        return size(value)
    if isinstance(value, str):
        return value[7:19] if value.startswith("sha256:") else value
    return f"{value:.4g}" if isinstance(value, float) else msgspec.json.encode(value).decode()
