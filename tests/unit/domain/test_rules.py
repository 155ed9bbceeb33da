"""Rules for records and files: what each accepts, and what it finds."""

import math
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from mlgit.domain import carddraft
from mlgit.domain.codec import digest, sha256
from mlgit.domain.gates import (
    BeatsChampion,
    CardComplete,
    Exec,
    Fairness,
    Integrity,
    ModelSafe,
    Python,
    SliceHarm,
    Threshold,
)
from mlgit.domain.gates.base import RiskCondition
from mlgit.domain.records.card import Card
from mlgit.domain.records.environment import ChangeWindow, Soak, WeeklyHours
from mlgit.domain.records.governance import RoleHolder
from mlgit.domain.records.policy import ApprovalRule, ApprovalRules
from mlgit.domain.records.problem import PredictionTarget, ProblemMetric
from mlgit.domain.records.project import TimestampAuthority
from mlgit.domain.records.promotion import PromotionRef, Ramp, SlotAssignments
from mlgit.domain.records.version import GitBlobs
from mlgit.domain.rules.changes import check_immutable, check_manifests_kept, check_promotion_alone, check_separation
from mlgit.domain.rules.configuration import (
    check_enforced,
    check_environment,
    check_model,
    check_policy,
    check_problem,
    check_project,
    check_roles,
    check_timestamps,
)
from mlgit.domain.rules.paths import LARGEST, check_paths, check_sizes
from mlgit.domain.rules.promotions import check_replaces, check_slots
from mlgit.domain.rules.versions import check_card, check_version, stored_files
from mlgit.errors import Finding, Location
from tests import samples

VERSION = samples.version()


def ids(findings: Iterable[Finding]) -> list[str]:
    return [finding.id for finding in findings]


def problem(kind: Any = "binary", *, positive: Any = True, **metric: Any) -> list[Finding]:
    stated = ProblemMetric(**{"primary": "roc_auc"} | metric)
    return list(
        check_problem(samples.problem(target=PredictionTarget(column="y", type=kind, positive=positive), metric=stated))
    )


# Problems


@pytest.mark.parametrize(
    ("kind", "metric", "direction"),
    [
        ("binary", "roc_auc", "max"),
        ("binary", "log_loss", "min"),
        ("multiclass", "f1_macro", "max"),
        ("regression", "rmse", "min"),
    ],
)
def test_a_suitable_metric_is_accepted(kind: str, metric: str, direction: str) -> None:
    assert problem(kind, primary=metric, direction=direction) == []


@pytest.mark.parametrize(
    ("kind", "positive", "metric", "direction", "found", "path"),
    [
        ("binary", True, "auc", "max", "metric-unknown", "metric.primary"),
        ("regression", None, "roc_auc", "max", "metric-target-mismatch", "metric.primary"),
        ("multiclass", None, "brier", "min", "metric-target-mismatch", "metric.primary"),
        ("binary", True, "rmse", "min", "metric-target-mismatch", "metric.primary"),
        ("binary", True, "roc_auc", "min", "metric-direction-mismatch", "metric.direction"),
        ("regression", None, "rmse", "max", "metric-direction-mismatch", "metric.direction"),
        ("binary", None, "roc_auc", "max", "positive-label-missing", "target"),
    ],
)
def test_an_unsuitable_metric_is_found(
    kind: str, positive: Any, metric: str, direction: str, found: str, path: str
) -> None:
    (finding,) = problem(kind, positive=positive, primary=metric, direction=direction)
    assert (finding.id, finding.at) == (found, Location("problems/late-arrival.yaml", path=path))
    assert finding.fix


@pytest.mark.parametrize("positive", [False, 0, ""])
def test_any_label_may_be_the_positive_one(positive: Any) -> None:
    assert problem(positive=positive) == []


def test_all_problems_of_a_record_are_reported_at_once() -> None:
    assert ids(problem(positive=None, primary="auc")) == ["metric-unknown", "positive-label-missing"]


# Models, environments, projects, policies


def test_a_model_names_existing_records() -> None:
    assert list(check_model(samples.model(), ["late-arrival"], ["flights", "weather"])) == []
    found = list(check_model(samples.model(datasets=["flights", "wether"]), ["churn"], ["flights", "weather"]))
    assert ids(found) == ["problem-unknown", "dataset-unknown"]
    assert "these exist: churn" in found[0].why
    assert "flights, weather" in found[1].why
    assert "`mlgit new dataset wether`" in found[1].fix


