"""Show what a reviewer of a promotion needs to know."""

import click

from mlgit.cli.params import PROMOTION, at_option, format_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.promotion import brief
from mlgit.ops.promotion.brief_result import Brief


@click.command()
@click.argument("promotion", required=False, type=PROMOTION, metavar="[ENV/MODEL|PROMOTION]")
@at_option
@session_command
@format_option("md")
def command(session: Session, promotion: str | None, at: str | None, *, form: str) -> int:
    """Show what a reviewer of a promotion needs to know.

    The metrics against the champion; the changes in data, code, parameters and card; the results of the gates; who approved and
    who may; when it can be merged, what that does, and how to undo it. The promotion may be open or merged; a merged one is
    shown as of its merge. The exit code is 0 whatever the brief shows. --format md is the body of the pull request.

    \b
    Examples:
      mlgit brief
      mlgit brief production/churn
      mlgit brief 01JD8ZK3M9V2Q4T6X8Z0B2D4F6 --json
      mlgit brief production/churn --format md
    """
    return session.answer(brief.run(session, promotion, at=at), _markdown if form == "md" else _show)


def _show(outcome: Brief) -> str:
    from mlgit.cli.render import document  # noqa: PLC0415 - one format at a time
    from mlgit.pages import brief as pages  # noqa: PLC0415 - likewise

    return document.write(pages.page(outcome)) + text.following(outcome.next)


def _markdown(outcome: Brief) -> str:
    from mlgit.pages import brief as pages  # noqa: PLC0415 - one format at a time
    from mlgit.pages import markdown  # noqa: PLC0415 - likewise

    return markdown.forge_body(pages.pull_request_page(outcome))
