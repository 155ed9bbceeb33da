"""Look over the set-up, and say how to put it right."""

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
_STATE_WIDTH = len("inconclusive")
_NAMELESS = {"project": "", "owner": "", "person": "", "email": "", "model": ""}
"""Of the shipped files, those that are held against a project's have no names in them."""


@click.command()
@click.option("--fix", is_flag=True, help="Put right what is safe to; nothing outside of this repository is changed.")
@click.option(
    "--print-ruleset",
    "role",
    is_flag=False,
    flag_value="base",
    type=click.Choice(["base", "ledger"]),
    help="Only print the rules that the base branch, or the ledger, should have, as GitHub takes them.",
)
@dry_run_option
@session_command
def command(session: Session, role: BranchRole | None, *, fix: bool, dry_run: bool) -> int:
    """Look over the set-up, and say how to put it right.

    Looks at this machine, at you, the data remote, the repository, its rules and workflows, and the forge. A small object is
    written into the data remote and removed again. Warnings are no failure; exit code 3 says that something did not answer.

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
            "dry-run-alone", "--dry-run shows what --fix would do", fix="add --fix, or leave --dry-run out"
        )
    repository = session.repository
    found = doctor.run(
        session,
        LocalMachine(repository.root or session.directory, repository.config),
        _shipped(session),
        fix=fix,
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(found, lambda one: _show(one, fix=fix))


def _ruleset(session: Session, role: BranchRole) -> str:
    import json  # noqa: PLC0415 - only here

    branch = snapshot.base_of(session)[0] if role == "base" else "mlgit-ledger"
    document: dict[str, Any] = recommended_ruleset(role, branch)
    return json.dumps(document, indent=2)


def _shipped(session: Session) -> dict[str, bytes]:
    """Return the files that every project at its forge begins with and whose content does not depend on whose it is."""
    forge = snapshot.base_of(session)[1].project().forge
    files = templates.project(next(iter(templates.TEMPLATES)), forge)
    held = {path: content for path, content in files.items() if path == ".gitattributes" or "/workflows/" in path}
    return templates.render(held, _NAMELESS)


def _show(found: doctor.Diagnosis, *, fix: bool) -> str:
    width = max(len(one.check) for one in found.checks)
    lines: list[str] = []
    for group, checks in groupby(found.checks, key=lambda one: one.group):
        lines += ["", _GROUPS[group]] if lines else [_GROUPS[group]]
        for one in checks:
            lines.append(f"  {text.word(one.state, _STATE_WIDTH)}  {one.check.ljust(width)}  {text.clean(one.summary)}")
    findings = [text.finding(finding) for finding in _several(found.checks)]
    shown = ["\n".join(lines), *findings]
    fixes = [change for one in found.checks for change in one.fixes]
    if found.fixed:
        shown.append("\n".join(f"Fixed: {text.clean(change)}" for change in found.fixed))
    if fixes and fix:
        shown.append(
            "\n".join(f"Would fix: {text.clean(change)}" for change in fixes) + "\nNothing was changed (dry run)."
        )
    return "\n\n".join([*shown, _summary(found)]) + text.following(_next(found, fixes))


def _summary(found: doctor.Diagnosis) -> str:
    """Count the findings; the cause of an inconclusive check is no error of the set-up, so such checks are counted apart."""
    judged = _several(one for one in found.checks if one.state != "inconclusive")
    errors = sum(finding.severity is Severity.ERROR for finding in judged)
    warnings = sum(finding.severity is Severity.WARNING for finding in _several(found.checks))
    told = (
        plural(errors, "error"),
        plural(warnings, "warning"),
        f"{sum(one.state == 'inconclusive' for one in found.checks)} inconclusive",
    )
    return f"{plural(len(found.checks), 'check')}: {', '.join(told)}"


def _several(checks: Iterable[doctor.CheckReport]) -> list[Finding]:
    """Return every finding once: one cause may stop many checks."""
    return list(dict.fromkeys(finding for one in checks for finding in one.findings))


def _next(found: doctor.Diagnosis, fixes: list[str]) -> str | None:
    if fixes:
        return "mlgit doctor --fix"
    if found.fixed:
        return "git diff, and commit what was fixed"
    return "mlgit status" if not found.exit else None