def test_a_model_is_not_called_environment() -> None:
    assert ids(check_model(samples.model(name="environment"), ["late-arrival"], ["flights"])) == ["name-reserved"]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"after": []}, []),
        ({"policy": "strict"}, ["policy-unknown"]),
        ({"after": ["production"]}, ["environment-order-invalid"]),
        ({"after": ["nowhere"]}, ["environment-order-invalid"]),
        ({"after": ["staging", "canary"]}, ["environment-order-invalid"]),
        ({"name": "staging", "after": ["production"]}, ["environment-order-invalid"]),
        ({"name": "unlisted", "after": ["production"]}, []),
        ({"soak": Soak(in_="staging", for_="72h")}, []),
        ({"soak": Soak(in_="nowhere", for_="72h")}, ["environment-unknown"]),
        ({"windows": [ChangeWindow(deny=WeeklyHours(days=["fri"], zone="Europe/Atlantis"))]}, ["time-zone-unknown"]),
    ],
)
def test_an_environment_comes_after_earlier_ones(changes: dict[str, Any], found: list[str]) -> None:
    order = samples.project(environments=["staging", "production", "canary"])
    assert ids(check_environment(samples.environment(**changes), order, ["production"])) == found


@pytest.mark.parametrize(
    ("listed", "described", "found"),
    [
        (["staging", "production"], ["production", "staging"], []),
        (["staging", "production"], ["staging"], ["environment-unknown"]),
        (["staging"], ["staging", "b", "a"], ["environment-unlisted", "environment-unlisted"]),
        (["staging", "staging"], ["staging"], ["environment-duplicate"]),
        (["a", "a"], [], ["environment-unknown", "environment-duplicate"]),
    ],
)
def test_the_project_lists_each_environment_once(listed: list[str], described: list[str], found: list[str]) -> None:
    assert ids(check_project(samples.project(environments=listed), described)) == found


def test_unlisted_environments_are_sorted() -> None:
    found = list(check_project(samples.project(environments=["c"]), {"b", "a", "c"}))
    assert [finding.at for finding in found] == [Location(f"environments/{name}/environment.yaml") for name in "ab"]


OUT = "gate-setting-out-of-range"


@pytest.mark.parametrize(
    ("gates", "found"),
    [
        ([Integrity(), CardComplete(), BeatsChampion(metric="f1")], []),
        ([Threshold(metric="f1", min=0.5), Threshold(metric="recall", min=0.5)], []),
        ([Integrity(), CardComplete(), Integrity()], [("gate-duplicate", "gates[2]")]),
        ([BeatsChampion(margin=0.0), BeatsChampion()], [("gate-duplicate", "gates[1]")]),
        ([Integrity(), Threshold(metric="auc", min=0.5)], [("metric-unknown", "gates[1].metric")]),
        ([SliceHarm(metric="auc")], [("metric-unknown", "gates[0].metric")]),
        ([Integrity(severity="warn"), CardComplete()], []),
        ([Integrity(severity="warn"), CardComplete(severity="warn")], [("blocking-gate-missing", "gates")]),
        ([BeatsChampion(margin=-0.02), SliceHarm(max_drop=0.5), Threshold(metric="rmse", max=900.0)], []),
        ([BeatsChampion(metric="rmse", margin=-5.0), Threshold(metric="r2", min=-3.0)], []),
        ([BeatsChampion(margin=-5.0)], [(OUT, "gates[0].margin")]),
        ([BeatsChampion(metric="f1", margin=1.0)], [(OUT, "gates[0].margin")]),
        ([SliceHarm(max_drop=2.0)], [(OUT, "gates[0].max_drop")]),
        ([Threshold(metric="f1", min=16.0)], [(OUT, "gates[0].min")]),
        ([Threshold(metric="rmse", max=-1.0)], [(OUT, "gates[0].max")]),
        ([Threshold(metric="f1", min=0.9, max=0.1)], [(OUT, "gates[0].min")]),
        ([Fairness(columns=("a",), metric="f1", max_difference=3.0)], [(OUT, "gates[0].max_difference")]),
        ([Integrity(), ModelSafe(formats=("skops",))], []),
        ([Integrity(), ModelSafe(severity="warn")], [("gate-not-optional", "gates[1]")]),
        ([ModelSafe(when=RiskCondition(risk="high"))], [("gate-not-optional", "gates[0]")]),
        ([Exec(name="a", command=("a",)), Exec(name="b", command=("a",)), Python(name="a")], []),
        ([Exec(name="a", command=("a",)), Exec(name="a", command=("b",))], [("gate-duplicate", "gates[1].name")]),
    ],
)
def test_gates_of_a_policy_are_unique_with_known_metrics(gates: list[Any], found: list[tuple[str, str]]) -> None:
    policy = samples.policy(name="strict", gates=gates)
    assert [(one.id, one.at) for one in check_policy(policy, {"roc_auc"})] == [
        (name, Location("policies/strict.yaml", path=path)) for name, path in found
    ]


