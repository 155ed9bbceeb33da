"""Check the set-up of machine, person, data, repository and forge: what is in order, what is not, and how to fix it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from mlgit.errors import Exit, Finding, Inconclusive, MlgitError, Severity
from mlgit.ops.doctor import attributes, data, forge, machine, person, repository, rules, workflows
from mlgit.ops.doctor.context import CheckResult, DoctorContext, Fix, Group, Machine
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace

State = Literal["ok", "warning", "error", "inconclusive"]
CheckFunction = Callable[[DoctorContext], CheckResult]

CHECKS: Final[Mapping[str, tuple[Group, CheckFunction]]] = {
    "programs": ("machine", machine.programs),
    "time-zones": ("machine", machine.zone_data),
    "identity": ("you", person.identity),
    "signing-key": ("you", person.signing_key),
    "commit-signing": ("you", person.commit_signing),
    "remote": ("data", data.settings),
    "remote-probe": ("data", data.probe),
    "history": ("repository", repository.history),
    "project": ("repository", repository.valid),
    "attributes": ("repository", attributes.attributes),
    "ledger": ("repository", repository.ledger_shared),
    "hook": ("repository", person.hook),
    "owners": ("rules", rules.owners),
    "evidence": ("rules", rules.evidence),
    "appliers": ("rules", rules.appliers),
    "workflows": ("workflows", workflows.shipped),
    "requirements-lock": ("workflows", workflows.lock),
    "workflow-safety": ("workflows", workflows.safe),
    "base-rules": ("forge", forge.base_rules),
    "ledger-rules": ("forge", forge.ledger_rules),
    "environments": ("forge", forge.environments),
    "token": ("forge", forge.token),
}
"""Every check by its id, in the order in which they run. The first line of each docstring says what the check expects."""

_NEED_WORK_TREE: Final = frozenset(
    {"attributes", "remote", "remote-probe", "identity", "signing-key", "commit-signing"}
)
"""Checks that are skipped in a bare repository, in which nobody works."""


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of one check; `fixes` are the changes that `--fix` makes."""

    check: str
    group: Group
    state: State
    summary: str
    findings: list[Finding] = []
    fixes: list[str] = []


class Diagnosis(Outcome, frozen=True, kw_only=True, tag="mlgit/doctor.v1"):
    """The reports of all checks. `fixed` are the changes that were made; the checks concerned ran again after them."""

    checks: list[CheckReport]
    fixed: list[str] = []

    @property
    def exit(self) -> Exit:
        """No where there is an error; inconclusive where a check could not be carried out."""
        states = {report.state for report in self.checks}
        return Exit.NO if "error" in states else Exit.INCONCLUSIVE if "inconclusive" in states else Exit.YES


def run(
    workspace: Workspace,
    machine: Machine,
    shipped: Mapping[str, bytes],
    *,
    fix: bool = False,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Run every check; with `fix`, make the changes that are safe, and run the checks concerned again.

    Args:
        workspace: where.
        machine: the machine.
        shipped: the files that `init` writes into every project, by path.
        fix: whether to make changes.
        dry_run: whether only to list the changes.
        on_step: is called with what is being done.

    Raises:
        MlgitError: there is no commit (`repository-empty`), or no project in it (`not-a-project`).
    """
    context = DoctorContext(workspace, machine, shipped)
    project = context.project.name  # raises where there is none, since nothing could be checked
    on_step(f"checking {project}")
    reports: dict[str, CheckReport] = {}
    fixed: list[str] = []
    for name in _applicable_checks(context):
        on_step(f"checking {name}")
        reports[name], fixes = _run_check(context, name)
        if fix and fixes and not dry_run:
            for change in fixes:
                on_step(change.description)
                change.apply()
                fixed.append(change.description)
            reports[name], _ = _run_check(DoctorContext(workspace, machine, shipped), name)
    return Diagnosis(checks=list(reports.values()), fixed=fixed)


def _applicable_checks(context: DoctorContext) -> Iterator[str]:
    is_bare = context.workspace.repository.root is None
    return (name for name in CHECKS if not (is_bare and name in _NEED_WORK_TREE))


def _run_check(context: DoctorContext, name: str) -> tuple[CheckReport, Sequence[Fix]]:
    group, check = CHECKS[name]
    try:
        result = check(context)
        state = _state(result)
    except MlgitError as error:
        result = CheckResult(error.findings[0].message, error.findings)
        state = "inconclusive" if isinstance(error, Inconclusive) else "error"
    report = CheckReport(
        check=name,
        group=group,
        state=state,
        summary=result.summary,
        findings=list(result.findings),
        fixes=[fix.description for fix in result.fixes],
    )
    return report, result.fixes


def _state(result: CheckResult) -> State:
    """Return the state of a check; a known error goes before an inconclusive answer."""
    severities = {finding.severity for finding in result.findings}
    if Severity.ERROR in severities:
        return "error"
    if result.inconclusive:
        return "inconclusive"
    return "warning" if Severity.WARNING in severities else "ok"
