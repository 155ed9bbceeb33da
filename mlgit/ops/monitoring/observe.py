"""Check deployments for drift, and record what was observed: the evidence for soak and ramps."""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain.names import VersionRef
from mlgit.domain.records import Deployment, Promotion
from mlgit.domain.slots import observed_beside
from mlgit.errors import Exit, Finding, MlgitError
from mlgit.ops.delivery import deployment_log
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ledger_branch import fetch_ledger
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.target import Observed
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot

HealthState = Literal["verified", "degraded", "not-applied", "failed", "no-target"]


class DeploymentHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What was observed of one model in one environment."""

    environment: str
    model: str
    version: str | None
    health: HealthState
    message: str = ""
    findings: list[Finding] = []


class Observations(Outcome, frozen=True, kw_only=True, tag="mlgit/observe.v1"):
    """What was observed of each model in one environment, or in all."""

    results: list[DeploymentHealth]

    @property
    def exit(self) -> Exit:
        """No where something is degraded; inconclusive where a target or the ledger did not answer."""
        states = {result.health for result in self.results}
        if "failed" in states:
            return Exit.INCONCLUSIVE
        return Exit.NO if "degraded" in states else Exit.YES


def run(
    workspace: Workspace,
    environment: str | None = None,
    model: str | None = None,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Observations:
    """Observe one environment (or one model in it), or all, and append to the ledger whether it runs what was applied last.

    Nothing is switched, even if it is degraded: `mlgit apply` repairs that.

    Args:
        workspace: where.
        environment: the environment; all of them, if None.
        model: the model; all of them, if None.
        dry_run: whether to record nothing.
        on_step: called with a description of each slow step.

    Raises:
        MlgitError: there is no such environment (`environment-unknown`), or the ledger was rewritten (`ledger-rewritten`).
        Inconclusive: the remote did not answer.
    """
    if not dry_run and remote.exists(workspace.repository):
        fetch_ledger(workspace.repository)
    snapshot = take_snapshot(workspace)
    results = []
    for key, manifest in snapshot.state.select_promotions(environment, model).items():
        on_step(f"checking {'/'.join(key)}")
        results.append(_check(workspace, snapshot, manifest, dry_run=dry_run))
    return Observations(results=results)


def _check(workspace: Workspace, snapshot: Snapshot, manifest: Promotion, *, dry_run: bool) -> DeploymentHealth:
    entries = snapshot.ledger.deployments(manifest.environment, manifest.model)
    applied = next((entry for entry in reversed(entries) if entry.status == "verified"), None)
    health = DeploymentHealth(
        environment=manifest.environment, model=manifest.model, version=None, health="not-applied"
    )
    target = workspace.target(snapshot.state.environment(manifest.environment))
    if target is None:
        return replace(health, health="no-target")
    if applied is None:
        return health
    health = replace(health, version=str(VersionRef(applied.model, applied.version or 0)))
    if broken := deployment_log.check_log(workspace, snapshot, manifest, entries):
        return replace(health, health="failed", findings=broken)
    try:
        observed = target.observe(manifest.model)
        message = _drift(applied, observed)
        if not dry_run:
            deployment_log.record(workspace, snapshot.state, _entry(snapshot, applied, observed, message), repeat=True)
    except MlgitError as error:  # an observation that failed says nothing about the deployment
        return replace(health, health="failed", findings=list(error.findings))
    return replace(health, health="degraded" if message else "verified", message=message)


def _drift(applied: Deployment, observed: Observed) -> str:
    """Return how what runs differs from what was applied last; an empty text where it does not."""
    if observed.altered:
        return f"files were altered: {', '.join(observed.altered)}"
    beside: dict[str, tuple[str | None, str | None, int]] = {
        slot: (version.digest, version.artifact, version.traffic) for slot, version in observed_beside(applied).items()
    }
    if applied.traffic is None:
        same = (observed.digest, observed.artifact) == (applied.digest, applied.artifact) and observed.beside == beside
    else:
        same = observed.beside == {**beside, "challenger": (applied.digest, applied.artifact, applied.traffic)}
    if same:
        return ""
    if applied.traffic is None and observed.digest == applied.digest:
        return f"beside it runs {_listed(observed.beside)}, where {_listed(beside)} was applied"
    runs = "no version" if observed.digest is None else f"the version of digest {observed.digest[7:19]}"
    share = f", with {applied.traffic} per cent of the requests," if applied.traffic else ""
    return f"it runs {runs}, where that of digest {(applied.digest or '')[7:19]}{share} was applied"


def _listed(beside: Mapping[str, tuple[str | None, str | None, int]]) -> str:
    """Return what runs beside a champion, in words."""
    releases = [
        f"a {slot} of digest {(digest or 'unknown')[7:19]} with {traffic} per cent"
        for slot, (digest, _, traffic) in beside.items()
    ]
    return " and ".join(releases) or "nothing"


def _entry(snapshot: Snapshot, applied: Deployment, observed: Observed, message: str) -> Deployment:
    """Return the log entry for what was observed: as it was applied or, with a message, how it differs."""
    entry = replace(applied, commit=snapshot.commit, target=observed.facts, message=message or None, status="verified")
    if not message:
        return entry
    return replace(
        entry, status="degraded", version=None, digest=observed.digest, artifact=observed.artifact, beside=None
    )
