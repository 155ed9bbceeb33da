"""Checks at the forge: what it enforces on the base branch and on the ledger, and what the token may do."""

from collections.abc import Iterator
from contextlib import contextmanager

from mlgit.domain import layout
from mlgit.domain.ruleset import Kind, Role, Weakness, untold, weaknesses
from mlgit.errors import Finding, Inconclusive, MlgitError, Severity
from mlgit.ops.doctor.subject import Said, Subject

_NONE = "mlgit.yaml names no forge"


def base_rules(subject: Subject) -> Said:
    """The base branch changes by pull requests alone, that are checked and looked at."""
    return _rules(subject, "base", subject.base[0])


def ledger_rules(subject: Subject) -> Said:
    """The ledger only grows."""
    return _rules(subject, "ledger", layout.LEDGER.removeprefix("refs/heads/"))


def token(subject: Subject) -> Said:
    """What the token may do is told."""
    if subject.forge is None:
        return Said(_NONE)
    with _open_question():
        may = subject.forge.permissions()
        who = subject.forge.me() or "nobody that can be told"
    told = ", ".join(f"{name} {right}" for name, right in sorted(may.items()))
    return Said(f"{subject.forge.repository}, as {who}: {told or 'the forge does not tell what it may do'}")


@contextmanager
def _open_question() -> Iterator[None]:
    """Take a refusal for what it is here: it says nothing of the rules, only that this token may not see them."""
    try:
        yield
    except MlgitError as error:
        raise Inconclusive(*error.findings) from error


def _rules(subject: Subject, role: Role, branch: str) -> Said:
    if subject.forge is None:
        return Said(_NONE)
    with _open_question():
        rules = subject.rules(branch)
    findings = [
        Finding(
            "branch-unprotected",
            f"{branch} lacks the rule: {weak.rule}",
            why=f"{weak.without}; {subject.forge.repository} does not hold it to that",
            fix=_fix(subject.forge.name, role, weak),
            severity=Severity.ERROR if weak.grave else Severity.WARNING,
        )
        for weak in weaknesses(role, rules, subject.forge.name)
    ]
    if not (unknown := untold(role, rules)):
        return Said(f"{branch} is {'guarded' if not findings else 'not guarded enough'}", findings)
    hidden = Finding(
        "rules-untold",
        f"the forge did not tell all rules of {branch}",
        why=f"not told: {', '.join(unknown)}",
        fix="ask with a token that may read the administration of the repository, or look there yourself",
        severity=Severity.WARNING,
    )
    return Said(f"{branch}: some rules cannot be seen with this token", [*findings, hidden], unjudged=True)


def _fix(kind: Kind, role: Role, weak: Weakness) -> str:
    """Return where a rule is set."""
    if kind == "github":
        return f"`mlgit doctor --print-ruleset{' ledger' if role == 'ledger' else ''}` prints rules that do"
    if not weak.known:
        return "Gitea has no such rule: agree that whoever merges looks for it"
    return "set it in the rule of the branch, under Branches of the repository's settings"
