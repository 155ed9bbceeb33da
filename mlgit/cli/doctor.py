"""Check the set-up, and show how to fix it."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import click

from mlgit.cli.params import dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.branch_protection import BranchRole, recommended_ruleset
from mlgit.domain.formatting import plural
from mlgit.edges import templates
from mlgit.edges.machine import LocalMachine
from mlgit.errors import Exit, Finding, Severity, usage_error
from mlgit.ops import doctor
from mlgit.ops.kernel import snapshot

_GROUPS = {
    "machine": "This machine",
    "you": "You",
    "data": "Data",
    "repository": "Repository",
    "rules": "Rules",
    "workflows": "Workflows",
    "forge": "Forge",
}
_NAMELESS = {"project": "", "owner": "", "person": "", "email": "", "model": ""}
"""The shipped files that are compared with those of a project contain no names."""


@click.command()
@click.option("--fix", is_flag=True, help="Fix what is safe to fix; nothing outside of this repository is changed.")
@click.option(
    "--print-ruleset",
    "role",
    is_flag=False,
    flag_value="base",
    type=click.Choice(["base", "ledger"]),
    help="Only print the recommended branch protection of the base or ledger branch, as a GitHub ruleset.",
)
@dry_run_option
@session_command
def command(session: Session, role: BranchRole | None, *, fix: bool, dry_run: bool) -> int:
    """Check the set-up, and show how to fix it.

    Checks this machine, your identity and keys, the data remote, the repository, its rules and workflows, and the forge. A small
    object is written to the data remote and removed again. Warnings are not a failure; exit code 3 means that something did
    not answer.

    \b
    Examples:
      mlgit doctor
      mlgit doctor --fix --dry-run
      mlgit doctor --print-ruleset | gh api repos/acme/churn/rulesets --method POST --input -
    """
    if role is not None:
        click.echo(_ruleset(session, role))
        return int(Exit.YES)
    if dry_run and not fix:
        raise usage_error(
            "dry-run-without-fix", "--dry-run shows what --fix would do", fix="add --fix, or leave out --dry-run"
        )
    repository = session.repository
    outcome = doctor.run(
        session,
        LocalMachine(repository.root or session.directory, repository.config),
        _shipped(session),
        fix=fix,
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, lambda check: _show(check, fix=fix))


def _ruleset(session: Session, role: BranchRole) -> str:
    import json  # noqa: PLC0415 - only here

    branch = snapshot.base_branch(session) if role == "base" else "mlgit-ledger"
    document: dict[str, Any] = recommended_ruleset(role, branch)
    return json.dumps(document, indent=2)


def _shipped(session: Session) -> dict[str, bytes]:
    """Return the files that every project at its forge begins with and whose content does not depend on whose it is."""
    project = snapshot.take_snapshot(session).state.project()
    files = templates.project(next(iter(templates.TEMPLATES)), project.forge)
    shipped = {path: content for path, content in files.items() if path == ".gitattributes" or "/workflows/" in path}
    return templates.render(shipped, _NAMELESS | {"base": project.base})


def _show(outcome: doctor.Diagnosis, *, fix: bool) -> str:
    width = max(len(check.check) for check in outcome.checks)
    lines: list[str] = []
    for group, checks in groupby(outcome.checks, key=lambda check: check.group):
        lines += ["", _GROUPS[group]] if lines else [_GROUPS[group]]
        for check in checks:
            lines.append(f"  {text.word(check.state, 8)}  {check.check.ljust(width)}  {text.clean(check.summary)}")
    findings = [text.finding(finding) for finding in _unique(outcome.checks)]
    shown = ["\n".join(lines), *findings]
    mends = [mend for check in outcome.checks for mend in check.fixes]
    if outcome.fixed:
        shown.append("\n".join(f"Fixed: {text.clean(what)}" for what in outcome.fixed))
    if mends and fix:
        shown.append("\n".join(f"Would fix: {text.clean(what)}" for what in mends) + "\nNothing was changed (dry run).")
    return "\n\n".join([*shown, _summary(outcome)]) + text.following(_next(outcome, mends))


def _summary(outcome: doctor.Diagnosis) -> str:
    """Count the findings; an inconclusive check is no error of the set-up, so such checks are counted apart."""
    conclusive = _unique(check for check in outcome.checks if check.state != "inconclusive")
    errors = sum(finding.severity is Severity.ERROR for finding in conclusive)
    warnings = sum(finding.severity is Severity.WARNING for finding in _unique(outcome.checks))
    counts = (
        plural(errors, "error"),
        plural(warnings, "warning"),
        f"{sum(check.state == 'inconclusive' for check in outcome.checks)} inconclusive",
    )
    return f"{plural(len(outcome.checks), 'check')}: {', '.join(counts)}"


def _unique(checks: Iterable[doctor.CheckReport]) -> list[Finding]:
    """Return every finding once; the same cause may stop many checks."""
    return list(dict.fromkeys(finding for check in checks for finding in check.findings))


def _next(outcome: doctor.Diagnosis, mends: list[str]) -> str | None:
    if mends:
        return "mlgit doctor --fix"
    if outcome.fixed:
        return "git diff, and commit what was fixed"
    return "mlgit status" if not outcome.exit else None
