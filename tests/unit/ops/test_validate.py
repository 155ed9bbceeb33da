"""Checking a project: nothing is found in a healthy one, and each fault is found at its place, all at once or in a change."""

from collections.abc import Callable, Mapping

import pytest

from mlgit.domain.codec import to_json
from mlgit.domain.records.promotion import SlotAssignments
from mlgit.errors import Finding, Location, Severity
from mlgit.ops.validation.validate import check_all, check_change
from tests import samples
from tests.unit.ops.projects import (
    FORMATS,
    Content,
    differences,
    edited,
    healthy,
    promoted,
    registered,
    report_path,
    second_promotion,
    state,
    version_files,
    yaml,
)

V1 = "models/delay/versions/v1"
V2 = "models/delay/versions/v2"
MANIFEST = "environments/production/delay.yaml"
PROBLEM = "problems/late-arrival.yaml"


def found_in_all(changes: Content, modes: Mapping[str, str] = {}) -> list[Finding]:
    return check_all(state(changes, modes), FORMATS)[1]


def found_in_change(changes: Content, modes: Mapping[str, str] = {}) -> list[Finding]:
    return check_change(state(), state(changes, modes), differences(changes), FORMATS)[1]


Check = Callable[[Content], list[Finding]]


def places(findings: list[Finding]) -> set[tuple[str, str, str | None]]:
    return {(one.id, one.at.file if one.at else "", one.at.path if one.at else None) for one in findings}


def at_files(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(name, file) for name, file, _ in places(findings)}


# Healthy


def test_a_healthy_project_has_no_findings() -> None:
    records, findings = check_all(state(), FORMATS)
    assert findings == []
    assert records == 13


def test_a_project_that_has_just_begun_has_no_findings() -> None:
    begun = {
        path: None for path in healthy() if path.startswith(("models/delay/versions", "environments/production/delay"))
    }
    assert found_in_all(begun) == []


def test_progress_is_told() -> None:
    told: list[int] = []
    records, _ = check_all(state(), FORMATS, told.append)
    assert told == sorted(told)
    assert told[-1] == records


@pytest.mark.parametrize(
    "change",
    [
        {},
        second_promotion(),
        version_files(3),
        {"README.md": b"# other\n", "src/new.py": b""},
        {"models/delay/card.md": None},
        {f"{V2}/notes/2026-03.md": b"seen in review\n"},
        edited("policies/production.yaml", "id: integrity", "id: immutability"),
        edited(PROBLEM, "risk: high", "risk: low"),
    ],
    ids=["nothing", "promotion", "registration", "code", "prose", "remark", "policy", "problem"],
)
def test_a_sound_change_has_no_findings(change: Content) -> None:
    assert found_in_change(change) == []
    assert [found for found in found_in_all(change) if found.id != "slot-digest-mismatch"] == []


def test_a_change_costs_what_it_touches() -> None:
    def read_for(change: Content) -> int:
        return check_change(state(), state(change), differences(change), FORMATS)[0]

    assert read_for({"src/new.py": b""}) == 0
    assert read_for(version_files(3)) == 1
    assert read_for(second_promotion()) <= 4  # manifest, report, and the version for each of them


# Faults that both ways of checking find

