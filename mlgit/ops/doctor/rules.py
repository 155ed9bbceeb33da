"""Checks of who may change what: owners of the files that are rules, and what each environment's approvals prove."""

from collections.abc import Iterable, Iterator
from typing import Final

from mlgit.domain import codeowners, layout
from mlgit.domain.codeowners import Owners
from mlgit.domain.records.governance import RoleHolder
from mlgit.errors import Finding, Location, Severity
from mlgit.ops.doctor.subject import Said, Subject

_PROVES: Final = {
    "none": "none: nobody's agreement is asked for",
    "forge": "forge: the forge says who agreed, and the ledger keeps what it said",
    "signed": "signed: anybody with a clone can prove who agreed",
}


def owners(subject: Subject) -> Said:
    """CODEOWNERS is there, can be read, and gives every file that is a rule to somebody who is known."""
    tree = subject.state.tree
    found = next(((path, content) for path, content in tree.read_many(codeowners.PLACES) if content is not None), None)
    uses_forge = subject.project.forge != "none"
    if found is None:
        missing = Finding(
            "codeowners-missing",
            "there is no CODEOWNERS",
            why="the forge cannot ask for a review by those who own the rules",
            fix="`mlgit init` writes .github/CODEOWNERS; `mlgit explain codeowners-missing` shows one",
            at=Location(codeowners.PLACES[0]),
            severity=Severity.WARNING,
        )
        return Said("there is no CODEOWNERS", [missing] if uses_forge else [])
    file, content = found
    parsed = codeowners.parse(content.decode(errors="replace"))
    findings = [
        *_faults(parsed, file),
        *_uncovered(parsed, file, _rule_files(subject, file)),
        *_unknown(parsed, file, subject.state.roles().people.values()),
    ]
    return Said(f"{file} has {len(parsed.rules)} rules", findings)


def evidence(subject: Subject) -> Said:
    """Each environment asks for agreement that can be proven."""
    levels = {one.name: subject.state.policy(one.policy).evidence for one in subject.environments}
    said = "; ".join(f"{name} {_PROVES[level]}" for name, level in levels.items())
    last = subject.environments[-1].name if levels else None
    findings = [
        Finding(
            "evidence-none",
            f"{name} is the last environment, and asks for nobody's agreement",
            why=f"{layout.policy(one.policy)} has evidence: none, so whoever may write there decides alone",
            fix="set evidence: signed there, or forge where reviews at the forge are enough",
            at=Location(layout.policy(one.policy), path="evidence"),
            severity=Severity.WARNING,
        )
        for one in subject.environments
        if (name := one.name) == last and levels[name] == "none"
    ]
    return Said(said or "there is no environment", findings)


def _rule_files(subject: Subject, owners_file: str) -> list[str]:
    """Return the files that are rules, one for each folder of them: a file that is added has to have an owner too.

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
        *(layout.environment(one.name) for one in subject.environments),
    ]


def _faults(parsed: Owners, file: str) -> Iterator[Finding]:
    for line, why in parsed.faults:
        yield Finding(
            "codeowners-syntax",
            f"line {line} of {file} is not read by forges",
            why=why,
            fix="correct the line; until then the files that it names may have no owner",
            at=Location(file, line),
        )


def _uncovered(parsed: Owners, file: str, paths: list[str]) -> Iterator[Finding]:
    for path in paths:
        if not parsed.of(path):
            yield Finding(
                "codeowners-uncovered",
                f"{path.replace('/any.yaml', '/')} has no owner",
                why="the last rule that fits it counts, and names nobody, or no rule fits it",
                fix=f"add a line for it at the end of {file}",
                at=Location(file),
                severity=Severity.WARNING,
            )


def _unknown(parsed: Owners, file: str, people: Iterable[RoleHolder]) -> Iterator[Finding]:
    known = {name.lower() for one in people for name in (*one.emails, *(f"@{login}" for login in one.logins))}
    reported = set()
    for rule in parsed.rules:
        for owner in rule.owners:
            if codeowners.is_team(owner) or owner.lower() in known or owner in reported:
                continue
            reported.add(owner)
            yield Finding(
                "codeowners-unknown",
                f"{owner} owns files, and is nobody in {layout.ROLES}",
                why="a forge ignores an owner whom it does not know, and mlgit cannot tell who it is",
                fix="correct it, or name it there: under logins, or under emails; teams are written @organisation/team",
                at=Location(file, rule.line),
                severity=Severity.WARNING,
            )
