"""Make environments run what the base branch says."""

import click

from mlgit.cli.params import ENVIRONMENT, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops import apply

_WORDS = {
    "applied": "applied",
    "up-to-date": "nothing to do",
    "recorded": "ran already; written down",
    "blocked": "blocked",
    "failed": "failed",
    "planned": "would be applied",
    "no-target": "no target",
}


@click.command()
@click.argument("environment", required=False, type=ENVIRONMENT)
@dry_run_option
@session_command
def command(session: Session, environment: str | None, *, dry_run: bool) -> int:
    """Make environments run what the base branch says.

    Every promotion is verified again before anything is switched: a check that was green once is only a hint. What runs is
    read back from the target and written onto the ledger. Running it again does no harm.

    \b
    Examples:
      mlgit apply
      mlgit apply production --dry-run
    """
    return session.answer(apply.run(session, environment, dry_run=dry_run, on_step=session.step), _show)


def _show(found: apply.Applied) -> str:
    if not found.results:
        return "Nothing has been promoted yet." + text.following("mlgit promote MODEL@N --to ENVIRONMENT")
    rows = [
        [
            f"{one.environment}/{one.model}",
            one.version or "nothing",
            _WORDS[one.state],
            f"decision {one.decision[7:19]}" if one.decision else "",
            ", ".join(one.approved_by),
        ]
        for one in found.results
    ]
    shown = [text.table(["WHERE", "VERSION", "RESULT", "DECISION", "APPROVED BY"], rows)]
    shown += [text.finding(finding) for one in found.results for finding in one.findings]
    return "\n\n".join(shown) + text.following("mlgit status")
