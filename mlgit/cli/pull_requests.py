"""Proposals and their pull requests: the option to open none, their text, and how they are shown."""

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


def body_of(session: Session) -> "BriefRenderer":
    """Return what writes the body of a promotion's pull request: the brief of it, in Markdown."""

    def write(waiting: "Proposal") -> str:
        from mlgit.ops.promotion import brief  # noqa: PLC0415 - only where there is a forge
        from mlgit.pages import brief as pages  # noqa: PLC0415 - likewise
        from mlgit.pages import markdown  # noqa: PLC0415 - likewise

        return markdown.forge_body(pages.pull_request_page(brief.run(session, waiting.manifest.promotion)))

    return write


def said(words: str) -> str:
    """Return words as Markdown in which nothing of them acts: no mention, no issue that is closed, no structure."""
    from mlgit.pages import markdown  # noqa: PLC0415 - only where there is a forge

    return markdown.escape(words)


def told(url: str | None, warnings: Sequence[Finding]) -> Iterator[str]:
    """Yield what became of a pull request, line by line."""
    if url is not None:
        yield f"  pull request {text.clean(url)}"
    yield from map(text.finding, warnings)


def ending(outcome: "Proposed", where: str, *, what: str, act: str, enough: str) -> str:
    """Return how the answer ends that proposes a promotion: who has to agree, where it waits, and what is next.

    Args:
        outcome: what was proposed, or would be.
        where: environment and model.
        what: what is proposed, in words.
        act: what merging it does.
        enough: what is said of approvals where none is missing.
    """
    missing = "; ".join(outcome.approvals_missing)
    if outcome.state == "planned" and outcome.approvals_needed:  # nobody can have agreed to it yet
        missing = enough
    lines = [f"  {text.word('wait' if missing else 'pass', 6)}  approvals: {text.clean(missing or enough)}"]
    if outcome.state == "planned":
        return "\n".join([*lines, "Nothing was changed (dry run)."])
    action = "was proposed already, as" if outcome.state == "proposed-already" else "is proposed as"
    lines += [
        text.clean(f"{what} {action} {outcome.promotion}"),
        text.clean(f"  on branch {outcome.branch}" + (", pushed to origin" if outcome.pushed else "")),
        *told(outcome.pull_request, outcome.warnings),
        act,
    ]
    return "\n".join(lines) + text.following(_approving(outcome, where) if missing else f"mlgit merge {where}")


def proposed(
    branch: str, base: str, *, pushed: bool, url: str | None, warnings: Sequence[Finding], first: str | None = None
) -> str:
    """Say where a change waits that is no promotion, and how it gets to the base branch.

    Args:
        branch: where it waits.
        base: the base branch.
        pushed: whether the remote has the branch.
        url: address of the pull request, if there is one.
        warnings: what went wrong with the pull request.
        first: a step that comes before it gets there.
    """
    way = "by that pull request" if url else "by a pull request, or by merging the branch there"
    lines = [
        "",
        f"Proposed on branch {text.clean(branch)}" + (", pushed to origin" if pushed else ""),
        *told(url, warnings),
        f"It counts once it is in {text.clean(base)}: {way}.",
    ]
    last = f"merge {url}" if url else f"git switch {base} && git merge --no-ff {branch}"
    return "\n".join(lines) + text.following(first or last)


def _approving(outcome: "Proposed", where: str) -> str:
    """Return the next step where approvals are missing."""
    who = " or ".join(outcome.may_approve) or "somebody else"
    by_review = outcome.pull_request and outcome.evidence == "forge"
    return f"mlgit approve {where}, run by {who}" + (
        f", or their review of {outcome.pull_request}" if by_review else ""
    )
