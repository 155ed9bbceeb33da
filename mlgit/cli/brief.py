"""Show what a reviewer of a promotion needs to know."""

from typing import Literal

import click

from mlgit.cli.params import at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.promotion import brief
from mlgit.ops.promotion.brief_result import Brief

Format = Literal["text", "md", "json"]


@click.command()
@click.argument("promotion", required=False, metavar="[PROMOTION|ENVIRONMENT/MODEL]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "json"]),
    default="text",
    show_default=True,
    help="Output format; md is the body of its pull request.",
)
@at_option
@session_command
def command(session: Session, promotion: str | None, form: Format, at: str | None) -> int:
    """Show what a reviewer of a promotion needs to know.

    How the candidate compares with the champion, what changed in data, code, parameters and card, the outcome of each gate,
    who approved and who may, when it can be merged, what merging does, and how to roll it back. A merged promotion is shown
    as of its merge. The brief decides nothing, so the exit code is 0 whatever it shows.

    \b
    Examples:
      mlgit brief
      mlgit brief production/churn
      mlgit brief 01JD8ZK3M9V2Q4T6X8Z0B2D4F6 --json
      mlgit brief production/churn --format md
    """
    session.as_json = session.as_json or form == "json"
    return session.answer(brief.run(session, promotion, at=at), _markdown if form == "md" else _show)


def _show(found: Brief) -> str:
    from mlgit.cli.render import document  # noqa: PLC0415 - one format at a time
    from mlgit.pages import brief as pages  # noqa: PLC0415 - likewise

    return document.write(pages.page(found)) + text.following(found.next)


def _markdown(found: Brief) -> str:
    from mlgit.pages import brief as pages  # noqa: PLC0415 - one format at a time
    from mlgit.pages import markdown  # noqa: PLC0415 - likewise

    return markdown.forge_body(pages.pull_request_page(found))
