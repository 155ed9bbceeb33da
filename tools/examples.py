"""An example of each kind of record: from the templates if people write it, else from one promotion.

Ana proposes version 2 of `malignancy` for production, where version 1 runs. Ben approves it, and it is applied.
"""

from datetime import UTC, date, datetime
from typing import Final

from msgspec.structs import asdict, replace

from mlgit.domain import layout
from mlgit.domain.codec import digest, sha256, to_json, to_mapping, version_digest
from mlgit.domain.decision import decision
from mlgit.domain.records import (
    KINDS,
    Approval,
    DecisionRecord,
    Deployment,
    GateReport,
    Hold,
    Override,
    Policy,
    Promotion,
    Record,
    Retirement,
    Reviews,
    RuleApproval,
    StandingApproval,
    Version,
)
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.ledger import (
    CountedApproval,
    FileChange,
    PostedCheck,
    PullRequestSnapshot,
    RuleReviews,
    SubmittedReview,
)
from mlgit.domain.records.promotion import (
    PolicyRef,
    PromotionRef,
    ReportRef,
    SlotAssignment,
    SlotAssignments,
    VersionPin,
)
from mlgit.domain.records.version import Artifact, Evaluation, GitIdentity, Inputs, SliceMetric, StoredFile
from mlgit.domain.rule_approvals import decision as rule_decision
from mlgit.edges import templates
from mlgit.edges.formats import yamlfile
from mlgit.edges.formats.records import read_record
from mlgit.ops.project.project_files import APPROVAL_RULES, EXAMPLE_TABLE

MODEL: Final = "malignancy"

_ID, _EARLIER = "01KJW6PM40V7Q2Z8B4N0C5T3XA", "01KJ9D3E80M6R1W4H7K2P9S5YB"
_NOON = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
_COMMIT = "3f9c2ab4d81e07c65a92b3f4e1d0c8a7b6f5e4d3"
_VALUES = {
    "project": "acme",
    "owner": "@acme/ml",
    "person": "ana",
    "email": "ana@acme.example",
    "model": MODEL,
    "base": "main",
    "remote": "storage",
    "forge": "none",
    **APPROVAL_RULES["none"],
    **EXAMPLE_TABLE,
}


def of(kind: str) -> tuple[str, str]:
    """Return the path and the text of an example of a kind of record."""
    files = _from_template()
    return files[kind] if kind in files else _written(kind)


def _from_template() -> dict[str, tuple[str, str]]:
    project = templates.project("tabular-classification")
    examples: dict[str, tuple[str, str]] = {}
    for path, content in templates.render(
        {path: project[path] for path in project if layout.parse_path(path)}, _VALUES
    ).items():
        place = layout.parse_path(path)
        assert place is not None  # noqa: S101 - only such were rendered
        text = (
            content.decode().partition("\n")[2] if content.startswith(b"# yaml-language-server") else content.decode()
        )
        examples.setdefault(place.kind, (path, text))
    return examples


def _written(kind: str) -> tuple[str, str]:
    path, record = _records()[kind]
    assert isinstance(record, KINDS[kind])  # noqa: S101 - the table below is by kind
    return path, (yamlfile.dump(to_mapping(record)) if path.endswith(".yaml") else to_json(record)).decode()