TAMPERED = version_files(1) | {f"{V1}/version.json": to_json(registered(1)).replace(b"0.712", b"0.912")}
BROKEN_CARD = b"no front matter\n"
FAULTS: list[tuple[str, Content, set[tuple[str, str, str | None]]]] = [
    (
        "a metric nobody computes",
        edited(PROBLEM, "primary: roc_auc", "primary: auc"),
        {("metric-unknown", PROBLEM, "metric.primary")},
    ),
    (
        "a metric of another kind of target",
        edited(PROBLEM, "primary: roc_auc", "primary: rmse"),
        {("metric-target-mismatch", PROBLEM, "metric.primary")},
    ),
    (
        "a metric the wrong way round",
        edited(PROBLEM, "primary: roc_auc", "primary: roc_auc\n  direction: min"),
        {("metric-direction-mismatch", PROBLEM, "metric.direction")},
    ),
    (
        "no positive label",
        edited(PROBLEM, "positive: true", "positive: null"),
        {("positive-label-missing", PROBLEM, "target")},
    ),
    (
        "an unknown key",
        edited("models/delay/model.yaml", "reads:", "raeds: []\nreads:"),
        {("key-unknown", "models/delay/model.yaml", "raeds")},
    ),
    (
        "a record that says another name than its path",
        {"models/other/model.yaml": healthy()["models/delay/model.yaml"]},
        {("path-mismatch", "models/other/model.yaml", "name")},
    ),
    (
        "an unknown dataset",
        edited("models/delay/model.yaml", "- flights", "- flight"),
        {("dataset-unknown", "models/delay/model.yaml", "datasets")},
    ),
    (
        "an unknown policy",
        edited("environments/production/environment.yaml", "policy: production", "policy: strict"),
        {("policy-unknown", "environments/production/environment.yaml", "policy")},
    ),
    (
        "an environment before itself",
        edited("environments/staging/environment.yaml", "policy: staging", "policy: staging\nafter: [production]"),
        {("environment-order-invalid", "environments/staging/environment.yaml", "after")},
    ),
    (
        "an environment that nobody describes",
        edited("mlgit.yaml", "- production", "- production\n- canary"),
        {("environment-unknown", "mlgit.yaml", "environments")},
    ),
    (
        "an environment that is not in the order",
        {"environments/canary/environment.yaml": yaml(samples.environment(name="canary"))},
        {("environment-unlisted", "environments/canary/environment.yaml", None)},
    ),
    (
        "an environment listed twice",
        edited("mlgit.yaml", "- production", "- production\n- staging"),
        {("environment-duplicate", "mlgit.yaml", "environments[2]")},
    ),
    (
        "a gate listed twice",
        edited("policies/staging.yaml", "- id: integrity", "- id: integrity\n- id: integrity"),
        {("gate-duplicate", "policies/staging.yaml", "gates[1]")},
    ),
    (
        "a model called environment",
        {"models/environment/model.yaml": yaml(samples.model(name="environment"))},
        {("name-reserved", "models/environment/model.yaml", "name")},
    ),
    (
        "an address of two people",
        edited(".mlgit/roles.yaml", "- bea@", "- ADA@"),
        {("email-duplicate", ".mlgit/roles.yaml", "people.bea.emails[0]")},
    ),
    (
        "a soak in no environment",
        edited("environments/production/environment.yaml", "policy:", "soak: {in: canary, for: 72h}\npolicy:"),
        {
            ("environment-unknown", "environments/production/environment.yaml", "soak.in"),
        },
    ),
    (
        "a name that does not do",
        {"problems/Late Arrival.yaml": healthy()[PROBLEM]},
        {("name-invalid", "problems/Late Arrival.yaml", None), ("path-mismatch", "problems/Late Arrival.yaml", "name")},
    ),
    (
        "a version that says another label than its path",
        version_files(3) | {"models/delay/versions/v3/version.json": to_json(registered(2))},
        {("path-mismatch", "models/delay/versions/v3/version.json", "version")},
    ),
    (
        "a version without its files",
        {"models/delay/versions/v3/version.json": to_json(registered(3))},
        {("version-file-missing", f"models/delay/versions/v3/{name}", None) for name in ("card.md", "profile.json")},
    ),
    (
        "a version with a pointer of DVC",
        version_files(3) | {"models/delay/versions/v3/model.skops.dvc": b"outs: []"},
        {("dvc-pointer-unexpected", "models/delay/versions/v3/model.skops.dvc", None)},
    ),
    (
        "a version with another card",
        version_files(3) | {"models/delay/versions/v3/card.md": healthy()[f"{V1}/card.md"]},
        {
            ("version-file-mismatch", "models/delay/versions/v3/card.md", None),
            ("card-mismatch", "models/delay/versions/v3/card.md", "mlgit.artifact"),
        },
    ),
    (
        "a card that is none",
        version_files(3) | {"models/delay/versions/v3/card.md": BROKEN_CARD},
        {
            ("version-file-mismatch", "models/delay/versions/v3/card.md", None),
            ("card-front-matter-invalid", "models/delay/versions/v3/card.md", None),
        },
    ),
    (
        "a new version whose numbers were typed",
        version_files(3)
        | {
            "models/delay/versions/v3/version.json": to_json(registered(3)).replace(
                b'"accuracy": 0.8', b'"accuracy": 0.9'
            )
        },
        {
            ("version-tampered", "models/delay/versions/v3/version.json", None),
        },
    ),
    (
        "a gate report of another version",
        {report_path(2): to_json(samples.gate_report(registered(1)))},
        {("path-mismatch", report_path(2), "candidate.version")},
    ),
]


