"""What a workflow shows at its forge, as Markdown: a verdict, what was applied, and what was observed.

Text that people wrote stands in fenced blocks, or is escaped.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mlgit.domain.formatting import plural
from mlgit.errors import Finding
from mlgit.ops.ci.apply import CiApplied
from mlgit.ops.ci.verdict import Verdict
from mlgit.ops.monitoring.observe import Observations
from mlgit.pages import applications, markdown, plain
from mlgit.pages.document import Block, CodeBlock, Page, Paragraph, Table

_MOST: Final = 20  # findings that are shown in full; the log has them all
_MOST_ROWS: Final = 500  # of a table; a summary may have a megabyte
_LONGEST: Final = 2_000  # characters of one finding: twenty of them fit into a comment of 65,536
_LEVEL: Final = 3  # of headings, for a summary or a comment stands below others


def verdict_title(verdict: Verdict) -> str:
    """Return a verdict in a few words."""
    if not verdict.conclusive:
        return "inconclusive"
    return "this change has problems" if verdict.exit else "no problems found"


def verdict_summary(verdict: Verdict) -> str:
    """Return a verdict as Markdown of less than 65,536 characters, for the summary of a job."""
    base = f", checked against base commit {verdict.base_commit[:12]}" if verdict.base_commit else ""
    promotions = f" in {plural(len(verdict.promotions), 'promotion')}" if verdict.promotions else ""
    facts = f"Commit {verdict.head[:12]}{base}: {plural(len(verdict.findings), 'finding')}{promotions}."
    blocks: list[Block] = [Paragraph(facts), *_findings(verdict.findings)]
    return markdown.write(Page(f"mlgit/verdict: {verdict_title(verdict)}", blocks), level=_LEVEL)


def verdict_comment(verdict: Verdict, run: str) -> str:
    """Return a verdict as a comment on a pull request, with the address of the run that reached it."""
    note = f"From [this run]({run}) on the proposed commit. What counts is its check, not this comment."
    return f"{verdict_summary(verdict)}\n\n{note}"


def observation_issue(observation: Observations) -> str:
    """Return the text of an issue on deployments that differ from what was applied; `mlgit observe` has the rest."""
    wrong = [seen for seen in observation.results if seen.health not in {"verified", "no-target", "not-applied"}]
    lines = [f"{seen.environment}/{seen.model}: {seen.health} {seen.message}".rstrip() for seen in wrong[:_MOST]]
    findings = [finding for seen in wrong for finding in seen.findings]
    repair = "`mlgit apply` repairs what is degraded. This issue is closed once every deployment is verified."
    return "\n\n".join([markdown.write_blocks(_code([*map(plain.clean, lines), *_shown(findings)])), repair]).lstrip()


def apply_summary(applied: CiApplied) -> str:
    """Return what became of each deployment that was to be applied, for the summary of a job."""
    results = applied.applied.results
    rows = [applications.row(result) for result in results[:_MOST_ROWS]]
    header = [name.capitalize() for name in applications.HEADER]
    blocks: list[Block] = [Table(header, rows) if rows else Paragraph("Nothing has been promoted yet.")]
    if len(results) > _MOST_ROWS:
        blocks.append(Paragraph(f"and {len(results) - _MOST_ROWS} more, in the log of the run"))
    return markdown.write(Page("mlgit/apply", [*blocks, *_findings(applied.findings)]), level=_LEVEL)


def _findings(findings: Sequence[Finding]) -> list[CodeBlock]:
    return _code(_shown(findings))


def _shown(findings: Sequence[Finding]) -> Iterator[str]:
    yield from (plain.finding(finding)[:_LONGEST] for finding in findings[:_MOST])
    if len(findings) > _MOST:
        yield f"and {len(findings) - _MOST} more, in the log of the run"


def _code(parts: Sequence[str] | Iterator[str]) -> list[CodeBlock]:
    """Return a block of texts with an empty line between two; none where there is no text."""
    lines = "\n\n".join(parts).split("\n")
    return [CodeBlock(lines)] if lines != [""] else []
