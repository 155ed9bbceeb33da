"""Checks of the person at work: who Git says they are, and whether what they sign will count."""

from collections.abc import Iterator

from mlgit.domain import layout
from mlgit.errors import Finding, Location, MlgitError, Severity
from mlgit.ops.doctor.subject import Said, SignerLine, Subject
from mlgit.ops.guard.push import HOOK


def identity(subject: Subject) -> Said:
    """Git knows name and address, and the roles file knows the address."""
    name, email = subject.workspace.repository.identity()
    people = subject.state.roles().people
    who = next((short for short, holder in people.items() if email in holder.emails), None)
    if who is not None:
        return Said(f"you are {name} <{email}>, {who} in {layout.ROLES}")
    unknown = Finding(
        "address-unlisted",
        f"nobody in {layout.ROLES} has the address {email}",
        why="an approval counts for the person whose address it was signed under",
        fix="propose an entry for yourself there, or set `git config user.email` to an address that is listed",
        at=Location(layout.ROLES),
        severity=Severity.WARNING,
    )
    return Said(f"you are {name} <{email}>", [unknown])


def signing_key(subject: Subject) -> Said:
    """The key that the person signs with is theirs by the file of signers, for approvals, today."""
    content = subject.state.tree.read(layout.SIGNERS) or b""
    try:
        fingerprint, lines = subject.machine.lines_of_key(content)
    except MlgitError as error:
        if error.findings[0].id != "signing-key-missing":
            raise
        return Said("you have no key to sign with", [_only_a_warning(found) for found in error.findings])
    if not lines:
        unlisted = Finding(
            "key-unlisted",
            f"your key {fingerprint} is not in {layout.SIGNERS} of the base branch",
            why="what you sign with it counts for nothing",
            fix=f'propose a line there: YOUR@EMAIL namespaces="git,{subject.machine.approvals}" and your .pub file',
            at=Location(layout.SIGNERS),
            severity=Severity.WARNING,
        )
        return Said(f"you sign with {fingerprint}", [unlisted])
    faults = [list(_faults(subject, line)) for line in lines]
    best = min(faults, key=len)  # one line that holds is enough
    return Said(f"you sign with {fingerprint}", best)


def _faults(subject: Subject, line: SignerLine) -> Iterator[Finding]:
    _, email = subject.workspace.repository.identity()
    listed = {address for holder in subject.state.roles().people.values() for address in holder.emails}
    at = Location(layout.SIGNERS, line.line)
    for wrong, message, fix in (
        (
            not line.may_sign(subject.machine.approvals),
            f"your key may not sign approvals: its line does not name {subject.machine.approvals}",
            f'propose namespaces="git,{subject.machine.approvals}" in that line',
        ),
        (
            not line.valid_at(subject.workspace.clock.now()),
            "your key is not valid now",
            "make a new key, and propose a line for it; leave the old line, which past approvals need",
        ),
        (
            listed.isdisjoint(line.principals),
            f"your key stands for {', '.join(line.principals)}, an address of nobody in {layout.ROLES}",
            "let the line and the roles file name the same address",
        ),
        (
            email not in line.principals,
            f"your key stands for {', '.join(line.principals)}, and Git calls you {email}",
            "add the address to that line, or set `git config user.email` to the one that it names",
        ),
    ):
        if wrong:
            yield Finding("key-unfit", message, fix=fix, at=at, severity=Severity.WARNING)


def hook(subject: Subject) -> Said:
    """A bare repository, which people push to, has the hook that judges pushes."""
    repository = subject.workspace.repository
    if repository.root is not None:
        return Said("a clone: it needs no hook")
    path, content = repository.hook(HOOK)
    if content is not None and b"verify-push" in content:
        return Said(f"{HOOK} judges every push")
    missing = Finding(
        "hook-missing",
        "pushes to this repository are not judged",
        why=f"{path} {'is not there' if content is None else 'does not run `mlgit verify-push`'}",
        fix="run `mlgit verify-push --install` here",
    )
    return Said("a bare repository", [missing])


def _only_a_warning(found: Finding) -> Finding:
    """Return a finding as a warning: who never approves anything needs no key."""
    return Finding(found.id, found.message, found.why, found.fix, found.at, Severity.WARNING)
