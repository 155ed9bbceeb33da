"""Proposals and their pull requests: the option `--no-pull-request`, how bodies are rendered, and what commands print."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from mlgit.cli.params import F
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.errors import Finding

if TYPE_CHECKING:
    from mlgit.ops.promotion.proposed import Proposed
    from mlgit.ops.promotion.pull_request import BriefRenderer
    from mlgit.ops.review.proposals import Proposal


def no_pull_request_option(function: F) -> F:
    """Give a command that proposes something the option `--no-pull-request`."""
    return click.option("--no-pull-request", is_flag=True, help="Push the branch, but open no pull request.")(function)


def replace_option(function: F) -> F:
    """Give a command that proposes a promotion the option `--replace`."""
    return click.option(
        "--replace", "replace_open", is_flag=True, help="Replace another change that is open for the model there."
    )(function)


def brief_renderer(session: Session) -> "BriefRenderer":
    """Return what renders the brief of a promotion as the Markdown body of its pull request."""

    def render(proposal: "Proposal") -> str:
        from mlgit.ops.promotion import brief  # noqa: PLC0415 - only where there is a forge
        from mlgit.pages import brief as pages  # noqa: PLC0415 - likewise
        from mlgit.pages import markdown  # noqa: PLC0415 - likewise

        return markdown.forge_body(pages.pull_request_page(brief.run(session, proposal.manifest.promotion)))

    return render


def render_body(words: str) -> str:
    """Return plain text as Markdown without effects: it mentions nobody, closes no issue, and has no structure."""
    from mlgit.pages import markdown  # noqa: PLC0415 - only where there is a forge

    return markdown.escape(words)


def branch_lines(outcome: "Proposed") -> Iterator[str]:
    """Yield, line by line, where a proposal is: its branch, its pull request, and what went wrong with that."""
    yield text.clean(f"  on branch {outcome.branch}" + (", pushed to origin" if outcome.pushed else ""))
    yield from pull_request_lines(outcome.pull_request, outcome.warnings)


def pull_request_lines(url: str | None, warnings: Sequence[Finding]) -> Iterator[str]:
    """Yield, line by line, the address of a pull request, and what went wrong with it."""
    if url is not None:
        yield f"  pull request {text.clean(url)}"
    yield from map(text.finding, warnings)


def proposal_footer(outcome: "Proposed", where: str, *, what: str, effect: str, none_missing: str) -> str:
    """Return the last lines of the output for a promotion: approvals, branch, pull request, and the next command.

    Args:
        outcome: what was proposed, or would be.
        where: environment and model.
        what: what is proposed, as the subject of a sentence.
        effect: what merging it does.
        none_missing: how approvals are shown where none is missing.
    """
    missing = "; ".join(outcome.approvals_missing)
    if outcome.state == "planned" and outcome.approvals_needed:  # not proposed yet, so nobody can have approved it
        missing = none_missing
    lines = [f"  {text.word('wait' if missing else 'pass', 6)}  approvals: {text.clean(missing or none_missing)}"]
    lines += map(text.clean, _replaced_lines(outcome))
    if outcome.state == "planned":
        return "\n".join([*lines, "Nothing was changed (dry run)."])
    action = "was proposed already, as" if outcome.state == "proposed-already" else "is proposed as"
    lines += [text.clean(f"{what} {action} {outcome.promotion}"), *branch_lines(outcome), effect]
    return "\n".join(lines) + text.following(_approve_command(outcome, where) if missing else f"mlgit merge {where}")


def _replaced_lines(outcome: "Proposed") -> Iterator[str]:
    """Yield, line by line, which open promotion a new one takes the place of, and why."""
    replaced = outcome.replaces_open
    if replaced is not None:
        asked = "a rollback does not wait for it" if outcome.change == "rollback" else "--replace was given"
        reasons = "; ".join(replaced.outdated) or asked
        yield f"In place of {replaced.promotion} ({replaced.candidate}), whose approvals do not carry over: {reasons}"


def change_footer(
    branch: str, base: str, *, pushed: bool, url: str | None, warnings: Sequence[Finding], first: str | None = None
) -> str:
    """Return the last lines of the output for a change that is no promotion: its branch, and how to merge it.

    Args:
        branch: the branch.
        base: the base branch.
        pushed: whether the remote has the branch.
        url: address of the pull request, if there is one.
        warnings: what went wrong with the pull request.
        first: what has to be done before it is merged.
    """
    way = "by that pull request" if url else "by a pull request, or by merging the branch there"
    lines = [
        "",
        f"Proposed on branch {text.clean(branch)}" + (", pushed to origin" if pushed else ""),
        *pull_request_lines(url, warnings),
        f"It counts once it is in {text.clean(base)}: {way}.",
    ]
    last = f"merge {url}" if url else f"git switch {base} && git merge --no-ff {branch}"
    return "\n".join(lines) + text.following(first or last)


def _approve_command(outcome: "Proposed", where: str) -> str:
    """Return the next command where approvals are missing, and who may run it."""
    who = " or ".join(outcome.may_approve) or "somebody else"
    by_review = outcome.pull_request and outcome.evidence == "forge"
    return f"mlgit approve {where}, run by {who}" + (
        f", or their review of {outcome.pull_request}" if by_review else ""
    )
