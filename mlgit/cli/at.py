"""Run a read-only command as of another time."""

import click

from mlgit.cli.params import REVISION, session_command
from mlgit.cli.session import Session

_ALIASES = {"card": ("show", ["--card"])}
"""Names that stand for another command with options."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("rev", type=REVISION, metavar="REV")
@click.argument("name", metavar="COMMAND")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENTS]...")
@session_command
@click.pass_context
def command(ctx: click.Context, session: Session, rev: str, name: str, arguments: tuple[str, ...]) -> object:
    """Run a read-only command as of another time: a date, a commit, a branch or a tag.

    Same as COMMAND with --at; `card` is `show --card`. A date means the end of that day, and a time is in UTC.

    \b
    Examples:
      mlgit at 2026-03-01 status
      mlgit at v1.0 show churn
      mlgit at 2026-03-01 card churn@3
      mlgit at 2026-03-01T12:00Z why production/churn --json
    """
    target, more = _ALIASES.get(name, (name, []))
    inner = _read_only(ctx, target)
    if inner is None:
        ctx.fail(f"{name!r} does not read the state as of another time. Use one of {', '.join(_names(ctx))}.")
    if any(argument == "--at" or argument.startswith("--at=") for argument in arguments):
        ctx.fail("Leave out --at: the time is given already.")
    session.repository.require_full_history()
    options = [f"--at={rev}", *more, *(["--json"] if session.as_json else [])]
    with inner.make_context(target, [*options, *arguments], parent=ctx.parent) as context:
        return inner.invoke(context)


def _read_only(ctx: click.Context, name: str) -> click.Command | None:
    """Return a command, if it has the option --at."""
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)  # noqa: S101 - every command is in the one group
    target = root.command.get_command(root, name)
    has_at = target is not None and any(parameter.name == "at" for parameter in target.params)
    return target if has_at else None


def _names(ctx: click.Context) -> list[str]:
    """Return everything that may stand for COMMAND."""
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)  # noqa: S101 - every command is in the one group
    names = [name for name in root.command.list_commands(root) if _read_only(ctx, name) is not None]
    return sorted([*names, *_ALIASES])
