"""See whether what was applied still runs as it was given, and write it down: the evidence that a soak or a ramp rests on."""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain.names import VersionRef
from mlgit.domain.records import Deployment, Promotion
from mlgit.domain.slots import seen as seen_beside
from mlgit.errors import Exit, Finding, MlgitError
from mlgit.ops.delivery import deployment_log
from mlgit.ops.kernel import remote, snapshot
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.ledger_branch import fetch_ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.target import Observed
from mlgit.ops.kernel.ports.workspace import Workspace

HealthState = Literal["verified", "degraded", "not-applied", "failed", "no-target"]


class DeploymentHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one model in one environment."""

    environment: str
    model: str
    version: str | None
    health: HealthState
    message: str = ""
    findings: list[Finding] = []


class Observations(Outcome, frozen=True, kw_only=True, tag="mlgit/observe.v1"):
    """What was seen of each model in one environment, or in all."""

    results: list[DeploymentHealth]

    @property
    def exit(self) -> Exit:
        """No where something is degraded; not judged where a target or the ledger did not answer."""
        found = {result.health for result in self.results}
        if "failed" in found:
            return Exit.UNJUDGED
        return Exit.NO if "degraded" in found else Exit.YES


def run(
    workspace: Workspace,
    environment: str | None = None,
    model: str | None = None,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Observations:
    """Observe one environment (or one model in it), or all, and append to the ledger whether it runs what was applied last.

    Nothing is switched, also where it is degraded: `mlgit apply` mends that.

    Raises:
        MlgitError: there is no such environment (`environment-unknown`), or the ledger was rewritten (`ledger-rewritten`).
        Unjudged: the remote did not answer.
    """
    if not dry_run and remote.is_there(workspace.repository):
        fetch_ledger(workspace.repository)
    _, base = snapshot.base_of(workspace)
    if environment is not None:
        base.environment(environment)
    if model is not None:
        base.model(model)
    there = snapshot.ledger_of(workspace)
    results = []
    for key, manifest in base.promotions().items():
        if environment in {None, key[0]} and model in {None, key[1]}:
            on_step(f"looking at {'/'.join(key)}")
            results.append(_look(workspace, base, there, manifest, dry_run=dry_run))
    return Observations(results=results)


def _look(
    workspace: Workspace, base: Lifecycle, there: Ledger, manifest: Promotion, *, dry_run: bool
) -> DeploymentHealth:
    entries = there.deployments(manifest.environment, manifest.model)
    applied = next((entry for entry in reversed(entries) if entry.status == "verified"), None)
    seen = DeploymentHealth(environment=manifest.environment, model=manifest.model, version=None, health="not-applied")
    target = workspace.target(base.environment(manifest.environment))
    if target is None:
        return replace(seen, health="no-target")
    if applied is None:
        return seen
    seen = replace(seen, version=str(VersionRef(applied.model, applied.version or 0)))
    if unsound := deployment_log.check_ledger(workspace, base, manifest, entries):
        return replace(seen, health="failed", findings=unsound)
    try:
        observed = target.observe(manifest.model)
        message = _unlike(applied, observed)
        if not dry_run:
            commit = base.tree.commit
            assert commit is not None  # noqa: S101 - the base is a commit
            deployment_log.record_deployment(workspace, commit, _sighting(applied, observed, message), again=True)
    except MlgitError as error:  # a look that failed is no evidence of anything
        return replace(seen, health="failed", findings=list(error.findings))
    return replace(seen, health="degraded" if message else "verified", message=message)


def _unlike(applied: Deployment, observed: Observed) -> str:
    """Say how what runs differs from what was applied last; nothing where it is just that."""
    if observed.altered:
        return f"files were altered: {', '.join(observed.altered)}"
    beside: dict[str, tuple[str | None, str | None, int]] = {
        slot: (one.digest, one.artifact, one.traffic) for slot, one in seen_beside(applied).items()
    }
    if applied.traffic is None:
        same = (observed.digest, observed.artifact) == (applied.digest, applied.artifact) and observed.beside == beside
    else:
        same = observed.beside == {**beside, "challenger": (applied.digest, applied.artifact, applied.traffic)}
    if same:
        return ""
    if applied.traffic is None and observed.digest == applied.digest:
        return f"beside it runs {_listed(observed.beside)}, where {_listed(beside)} was applied"
    what = "no version" if observed.digest is None else f"the version of digest {observed.digest[7:19]}"
    share = f", with {applied.traffic} per cent of the requests," if applied.traffic else ""
    return f"it runs {what}, where that of digest {(applied.digest or '')[7:19]}{share} was applied"


def _listed(beside: Mapping[str, tuple[str | None, str | None, int]]) -> str:
    """Say what runs beside a champion."""
    said = [f"a {slot} of digest {(one[0] or 'unknown')[7:19]} with {one[2]} per cent" for slot, one in beside.items()]
    return " and ".join(said) or "nothing"


def _sighting(applied: Deployment, observed: Observed, message: str) -> deployment_log.Sighting:
    return deployment_log.Sighting(
        environment=applied.environment,
        model=applied.model,
        promotion=applied.promotion,
        status="degraded" if message else "verified",
        version=None if message else applied.version,
        digest=observed.digest if message else applied.digest,
        artifact=observed.artifact if message else applied.artifact,
        facts=observed.facts,
        message=message,
        traffic=applied.traffic,
        beside=None if message else applied.beside,
    )