def _records() -> dict[str, tuple[str, Record]]:
    first, second = _version(1), _version(2)
    report, policy = _report(first, second), _policy()
    manifest = Promotion(
        schema=1,
        promotion=_ID,
        environment="production",
        model=MODEL,
        change="promote",
        slots=SlotAssignments(champion=SlotAssignment(version=2, digest=second.digest)),
        replaces=PromotionRef(promotion=_EARLIER, digest=sha256(b"the manifest before")),
        baseline=VersionPin(version=1, digest=first.digest),
        gates=ReportRef(report=layout.gate_report(MODEL, 2, _ID), digest=digest(report)),
        policy=PolicyRef(name=policy.name, digest=digest(policy)),
        reason="more rounds of boosting",
    )
    reads: dict[str, str | None] = {
        "manifest": digest(manifest),
        "report": digest(report),
        "version": second.digest,
        "champion": first.digest,
    }
    reads |= {"policy": digest(policy)}
    approval = Approval(
        schema=1,
        promotion=_ID,
        decision=decision(reads),
        environment="production",
        model=MODEL,
        verdict="approve",
        by="ben@acme.example",
        at=_NOON,
        comment="checked the slices",
    )
    counted = CountedApproval(
        person="ben",
        roles=["ml-reviewer"],
        key="SHA256:wUNDzHLmGzAB9G9b0pJ2yqVZ1xkq5YQm2Rj0cTzXv3E",
        approval=sha256(to_json(approval)),
    )
    decided = DecisionRecord(
        schema=1,
        promotion=_ID,
        environment="production",
        model=MODEL,
        decision=decision(reads),
        reads=reads,
        approvals=[counted],
        commit=_COMMIT,
        at=_NOON,
    )
    deployment = Deployment(
        schema=1,
        environment="production",
        model=MODEL,
        seq=2,
        promotion=_ID,
        status="verified",
        version=2,
        digest=second.digest,
        artifact=second.artifact.sha256,
        target={"type": "directory", "path": "deployed/production"},
        commit=_COMMIT,
        at=_NOON,
        previous=sha256(b"the entry before"),
    )
    reviewed = Reviews(
        schema=1,
        promotion=_ID,
        environment="production",
        model=MODEL,
        forge="github",
        repository="acme/pathology",
        pull_request=7,
        url="https://github.com/acme/pathology/pull/7",
        branch=layout.promotion_branch("production", MODEL),
        base="main",
        head=_COMMIT,
        author="ana-a",
        merged_as=_COMMIT,
        merged_by="ana-a",
        reviews=[
            SubmittedReview(
                id=4021, login="ben-b", verdict="approve", commit=_COMMIT, at=_NOON, decision=decision(reads)
            )
        ],
        checks=[PostedCheck(name="mlgit/verdict", state="success", by="github-actions")],
        rules={"required_checks": ["mlgit/verdict"], "reviews": 1, "force_push": False},
        by="ana-a",
        at=_NOON,
    )
    return {
        "version": (layout.version(MODEL, 2), second),
        "gate-report": (layout.gate_report(MODEL, 2, _ID), report),
        "promotion": (layout.promotion("production", MODEL), manifest),
        "approval": (f"{layout.approvals(_ID)}/ben.json", approval),
        "rule-approval": (f"{layout.rule_approvals(_rule_approval().decision)}/ben.json", _rule_approval()),
        "reviews": (f"{layout.reviews(_ID)}/1.json", reviewed),
        "rule-reviews": (f"{layout.rule_reviews(_rule_approval().decision)}/1.json", _rule_reviews(reviewed)),
        "decision": (layout.decision(_ID), decided),
        "deployment": (f"{layout.deployments('production', MODEL)}/2.json", deployment),
        "hold": ("holds/forged-scores.yaml", _hold(first)),
        "override": ("overrides/inc-204.yaml", _override(second)),
        "standing-approval": (layout.standing_approval(f"production/{MODEL}"), _standing()),
        "retirement": (f"retirements/{MODEL}/v1.yaml", _retirement(first)),
    }


def _rule_reviews(reviewed: Reviews) -> RuleReviews:
    shared = {name: getattr(reviewed, name) for name in PullRequestSnapshot.__struct_fields__}
    decided = _rule_approval().decision
    reviews = [replace(review, decision=decided) for review in reviewed.reviews]
    return RuleReviews(**{**shared, "branch": "stricter-policy", "reviews": reviews, "decision": decided})


def _rule_approval() -> RuleApproval:
    files = {layout.policy("production"): FileChange(before=sha256(b"the policy before"), after=sha256(b"the policy"))}
    return RuleApproval(
        schema=1,
        decision=rule_decision(files, earlier=0),
        files=files,
        verdict="approve",
        by="ben@acme.example",
        at=_NOON,
    )


