"""Verify a push, as a hook of a Git server."""

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
@click.option("--install", is_flag=True, help="Install the hook in this bare repository, and verify nothing.")
@dry_run_option
@session_command
def command(session: Session, *, install: bool, dry_run: bool) -> int:
    """Verify a push, as a hook of a Git server.

    Reads the `OLD NEW REF` lines of a `pre-receive` hook from standard input. A push is rejected if `mlgit merge` would not
    merge it into the base branch, or if it rewrites the ledger. Gates are not evaluated again, which needs the data: `mlgit
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
            "push-input-invalid",
            "there is no push to verify",
            why="standard input is a terminal",
            fix="let Git run this as its hook pre-receive: `mlgit verify-push --install` in the bare repository",
        )
    lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\n")
    return session.answer(verify_push.run(session, [RefUpdate.parse(line) for line in lines if line]), _show)


def _show(outcome: verify_push.PushVerified) -> str:
    if outcome.findings:
        refused = "\n\nThe push was rejected." if outcome.exit else ""
        return "\n\n".join(text.finding(finding) for finding in outcome.findings) + refused
    lines = [
        f"{update.ref.removeprefix('refs/heads/')}: {plural(update.commits, 'commit')} verified"
        + (f", with {plural(len(update.promotions), 'promotion')}" if update.promotions else "")
        for update in outcome.refs
        if update.role != "other"
    ]
    return "\n".join(map(text.clean, lines)) or "Nothing in it needs verification."


def _show_installed(outcome: verify_push.HookInstalled) -> str:
    headline = {
        "installed": f"Installed {outcome.path}",
        "there-already": f"{outcome.path} is there already; nothing was changed.",
        "planned": f"{outcome.path} would be installed. Nothing was changed (dry run).",
    }[outcome.state]
    return text.clean(headline) + text.following("git push, from any clone: it is verified from now on")