@pytest.mark.parametrize(
    ("policy", "manifest", "found"),
    [
        ({}, {}, []),
        ({"exclude": ("author", "lineage")}, {}, []),
        ({}, {"change": "ramp"}, ["environments/production/delay.yaml"]),
        ({}, {"ramp": Ramp(steps=[10], interval="1h")}, []),
        ({}, {"ramp": Ramp(steps=[10], interval="1h", gates=["live"])}, ["environments/production/delay.yaml"]),
        (
            {},
            {
                "slots": SlotAssignments(
                    champion=samples.slot(VERSION), challenger=samples.slot(VERSION), shadow=samples.slot(VERSION)
                )
            },
            [],
        ),
    ],
)
def test_settings_that_are_not_enforced_are_found(policy: Any, manifest: Any, found: list[str]) -> None:
    findings = check_enforced(samples.policy(**policy), samples.promotion(**manifest))
    assert [(one.id, one.at) for one in findings] == [("setting-unsupported", Location(file)) for file in found]


@pytest.mark.parametrize(
    ("rule", "evidence", "impossible"),
    [
        (ApprovalRule(min=1), "none", True),
        (ApprovalRule(min=0, roles={"risk": 1}), "none", True),
        (ApprovalRule(min=0), "none", False),
        (ApprovalRule(min=2), "signed", False),
    ],
)
@pytest.mark.parametrize("change", ["promote", "rollback", "ramp", "retire"])
def test_approvals_cannot_be_required_without_evidence(
    change: str, rule: ApprovalRule, evidence: Any, impossible: bool
) -> None:
    approvals = ApprovalRules(**{"promote": ApprovalRule(min=0)} | {change: rule})
    policy = samples.policy(approvals=approvals, evidence=evidence)
    found = ids(check_enforced(policy))
    assert found == (["approvals-unsatisfiable"] if impossible else [])


# Versions and cards

CARD, PROFILE = b"card", b"{}\n"
WHOLE = samples.version(8, card=sha256(CARD), profile=sha256(PROFILE))
FILES: dict[str, bytes | None] = {"card.md": CARD, "profile.json": PROFILE}


def test_a_version_as_registered_is_accepted() -> None:
    assert list(check_version(WHOLE, FILES)) == []
    assert list(check_version(msgspec.structs.replace(WHOLE, version=9), FILES)) == []


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("card.md", b"card\n", "version-file-mismatch"),
        ("card.md", b"", "version-file-mismatch"),
        ("card.md", None, "version-file-missing"),
        ("profile.json", b"{}\r\n", "version-file-mismatch"),
        ("profile.json", None, "version-file-missing"),
    ],
)
def test_a_file_of_a_version_that_differs_or_is_missing(name: str, content: bytes | None, found: str) -> None:
    (finding,) = check_version(WHOLE, FILES | {name: content})
    assert (finding.id, finding.at) == (found, Location(f"models/delay/versions/v8/{name}"))
    assert "delay@8" in finding.message


def test_a_file_without_content_is_missing() -> None:
    assert ids(check_version(WHOLE, {})) == ["version-file-missing"] * 2


def test_a_file_that_is_verified_by_its_id_needs_no_content() -> None:
    assert list(check_version(WHOLE, {}, verified={*FILES})) == []
    (finding,) = check_version(WHOLE, {}, verified={*FILES} - {"card.md"})
    assert (finding.id, finding.at) == ("version-file-missing", Location("models/delay/versions/v8/card.md"))


