"""Register what was trained as an immutable version."""

import click

from mlgit.cli.params import MODEL, VERSION, dry_run_option, number_of, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import size
from mlgit.domain.names import VersionRef
from mlgit.ops.training import register


@click.command()
@click.argument("model", required=False, type=MODEL)
@click.option("--supersedes", type=VERSION, metavar="MODEL@N", help="The version that this one corrects.")
@dry_run_option
@session_command
def command(session: Session, model: str | None, supersedes: VersionRef | None, *, dry_run: bool) -> int:
    """Register what was trained as an immutable version, in one commit on the current branch.

    MODEL may be left out where there is only one. The files are pushed to the DVC remote first, then the record is committed.
    Registering the same files again changes nothing.

    Git's commit hooks (pre-commit, commit-msg) do not run, since the commit is created outside of the work tree. Hooks for refs
    and pushes do.

    \b
    Examples:
      mlgit register
      mlgit register churn --supersedes churn@9
    """
    number = None
    if supersedes is not None:
        model = model or supersedes.model
        number = number_of(supersedes, model, "--supersedes")
    return session.answer(register.run(session, model, supersedes=number, dry_run=dry_run, on_step=session.step), _show)


def _show(outcome: register.Registered) -> str:
    headline = {
        "registered": f"Registered {outcome.version}",
        "there-already": f"{outcome.version} is registered already; nothing was changed",
        "planned": f"Would register {outcome.version}",
    }[outcome.state]
    lines = [
        headline,
        f"  digest   {outcome.digest}",
        f"  file     {outcome.format}, {size(outcome.size)}"
        + (f", p95 {outcome.p95_ms:.1f} ms a row" if outcome.p95_ms else ""),
        f"  types    {', '.join(outcome.types) or 'only those always trusted'}",
        f"  {outcome.primary_metric.ljust(8)} {outcome.metrics[outcome.primary_metric]:.4f}",
        f"  folder   {outcome.folder}" + (f" (commit {outcome.commit[:7]})" if outcome.commit else ""),
    ]
    findings = [text.finding(finding) for finding in outcome.findings]
    after = f"mlgit promote {outcome.version} --to {outcome.next_environment}" if outcome.next_environment else None
    return "\n\n".join(["\n".join(lines), *findings]) + text.following(after)
