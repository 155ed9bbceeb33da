"""Checks at the forge: what it enforces on the base branch and on the ledger, and the permissions of the token."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mlgit.domain import layout, workflows
from mlgit.domain.branch_protection import BranchRole, MissingRule, missing_rules, unreadable_rules
from mlgit.domain.forge import EnvironmentRules, ForgeKind
from mlgit.errors import Finding, Inconclusive, MlgitError, Severity
from mlgit.ops.doctor.context import CheckResult, DoctorContext
from mlgit.ops.doctor.workflows import parse_workflows

_NO_FORGE: Final = "mlgit.yaml names no forge"


def base_rules(context: DoctorContext) -> CheckResult:
    """The base branch changes only by pull requests that are checked and reviewed."""
    return _branch_protection(context, "base", context.base[0])


def ledger_rules(context: DoctorContext) -> CheckResult:
    """The history of the ledger cannot be rewritten."""
    return _branch_protection(context, "ledger", layout.LEDGER.removeprefix("refs/heads/"))


def environments(context: DoctorContext) -> CheckResult:
    """Only the base branch can use the environments with secrets."""
    if context.forge is None:
        return CheckResult(_NO_FORGE)
    if context.forge.name != "github":
        return CheckResult(
            "this forge has no environments; whoever can push a branch can use the secrets of its workflows"
        )
    base = context.base[0]
    parsed, _ = parse_workflows(context)
    names = dict.fromkeys(
        name for workflow in parsed.values() for name in workflows.environments_with_secrets(workflow)
    )
    findings: list[Finding] = []
    with _refusal_as_inconclusive():
        for name in names:
            findings += _open_environment(name, context.forge.environment_rules(name), base)
    return CheckResult(f"environments with secrets: {', '.join(names) or 'none'}", findings)


def _open_environment(name: str, rules: EnvironmentRules | None, base: str) -> Iterator[Finding]:
    fix = f"under Settings, Environments, {name}: allow the branch {base} only"
    if rules is None:
        # GitHub makes an environment that a workflow names, without any rule.
        yield Finding(
            "environment-missing",
            f"there is no environment {name}, or this token may not see it",
            why="a workflow uses it, and the first run makes one that every branch may use",
            fix=f"create it; {fix}",
            severity=Severity.WARNING,
        )
        return
    if rules.protected_only:
        return
    others = [pattern for pattern in rules.allowed or () if pattern != base]
    if rules.allowed is None or others:
        yield Finding(
            "environment-open",
            f"{', '.join(others) or 'every branch'} may use the environment {name}",
            why="whoever can push such a branch can write a workflow on it that reads the secrets of the environment",
            fix=fix,
        )


def token(context: DoctorContext) -> CheckResult:
    """The forge shows the permissions of the token."""
    if context.forge is None:
        return CheckResult(_NO_FORGE)
    with _refusal_as_inconclusive():
        permissions = context.forge.permissions()
        login = context.forge.token_login() or "an account that the forge does not name"
    shown = ", ".join(f"{name} {answer}" for name, answer in sorted(permissions.items()))
    return CheckResult(f"{context.forge.repository}, as {login}: {shown or 'the forge does not show its permissions'}")


@contextmanager
def _refusal_as_inconclusive() -> Iterator[None]:
    """Make a refusal inconclusive: it says nothing about the rules, only that this token may not read them."""
    try:
        yield
    except MlgitError as error:
        raise Inconclusive(*error.findings) from error


def _branch_protection(context: DoctorContext, role: BranchRole, branch: str) -> CheckResult:
    if context.forge is None:
        return CheckResult(_NO_FORGE)
    with _refusal_as_inconclusive():
        rules = context.branch_rules(branch)
    findings = [
        Finding(
            "branch-unprotected",
            f"{branch} lacks the rule: {missing.rule}",
            why=f"{missing.consequence}; {context.forge.repository} does not enforce the rule",
            fix=_fix(context.forge.name, role, missing),
            severity=Severity.ERROR if missing.critical else Severity.WARNING,
        )
        for missing in missing_rules(role, rules, context.forge.name)
    ]
    if not (unreadable := unreadable_rules(role, rules)):
        return CheckResult(f"{branch} is {'protected' if not findings else 'not protected enough'}", findings)
    hidden = Finding(
        "branch-protection-inconclusive",
        f"some rules of {branch} cannot be read with this token",
        why=f"not readable: {', '.join(unreadable)}",
        fix="use a token that may read the administration of the repository, or look there yourself",
        severity=Severity.WARNING,
    )
    summary = f"{branch}: some rules cannot be read with this token"
    return CheckResult(summary, [*findings, hidden], inconclusive=True)


def _fix(kind: ForgeKind, role: BranchRole, missing: MissingRule) -> str:
    """Return where a rule is set."""
    if kind == "github":
        return f"`mlgit doctor --print-ruleset{' ledger' if role == 'ledger' else ''}` prints rules that contain it"
    if not missing.supported:
        return "Gitea has no such rule: agree that whoever merges checks it"
    return "set it in the protection of the branch, under Branches of the repository's settings"
