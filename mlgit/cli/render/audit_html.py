"""The evidence report of an audit as one page of HTML: nothing is loaded, nothing runs, everything is escaped."""

from base64 import b64encode
from hashlib import sha256
from html import escape

from mlgit.cli.render import text
from mlgit.cli.render.audit_document import Block, Heading, Items, Paragraph, Table, document, sealed
from mlgit.domain.audit.verdict import VERDICTS
from mlgit.ops.audit import Audit

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
.PROVEN { color: #1a7f37; font-weight: 600; }
.OVERRIDDEN { color: #9a6700; font-weight: 600; }
.UNPROVEN { color: #bc4c00; font-weight: 600; }
.VIOLATION { color: #cf222e; font-weight: 600; }
@media print { body { max-width: none; } tr { break-inside: avoid; } }
"""


def render(audit: Audit) -> str:
    """Return the page; the last line is the sha256 of all lines before it."""
    allowed = b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    body = "\n".join(_block(block) for block in document(audit))
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_plain(f'Audit of {audit.project}')}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{body}\n</body>\n</html>\n"
    )
    return sealed(page)


def _block(block: Block) -> str:
    match block:
        case Heading(level, words):
            return f"<h{level}>{_plain(words)}</h{level}>"
        case Paragraph(words, tone):
            return f'<p class="{escape(tone)}">{_plain(words)}</p>' if tone else f"<p>{_plain(words)}</p>"
        case Items(items):
            return "<ul>\n" + "\n".join(f"<li>{_plain(item)}</li>" for item in items) + "\n</ul>"
        case Table(header, rows):
            head = "".join(f'<th scope="col">{_plain(cell)}</th>' for cell in header)
            lines = ["".join(_cell(cell) for cell in row) for row in rows]
            body = "\n".join(f"<tr>{line}</tr>" for line in lines)
            return (
                f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'
            )


def _cell(cell: str) -> str:
    return f'<td class="{cell}">{cell}</td>' if cell in VERDICTS else f"<td>{_plain(cell)}</td>"


def _plain(words: str) -> str:
    return escape(text.clean(words))