STATED = samples.version(
    8, card=sha256(CARD), profile=sha256(PROFILE), blobs=GitBlobs(card="c4" * 20, profile="d5" * 20)
)


@pytest.mark.parametrize(
    ("actual", "found"),
    [
        ({}, []),
        ({"card.md": "c4" * 20, "profile.json": "d5" * 20}, []),
        ({"card.md": "c4" * 32, "profile.json": "d5" * 32}, []),  # a repository that uses another hash
        ({"card.md": "c4" * 20, "profile.json": "c4" * 20}, ["version-blob-mismatch"]),
        ({"card.md": "d5" * 20, "profile.json": "c4" * 20}, ["version-blob-mismatch"] * 2),
    ],
)
def test_recorded_git_ids_are_those_of_the_files(actual: dict[str, str], found: list[str]) -> None:
    assert ids(check_version(STATED, FILES, ids=actual)) == found
    assert ids(check_version(WHOLE, FILES, ids=actual)) == []
    assert ids(check_version(STATED, FILES | {"card.md": b"other"}, ids={"card.md": "d5" * 20})) == [
        "version-file-mismatch"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"digest": samples.sha(5)},
        {"model": "other"},
        {"evaluation": msgspec.structs.replace(WHOLE.evaluation, metrics={"roc_auc": 0.713, "accuracy": 0.8})},
        {"artifact": msgspec.structs.replace(WHOLE.artifact, md5="0" * 32)},
        {"inputs": msgspec.structs.replace(WHOLE.inputs, params={"depth": 3.0})},
    ],
)
def test_a_record_that_was_changed_is_found(changes: dict[str, Any]) -> None:
    (finding,) = check_version(msgspec.structs.replace(WHOLE, **changes), FILES)
    assert finding.id == "version-tampered"
    assert "supersedes" in finding.fix


def test_dvc_stores_model_and_predictions() -> None:
    assert [stored.path for stored in stored_files(VERSION)] == ["model.skops", "predictions.parquet"]


def card(**changes: Any) -> Card:
    matter = carddraft.front_matter(
        samples.problem(), samples.model(), VERSION.artifact, VERSION.evaluation, VERSION.inputs
    )
    matter["mlgit"] |= changes
    return msgspec.convert(matter, type=Card)


def with_metric(name: str, value: Any) -> Card:
    index = msgspec.to_builtins(card().model_index)
    index[0]["results"][0]["metrics"] = [{"type": name, "value": value}]
    return msgspec.structs.replace(card(), model_index=msgspec.convert(index, type=Card.__annotations__["model_index"]))


def test_a_card_that_equals_the_record_is_accepted() -> None:
    assert list(check_card(card(), VERSION, samples.problem())) == []
    assert list(check_card(with_metric("roc_auc", 0.7120), VERSION, samples.problem())) == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"model": "churn"}, "mlgit.model"),
        ({"problem": "churn"}, "mlgit.problem"),
        ({"artifact": samples.sha(1)}, "mlgit.artifact"),
        ({"split": samples.sha(1)}, "mlgit.split"),
    ],
)
def test_a_card_that_differs_from_the_record_is_found(changes: dict[str, Any], where: str) -> None:
    (finding,) = check_card(card(**changes), VERSION, samples.problem())
    assert (finding.id, finding.at) == ("card-mismatch", Location("models/delay/versions/v1/card.md", path=where))


def test_owner_and_risk_of_a_problem_may_change_after_a_card_was_written() -> None:
    assert list(check_card(card(owner="@acme/else", risk="low"), VERSION, samples.problem())) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("roc_auc", value) for value in (0.713, "0.712", None, True, [0.712], math.nan, math.inf, 1, {"a": 1})),
        ("f1", 0.99),
        ("f1", None),
        ("ROC AUC", 0.99),
    ],
)
def test_an_edited_number_is_found(name: str, value: Any) -> None:
    (finding,) = check_card(with_metric(name, value), VERSION, samples.problem())
    assert finding.id == "card-mismatch"
    assert finding.at == Location("models/delay/versions/v1/card.md", path=f"model-index metric {name}")


