"""Checks of the repository: its history, its ledger, and the findings of `mlgit validate`."""

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import Finding, Severity
from mlgit.ops.doctor.context import CheckResult, DoctorContext, Fix
from mlgit.ops.kernel import ledger_branch
from mlgit.ops.kernel import remote as origin
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.validation import validate


def history(context: DoctorContext) -> CheckResult:
    """The clone is not shallow."""
    context.workspace.repository.require_full_history()
    return CheckResult("the history is complete")


def valid(context: DoctorContext) -> CheckResult:
    """Every file of the project is valid."""
    at = None if context.workspace.repository.root is not None else context.base[0]
    validated = validate.run(context.workspace, at=at)
    summary = f"{validated.records_checked:,} records checked in {validated.tree}"
    errors = [finding for finding in validated.findings if finding.severity is Severity.ERROR]
    if not errors:
        return CheckResult(summary)
    first = errors[0]
    invalid = Finding(
        "project-invalid",
        f"{len(errors):,} of the project's files or records {'is' if len(errors) == 1 else 'are'} not valid",
        why=f"first: [{first.id}] {first.message}",
        fix="`mlgit validate` shows all of them, each with its fix",
        at=first.at,
    )
    return CheckResult(summary, [invalid])


def ledger_shared(context: DoctorContext) -> CheckResult:
    """The ledger exists once something was promoted, and is the same here and at origin."""
    repository = context.workspace.repository
    has_origin = origin.exists(repository)
    if has_origin:
        ledger_branch.fetch_ledger(repository)
    local, remote = repository.resolve(layout.LEDGER), repository.resolve(origin.tracking_ref(layout.LEDGER))
    if local is None and remote is None:
        if not context.state.promotions():
            return CheckResult("nothing was promoted yet, so there is no ledger")
        missing = Finding(
            "ledger-missing",
            "models are promoted, and there is no ledger",
            why="without the branch mlgit-ledger, approvals and deployments are not known",
            fix="fetch it from where it is: `git fetch origin mlgit-ledger:mlgit-ledger`",
        )
        return CheckResult("there is no ledger", [missing])
    if not has_origin:
        return CheckResult("the ledger is only in this repository: there is no remote origin")
    if local is None or remote == local or (remote is not None and origin.contains(repository, remote, local)):
        return CheckResult("the ledger is at origin")
    return _unpushed_ledger(repository, local, remote)


def _unpushed_ledger(repository: Repository, local: CommitId, remote: CommitId | None) -> CheckResult:
    """Report that origin lacks entries, with a push as the fix where that is a fast-forward."""
    is_ahead = remote is None or origin.contains(repository, local, remote)
    push = f"git push origin {layout.LEDGER.removeprefix('refs/heads/')}"
    unpushed = Finding(
        "ledger-unpushed",
        f"the ledger here {'is not pushed' if is_ahead else 'and that of origin have diverged'}",
        why="others do not see approvals and deployments that were recorded here",
        fix=f"run `{push}`, or `mlgit doctor --fix`"
        if is_ahead
        else "`mlgit apply` merges the two, and pushes the result",
        severity=Severity.WARNING,
    )
    fix = Fix(push, lambda: repository.push(origin.NAME, [f"{local}:{layout.LEDGER}"]))
    return CheckResult("the ledger has entries that origin does not have", [unpushed], [fix] if is_ahead else [])
