"""Checks of the person at work: their identity in Git, and whether their signatures will count."""

from collections.abc import Iterator
from typing import Final

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.ledger_evidence import APPLIER
from mlgit.domain.namespaces import APPROVALS, COMMITS, LEDGER
from mlgit.errors import Finding, Location, MlgitError, Severity
from mlgit.ops.doctor.context import CheckResult, DoctorContext, Fix, SignerLine
from mlgit.ops.guard.push import HOOK

_TRUE: Final = {"true", "yes", "on", "1"}
_NAMESPACES: Final = f"{COMMITS},{APPROVALS},{LEDGER}"


def identity(context: DoctorContext) -> CheckResult:
    """Git has a name and an address for the person, and the roles file lists the address."""
    name, email = context.workspace.repository.identity()
    people = context.state.roles().people
    person = next((short_name for short_name, holder in people.items() if email in holder.emails), None)
    if person is not None:
        return CheckResult(f"you are {name} <{email}>, {person} in {layout.ROLES}")
    unlisted = Finding(
        "email-unlisted",
        f"nobody in {layout.ROLES} has the address {email}",
        why="an approval counts for the person whose address it was signed under",
        fix="propose an entry for yourself there, or set `git config user.email` to an address that is listed",
        at=Location(layout.ROLES),
        severity=Severity.WARNING,
    )
    return CheckResult(f"you are {name} <{email}>", [unlisted])


def signing_key(context: DoctorContext) -> CheckResult:
    """The key that the person signs with is listed as theirs, is allowed to sign approvals, and is valid today."""
    content = context.state.tree.read(layout.SIGNERS) or b""
    try:
        fingerprint, lines = context.machine.lines_of_key(content)
    except MlgitError as error:
        if error.findings[0].id != "signing-key-missing":
            raise
        return CheckResult("you have no key to sign with", [_as_warning(finding) for finding in error.findings])
    if not lines:
        unlisted = Finding(
            "signing-key-unlisted",
            f"your key {fingerprint} is not in {layout.SIGNERS} of the base branch",
            why="your signatures do not count",
            fix=f'propose a line there: YOUR@EMAIL namespaces="{_NAMESPACES}" and your .pub file',
            at=Location(layout.SIGNERS),
            severity=Severity.WARNING,
        )
        return CheckResult(f"you sign with {fingerprint}", [unlisted])
    findings_by_line = [list(_line_findings(context, line)) for line in lines]
    best = min(findings_by_line, key=len)  # one line without findings is enough
    return CheckResult(f"you sign with {fingerprint}", best)


def _line_findings(context: DoctorContext, line: SignerLine) -> Iterator[Finding]:
    _, email = context.workspace.repository.identity()
    people = People(context.state.roles())
    listed = {address for holder in context.state.roles().people.values() for address in holder.emails}
    at = Location(layout.SIGNERS, line.line)
    for is_wrong, message, fix in (
        (
            not line.may_sign(APPROVALS),
            f"your key may not sign approvals: its line does not name {APPROVALS}",
            f'propose namespaces="{_NAMESPACES}" in that line',
        ),
        (
            not line.may_sign(LEDGER) and APPLIER in people.roles(people.person(email)),
            f"you are an applier, and your key may not sign what you apply: its line does not name {LEDGER}",
            f'propose namespaces="{_NAMESPACES}" in that line',
        ),
        (
            not line.may_sign(COMMITS),
            f"your key may not sign commits: its line does not name {COMMITS}",
            f'propose namespaces="{_NAMESPACES}" in that line',
        ),
        (
            not line.valid_at(context.workspace.clock.now()),
            "your key is not valid now",
            "make a new key, and propose a line for it; keep the old line, which past approvals need",
        ),
        (
            listed.isdisjoint(line.principals),
            f"your key belongs to {', '.join(line.principals)}, an address of nobody in {layout.ROLES}",
            "let the line and the roles file name the same address",
        ),
        (
            email not in line.principals,
            f"your key belongs to {', '.join(line.principals)}, and your address in Git is {email}",
            "add the address to that line, or set `git config user.email` to the one that it names",
        ),
    ):
        if is_wrong:
            yield Finding("signing-key-invalid", message, fix=fix, at=at, severity=Severity.WARNING)


def commit_signing(context: DoctorContext) -> CheckResult:
    """Git signs the person's commits with the key that signs their approvals, where a policy asks who made them."""
    policies = [context.state.policy(environment.policy) for environment in context.environments]
    if all(policy.evidence == "none" for policy in policies):
        return CheckResult("no environment requires approvals, so nobody asks who made a commit")
    try:
        missing = context.machine.missing_signing_settings()
    except MlgitError as error:
        if error.findings[0].id != "signing-key-missing":
            raise
        return CheckResult("you have no key to sign commits with")  # which `signing_key` says already
    if missing is None:
        return CheckResult("Git signs with OpenPGP or X.509", [_unsigned("Git's gpg.format is not ssh")])
    if missing:
        settings = ", ".join(f"{name}={value}" for name, value in missing.items())
        fix = Fix(f"set {settings} for this repository", lambda: context.machine.set_git(missing))
        return CheckResult("Git does not sign your commits", [_unsigned(f"not set: {', '.join(missing)}")], [fix])
    if context.workspace.repository.config("commit.gpgsign") not in _TRUE:
        return CheckResult("Git does not sign your commits", [_unsigned("Git's commit.gpgsign is off")])
    return CheckResult("Git signs your commits with the key that signs your approvals")


def _unsigned(why: str) -> Finding:
    return Finding(
        "commits-unsigned",
        "your commits prove no author to mlgit",
        why=f"{why}; what somebody unknown proposes, trains or changes needs one more approval",
        fix="`mlgit doctor --fix` sets what is missing; else `mlgit explain commits-unsigned` shows the settings",
        severity=Severity.WARNING,
    )


def hook(context: DoctorContext) -> CheckResult:
    """A bare repository, which people push to, has the hook that verifies pushes."""
    repository = context.workspace.repository
    if repository.root is not None:
        return CheckResult("a clone: it needs no hook")
    path, content = repository.hook(HOOK)
    if content is not None and b"verify-push" in content:
        return CheckResult(f"{HOOK} verifies every push")
    missing = Finding(
        "hook-missing",
        "pushes to this repository are not verified",
        why=f"{path} {'does not exist' if content is None else 'does not run `mlgit verify-push`'}",
        fix="run `mlgit verify-push --install` here",
    )
    return CheckResult("a bare repository", [missing])


def _as_warning(finding: Finding) -> Finding:
    """Return a finding as a warning: a person who never approves anything needs no key."""
    return Finding(finding.id, finding.message, finding.why, finding.fix, finding.at, Severity.WARNING)
