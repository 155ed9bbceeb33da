"""Apply environments in a workflow, and report the results to the forge as deployments."""

from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec.structs import replace

from mlgit.errors import Exit, Finding, MlgitError, Severity
from mlgit.ops.delivery import apply
from mlgit.ops.delivery.apply import Applied
from mlgit.ops.delivery.deployer import Application, ApplicationState
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.workspace import Workspace

_DEPLOYMENT_STATES: Final[dict[ApplicationState, Literal["success", "failure"]]] = {
    "applied": "success",
    "blocked": "failure",
    "failed": "failure",
}
"""Results that are reported; after the others the forge knows already what runs."""


class CiApplied(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-apply.v1"):
    """The result of each manifest that was to be applied; `warnings` about what could not be reported to the forge."""

    applied: Applied
    warnings: list[Finding] = []

    @property
    def findings(self) -> list[Finding]:
        """All findings."""
        return [*(finding for result in self.applied.results for finding in result.findings), *self.warnings]

    @property
    def exit(self) -> Exit:
        """The exit code of `apply`: a failed report changes nothing about what runs."""
        return self.applied.exit


def run(
    workspace: Workspace,
    environment: str | None = None,
    model: str | None = None,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> CiApplied:
    """Apply, and report to the forge, as a deployment of each environment and model, what was applied, blocked or failed.

    The ledger has the records that count, deployments at a forge are for information. So a forge that refuses, or does not
    answer, is a warning, and gets no further report in this run. A project without a forge reports nothing.

    Args:
        workspace: where.
        environment: the environment; all of them, if None.
        model: the model; all of them, if None.
        dry_run: whether to change nothing, here or at the forge.
        on_step: is called with what is being done.

    Raises:
        MlgitError: as `ops.delivery.apply.run` does.
    """
    applied = apply.run(workspace, environment, model, dry_run=dry_run, on_step=on_step)
    reported = [result for result in applied.results if result.state in _DEPLOYMENT_STATES]
    if dry_run or not reported:
        return CiApplied(applied=applied)
    on_step("reporting deployments to the forge")
    base = Lifecycle(workspace.repository.tree(applied.commit), workspace.formats.record)
    try:
        forge = workspace.forge()
        if forge is not None:
            for result in reported:
                _report_deployment(forge, base, applied.commit, result)
    except MlgitError as error:
        return CiApplied(applied=applied, warnings=[_as_warning(finding) for finding in error.findings])
    return CiApplied(applied=applied)


def _report_deployment(forge: Forge, base: Lifecycle, commit: str, result: Application) -> None:
    version = base.champion(result.environment, result.model)
    payload: dict[str, Any] = {
        "promotion": result.promotion,
        "version": result.version,
        "digest": None if version is None else version.digest,
    }
    # A forge keeps one history of deployments for each environment name, so each model has its own.
    name = f"{result.environment}/{result.model}"
    state = _DEPLOYMENT_STATES[result.state]
    forge.report_deployment(commit, name, state, description=_description(result), payload=payload)


def _description(result: Application) -> str:
    causes = ", ".join(dict.fromkeys(finding.id for finding in result.findings))
    return f"{result.version or 'nothing'}: {result.state}" + (f" ({causes})" if causes else "")


def _as_warning(finding: Finding) -> Finding:
    message = f"deployments were not reported to the forge: {finding.message}"
    return replace(finding, message=message, severity=Severity.WARNING)
