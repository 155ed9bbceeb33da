"""Give a version that is not merged yet another label."""

import click

from mlgit.cli.params import VERSION, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef
from mlgit.ops.training import renumber


@click.command()
@click.argument("version", type=VERSION, metavar="MODEL@N")
@click.option(
    "--to", type=click.IntRange(1, 999_999_999), metavar="M", help="The new label; the next free one if missing."
)
@dry_run_option
@session_command
def command(session: Session, version: VersionRef, to: int | None, *, dry_run: bool) -> int:
    """Give a version that is not merged yet another label.

    For two branches that both made version 8: on the branch that is merged second, one commit moves the folder of its version
    to the next free label. The digest stays. What else is changed or staged in the work tree is left as it is.

    \b
    Examples:
      mlgit renumber churn@8
      mlgit renumber churn@8 --to 12 --dry-run
    """
    return session.answer(renumber.run(session, version, to=to, dry_run=dry_run), _show)


def _show(found: renumber.Renumbered) -> str:
    deed = "is now" if found.commit else "would become"
    lines = [f"{found.before} {deed} {found.after}", f"  digest  {found.digest}, as it was"]
    lines += [f"  commit  {found.commit[:12]}"] if found.commit else []
    lines += [f"  {before} -> {after}" for before, after in found.files.items()]
    if not found.commit:
        return "\n".join([*map(text.clean, lines), "Nothing was changed (dry run)."])
    return "\n".join(map(text.clean, lines)) + text.following(f"mlgit show {found.after}")