def _version(number: int) -> Version:
    draft = Version(
        schema=1,
        model=MODEL,
        version=number,
        digest=sha256(b""),
        artifact=Artifact(**asdict(_stored("model.skops", 123_260, number)), format="skops"),
        card=sha256(b"card %d" % number),
        profile=sha256(b"profile"),
        inputs=Inputs(
            commit=_COMMIT,
            code=sha256(b"code %d" % number),
            data={"biopsies": _stored("biopsies.csv", 47_105, 0)},
            params={"seed": 7, "train": {"max_iter": 5 * number, "learning_rate": 0.1}},
            lock=sha256(b"requirements"),
        ),
        evaluation=Evaluation(
            predictions=_stored("predictions.parquet", 9_812, number),
            split=sha256(b"split"),
            rows=236,
            metrics={"roc_auc": 0.9668 + number / 100, "recall": 0.7253},
            slices=[SliceMetric(column="outline", value="smooth", rows=118, metric=0.9321)],
            p95_ms=3.3,
        ),
        trained_by=GitIdentity(name="Ana", email="ana@acme.example"),
        registered_at=_NOON,
        seed=7,
    )
    return replace(draft, digest=version_digest(draft))


def _stored(path: str, size: int, number: int) -> StoredFile:
    hexadecimal = sha256(f"{path} {number}".encode())
    return StoredFile(path=path, sha256=hexadecimal, md5=hexadecimal[-32:], size=size)


def _policy() -> Policy:
    path = layout.policy("production")
    policy = read_record(path, templates.render(templates.project("tabular-classification"), _VALUES)[path])
    assert isinstance(policy, Policy)  # noqa: S101 - by its path
    return policy


def _report(champion: Version, candidate: Version) -> GateReport:
    verdicts = [
        GateVerdict(
            gate="integrity",
            outcome="pass",
            message="record, files and card are as recorded",
        ),
        GateVerdict(
            gate="beats-champion",
            outcome="pass",
            message="roc_auc 0.9868 against 0.9768: +0.0100 (95%: +0.0041 to +0.0172)",
            facts={"metric": "roc_auc", "gain": 0.01, "low": 0.0041, "high": 0.0172, "level": 0.95, "rows": 236},
        ),
    ]
    return GateReport(
        schema=1,
        promotion=_ID,
        environment="production",
        model=MODEL,
        candidate=VersionPin(version=2, digest=candidate.digest),
        champion=VersionPin(version=1, digest=champion.digest),
        policy=PolicyRef(name="production", digest=digest(_policy())),
        reads={"candidate": candidate.digest, "champion": champion.digest},
        results=verdicts,
        outcome="pass",
        at=_NOON,
        tool="mlgit 0.1.0",
    )


def _hold(version: Version) -> Hold:
    return Hold(
        schema=1,
        scope="version",
        model=MODEL,
        version=1,
        digest=version.digest,
        reason="Scores of one scanner were read in the wrong unit.",
        by="ana@acme.example",
    )


def _override(version: Version) -> Override:
    return Override(
        schema=1,
        id=_ID,
        environment="production",
        model=MODEL,
        version=2,
        digest=version.digest,
        waives=["latency"],
        incident="INC-204",
        people=["ana", "ben"],
        until=datetime(2026, 3, 6, 12, 0, tzinfo=UTC),
        review_by=date(2026, 3, 20),
    )


def _standing() -> StandingApproval:
    return StandingApproval(
        schema=1,
        id=_ID,
        environment="production",
        model=MODEL,
        people=["ana", "ben"],
        until=datetime(2026, 6, 1, 12, 0, tzinfo=UTC),
        max_promotions=12,
        reason="Retrained every week by the same pipeline.",
    )


def _retirement(version: Version) -> Retirement:
    return Retirement(
        schema=1,
        model=MODEL,
        version=1,
        digest=version.digest,
        reason="Version 2 took over.",
        by="ana@acme.example",
        since=date(2026, 3, 5),
    )