@pytest.mark.parametrize(("change", "expected"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_a_fault_is_found_at_its_place(
    check: Check, change: Content, expected: set[tuple[str, str, str | None]]
) -> None:
    assert places(check(change)) == expected


@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_what_names_a_file_that_goes_is_found(check: Check) -> None:
    found = check({PROBLEM: None, "datasets/flights/dataset.yaml": None, "policies/staging.yaml": None})
    assert {
        ("problem-unknown", "models/delay/model.yaml", "problem"),
        ("dataset-unknown", "models/delay/model.yaml", "datasets"),
        ("policy-unknown", "environments/staging/environment.yaml", "policy"),
    } <= places(found)


@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_all_that_is_wrong_is_said_at_once(check: Check) -> None:
    changes = edited("models/delay/model.yaml", "- flights", "- fligths") | edited("mlgit.yaml", "- staging\n", "")
    files = {one.at.file for one in check(changes) if one.at}
    assert {"models/delay/model.yaml", "environments/staging/environment.yaml"} <= files


# Faults of promotions


def slots(text: str, new: str) -> dict[str, bytes]:
    return edited(MANIFEST, text, new, second_promotion()) | {
        path: content for path, content in second_promotion().items() if path != MANIFEST
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (slots("version: 2", "version: 7"), {("version-unknown", MANIFEST, "slots.champion.version")}),
        (slots(registered(2).digest, samples.sha(5)), {("slot-digest-mismatch", MANIFEST, "slots.champion.digest")}),
        (
            slots(f"{registered(2).digest}", f"{registered(2).digest}\n    traffic: 50"),
            {("traffic-sum-invalid", MANIFEST, "slots")},
        ),
        (slots("change: promote", "change: retire"), {("change-kind-mismatch", MANIFEST, "change")}),
    ],
    ids=["unknown version", "digest of something else", "half of the traffic", "another change"],
)
def test_a_manifest_that_does_not_fit_is_found_by_both(
    change: Content, expected: set[tuple[str, str, str | None]]
) -> None:
    assert places(found_in_change(change)) == places(found_in_all(change)) == expected


@pytest.mark.parametrize(
    "change",
    [
        promoted(2)[1],
        slots(samples.ULID, samples.OLDER_ULID),
        edited(MANIFEST, "change: promote", "change: promote\nreason: by hand"),
    ],
    ids=["replaces nothing", "replaces another", "edited in place"],
)
def test_a_manifest_that_does_not_replace_the_one_of_the_base_is_stale(change: Content) -> None:
    assert places(found_in_change(change)) == {("promotion-stale", MANIFEST, "replaces")}


def test_an_unknown_version_names_those_there_are() -> None:
    (found,) = found_in_change(slots("version: 2", "version: 7"))
    assert found.why == "delay has versions 1, 2"


def test_policy_and_promotion_do_not_change_together() -> None:
    policy = edited("policies/production.yaml", "id: integrity", "id: immutability")
    assert at_files(found_in_change(second_promotion() | policy)) == {
        ("policy-changed-with-promotion", "policies/production.yaml")
    }
    assert found_in_change(second_promotion()) == found_in_change(policy) == []


def test_a_model_that_retires_names_no_version() -> None:
    manifest, files = promoted(1, change="retire", slots=SlotAssignments(champion=None))
    assert manifest.slots.champion is None
    assert found_in_all(files) == []


# What happens to files that are there already


@pytest.mark.parametrize("name", ["version.json", "card.md", "profile.json"])
def test_no_file_of_a_registered_version_changes_or_goes(name: str) -> None:
    changed = {f"{V1}/{name}": healthy()[f"{V1}/{name}"] + b"\n"}
    assert ("immutable-file-changed", f"{V1}/{name}") in at_files(found_in_change(changed))
    assert ("immutable-file-deleted", f"{V1}/{name}") in at_files(found_in_change({f"{V1}/{name}": None}))


@pytest.mark.parametrize("name", ["card.md", "profile.json"])
def test_a_file_of_a_version_that_differs_or_lacks_is_found_without_a_base(name: str) -> None:
    file = f"{V1}/{name}"
    (differs,) = at_files(found_in_all({file: healthy()[file] + b" "}))
    assert differs == ("version-file-mismatch", file)
    assert at_files(found_in_all({file: None})) == {("version-file-missing", file)}


def test_a_record_that_was_altered_is_found_without_a_base() -> None:
    assert places(found_in_all(TAMPERED)) == {
        ("version-tampered", f"{V1}/version.json", None),
    }


def test_an_altered_record_with_a_digest_to_match_is_not_what_was_promoted() -> None:
    forged = registered(1, evaluation=samples.version(5).evaluation)
    change = version_files(1, evaluation=samples.version(5).evaluation)
    assert change[f"{V1}/version.json"] == to_json(forged)
    assert at_files(found_in_all(change)) == {("slot-digest-mismatch", MANIFEST)}


# Paths and links


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        (PROBLEM, "120000"),
        ("mlgit.yaml", "120000"),
        (".mlgit/roles.yaml", "120000"),
        (f"{V1}/card.md", "120000"),
        ("models/vendor", "160000"),
    ],
)
def test_links_and_submodules_have_no_place_among_records(path: str, mode: str) -> None:
    change = {path: b"../elsewhere"} if path == "models/vendor" else {}
    assert ("path-is-link", path) in at_files(found_in_all(change, {path: mode}))


