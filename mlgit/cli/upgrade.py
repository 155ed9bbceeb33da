"""Write the lock that the workflows install mlgit from."""

import click

from mlgit.cli.params import dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.project import upgrade
from mlgit.ops.project.upgrade import MlgitSource


@click.command()
@click.option(
    "--from",
    "source",
    metavar="SOURCE",
    help="Where mlgit comes from: the URL of a release's wheel, git+URL@COMMIT, the path of a wheel or of its sources, or a "
    "version in the index of pip's configuration. By default where the running mlgit was installed from.",
)
@click.option("--with", "extra", metavar="PACKAGE", multiple=True, help="Lock another package too, such as dvc-s3.")
@dry_run_option
@session_command
def command(session: Session, source: str | None, extra: tuple[str, ...], *, dry_run: bool) -> int:
    """Write the lock that the workflows install mlgit from, .mlgit/requirements.lock.

    It has every package that mlgit and requirements.txt need, each with the sha256 of what may be installed. The workflows
    install only from it, so that nobody else's package of the same name is ever run beside your secrets. The lock is a rule: once
    rules are guarded, its change needs approvals.

    pip resolves the packages, and asks the index of its own configuration.

    \b
    Examples:
      mlgit upgrade
      mlgit upgrade --from ../mlgit-1.2.0-py3-none-any.whl --with dvc-s3
      mlgit upgrade --from git+https://github.com/acme/mlgit@3f9c2ab4d81e07c65a92b3f4e1d0c8a7b6f5e4d3
    """
    from mlgit.edges import pip  # noqa: PLC0415 - only here

    parsed = MlgitSource.parse(source if source is not None else pip.own_source())
    with session.progress("pip") as say, pip.installer(session.root, say) as installer:
        outcome = upgrade.run(session, installer, parsed, extra=extra, dry_run=dry_run, on_step=session.step)
    return session.answer(outcome, _show)


def _show(outcome: upgrade.LockUpgraded) -> str:
    if outcome.state == "there-already":
        return f"The lock has mlgit {text.clean(outcome.version)} already; nothing was changed."
    done = "would be locked" if outcome.state == "planned" else "is locked"
    lines = [
        f"mlgit {outcome.version} {done}, with {outcome.packages - 1} other packages",
        f"  from  {outcome.source}",
        *(f"  {change}     {path}" for path, change in outcome.files.items()),
    ]
    if outcome.state == "planned":
        lines.append("Nothing was changed (dry run).")
    following = "git add .mlgit && git commit, on a branch of its own" if outcome.state == "written" else None
    return "\n".join(map(text.clean, lines)) + text.following(following)
