"""Make an immutable version of what was trained."""

import click

from mlgit.cli.params import MODEL, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import size
from mlgit.ops.training import register


@click.command()
@click.argument("model", required=False, type=MODEL)
@click.option("--supersedes", type=click.IntRange(1), metavar="N", help="The version that this one corrects.")
@dry_run_option
@session_command
def command(session: Session, model: str | None, supersedes: int | None, *, dry_run: bool) -> int:
    """Make an immutable version of what was trained, in one commit on the current branch.

    The files go to the DVC remote first and the record after. Registering the same again changes nothing.

    Git's hooks for commits (pre-commit, commit-msg) are not run: the commit is made beside the work tree, which they judge.
    Those for refs and pushes are.

    \b
    Examples:
      mlgit register
      mlgit register churn --supersedes 9
    """
    return session.answer(
        register.run(session, model, supersedes=supersedes, dry_run=dry_run, on_step=session.step), _show
    )


def _show(found: register.Registered) -> str:
    said = {
        "registered": f"Registered {found.version}",
        "there-already": f"{found.version} is this already; nothing was changed",
        "planned": f"Would register {found.version}",
    }[found.state]
    lines = [
        said,
        f"  digest   {found.digest}",
        f"  file     {found.format}, {size(found.size)}"
        + (f", p95 {found.p95_ms:.1f} ms a row" if found.p95_ms else ""),
        f"  types    {', '.join(found.types) or 'none beyond those always trusted'}",
        f"  {found.primary.ljust(8)} {found.metrics[found.primary]:.4f}",
        f"  folder   {found.folder}" + (f" (commit {found.commit[:7]})" if found.commit else ""),
    ]
    findings = [text.finding(finding) for finding in found.findings]
    after = f"mlgit promote {found.version} --to {found.next_environment}" if found.next_environment else None
    return "\n\n".join(["\n".join(lines), *findings]) + text.following(after)