def test_a_link_that_comes_in_with_a_change_is_found() -> None:
    change = {"datasets/weather/dataset.yaml": b"../flights/dataset.yaml"}
    found = found_in_change(change, {"datasets/weather/dataset.yaml": "120000"})
    assert ("path-is-link", "datasets/weather/dataset.yaml") in at_files(found)


def test_two_paths_that_differ_in_case_only_are_found() -> None:
    assert at_files(found_in_all({"src/Train.py": b"", "SRC/train.py": b""})) == {
        ("path-collision", "src/Train.py"),
        ("path-collision", "src/train.py"),
    }
    assert at_files(found_in_change({"docs/a.md": b"", "docs/A.md": b""})) == {("path-collision", "docs/a.md")}


def test_a_change_is_not_told_of_clashes_elsewhere() -> None:
    clash = {"docs/A.md": b"", "docs/a.md": b""}
    for path, expected in (
        ("src/new.py", set()),
        ("docs/new.md", set()),
        ("docs/B.md", {("path-collision", "docs/B.md")}),
    ):
        base, change = clash | {"docs/b.md": b""}, {path: b""}
        found = check_change(state(base), state(base | change), differences(change), FORMATS)[1]
        assert at_files(found) == expected


# What is there and does not fit


BROKEN = [
    ("problem", edited(PROBLEM, "risk: high", "rsk: high"), ("key-unknown", PROBLEM, "rsk")),
    (
        "dataset",
        edited("datasets/flights/dataset.yaml", "owner:", "ownr:"),
        ("key-unknown", "datasets/flights/dataset.yaml", "ownr"),
    ),
    (
        "policy",
        edited("policies/production.yaml", "- id: integrity", "- id: integrty"),
        ("value-not-allowed", "policies/production.yaml", "gates[0].id"),
    ),
    (
        "environment",
        edited("environments/production/environment.yaml", "policy:", "polcy:"),
        ("key-unknown", "environments/production/environment.yaml", "polcy"),
    ),
]


@pytest.mark.parametrize(("change", "expected"), [one[1:] for one in BROKEN], ids=[one[0] for one in BROKEN])
@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_a_broken_file_is_not_said_to_be_missing_as_well(
    check: Check, change: Content, expected: tuple[str, str, str | None]
) -> None:
    found = check(change)
    unmet = {one for one in found if one.id == "key-missing"}  # what was misspelt is missing, too
    assert places([one for one in found if one not in unmet]) == {expected}
    assert {one.at.file for one in unmet if one.at} <= {expected[1]}
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_a_version_that_cannot_be_read_is_not_said_to_be_unknown(check: Check) -> None:
    broken = {f"{V2}/version.json": b"{"}
    assert {name for name, _, _ in places(check(second_promotion() | broken))} - {"immutable-file-changed"} == {
        "json-syntax-error"
    }


@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_a_version_without_a_record_is_unknown(check: Check) -> None:
    gone = {f"{V2}/version.json": None}
    assert ("version-unknown", MANIFEST, "slots.champion.version") in places(check(second_promotion() | gone))


def test_a_path_that_differs_in_case_from_one_of_the_base_is_found() -> None:
    assert at_files(found_in_change({"src/Train.py": b""})) == {("path-collision", "src/Train.py")}


