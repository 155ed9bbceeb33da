"""Show what a reviewer of a promotion needs to know."""

from typing import Literal

import click

from mlgit.cli.params import at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.promotion import brief
from mlgit.ops.promotion.brief import Brief

Format = Literal["text", "md", "json"]


@click.command()
@click.argument("promotion", required=False, metavar="[PROMOTION|ENVIRONMENT/MODEL]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "json"]),
    default="text",
    show_default=True,
    help="How to tell it; md is the body of its pull request.",
)
@at_option
@session_command
def command(session: Session, promotion: str | None, form: Format, at: str | None) -> int:
    """Show what a reviewer of a promotion needs to know.

    How good the candidate is against the champion, what changed in data, code, parameters and card, what the gates said, who
    agreed and who may, when it can be merged, what that does, and how to undo it. The promotion is an open one, or one that
    was merged, then as of its merge. It decides nothing: the exit code is 0 whatever it tells.

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
    from mlgit.cli.render import brief_text  # noqa: PLC0415 - one format at a time

    return brief_text.render(found) + text.following(found.next)


def _markdown(found: Brief) -> str:
    from mlgit.cli.render import brief_markdown  # noqa: PLC0415 - one format at a time

    return brief_markdown.body(found)
