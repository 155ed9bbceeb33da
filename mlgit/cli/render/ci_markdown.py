"""What is said in a workflow, as Markdown: a verdict, and what was observed. All that people wrote stands within fences."""

import re
from collections.abc import Sequence

import click

from mlgit.cli.render import text
from mlgit.errors import Finding
from mlgit.ops.ci.verdict import Verdict
from mlgit.ops.observe import Observation

_MOST = 20  # findings that are shown in full; the log has them all
_LONGEST = 2_000  # characters of one finding: twenty of them fit into a comment of 65,536


def verdict(found: Verdict) -> str:
    """Return a verdict as Markdown of less than 65,536 characters, for the summary of a job."""
    held = f", held against `{found.onto[:12]}` of the base branch" if found.onto else ""
    brought = f", with {text.plural(len(found.promotions), 'promotion')}" if found.promotions else ""
    what = f"Commit `{found.head[:12]}`{held}: {text.plural(len(found.findings), 'finding')}{brought}."
    return "\n\n".join([f"### mlgit/verdict: {_answer(found)}", what, *_fenced(_shown(found.findings))])


def comment(found: Verdict, run: str) -> str:
    """Return a verdict as a comment on a pull request, with the address of the run that found it."""
    origin = f"Said by [a run]({run}) of the commit that was proposed; the check itself is what counts."
    return f"{verdict(found)}\n\n{origin}"


def observed(seen: Observation) -> str:
    """Return what does not run as it was given, for an issue; `mlgit observe` has the rest."""
    wrong = [one for one in seen.results if one.health not in {"verified", "no-target", "not-applied"}]
    lines = [f"{one.environment}/{one.model}: {one.health} {one.message}".rstrip() for one in wrong]
    findings = [finding for one in wrong for finding in one.findings]
    way_out = "`mlgit apply` mends what is degraded; this issue is closed once all runs as it was given."
    return "\n\n".join([*_fenced([*map(text.clean, lines[:_MOST]), *_shown(findings)]), way_out])


def _answer(found: Verdict) -> str:
    if not found.answered:
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
