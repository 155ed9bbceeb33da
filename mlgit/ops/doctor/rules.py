"""Checks of who may change what: owners of the files with rules, and the evidence that each environment asks for."""

from collections.abc import Iterable, Iterator
from typing import Final

from mlgit.domain import codeowners, layout
from mlgit.domain.codeowners import CodeOwners
from mlgit.domain.ledger_evidence import APPLIER
from mlgit.domain.records.governance import RoleHolder
from mlgit.errors import Finding, Location, Severity
from mlgit.ops.doctor.context import CheckResult, DoctorContext

_EVIDENCE_LEVELS: Final = {
    "none": "none: no approvals are required",
    "forge": "forge: the forge names who approved, and the ledger records it",
    "signed": "signed: anybody with a clone can verify who approved",
}


def owners(context: DoctorContext) -> CheckResult:
    """CODEOWNERS exists, is valid, and gives every file with rules an owner who is known."""
    candidates = context.state.tree.read_many(codeowners.PATHS)
    existing = next(((path, content) for path, content in candidates if content is not None), None)
    if existing is None:
        missing = Finding(
            "codeowners-missing",
            "there is no CODEOWNERS",
            why="the forge cannot request reviews by the owners of the rules",
            fix="`mlgit init` writes .github/CODEOWNERS; `mlgit explain codeowners-missing` shows one",
            at=Location(codeowners.PATHS[0]),
            severity=Severity.WARNING,
        )
        return CheckResult("there is no CODEOWNERS", [missing] if context.project.forge != "none" else [])
    file, content = existing
    parsed = codeowners.parse(content.decode(errors="replace"))
    findings = [
        *_syntax_errors(parsed, file),
        *_without_owner(parsed, file, _files_with_rules(context, file)),
        *_unknown_owners(parsed, file, context.state.roles().people.values()),
    ]
    return CheckResult(f"{file} has {len(parsed.rules)} rules", findings)


def evidence(context: DoctorContext) -> CheckResult:
    """The last environment requires approvals."""
    environments = context.environments
    levels = {environment.name: context.state.policy(environment.policy).evidence for environment in environments}
    summary = "; ".join(f"{name} {_EVIDENCE_LEVELS[level]}" for name, level in levels.items())
    if not environments or levels[environments[-1].name] != "none":
        return CheckResult(summary or "there is no environment")
    last = environments[-1]
    unproven = Finding(
        "evidence-not-required",
        f"{last.name} is the last environment, and requires no approvals",
        why=f"{layout.policy(last.policy)} has evidence: none, so anybody with write access decides alone",
        fix="set evidence: signed there, or forge where reviews at the forge are enough",
        at=Location(layout.policy(last.policy), path="evidence"),
        severity=Severity.WARNING,
    )
    return CheckResult(summary, [unproven])


def appliers(context: DoctorContext) -> CheckResult:
    """Where a policy asks for evidence, somebody is an applier, who signs what is applied and observed."""
    people = context.state.roles().people
    names = sorted(name for name, holder in people.items() if APPLIER in holder.roles)
    asking = [
        environment.name
        for environment in context.environments
        if context.state.policy(environment.policy).evidence != "none"
    ]
    if names or not asking:
        return CheckResult(f"{', '.join(names) or 'nobody'} may sign what is applied")
    missing = Finding(
        "applier-missing",
        "nobody may sign what is applied",
        why=f"{asking[0]} asks for evidence, and no entry of {layout.ROLES} has the role `{APPLIER}`",
        fix=f"add roles: [{APPLIER}] to whoever runs `mlgit apply`; of a workflow, an entry with bot: true and its key",
        at=Location(layout.ROLES),
    )
    return CheckResult("nobody may sign what is applied", [missing])


def _files_with_rules(context: DoctorContext, owners_file: str) -> list[str]:
    """Return the files with rules, one for each folder of them: a file that is added has to have an owner too.

    Holds are not among them: adding one at night must not wait for an owner.
    """
    return [
        layout.PROJECT,
        layout.ROLES,
        layout.SIGNERS,
        layout.TRUSTED_TYPES,
        owners_file,
        ".github/workflows/any.yaml",
        layout.policy("any"),
        layout.problem("any"),
        layout.override("any"),
        *(layout.environment(environment.name) for environment in context.environments),
    ]


def _syntax_errors(parsed: CodeOwners, file: str) -> Iterator[Finding]:
    for line, why in parsed.errors:
        yield Finding(
            "codeowners-syntax-error",
            f"forges ignore line {line} of {file}",
            why=why,
            fix="correct the line; until then the files that it names may have no owner",
            at=Location(file, line),
        )


def _without_owner(parsed: CodeOwners, file: str, paths: list[str]) -> Iterator[Finding]:
    for path in paths:
        if not parsed.owners_of(path):
            yield Finding(
                "codeowners-owner-missing",
                f"{path.replace('/any.yaml', '/')} has no owner",
                why="no rule matches it, or the last rule that matches names nobody",
                fix=f"add a line for it at the end of {file}",
                at=Location(file),
                severity=Severity.WARNING,
            )


def _unknown_owners(parsed: CodeOwners, file: str, people: Iterable[RoleHolder]) -> Iterator[Finding]:
    known = {name.lower() for person in people for name in (*person.emails, *(f"@{login}" for login in person.logins))}
    reported = set()
    for rule in parsed.rules:
        for owner in rule.owners:
            if codeowners.is_team(owner) or owner.lower() in known or owner in reported:
                continue
            reported.add(owner)
            yield Finding(
                "codeowners-owner-unknown",
                f"{owner} owns files, and is not in {layout.ROLES}",
                why="a forge ignores an owner that it does not know, and mlgit cannot tell who it is",
                fix="correct it, or list it there: under logins, or under emails; teams are written @organisation/team",
                at=Location(file, rule.line),
                severity=Severity.WARNING,
            )