def test_true_is_not_one() -> None:
    perfect = msgspec.structs.replace(
        VERSION, evaluation=msgspec.structs.replace(VERSION.evaluation, metrics={"roc_auc": 1.0})
    )
    assert ids(check_card(with_metric("roc_auc", True), perfect, samples.problem())) == ["card-mismatch"]
    assert ids(check_card(with_metric("roc_auc", 1), perfect, samples.problem())) == []


def test_a_card_of_another_model_is_found() -> None:
    index = [msgspec.structs.replace(card().model_index[0], name="churn")]
    other = msgspec.structs.replace(card(), model_index=index)
    assert ids(check_card(other, VERSION, samples.problem())) == ["card-mismatch"]


# Promotions


def slots(**slots: Any) -> list[Finding]:
    manifest = samples.promotion(
        change="promote" if slots.get("champion") else "retire", slots=SlotAssignments(**{"champion": None} | slots)
    )
    return list(check_slots(manifest, {1: samples.version(1).digest, 2: samples.version(2).digest}))


ONE, TWO = samples.version(1), samples.version(2)


@pytest.mark.parametrize(
    "good",
    [
        {"champion": samples.slot(ONE)},
        {"champion": samples.slot(ONE, traffic=90), "challenger": samples.slot(TWO, traffic=10)},
        {"champion": samples.slot(ONE), "challenger": samples.slot(TWO, traffic=0), "shadow": samples.slot(TWO)},
        {"champion": None},
    ],
)
def test_valid_slots_are_accepted(good: dict[str, Any]) -> None:
    assert slots(**good) == []


@pytest.mark.parametrize(
    ("bad", "found", "path"),
    [
        ({"champion": samples.slot(ONE, version=3)}, "version-unknown", "slots.champion.version"),
        ({"champion": samples.slot(ONE, digest=TWO.digest)}, "slot-digest-mismatch", "slots.champion.digest"),
        (
            {"champion": samples.slot(ONE), "shadow": samples.slot(ONE, version=2)},
            "slot-digest-mismatch",
            "slots.shadow.digest",
        ),
        (
            {"champion": samples.slot(ONE), "shadow": samples.slot(ONE, version=9)},
            "version-unknown",
            "slots.shadow.version",
        ),
        ({"champion": samples.slot(ONE, traffic=99)}, "traffic-sum-invalid", "slots"),
        ({"champion": samples.slot(ONE), "challenger": samples.slot(TWO, traffic=10)}, "traffic-sum-invalid", "slots"),
        (
            {"champion": samples.slot(ONE, traffic=90), "shadow": samples.slot(TWO, traffic=10)},
            "traffic-sum-invalid",
            "slots",
        ),
    ],
)
def test_invalid_slots_are_found(bad: dict[str, Any], found: str, path: str) -> None:
    (finding,) = slots(**bad)
    assert (finding.id, finding.at) == (found, Location("environments/production/delay.yaml", path=path))


def test_an_unknown_version_names_the_newest_versions() -> None:
    manifest = samples.promotion(slots=SlotAssignments(champion=samples.slot(ONE, version=99)))
    (finding,) = check_slots(manifest, dict.fromkeys(range(1, 20), ONE.digest))
    assert finding.why == "delay has versions 14, 15, 16, 17, 18, 19"
    (finding,) = check_slots(manifest, {})
    assert finding.why == "delay has versions none"


@pytest.mark.parametrize(
    ("change", "champion", "found"),
    [
        ("promote", samples.slot(ONE), []),
        ("rollback", samples.slot(ONE), []),
        ("ramp", samples.slot(ONE), []),
        ("retire", None, []),
        ("retire", samples.slot(ONE), ["change-kind-mismatch"]),
        ("promote", None, ["change-kind-mismatch"]),
        ("rollback", None, ["change-kind-mismatch"]),
    ],
)
def test_the_kind_of_change_fits_the_slots(change: str, champion: Any, found: list[str]) -> None:
    manifest = samples.promotion(change=change, slots=SlotAssignments(champion=champion))
    assert ids(check_slots(manifest, {1: ONE.digest})) == found


BEFORE = samples.promotion(promotion=samples.OLDER_ULID, reason="first")
BEFORE_REF = PromotionRef(promotion=BEFORE.promotion, digest=digest(BEFORE))


