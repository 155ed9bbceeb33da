"""Judge a version by an environment's gates."""

from collections.abc import Mapping
from datetime import datetime

from mlgit import __version__
from mlgit.domain.codec import digest
from mlgit.domain.names import Name, PromotionId, VersionRef
from mlgit.domain.policy import NO_WAIVERS, OverallOutcome, evaluate, overall_outcome
from mlgit.domain.records import GateReport, Version
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import PolicyRef, VersionPin
from mlgit.errors import Exit
from mlgit.ops.evaluation.evidence import StoredEvidence
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace


class GateResults(Outcome, frozen=True, kw_only=True, tag="mlgit/gate.v1"):
    """How an environment's gates judge a version."""

    candidate: str
    champion: str | None
    environment: Name
    policy: Name
    outcome: OverallOutcome
    results: list[GateVerdict]

    @property
    def exit(self) -> Exit:
        """Yes where all gates let it through; not judged where evidence is missing."""
        return {"pass": Exit.YES, "error": Exit.INCONCLUSIVE}.get(self.outcome, Exit.NO)


def run(
    workspace: Workspace,
    state: Lifecycle,
    ref: VersionRef,
    environment: str,
    *,
    waivers: Mapping[str, str] = NO_WAIVERS,
) -> GateResults:
    """Judge a version against the champion that an environment has in a state. Changes nothing.

    Args:
        workspace: where.
        state: the state of the commit that judges; its policy is the rule.
        ref: the version.
        environment: the environment whose gates are asked.
        waivers: who waived a gate and why, by the gate's id; the policy's `never_waivable` holds against them.
    """
    version = state.version(ref)
    champion = state.champion(environment, ref.model)
    policy = state.policy(state.environment(environment).policy)
    evidence = StoredEvidence(workspace, state, version, champion, at=workspace.clock.now())
    results = evaluate(policy.gates, evidence, waivers, never_waivable=policy.never_waivable)
    return GateResults(
        candidate=str(ref),
        champion=None if champion is None else f"{ref.model}@{champion.version}",
        environment=environment,
        policy=policy.name,
        outcome=overall_outcome(results),
        results=results,
    )


def _champion_reads(version: Version, champion: Version | None) -> dict[str, str | None]:
    """Return what of the champion is looked at: its predictions, or where the split changed its file on the new rows."""
    if champion is None or champion.evaluation.split == version.evaluation.split:
        return {"champion-predictions": None if champion is None else champion.evaluation.predictions.sha256}
    features = version.evaluation.features
    return {"champion-model": champion.artifact.sha256, "features": None if features is None else features.sha256}


def gate_report(
    workspace: Workspace,
    state: Lifecycle,
    version: Version,
    environment: str,
    promotion: PromotionId,
    *,
    champion: Version | None,
    at: datetime,
    waivers: Mapping[str, str] = NO_WAIVERS,
) -> GateReport:
    """Judge a version and put the answers, with the digest of all that was looked at, into a report.

    Args:
        workspace: where.
        state: the state of the commit that judges, never of one that proposes something; its policy is the rule.
        version: the candidate.
        environment: the environment whose gates are asked.
        promotion: the promotion that asks.
        champion: the version to compare with (see `baseline_version` of `review.proposals`).
        at: when is judged.
        waivers: who waived a gate and why, by the gate's id; the policy's `never_waivable` holds against them.
    """
    policy = state.policy(state.environment(environment).policy)
    evidence = StoredEvidence(workspace, state, version, champion, at=at)
    results = evaluate(policy.gates, evidence, waivers, never_waivable=policy.never_waivable)
    return GateReport(
        schema=1,
        promotion=promotion,
        environment=environment,
        model=version.model,
        candidate=VersionPin(version=version.version, digest=version.digest),
        champion=None if champion is None else VersionPin(version=champion.version, digest=champion.digest),
        policy=PolicyRef(name=policy.name, digest=digest(policy)),
        reads={
            "model": digest(evidence.model),
            "problem": digest(evidence.problem),
            "predictions": version.evaluation.predictions.sha256,
            **_champion_reads(version, champion),
            **{f"contract-{name}": digest(state.dataset(name)) for name in evidence.model.datasets},
            **{f"data-{name}": stored.sha256 for name, stored in version.inputs.data.items()},
        },
        results=results,
        outcome=overall_outcome(results),
        at=at,
        tool=f"mlgit {__version__}",
    )
