"""Ask a command about another moment."""

import click

from mlgit.cli.params import session_command
from mlgit.cli.session import Session

_WORDS = {"card": ("show", ["--card"])}
"""Questions that are part of another command."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("moment", metavar="REV|DATE")
@click.argument("question", metavar="COMMAND")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENTS]...")
@session_command
@click.pass_context
def command(ctx: click.Context, session: Session, moment: str, question: str, words: tuple[str, ...]) -> object:
    """Ask a command about another moment: a date, a commit, a branch or a tag.

    It is what COMMAND says with `--at`; `card` is `show --card`. A date is its last moment, and a time is one in UTC.

    \b
    Examples:
      mlgit at 2026-03-01 status
      mlgit at v1.0 show churn
      mlgit at 2026-03-01 card churn@3
      mlgit at 2026-03-01T12:00Z why production churn --json
    """
    name, more = _WORDS.get(question, (question, []))
    inner = _reading(ctx, name)
    if inner is None:
        ctx.fail(f"{question!r} cannot be asked about another moment. There is {', '.join(_questions(ctx))}.")
    if any(word == "--at" or word.startswith("--at=") for word in words):
        ctx.fail("The moment is said once: leave out --at.")
    session.repository.require_full_history()
    options = [f"--at={moment}", *more, *(["--json"] if session.as_json else [])]
    with inner.make_context(name, [*options, *words], parent=ctx.parent) as asked:
        return inner.invoke(asked)


def _reading(ctx: click.Context, name: str) -> click.Command | None:
    """Return a command, if it can be asked about another moment."""
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)  # noqa: S101 - every command is in the one group
    found = root.command.get_command(root, name)
    return found if found is not None and any(one.name == "at" for one in found.params) else None


def _questions(ctx: click.Context) -> list[str]:
    """Return every word that may stand for COMMAND."""
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)  # noqa: S101 - every command is in the one group
    names = [name for name in root.command.list_commands(root) if _reading(ctx, name) is not None]
    return sorted([*names, *_WORDS])
