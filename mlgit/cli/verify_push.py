"""Judge a push, as a hook of a Git server."""

import shlex
import sys

import click

from mlgit.cli.params import dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural
from mlgit.errors import usage_error
from mlgit.ops.guard import verify_push
from mlgit.ops.guard.push import HOOK, RefUpdate


@click.command()
@click.option("--install", is_flag=True, help="Put the hook into this bare repository, and judge nothing.")
@dry_run_option
@session_command
def command(session: Session, *, install: bool, dry_run: bool) -> int:
    """Judge a push, as a hook of a Git server.

    Reads `OLD NEW REF` lines on standard input, as Git hands them to `pre-receive`. What `mlgit merge` would not merge does
    not get onto the base branch, and the ledger only grows. Gates are not judged again here, which needs the data: `mlgit
    apply` does that.

    \b
    Examples:
      mlgit -C /srv/git/churn.git verify-push --install
      echo "$(git rev-parse main origin/work | xargs) refs/heads/main" | mlgit verify-push --json
    """
    if install:
        from mlgit.edges import templates  # noqa: PLC0415 - only where it is installed

        hook = templates.hook(HOOK, shlex.join([sys.executable, "-P", "-m", "mlgit"]))
        return session.answer(verify_push.install(session, hook, dry_run=dry_run), _show_installed)
    if sys.stdin.isatty():
        raise usage_error(
            "push-unreadable",
            "nothing says what is pushed",
            why="standard input is a terminal",
            fix="let Git run this as its hook pre-receive: `mlgit verify-push --install` in the bare repository",
        )
    lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines()
    return session.answer(verify_push.run(session, [RefUpdate.parse(line) for line in lines]), _show)


def _show(found: verify_push.PushVerified) -> str:
    if found.findings:
        refused = "\n\nNothing of the push was taken." if found.exit else ""
        return "\n\n".join(text.finding(finding) for finding in found.findings) + refused
    said = [
        f"{one.ref.removeprefix('refs/heads/')}: {plural(one.commits, 'commit')} verified"
        + (f", with {plural(len(one.promotions), 'promotion')}" if one.promotions else "")
        for one in found.refs
        if one.role != "other"
    ]
    return "\n".join(map(text.clean, said)) or "Nothing in it is mlgit's to judge."


def _show_installed(found: verify_push.HookInstalled) -> str:
    said = {
        "installed": f"Installed {found.path}",
        "there-already": f"{found.path} is there already; nothing was changed.",
        "planned": f"{found.path} would be installed. Nothing was changed (dry run).",
    }[found.state]
    return text.clean(said) + text.following("git push, from any clone: it is judged from now on")