def test_a_manifest_is_not_deleted() -> None:
    assert places(found_in_change({MANIFEST: None})) == {("manifest-deleted", MANIFEST, None)}


@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_a_manifest_of_an_environment_that_nobody_describes_is_found(check: Check) -> None:
    files = promoted(1, "nowhere")[1]
    path = "environments/nowhere/delay.yaml"
    (found,) = [one for one in check({path: files[path]}) if one.id == "environment-unknown"]
    assert (found.at, found.why) == (Location(path, path="environment"), "these exist: production, staging")


@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_a_manifest_stays_behind_when_its_environment_goes(check: Check) -> None:
    found = check({"environments/production/environment.yaml": None})
    assert ("environment-unknown", MANIFEST, "environment") in places(found)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("problems/churn.yml", "file-extension-unsupported"),
        ("policies/strict.json", "file-extension-unsupported"),
        ("environments/staging/delay.json", "file-extension-unsupported"),
        ("environments/canary/environment.yml", "file-extension-unsupported"),
        ("models/delay/versions/v1234567890/version.json", "record-path-invalid"),
        ("models/delay/versions/3/version.json", "record-path-invalid"),
    ],
)
@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_a_file_that_looks_like_a_record_and_is_none_is_found(check: Check, path: str, expected: str) -> None:
    (found,) = check({path: b"kind: problem\n"})
    assert (found.id, found.at) == (expected, Location(path))
    assert (found.severity is Severity.WARNING) == (expected == "file-extension-unsupported")


@pytest.mark.parametrize(
    "path",
    [
        *("problems/readme.md", "problems/notes/2026.yml", "environments/production/values.txt", "src/churn.yml"),
        *("models/delay/notes.yml", "models/delay/notes/version.json", f"{V1}/notes/version.json"),
    ],
)
@pytest.mark.parametrize("check", [found_in_all, found_in_change])
def test_a_file_of_another_purpose_is_left_alone(check: Check, path: str) -> None:
    assert check({path: b"kind: problem\n"}) == []


# What people see


@pytest.mark.parametrize("check", [found_in_all, found_in_change], ids=["all", "change"])
@pytest.mark.parametrize(
    "path",
    [
        *("policies/production.yaml", PROBLEM, "models/delay/card.md", f"{V2}/card.md", "CODEOWNERS"),
        *(".mlgit/allowed_signers", ".mlgit/trusted_types", ".dvc/config", "requirements.txt", "dvc.yaml"),
        *("datasets/flights/flights.parquet.dvc", ".github/workflows/mlgit.yml", "params.yaml"),
    ],
)
def test_a_hidden_line_break_is_found_in_every_reviewed_text(check: Check, path: str) -> None:
    content = (healthy().get(path) or b"") + "# exclude: \u2028x: [bots]\n".encode()
    found = [finding for finding in check({path: content}) if finding.id == "text-hidden-character"]
    assert [finding.at.file for finding in found if finding.at] == [path]
    assert "U+2028 LINE SEPARATOR in column 12" in found[0].message


@pytest.mark.parametrize("check", [found_in_all, found_in_change], ids=["all", "change"])
@pytest.mark.parametrize(
    ("path", "content", "id_"),
    [
        ("models/delay/card.md", b"---\nlicense: mit\n\n# delay\n", "card-front-matter-invalid"),
        ("models/delay/card.md", b"---\nlicense: other\n---\n", "card-license-unnamed"),
        ("models/delay/card.md", b"password = hunter2hunter2\n", "credentials-committed"),
        (".dvc/config", b"['remote \"storage\"']\n    password = x\n", "credentials-committed"),
        (
            "datasets/flights/flights.parquet.dvc",
            b"outs:\n- md5: 0123456789abcdef0123456789abcdef\n  size: 5\n  hash: md5\n  path: other.csv\n",
            "dvc-pointer-misnamed",
        ),
    ],
)
def test_text_that_people_write_around_records_is_checked(check: Check, path: str, content: bytes, id_: str) -> None:
    assert at_files(check({path: content})) == {(id_, path)}


@pytest.mark.parametrize("check", [found_in_all, found_in_change], ids=["all", "change"])
def test_a_version_supersedes_one_that_exists(check: Check) -> None:
    assert check(version_files(3, supersedes=2)) == []
    assert at_files(check(version_files(3, supersedes=9))) == {
        ("version-unknown", "models/delay/versions/v3/version.json")
    }