@pytest.mark.parametrize(
    ("replaces", "before", "fits"),
    [
        (None, None, True),
        (BEFORE_REF, BEFORE, True),
        (None, BEFORE, False),
        (BEFORE_REF, None, False),
        (BEFORE_REF, msgspec.structs.replace(BEFORE, reason="second"), False),
        (PromotionRef(promotion=samples.ULID, digest=BEFORE_REF.digest), BEFORE, False),
        (PromotionRef(promotion=BEFORE.promotion, digest=samples.sha(1)), BEFORE, False),
    ],
)
def test_a_manifest_replaces_exactly_the_current_one(replaces: Any, before: Any, fits: bool) -> None:
    found = list(check_replaces(samples.promotion(replaces=replaces), before))
    assert ids(found) == ([] if fits else ["promotion-stale"])


# People


def test_an_address_belongs_to_one_person() -> None:
    twice = RoleHolder(emails=["ada@acme.example", "Ada@Acme.example"])
    bea = RoleHolder(emails=["bea@acme.example", "ADA@acme.example"])
    assert list(check_roles(samples.roles(ada=twice))) == []
    (found,) = check_roles(samples.roles(ada=twice, bea=bea))
    assert (found.id, found.at) == ("email-duplicate", Location(".mlgit/roles.yaml", path="people.bea.emails[1]"))
    assert found.message == "ADA@acme.example is an address of both ada and bea"


def test_a_login_belongs_to_one_person() -> None:
    twice = RoleHolder(emails=["ada@acme.example"], logins=["Ada-L", "ada-l"])
    bea = RoleHolder(emails=["bea@acme.example"], logins=["bea-b", "ADA-L"])
    assert list(check_roles(samples.roles(ada=twice))) == []
    (found,) = check_roles(samples.roles(ada=twice, bea=bea))
    assert (found.id, found.at) == ("login-duplicate", Location(".mlgit/roles.yaml", path="people.bea.logins[1]"))


# Changes and paths


@pytest.mark.parametrize(
    ("path", "status", "found"),
    [
        ("environments/production/delay.yaml", "D", ["manifest-deleted"]),
        ("environments/production/delay.yaml", "M", []),
        ("environments/production/environment.yaml", "D", []),
        ("environments/production/notes.md", "D", []),
        ("models/delay/model.yaml", "D", []),
    ],
)
def test_a_manifest_is_not_deleted(path: str, status: str, found: list[str]) -> None:
    assert ids(check_manifests_kept([(path, status)])) == found


@pytest.mark.parametrize(
    ("path", "status", "found"),
    [
        ("models/delay/versions/v1/version.json", "A", []),
        ("models/delay/versions/v1/version.json", "M", ["immutable-file-changed"]),
        ("models/delay/versions/v1/card.md", "T", ["immutable-file-changed"]),
        ("models/delay/versions/v1/gates/x.json", "D", ["immutable-file-deleted"]),
        ("models/delay/versions/v1/notes/2026.md", "M", ["immutable-file-changed"]),
        ("models/delay/model.yaml", "M", []),
        ("models/delay/card.md", "D", []),
    ],
)
def test_a_registered_version_only_gains_files(path: str, status: str, found: list[str]) -> None:
    assert ids(check_immutable([(path, status)])) == found


@pytest.mark.parametrize(
    "rule",
    [
        "policies/production.yaml",
        "environments/production/environment.yaml",
        ".mlgit/roles.yaml",
        ".mlgit/allowed_signers",
        ".mlgit/trusted_types",
        ".mlgit/requirements.lock",
        ".github/workflows/mlgit-apply.yaml",
        ".github/CODEOWNERS",
        ".dvc/config",
        "mlgit.yaml",
        "overrides/incident-7.yaml",
        "standing-approvals/production/delay.yaml",
    ],
)
def test_rules_do_not_change_with_a_promotion(rule: str) -> None:
    promotion = "environments/production/delay.yaml"
    (finding,) = check_separation([promotion, "README.md", rule])
    assert (finding.id, finding.at) == ("policy-changed-with-promotion", Location(rule))
    assert list(check_separation([rule])) == []
    assert list(check_separation([promotion, "models/delay/versions/v1/gates/x.json", "src/train.py"])) == []


