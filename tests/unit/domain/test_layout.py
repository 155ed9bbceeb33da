"""Where things are: each path that is made leads back to its kind, and a path that lies leads nowhere."""

import pytest

from mlgit.domain import layout
from mlgit.domain.layout import RecordPath, is_immutable, parse_path
from mlgit.domain.records import KINDS
from mlgit.domain.records.kinds import RECORD_KINDS

ULID = "01JD8ZK3M90000000000000000"

PLACES = [
    (layout.PROJECT, "project", {}),
    (layout.ROLES, "roles", {}),
    (layout.problem("late"), "problem", {"name": "late"}),
    (layout.dataset("flights"), "dataset", {"name": "flights"}),
    (layout.model("delay"), "model", {"name": "delay"}),
    (layout.version("delay", 8), "version", {"model": "delay", "version": "8"}),
    (layout.gate_report("delay", 8, ULID), "gate-report", {"model": "delay", "version": "8", "promotion": ULID}),
    (layout.environment("production"), "environment", {"name": "production"}),
    (layout.promotion("production", "delay"), "promotion", {"environment": "production", "model": "delay"}),
    (layout.policy("strict"), "policy", {"name": "strict"}),
    (f"{layout.approvals(ULID)}/bea.json", "approval", {"promotion": ULID}),
    (f"{layout.reviews(ULID)}/1.json", "reviews", {"promotion": ULID}),
    (f"{layout.rule_approvals('sha256:0a')}/bea.json", "rule-approval", {}),
    (f"{layout.rule_reviews('sha256:0a')}/1.json", "rule-reviews", {}),
    (layout.decision(ULID), "decision", {"promotion": ULID}),
    (
        f"{layout.deployments('staging', 'delay')}/3.json",
        "deployment",
        {"environment": "staging", "model": "delay", "seq": "3"},
    ),
    ("holds/2026/delay.yaml", "hold", {"name": "2026/delay"}),
    ("overrides/incident-7.yaml", "override", {"name": "incident-7"}),
    (layout.standing_approval("production/delay"), "standing-approval", {"name": "production/delay"}),
    ("retirements/delay/v3.yaml", "retirement", {"model": "delay", "version": "3"}),
]


@pytest.mark.parametrize(("path", "kind", "says"), PLACES)
def test_a_path_tells_its_kind_and_what_the_content_must_say(path: str, kind: str, says: dict[str, str]) -> None:
    assert parse_path(path) == RecordPath(kind, says)


def test_every_kind_has_a_place() -> None:
    assert {kind for _, kind, _ in PLACES} == KINDS.keys()


def test_the_registry_names_each_class_by_its_own_kind() -> None:
    assert {kind: record.__struct_config__.tag for kind, record in KINDS.items()} == {kind: kind for kind in KINDS}
    assert [row.class_name for row in RECORD_KINDS.values()] == [record.__name__ for record in KINDS.values()]
    assert "no-such-kind" not in KINDS
    with pytest.raises(KeyError):
        KINDS["no-such-kind"]


def test_only_mlgit_writes_on_the_ledger() -> None:
    assert {KINDS[kind].written_by for kind, row in RECORD_KINDS.items() if row.on_ledger} == {"mlgit"}


@pytest.mark.parametrize(
    ("kind", "template"),
    [
        ("project", "mlgit.yaml"),
        ("model", "models/<model>/model.yaml"),
        ("version", "models/<model>/versions/v<N>/version.json"),
        ("hold", "holds/<name>.yaml"),
        ("approval", "approvals/<promotion>/<name>.json"),
        ("reviews", "reviews/<promotion>/<N>.json"),
    ],
)
def test_a_path_is_shown_with_names_in_brackets(kind: str, template: str) -> None:
    assert layout.path_template(kind) == template


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "mlgit.yaml/", "x/mlgit.yaml", "MLGIT.yaml", "mlgitXyaml", "mlgit.yaml\n", "mlgit.yml", "README.md"),
        *("roles.yaml", ".mlgit/x/roles.yaml", "Xmlgit/roles.yaml", ".mlgit/allowed_signers"),
        *("problems/a.yml", "problems/a/b.yaml", "problems/.yaml", "/problems/a.yaml", "./problems/a.yaml", "problems"),
        *("datasets/a/b/dataset.yaml", "datasets/dataset.yaml", "models/model.yaml", "models/a/b/model.yaml"),
        *("models/a/versions/v1/card.md", "models/a/versions/1/version.json", "models/a/versions/v/version.json"),
        *(
            "models/a/versions/v-1/version.json",
            "models/a/versions/v1/version.json.bak",
            "models/a/versions/v1\n/version.json",
        ),
        *("models/a/versions/v٣/version.json", f"models/a/versions/v{'9' * 5000}/version.json"),
        *("environments/production.yaml", "environments/a/b/c.yaml", f"deployments/a/b/{'9' * 5000}.json"),
        "decisions/x.json.sig",
    ],
)
def test_no_record_belongs_elsewhere(path: str) -> None:
    assert parse_path(path) is None


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("problems/a.yml", "problems/a.yaml"),
        ("problems/a.YAML", "problems/a.yaml"),
        ("environments/a/b.json", "environments/a/b.yaml"),
        ("problems/a.yaml", None),
        ("problems/a/b.yml", None),
        ("problems/a.txt", None),
        ("problems/yml", None),
    ],
)
def test_an_extension_can_be_in_the_way(path: str, meant: str | None) -> None:
    assert layout.suggested_path(path) == meant


@pytest.mark.parametrize(
    ("path", "like"),
    [
        ("models/a/versions/v1/version.json", True),
        ("models/a/versions/one/version.json", True),
        ("models/a/versions/v1/notes/version.json", False),
        ("models/a/version.json", False),
    ],
)
def test_a_record_of_a_version_is_told_whatever_its_label(path: str, like: bool) -> None:
    assert layout.is_version_like(path) is like


def test_a_path_that_climbs_says_so_in_the_name_that_the_content_must_have() -> None:
    assert parse_path("models/../model.yaml") == RecordPath("model", {"name": ".."})
    assert parse_path("environments/../environment.yaml") == RecordPath("environment", {"name": ".."})


def test_a_manifest_of_a_model_called_environment_would_be_the_environment() -> None:
    assert layout.promotion("production", "environment") == layout.environment("production")


@pytest.mark.parametrize(
    ("path", "immutable"),
    [
        ("models/a/versions/v1/version.json", True),
        ("models/a/versions/v1/gates/x.json", True),
        ("models/a/versions/v1/a/b/c", True),
        ("models/a/versions/v007/version.json", True),
        ("models/a/versions/v1", False),
        ("models/a/versions/notes.md", False),
        ("models/a/card.md", False),
        ("x/models/a/versions/v1/version.json", False),
    ],
)
def test_what_is_in_the_folder_of_a_version_stays(path: str, immutable: bool) -> None:
    assert is_immutable(path) is immutable


def test_the_parts_of_a_version_are_in_its_folder() -> None:
    folder = layout.version_folder("delay", 8)
    parts = [
        layout.version("delay", 8),
        layout.card("delay", 8),
        layout.profile("delay", 8),
        layout.gate_report("delay", 8, ULID),
    ]
    assert all(part.startswith(f"{folder}/") and is_immutable(part) for part in parts)
    assert not is_immutable(layout.model_card("delay"))


def test_the_branch_of_a_promotion_is_one_for_an_environment_and_model() -> None:
    assert layout.promotion_branch("production", "delay") == "mlgit/promote/production/delay"
