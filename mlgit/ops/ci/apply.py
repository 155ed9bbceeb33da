"""Make environments run what the base branch says, and tell the forge what became of it."""

from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec.structs import replace

from mlgit.errors import Exit, Finding, MlgitError, Severity
from mlgit.ops.delivery import apply
from mlgit.ops.delivery.apply import Application, Applied
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.workspace import Workspace

_TOLD: Final[dict[apply.State, Literal["success", "failure"]]] = {
    "applied": "success",
    "blocked": "failure",
    "failed": "failure",
}
"""What the forge is told of; where nothing was tried, it knows already what runs."""


class AppliedHere(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-apply.v1"):
    """What became of each manifest that was to be applied. `warnings` say what of it the forge could not be told."""

    applied: Applied
    warnings: list[Finding] = []

    @property
    def findings(self) -> list[Finding]:
        """All findings."""
        return [*(finding for one in self.applied.results for finding in one.findings), *self.warnings]

    @property
    def exit(self) -> Exit:
        """The answer of what was applied: a forge that was not told changes nothing of what runs."""
        return self.applied.exit


def run(
    workspace: Workspace,
    environment: str | None = None,
    model: str | None = None,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> AppliedHere:
    """Apply, and tell the forge as a deployment of each environment and model what was applied, blocked or failed.

    A deployment at a forge is decoration, and the ledger has what counts. So a forge that refuses, or does not answer, is a
    warning, and is told no more in this run. A project without a forge tells nobody.

    Args:
        workspace: where.
        environment: the environment; all of them, if None.
        model: the model; all of them, if None.
        dry_run: whether to change nothing, here or at the forge.
        on_step: is told what is being done.

    Raises:
        MlgitError: as `ops.delivery.apply.run` does.
    """
    applied = apply.run(workspace, environment, model, dry_run=dry_run, on_step=on_step)
    concerned = [one for one in applied.results if one.state in _TOLD]
    if dry_run or not concerned:
        return AppliedHere(applied=applied)
    on_step("telling the forge")
    base = Lifecycle(workspace.repository.tree(applied.commit), workspace.formats.record)
    try:
        forge = workspace.forge()
        if forge is not None:
            for one in concerned:
                _tell(forge, base, applied.commit, one)
    except MlgitError as error:
        return AppliedHere(applied=applied, warnings=[_untold(finding) for finding in error.findings])
    return AppliedHere(applied=applied)


def _tell(forge: Forge, base: Lifecycle, commit: str, one: Application) -> None:
    """Tell of one environment and model: a forge keeps one line of deployments for each name."""
    version = base.champion(one.environment, one.model)
    payload: dict[str, Any] = {
        "promotion": one.promotion,
        "version": one.version,
        "digest": None if version is None else version.digest,
    }
    forge.deployment(
        commit, f"{one.environment}/{one.model}", _TOLD[one.state], description=_description(one), payload=payload
    )


def _description(one: Application) -> str:
    why = ", ".join(dict.fromkeys(finding.id for finding in one.findings))
    return f"{one.version or 'nothing'}: {one.state}" + (f" ({why})" if why else "")


def _untold(finding: Finding) -> Finding:
    return replace(
        finding, message=f"the forge was not told what was applied: {finding.message}", severity=Severity.WARNING
    )
