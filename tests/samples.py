"""Small, sound records for tests; each builder takes the fields that a test wants otherwise."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from mlgit.domain.codec import digest, version_digest
from mlgit.domain.gates import Integrity
from mlgit.domain.records import (
    Approval,
    Dataset,
    Environment,
    GateReport,
    Model,
    Policy,
    Problem,
    Project,
    Promotion,
    Roles,
    Version,
)
from mlgit.domain.records.dataset import ColumnRule
from mlgit.domain.records.environment import NoTargetSpec
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.governance import RoleHolder
from mlgit.domain.records.model import ModelSignature, Outputs
from mlgit.domain.records.problem import Baseline, Decision, PredictionTarget, ProblemMetric
from mlgit.domain.records.promotion import PolicyRef, ReportRef, SlotAssignment, SlotAssignments, VersionPin
from mlgit.domain.records.version import Artifact, Evaluation, GitIdentity, Inputs, SliceMetric, StoredFile

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
ULID = "01KJW6PM400000000000000000"
OLDER_ULID = "01KJ000000000000000000000A"


def sha(number: int) -> str:
    """Return a digest that is told from others by a number."""
    return f"sha256:{number:064x}"


def stored(path: str, number: int) -> StoredFile:
    """Return a file that DVC keeps."""
    return StoredFile(path=path, sha256=sha(number), md5=f"{number:032x}", size=1000 + number)


def project(**changes: Any) -> Project:
    return Project(**{"schema": 1, "name": "acme", "environments": ["staging", "production"]} | changes)


def problem(**changes: Any) -> Problem:
    return Problem(
        **{
            "schema": 1,
            "name": "late-arrival",
            "owner": "@acme/ops",
            "risk": "high",
            "decision": Decision(action="warn passengers"),
            "target": PredictionTarget(column="late", type="binary", positive=True),
            "metric": ProblemMetric(primary="roc_auc", slices=["carrier"]),
            "baseline": Baseline(method="same hour last week", column="last_week"),
        }
        | changes
    )


def dataset(**changes: Any) -> Dataset:
    return Dataset(
        **{
            "schema": 1,
            "name": "flights",
            "owner": "@acme/data",
            "path": "flights.parquet",
            "columns": {"carrier": ColumnRule(type="string"), "late": ColumnRule(type="boolean", nullable=False)},
        }
        | changes
    )


def model(**changes: Any) -> Model:
    return Model(
        **{
            "schema": 1,
            "name": "delay",
            "problem": "late-arrival",
            "datasets": ["flights"],
            "outputs": Outputs(
                model="out/model.skops", predictions="out/predictions.parquet", train="out/train.parquet"
            ),
            "reads": ["src/"],
            "keys": ["flight_id"],
            "signature": ModelSignature(inputs={"carrier": "string"}, output="probability"),
        }
        | changes
    )


def version(number: int = 1, **changes: Any) -> Version:
    """Return a version whose digest is that of its content, unless `digest` says otherwise."""
    draft = Version(
        **{
            "schema": 1,
            "model": "delay",
            "version": number,
            "digest": sha(0),
            "artifact": Artifact(**msgspec.structs.asdict(stored("model.skops", 10 + number)), format="skops"),
            "card": sha(20 + number),
            "profile": sha(30 + number),
            "inputs": Inputs(
                commit="4be1" * 10, code=sha(40), data={"flights": stored("flights.parquet", 50)}, params={"depth": 3}
            ),
            "evaluation": Evaluation(
                predictions=stored("predictions.parquet", 60 + number),
                split=sha(70),
                rows=1200,
                metrics={"roc_auc": 0.712, "accuracy": 0.8},
                slices=[
                    SliceMetric(column="carrier", value="AA", rows=700, metric=0.7),
                    SliceMetric(column="carrier", value="UA", rows=500, metric=0.73),
                ],
                p95_ms=1.5,
            ),
            "trained_by": GitIdentity(name="Ada", email="ada@acme.example"),
            "registered_at": NOW,
        }
        | changes
    )
    return draft if "digest" in changes else msgspec.structs.replace(draft, digest=version_digest(draft))


def policy(**changes: Any) -> Policy:
    return Policy(**{"schema": 1, "name": "production", "gates": [Integrity()]} | changes)


def environment(**changes: Any) -> Environment:
    return Environment(
        **{"schema": 1, "name": "production", "policy": "production", "target": NoTargetSpec(), "after": ["staging"]}
        | changes
    )


def slot(of: Version, **changes: Any) -> SlotAssignment:
    return SlotAssignment(**{"version": of.version, "digest": of.digest} | changes)


def promotion(of: Version | None = None, **changes: Any) -> Promotion:
    return Promotion(
        **{
            "schema": 1,
            "promotion": ULID,
            "environment": "production",
            "model": "delay",
            "change": "promote",
            "slots": SlotAssignments(champion=slot(of or version())),
            "replaces": None,
            "baseline": None,
            "gates": ReportRef(report=f"models/delay/versions/v1/gates/{ULID}.json", digest=sha(80)),
            "policy": PolicyRef(name="production", digest=digest(policy())),
        }
        | changes
    )


def gate_report(of: Version | None = None, **changes: Any) -> GateReport:
    of = of or version()
    return GateReport(
        **{
            "schema": 1,
            "promotion": ULID,
            "environment": "production",
            "model": "delay",
            "candidate": VersionPin(version=of.version, digest=of.digest),
            "champion": None,
            "policy": PolicyRef(name="production", digest=digest(policy())),
            "reads": {"model": digest(model()), "problem": digest(problem())},
            "results": [
                GateVerdict(gate="model-safe", outcome="pass", message="skops"),
                GateVerdict(gate="integrity", outcome="pass", message="as recorded"),
            ],
            "outcome": "pass",
            "at": NOW,
            "tool": "mlgit 0",
        }
        | changes
    )


def approval(**changes: Any) -> Approval:
    return Approval(
        **{
            "schema": 1,
            "promotion": ULID,
            "decision": sha(1),
            "environment": "production",
            "model": "delay",
            "verdict": "approve",
            "by": "bea@acme.example",
            "at": NOW,
        }
        | changes
    )


def roles(**people: RoleHolder) -> Roles:
    return Roles(
        schema=1,
        people=people
        or {
            "ada": RoleHolder(emails=["ada@acme.example"], roles=["ml-reviewer"]),
            "bea": RoleHolder(emails=["bea@acme.example", "bea@home.example"], roles=["risk", "ml-reviewer"]),
            "robot": RoleHolder(emails=["robot@acme.example"], roles=["risk"], bot=True),
        },
    )
