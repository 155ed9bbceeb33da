"""Findings as GitHub Actions' workflow commands, which show them on the lines that they are about.

The form is that of the documentation of workflow commands; data and properties are escaped as the runner unescapes them.
"""

from collections.abc import Iterable, Mapping

from mlgit.cli.render.text import clean
from mlgit.domain.forge import Annotation, Level
from mlgit.errors import Finding, Severity
from mlgit.ops.validation.validate import Validated

_COMMANDS: Mapping[Severity, Level] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}


def validated(found: Validated) -> str:
    """Return an annotation a finding, and a line with their number."""
    return said(found.findings, f"{found.checked} records checked, {len(found.findings)} findings")


def said(findings: Iterable[Finding], *lines: str) -> str:
    """Return an annotation a finding, and lines for the log."""
    return "\n".join([*map(annotation, findings), *map(plain, lines)])


def annotation(finding: Finding) -> str:
    """Return one workflow command; nothing in a file can end it or begin another."""
    properties: dict[str, str] = {"title": finding.id}
    if finding.at is not None:
        properties |= {"file": finding.at.file} | ({"line": str(finding.at.line)} if finding.at.line else {})
    listed = ",".join(f"{key}={_escape(value, also=':,')}" for key, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {listed}::{_escape(_message(finding))}"


def of_check(findings: Iterable[Finding]) -> list[Annotation]:
    """Return the annotations of a check: a forge takes those alone that are about a file."""
    return [
        Annotation(
            path=finding.at.file,
            line=finding.at.line or 1,
            level=_COMMANDS[finding.severity],
            title=finding.id,
            message="\n".join(map(clean, _message(finding).split("\n"))),
        )
        for finding in findings
        if finding.at is not None
    ]


def plain(line: str) -> str:
    """Return a line for a log that no runner takes for a command: neither `::` at its start nor `##[` anywhere is left."""
    line = clean(line).replace("##[", "## [")
    return f": {line.lstrip()[1:]}" if line.lstrip().startswith("::") else line


def _message(finding: Finding) -> str:
    return "\n".join(part for part in (finding.message, finding.why, finding.fix) if part)


def _escape(value: str, also: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + also else clean(c) for c in value)
