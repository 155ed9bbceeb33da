"""Evaluate the gates of an environment for a version."""

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
from mlgit.ops.evaluation.known_evidence import KnownEvidence
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.model_inputs import contracts_of
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace


class GateResults(Outcome, frozen=True, kw_only=True, tag="mlgit/gate.v1"):
    """The results of the gates of an environment for a version."""

    candidate: str
    champion: str | None
    environment: Name
    policy: Name
    outcome: OverallOutcome
    results: list[GateVerdict]

    @property
    def exit(self) -> Exit:
        """Yes if all gates pass; inconclusive if evidence is missing."""
        return {"pass": Exit.YES, "error": Exit.INCONCLUSIVE}.get(self.outcome, Exit.NO)


def run(
    workspace: Workspace,
    state: Lifecycle,
    ref: VersionRef,
    environment: str,
    *,
    at: datetime,
    waivers: Mapping[str, str] = NO_WAIVERS,
) -> GateResults:
    """Evaluate the gates for a version against the champion of an environment. Changes nothing.

    Args:
        workspace: the workspace.
        state: the state with the policy, the version and the champion.
        ref: the version.
        environment: the environment with the gates.
        at: the time of the evaluation.
        waivers: who waived a gate and why, by id of the gate; those that the policy does not allow stay in force.

    Raises:
        MlgitError: the version or the environment does not exist (`version-unknown`, `environment-unknown`).
    """
    version = state.version(ref)
    champion = state.champion(environment, ref.model)
    policy = state.policy(state.environment(environment).policy)
    evidence = KnownEvidence(workspace, state, version, champion, at=at)
    results = evaluate(policy.required_gates, evidence, waivers, never_waivable=policy.unwaivable)
    evidence.save()
    return GateResults(
        candidate=str(ref),
        champion=None if champion is None else f"{ref.model}@{champion.version}",
        environment=environment,
        policy=policy.name,
        outcome=overall_outcome(results),
        results=results,
    )


def _champion_reads(version: Version, champion: Version | None) -> dict[str, str | None]:
    """Return the digests of what gates read of the champion.

    These are its predictions, or, if it was tested on another split, its model file and the new test features.
    """
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
    without_code: bool = False,
) -> GateReport:
    """Evaluate the gates for a version; return a report with the results, and the digests of everything that was read.

    Args:
        workspace: the workspace.
        state: the state before the promotion. Never that of the proposal, which could bring a weaker policy.
        version: the candidate.
        environment: the environment with the gates.
        promotion: the promotion that the report is for.
        champion: the version to compare with (see `proposals.compared_version`).
        at: the time of the evaluation.
        waivers: who waived a gate and why, by id of the gate; those that the policy does not allow stay in force.
        without_code: whether to leave out the gates that run a model file or code of the project.
    """
    policy = state.policy(state.environment(environment).policy)
    evidence = KnownEvidence(workspace, state, version, champion, at=at)
    gates = [gate for gate in policy.required_gates if not (without_code and gate.runs_code)]
    results = evaluate(gates, evidence, waivers, never_waivable=policy.unwaivable)
    evidence.save()
    contracts = contracts_of(state, evidence.model, version)
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
            **{f"contract-{name}": digest(contract) for name, contract in contracts.items()},
            **{f"data-{name}": stored.sha256 for name, stored in version.inputs.data.items()},
        },
        results=results,
        outcome=overall_outcome(results),
        at=at,
        tool=f"mlgit {__version__}",
    )
