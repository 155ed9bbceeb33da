"""The promotions of a generated project, and what the ledger saw of them."""

from collections.abc import Iterator

import msgspec

from benchmarks.content import ENVIRONMENTS, Records, moment, yaml
from mlgit.domain import layout
from mlgit.domain.codec import digest, to_json
from mlgit.domain.decision import decision, read_set
from mlgit.domain.names import new_promotion_id
from mlgit.domain.records import DecisionRecord, Deployment, GateReport, Promotion, Version
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import (
    PolicyRef,
    PromotionRef,
    ReportRef,
    SlotAssignment,
    SlotAssignments,
    VersionPin,
)

_TOOL = "mlgit benchmark"


class Promoted(msgspec.Struct, frozen=True):
    """A promotion: its manifest, the version that becomes champion, and the files that it adds to the base branch."""

    manifest: Promotion
    report: GateReport
    version: Version
    files: dict[str, bytes]


def climb(versions: list[Version], *, waits: bool) -> Iterator[tuple[Version, str]]:
    """Yield the steps by which versions climb, each through all environments; the newest may wait in the first."""
    for version in versions:
        yield from ((version, environment) for environment in ENVIRONMENTS if not waits or version is not versions[-1])
    if waits:
        yield versions[-1], ENVIRONMENTS[0]


def promote(known: Records, version: Version, environment: str, before: Promoted | None, step: int) -> Promoted:
    """Return the promotion of a version.

    Args:
        known: the project.
        version: the version that becomes champion.
        environment: where.
        before: the promotion that it takes the place of, if there was one.
        step: the step of history, which gives its time and its id.
    """
    promotion = new_promotion_id(moment(step), entropy=step)
    policy = known.policies[environment]
    pin = VersionPin(version=version.version, digest=version.digest)
    champion = None if before is None else before.version
    baseline = None if champion is None else VersionPin(version=champion.version, digest=champion.digest)
    reference = PolicyRef(name=policy.name, digest=digest(policy))
    report = GateReport(
        schema=1,
        promotion=promotion,
        environment=environment,
        model=version.model,
        candidate=pin,
        champion=baseline,
        policy=reference,
        reads={
            "version": version.digest,
            "champion": None if champion is None else champion.digest,
            "policy": reference.digest,
        },
        results=[
            GateVerdict(gate=gate.id, outcome="pass", message="as the benchmark says", facts={"value": 0.8})
            for gate in policy.gates
        ],
        outcome="pass",
        at=moment(step),
        tool=_TOOL,
    )
    place = layout.gate_report(version.model, version.version, promotion)
    manifest = Promotion(
        schema=1,
        promotion=promotion,
        environment=environment,
        model=version.model,
        change="promote",
        slots=SlotAssignments(champion=SlotAssignment(version=version.version, digest=version.digest)),
        replaces=None
        if before is None
        else PromotionRef(promotion=before.manifest.promotion, digest=digest(before.manifest)),
        baseline=baseline,
        gates=ReportRef(report=place, digest=digest(report)),
        policy=reference,
        reason="A newer version of the benchmark.",
    )
    target = layout.promotion(environment, version.model)
    files = {place: to_json(report), target: yaml(target, manifest)}
    return Promoted(manifest, report, version, files)


def decided(known: Records, promoted: Promoted, before: Promoted | None, *, commit: str, step: int) -> DecisionRecord:
    """Return the decision to apply a promotion that a commit brought, in the place of another."""
    manifest, model = promoted.manifest, known.models[promoted.version.model]
    reads = read_set(
        manifest=manifest,
        report=promoted.report,
        version=promoted.version,
        champion=None if before is None else before.version,
        policy=known.policies[manifest.environment],
        environment=known.environments[manifest.environment],
        problem=known.problems[model.problem],
        model=model,
        contracts={name: known.datasets[name] for name in model.datasets},
    )
    return DecisionRecord(
        schema=1,
        promotion=manifest.promotion,
        environment=manifest.environment,
        model=model.name,
        decision=decision(reads),
        reads=dict(reads),
        approvals=[],
        commit=commit,
        at=moment(step),
    )


def deployed(promoted: Promoted, before: Deployment | None, *, commit: str, step: int) -> Deployment:
    """Return the entry that says that a promotion is running."""
    version = promoted.version
    return Deployment(
        schema=1,
        environment=promoted.manifest.environment,
        model=version.model,
        seq=1 if before is None else before.seq + 1,
        promotion=promoted.manifest.promotion,
        status="verified",
        version=version.version,
        digest=version.digest,
        artifact=version.artifact.sha256,
        target={"type": "directory", "release": version.digest[7:19]},
        commit=commit,
        at=moment(step),
        previous=None if before is None else digest(before),
    )


def ledger_files(decision_record: DecisionRecord, deployment: Deployment) -> dict[str, bytes]:
    """Return what one application of a promotion adds to the ledger."""
    folder = layout.deployments(deployment.environment, deployment.model)
    return {
        layout.decision(decision_record.promotion): to_json(decision_record),
        f"{folder}/{deployment.seq}.json": to_json(deployment),
    }