@pytest.mark.parametrize(
    ("path", "alone"),
    [
        ("environments/production/delay.yaml", True),
        (f"models/delay/versions/v2/gates/{samples.ULID}.json", True),
        ("environments/staging/delay.yaml", False),
        ("environments/production/churn.yaml", False),
        ("environments/production/environment.yaml", False),
        (f"models/churn/versions/v2/gates/{samples.ULID}.json", False),
        ("models/delay/versions/v2/version.json", False),
        ("models/delay/versions/v2/gates/note.md", False),
        ("src/train.py", False),
        (".mlgit/allowed_signers", False),
    ],
)
def test_a_promotion_changes_only_its_manifest_and_reports(path: str, alone: bool) -> None:
    found = list(check_promotion_alone("production", "delay", ["environments/production/delay.yaml", path]))
    assert [(one.id, one.at) for one in found] == ([] if alone else [("promotion-with-other-changes", Location(path))])


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([("README.md", "100644"), ("src/Train.py", "100755"), ("models/delay/model.yaml", "100644")], []),
        ([("src/a.py", "100644"), ("src/A.py", "100644")], [("path-collision", "src/A.py")]),
        ([("docs/e\u0301.md", "100644"), ("docs/\u00e9.md", "100644")], [("path-collision", "docs/\u00e9.md")]),
        ([("STRASSE", "100644"), ("straße", "100644")], [("path-collision", "straße")]),
        ([("src/link", "120000"), ("vendor", "160000")], []),
        ([("problems/late.yaml", "120000")], [("path-is-link", "problems/late.yaml")]),
        ([("models/delay", "160000")], [("path-is-link", "models/delay")]),
        ([("models", "120000")], [("path-is-link", "models")]),
        ([("policies", "160000")], [("path-is-link", "policies")]),
        ([("mlgit.yaml", "120000")], [("path-is-link", "mlgit.yaml")]),
        ([(".mlgit/roles.yaml", "120000")], [("path-is-link", ".mlgit/roles.yaml")]),
        ([(".mlgit/allowed_signers", "120000")], [("path-is-link", ".mlgit/allowed_signers")]),
        ([(".mlgit", "120000")], [("path-is-link", ".mlgit")]),
        ([("models/Delay/model.yaml", "100644")], [("name-invalid", "models/Delay/model.yaml")]),
        ([("problems/late arrival.yaml", "100644")], [("name-invalid", "problems/late arrival.yaml")]),
        ([("datasets/aux/dataset.yaml", "100644")], [("name-invalid", "datasets/aux/dataset.yaml")]),
        ([("policies/a\nb.yaml", "100644")], [("name-invalid", "policies/a\nb.yaml")]),
        ([("datasets/.gitignore", "100644"), ("models/.gitkeep", "100644")], []),
        ([(".mlgit/Notes.md", "100644"), ("docs/Ä.md", "100644")], []),
    ],
)
def test_paths_are_valid_on_every_system(entries: list[tuple[str, str]], found: list[tuple[str, str]]) -> None:
    assert [(one.id, one.at) for one in check_paths(entries)] == [(name, Location(path)) for name, path in found]


@pytest.mark.parametrize(
    ("path", "size", "found"),
    [
        ("datasets/flights/flights.parquet", LARGEST + 1, ["file-too-large"]),
        ("models/delay/model.skops", LARGEST + 1, ["file-too-large"]),
        ("datasets/flights/flights.parquet", LARGEST, []),
        ("docs/film.mp4", LARGEST + 1, []),
    ],
)
def test_large_files_are_not_kept_in_git(path: str, size: int, found: list[str]) -> None:
    assert ids(check_sizes([(path, size)])) == found


def test_the_fix_for_a_large_file_is_a_command_that_can_be_pasted() -> None:
    (finding,) = check_sizes([("datasets/a b/$(x).csv", LARGEST + 1)])
    assert "dvc add 'datasets/a b/$(x).csv'" in finding.fix


def test_timestamps_need_an_authority_whose_certificates_are_a_rule() -> None:
    def found(**authority: str) -> list[str]:
        timestamps = TimestampAuthority(url="https://tsa.example.org", **authority) if authority else None
        project = msgspec.structs.replace(samples.project(), timestamps=timestamps)
        required = msgspec.structs.replace(samples.policy(), timestamps=True)
        checks = list(check_timestamps(project, required))
        return [finding.id for finding in checks]

    assert found() == ["timestamp-authority-missing"]
    assert found(certificates=".mlgit/root.pem") == []
