"""Findings as workflow commands of GitHub Actions, which show each finding on its line of a file.

Data and properties are escaped as the runner unescapes them (see its documentation of workflow commands).
"""

from collections.abc import Iterable, Mapping

from mlgit.cli.render.text import clean
from mlgit.domain.forge import Annotation, AnnotationLevel
from mlgit.domain.formatting import plural
from mlgit.errors import Finding, Severity
from mlgit.ops.validation.validate import Validated

_COMMANDS: Mapping[Severity, AnnotationLevel] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}


def validation(validated: Validated) -> str:
    """Return an annotation for each finding, and a summary line."""
    summary = f"{plural(validated.records_checked, 'record')} checked, {plural(len(validated.findings), 'finding')}"
    return annotate(validated.findings, summary)


def annotate(findings: Iterable[Finding], *lines: str) -> str:
    """Return an annotation for each finding, followed by lines for the log."""
    return "\n".join([*map(annotation, findings), *map(log_line, lines)])


def annotation(finding: Finding) -> str:
    """Return one workflow command. Hostile content is escaped, so that it cannot end the command or begin another."""
    properties: dict[str, str] = {"title": finding.id}
    if finding.at is not None:
        properties |= {"file": finding.at.file} | ({"line": str(finding.at.line)} if finding.at.line else {})
    encoded = ",".join(f"{key}={_escape(value, also=':,')}" for key, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {encoded}::{_escape(_message(finding))}"


def check_annotations(findings: Iterable[Finding]) -> list[Annotation]:
    """Return the annotations of a check; forges accept only those about a file."""
    return [
        Annotation(
            path=finding.at.file.encode("utf-8", "backslashreplace").decode(),
            line=finding.at.line or 1,
            level=_COMMANDS[finding.severity],
            title=finding.id,
            message="\n".join(map(clean, _message(finding).split("\n"))),
        )
        for finding in findings
        if finding.at is not None
    ]


def log_line(line: str) -> str:
    """Return a log line that a runner cannot mistake for a command, with neither `::` at its start nor `##[` anywhere."""
    line = clean(line).replace("##[", "## [")
    return f": {line.lstrip()[1:]}" if line.lstrip().startswith("::") else line


def _message(finding: Finding) -> str:
    return "\n".join(part for part in (finding.message, finding.why, finding.fix) if part)


def _escape(value: str, also: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + also else clean(c) for c in value)
