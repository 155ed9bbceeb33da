"""Pages as one self-contained file of HTML: nothing is loaded, nothing runs, everything is escaped."""

import html
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

from mlgit.domain.audit.verdict import VERDICTS
from mlgit.pages.document import (
    Block,
    BulletList,
    CodeBlock,
    FindingList,
    Page,
    PageSection,
    Paragraph,
    ShellCommand,
    Table,
)
from mlgit.pages.plain import clean, finding_sentence

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { border-bottom: 1px solid #8886; padding-bottom: .2em; }
h2 { margin-top: 2.5rem; }
h3 { margin-top: 2rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; }
th, td { border: 1px solid #8886; padding: .25rem .6rem; text-align: left; vertical-align: top; overflow-wrap: break-word; }
th { background: #8881; }
pre { overflow-x: auto; background: #8881; padding: .5rem .8rem; }
.PROVEN { color: #1a7f37; font-weight: 600; }
.OVERRIDDEN, .UNAPPROVED { color: #9a6700; font-weight: 600; }
.UNPROVEN { color: #bc4c00; font-weight: 600; }
.VIOLATION { color: #cf222e; font-weight: 600; }
@media print { body { max-width: none; } tr { break-inside: avoid; } }
"""
_DEEPEST = 6  # level of a heading in HTML


def write(page: Page) -> str:
    """Return a whole page, with a policy by which a browser loads and runs nothing."""
    allowed = b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    body = "\n".join(_block(block, 2) for block in page.blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escape(page.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{_escape(page.title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _block(block: Block, level: int) -> str:
    match block:
        case PageSection(title, blocks, collapsed):
            inner = "\n".join(_block(part, min(level + 1, _DEEPEST)) for part in blocks)
            if collapsed:
                written = f"<details>\n<summary>{_escape(title)}</summary>\n{inner}\n</details>"
            else:
                written = f"<h{level}>{_escape(title)}</h{level}>\n{inner}"
        case Paragraph(text, strong):
            written = f"<p{_class(text)}><strong>{_escape(text)}</strong></p>" if strong else f"<p>{_escape(text)}</p>"
        case BulletList(items):
            written = _items(items)
        case FindingList(findings):
            written = _items([finding_sentence(finding) for finding in findings])
        case ShellCommand(line):
            written = _code([line])
        case CodeBlock(lines):
            written = _code(lines)
        case Table(header, rows):
            written = _table(header, rows)
    return written


def _items(items: Sequence[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{_escape(item)}</li>" for item in items) + "\n</ul>"


def _code(lines: Sequence[str]) -> str:
    body = "\n".join(map(_escape, lines))
    return f"<pre><code>{body}</code></pre>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_escape(cell)}</th>' for cell in header)
    lines = ["".join(f"<td{_class(cell)}>{_escape(cell)}</td>" for cell in row) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _class(text: str) -> str:
    """Return the attribute that gives the text its colour, if it is a verdict."""
    return f' class="{text}"' if text in VERDICTS else ""


def _escape(text: str) -> str:
    return html.escape(clean(text))
