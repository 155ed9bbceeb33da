"""What is said in a workflow, as Markdown: a verdict, what was applied, what was observed.

All that people wrote stands within fences, or as text in which nothing acts.
"""

import re
from collections.abc import Sequence

import click

from mlgit.cli.render import applications, text
from mlgit.cli.render.brief_markdown import plain
from mlgit.errors import Finding
from mlgit.ops.ci.apply import CiApplied
from mlgit.ops.ci.verdict import Verdict
from mlgit.ops.monitoring.observe import Observations

_MOST = 20  # findings that are shown in full; the log has them all
_MOST_ROWS = 500  # of a table; a summary may have a megabyte
_LONGEST = 2_000  # characters of one finding: twenty of them fit into a comment of 65,536


def verdict(found: Verdict) -> str:
    """Return a verdict as Markdown of less than 65,536 characters, for the summary of a job."""
    held = f", held against `{found.base_commit[:12]}` of the base branch" if found.base_commit else ""
    brought = f", with {text.plural(len(found.promotions), 'promotion')}" if found.promotions else ""
    what = f"Commit `{found.head[:12]}`{held}: {text.plural(len(found.findings), 'finding')}{brought}."
    return "\n\n".join([f"### mlgit/verdict: {answer(found)}", what, *_fenced(_shown(found.findings))])


def comment(found: Verdict, run: str) -> str:
    """Return a verdict as a comment on a pull request, with the address of the run that found it."""
    origin = f"Said by [a run]({run}) of the commit that was proposed; the check itself is what counts."
    return f"{verdict(found)}\n\n{origin}"


def observed(seen: Observations) -> str:
    """Return what does not run as it was given, for an issue; `mlgit observe` has the rest."""
    wrong = [one for one in seen.results if one.health not in {"verified", "no-target", "not-applied"}]
    lines = [f"{one.environment}/{one.model}: {one.health} {one.message}".rstrip() for one in wrong]
    findings = [finding for one in wrong for finding in one.findings]
    way_out = "`mlgit apply` mends what is degraded; this issue is closed once all runs as it was given."
    return "\n\n".join([*_fenced([*map(text.clean, lines[:_MOST]), *_shown(findings)]), way_out])


def applied(found: CiApplied) -> str:
    """Return what became of what was to be applied, as a table, for the summary of a job."""
    results = found.applied.results
    if not results:
        return "### mlgit/apply\n\nNothing has been promoted yet."
    rows = [[name.capitalize() for name in applications.HEADER], ["---"] * len(applications.HEADER)]
    rows += [[plain(cell) for cell in applications.row(one)] for one in results[:_MOST_ROWS]]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    more = [f"and {len(results) - _MOST_ROWS} more, in the log of the run"] if len(results) > _MOST_ROWS else []
    return "\n\n".join(["### mlgit/apply", table, *more, *_fenced(_shown(found.findings))])


def answer(found: Verdict) -> str:
    """Return a verdict in a few words."""
    if not found.conclusive:
        return "could not be judged"
    return "something stands against this change" if found.exit else "nothing stands against this change"


def _shown(findings: Sequence[Finding]) -> list[str]:
    shown = [click.unstyle(text.finding(finding))[:_LONGEST] for finding in findings[:_MOST]]
    return shown + ([f"and {len(findings) - _MOST} more, in the log of the run"] if len(findings) > _MOST else [])


def _fenced(parts: Sequence[str]) -> list[str]:
    """Return texts within a fence that is longer than any in them, so that they end where it says."""
    body = "\n\n".join(parts)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", body)), default=0))
    return [f"{fence}text\n{body}\n{fence}"] if parts else []
