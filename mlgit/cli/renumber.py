"""Change the number of a version that is not merged yet."""

import click

from mlgit.cli.params import VERSION, dry_run_option, number_of, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef
from mlgit.ops.training import renumber


@click.command()
@click.argument("version", type=VERSION, metavar="MODEL@N")
@click.argument("new", type=VERSION, metavar="[MODEL@M]", required=False)
@dry_run_option
@session_command
def command(session: Session, version: VersionRef, new: VersionRef | None, *, dry_run: bool) -> int:
    """Change the number of a version that is not merged yet, to MODEL@M or to the next free number.

    For two branches that both registered a version 8: on the branch that is merged second, one commit moves the folder of its
    version. The digest stays the same. Other changes in the work tree and the index are left alone.

    \b
    Examples:
      mlgit renumber churn@8
      mlgit renumber churn@8 churn@12 --dry-run
    """
    number = None if new is None else number_of(new, version.model, "MODEL@M")
    return session.answer(renumber.run(session, version, to=number, dry_run=dry_run), _show)


def _show(outcome: renumber.Renumbered) -> str:
    action = "is now" if outcome.commit else "would become"
    lines = [f"{outcome.before} {action} {outcome.after}", f"  digest  {outcome.digest}, unchanged"]
    lines += [f"  commit  {outcome.commit[:12]}"] if outcome.commit else []
    lines += [f"  {before} -> {after}" for before, after in outcome.files.items()]
    if not outcome.commit:
        return "\n".join([*map(text.clean, lines), "Nothing was changed (dry run)."])
    return "\n".join(map(text.clean, lines)) + text.following(f"mlgit show {outcome.after}")
