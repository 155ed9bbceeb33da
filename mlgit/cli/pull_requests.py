"""Pull requests of proposals: the option that leaves them alone, what they say, and how it is told."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from mlgit.cli.params import F
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.errors import Finding

if TYPE_CHECKING:
    from mlgit.ops.proposal import Proposal
    from mlgit.ops.pull_request import Body


def no_pull_request_option(function: F) -> F:
    """Give a command that proposes something the option `--no-pull-request`."""
    return click.option("--no-pull-request", is_flag=True, help="Push the branch, and leave pull requests alone.")(
        function
    )


def body_of(session: Session) -> "Body":
    """Return what writes the body of a promotion's pull request: the brief of it, in Markdown."""

    def write(waiting: "Proposal") -> str:
        from mlgit.cli.render import brief_markdown  # noqa: PLC0415 - only where there is a forge
        from mlgit.ops import brief  # noqa: PLC0415 - only where there is a forge

        return brief_markdown.body(brief.run(session, waiting.manifest.promotion))

    return write


def said(words: str) -> str:
    """Return words as Markdown in which nothing of them acts: no mention, no issue that is closed, no structure."""
    from mlgit.cli.render import brief_markdown  # noqa: PLC0415 - only where there is a forge

    return brief_markdown.plain(words)


def told(url: str | None, warnings: Sequence[Finding]) -> Iterator[str]:
    """Yield what became of a pull request, line by line."""
    if url is not None:
        yield f"  pull request {text.clean(url)}"
    yield from map(text.finding, warnings)


def next_word(where: str, url: str | None, evidence: str | None, may: Sequence[str]) -> str:
    """Return the next step where approvals are missing.

    Args:
        where: environment and model.
        url: address of the pull request, if there is one.
        evidence: what the policy takes for an approval.
        may: who may approve.
    """
    who = " or ".join(may) or "somebody else"
    review = f", or their review of {url}" if url and evidence == "forge" else ""
    return f"mlgit approve {where}, run by {who}{review}"
