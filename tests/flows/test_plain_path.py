"""The whole path of a model on one machine: trained, registered, promoted, approved, merged, applied; and again, in vain."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.builder import MODEL, OTHER
from tests.flows.people import Answer, Desk, Team, contents

STAGING, PRODUCTION = f"staging/{MODEL}", f"production/{MODEL}"
BRANCH = f"refs/heads/mlgit/promote/{PRODUCTION}"


def target(team: Team, environment: str) -> Path:
    return team.root / "deployed" / environment / MODEL


def runs(team: Team, environment: str) -> int:
    """The label of the version that a target really runs, as whoever serves it sees it."""
    record = json.loads((target(team, environment) / "current/version.json").read_text())
    return int(record["version"])


def deployments(team: Team, where: str = PRODUCTION) -> list[dict[str, object]]:
    """The entries of the ledger, first to last."""
    folder = f"deployments/{where}/"
    paths = [path for path in team.ana.files("mlgit-ledger") if path.startswith(folder) and path.endswith(".json")]
    paths.sort(key=lambda path: int(path.removeprefix(folder).removesuffix(".json")))
    return [json.loads(team.ana.show("mlgit-ledger", path)) for path in paths]


@pytest.mark.tier("fast")
def test_a_version_reaches_production_with_a_second_persons_word(registered: Team) -> None:
    team, ana, ben = registered, registered.ana, registered.ben
    team.promote(f"{MODEL}@1", "staging")
    assert runs(team, "staging") == 1
    proposed = ana.does(f"promote {MODEL}@1 --to production")
    assert f"Next: mlgit approve {PRODUCTION}" in proposed.out
    base = ana.head("main")
    approved = ben.does("approve")
    assert f"Next: mlgit merge {PRODUCTION}" in approved.out
    merged = ben.does("merge")
    assert "approved   ben" in merged.out
    assert ana.git("rev-parse", "main^1") == base
    assert ana.git("log", "-1", "--format=%an", "main") == "Ben"
    applied = ana.does("apply production")
    assert runs(team, "production") == 1
    assert "ben" in applied.out
    rows = ana.does("status --json").json["rows"]
    assert [(row["environment"], row["champion"], row["deployed"]) for row in rows] == [
        ("staging", f"{MODEL}@1", "yes"),
        ("production", f"{MODEL}@1", "yes"),
    ]


def test_a_merge_brings_manifest_and_report_and_nothing_else(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    ben.does("merge")
    changed = ana.git("diff", "--name-status", "main^1", "main").split("\n")
    promotion = next(
        line for line in ana.show("main", f"environments/{PRODUCTION}.yaml").splitlines() if "promotion:" in line
    )
    report = f"models/{MODEL}/versions/v2/gates/{promotion.split()[-1]}.json"
    assert changed == [f"M\tenvironments/{PRODUCTION}.yaml", f"A\t{report}"]
    assert BRANCH not in ana.refs()
    assert ana.git("status", "--short") == ""


def test_a_version_takes_the_place_of_another_which_stays_for_a_way_back(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    before = (target(proposed, "production") / "current").readlink()
    proposed.ana.does("apply")
    assert runs(proposed, "production") == 2
    assert (target(proposed, "production") / before / "model.skops").is_file()
    entries = deployments(proposed)
    assert [(entry["seq"], entry["version"], entry["status"]) for entry in entries] == [
        (1, 1, "verified"),
        (2, 2, "verified"),
    ]


REPEATED: list[tuple[str, Callable[[Team], Desk], str, int]] = [
    (f"register {MODEL}", lambda team: team.ana, "is registered already; nothing was changed", 0),
    (
        f"promote {MODEL}@2 --to staging",
        lambda team: team.ana,
        "is champion of staging already; nothing was changed",
        0,
    ),
    (f"promote {MODEL}@2 --to production", lambda team: team.ana, "was proposed already", 0),
    (f"approve {PRODUCTION}", lambda team: team.ben, "ben approved it already; nothing was changed", 0),
    ("apply", lambda team: team.ana, "nothing to do", 0),
]


@pytest.mark.parametrize(("line", "who", "says", "code"), REPEATED, ids=[case[0] for case in REPEATED])
def test_doing_it_again_changes_nothing_and_says_so(
    proposed: Team, line: str, who: Callable[[Team], Desk], says: str, code: int
) -> None:
    if line.startswith("approve"):
        who(proposed).does(line)
    before = proposed.ana.everything()
    answer = who(proposed)(line)
    assert (answer.code, says in answer.text) == (code, True), answer.text
    assert proposed.ana.everything() == before


@pytest.mark.tier("fast")
def test_merging_again_changes_nothing_and_says_so(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    before = proposed.ana.everything()
    promotions = [one["promotion"] for one in proposed.ana.does("log --json").json["events"]]
    names = [PRODUCTION, STAGING, f"mlgit/promote/{PRODUCTION}", "", *promotions]
    for name in names:
        assert "is merged for" in proposed.ana.does(f"merge {name}").out
    assert proposed.ana.everything() == before


DRY: list[tuple[str, str]] = [
    ("registered", f"register {OTHER} --dry-run"),
    ("registered", f"promote {MODEL}@1 --to staging --dry-run"),
    ("registered", f"promote {MODEL}@3 --to staging --dry-run"),
    ("proposed", f"promote {MODEL}@2 --to production --dry-run"),
    ("proposed", "approve --dry-run"),
    ("approved", "merge --dry-run"),
    ("merged", "apply --dry-run"),
]


@pytest.mark.parametrize(("scene", "line"), DRY, ids=[line for _, line in DRY])
def test_a_dry_run_changes_nothing(request: pytest.FixtureRequest, scene: str, line: str) -> None:
    team: Team = request.getfixturevalue("registered" if scene == "registered" else "proposed")
    if scene in {"approved", "merged"}:
        team.ben.does("approve")
    if scene == "merged":
        team.ben.does("merge")
    before = team.ana.everything()
    answer = team.ben(line)
    assert answer.code in {0, 1}, answer.text
    assert team.ana.everything() == before
    if scene in {"approved", "merged"}:
        really = team.ben(line.replace(" --dry-run", ""))
        assert really.code == 0, really.text
        assert team.ana.everything() != before


def test_the_same_files_of_another_model_are_another_version(registered: Team) -> None:
    """`triage@1` was registered from the first fit; what lies in `out/` now is the third."""
    answer = registered.ana.does(f"register {OTHER} --json").json
    assert (answer["version"], answer["state"]) == (f"{OTHER}@2", "registered")
    assert registered.ana.git("status", "--short") == ""


@pytest.mark.parametrize("command", ["apply", "observe"])
@pytest.mark.parametrize(("place", "environments"), [("", ["production", "staging"]), ("staging", ["staging"])])
def test_an_environment_or_a_model_in_it_may_be_named(
    running: Team, command: str, place: str, environments: list[str]
) -> None:
    for words in (place, *(f"{place}/{MODEL}" for _ in place[:1])):
        results = running.ana.does(f"{command} {words} --json").json["results"]
        assert sorted((one["environment"], one["model"]) for one in results) == [(one, MODEL) for one in environments]
    assert running.ana.does(f"{command} staging/{OTHER} --json").json["results"] == []


# What stands against a step


UNKNOWN: list[tuple[str, str, str]] = [
    (f"promote {MODEL}@9 --to staging", "version-unknown", "versions 1, 2 and 3"),
    ("promote malignacy@1 --to staging", "model-unknown", "did you mean malignancy?"),
    (f"promote {MODEL}@1 --to stagging", "environment-unknown", "did you mean staging?"),
    (f"gate {MODEL}@1 --env produktion", "environment-unknown", "did you mean production?"),
    (f"diff {MODEL}@1 {MODEL}@4", "version-unknown", "versions 1, 2 and 3"),
    ("show malignanzy", "model-unknown", "did you mean malignancy?"),
    (f"show {MODEL}@7", "version-unknown", "versions 1, 2 and 3"),
    ("apply staginj", "environment-unknown", "did you mean staging?"),
    ("apply staging/malignacy", "model-unknown", "did you mean malignancy?"),
    ("observe staging/malignacy", "model-unknown", "did you mean malignancy?"),
    ("approve staging/malignancy", "promotion-unknown", f"open are {PRODUCTION}"),
    ("merge 01KJMNQVB03RNTGVT3Z586K0BG", "promotion-unknown", f"open are {PRODUCTION}"),
    ("status --at v9.9", "revision-unknown", "git tag"),
]


@pytest.mark.parametrize(("line", "finding", "hint"), UNKNOWN, ids=[line for line, _, _ in UNKNOWN])
def test_a_wrong_name_is_refused_with_the_right_ones(proposed: Team, line: str, finding: str, hint: str) -> None:
    answer = proposed.ana(line)
    assert (answer.code, answer.ids, answer.out) == (1, [finding], ""), answer.text
    assert hint in answer.err


def test_a_name_that_is_no_version_is_wrong_usage(registered: Team) -> None:
    assert registered.ana.refused("promote malignancy@ --to staging", code=2) == ["version-reference-invalid"]
    assert registered.ana(f"promote {MODEL}@1").code == 2
    assert registered.ana("promot").code == 2


def test_a_model_alone_is_its_newest_version(registered: Team) -> None:
    assert registered.ana(f"gate {MODEL} --env staging --json").json["candidate"] == f"{MODEL}@3"
    assert registered.ana(f"promote {MODEL} --to staging --dry-run --json").json["candidate"] == f"{MODEL}@3"
    assert registered.ana.refused("promote nothing --to staging") == ["model-unknown"]


def test_a_model_has_to_be_named_where_there_are_two(registered: Team) -> None:
    assert registered.ana.refused("register", code=2) == ["model-ambiguous"]


def test_a_version_that_is_only_on_a_branch_cannot_be_promoted(registered: Team) -> None:
    ana = registered.ana
    ana.git("switch", "--quiet", "-c", "experiment")
    ana.git("branch", "--force", "main", "main~1")
    assert ana.refused(f"promote {MODEL}@3 --to staging") == ["version-unknown"]
    assert f"{MODEL}@3" in ana.does(f"show {MODEL} --at experiment").out


def test_no_environment_is_skipped(registered: Team) -> None:
    answer = registered.ana(f"promote {MODEL}@1 --to production")
    assert (answer.code, answer.ids) == (1, ["environment-skipped"])
    assert f"mlgit promote {MODEL}@1 --to staging" in answer.err


def test_a_worse_version_is_refused_by_its_gates(running: Team) -> None:
    ana = running.ana
    before = ana.everything()
    answer = ana(f"promote {MODEL}@3 --to staging --json")
    assert (answer.code, answer.json["state"]) == (1, "refused")
    assert [one["gate"] for one in answer.json["gates"] if one["outcome"] == "fail"] == [
        "beats-baseline",
        "beats-champion",
    ]
    assert ana.everything() == before
    assert (
        "Refused by beats-baseline, beats-champion. Nothing was proposed" in ana(f"promote {MODEL}@3 --to staging").out
    )


def test_a_version_whose_files_are_not_in_the_remote_is_not_proposed(registered: Team) -> None:
    ana = registered.ana
    artifact = json.loads(ana.read(f"models/{MODEL}/versions/v1/version.json"))["artifact"]
    (registered.folder / "storage/mlgit/md5" / artifact["md5"][:2] / artifact["md5"][2:]).unlink()
    answer = ana(f"promote {MODEL}@1 --to staging")
    assert (answer.code, answer.ids) == (1, ["data-missing"])
    assert artifact["md5"][:8] in answer.err


def test_a_version_whose_file_was_changed_in_the_cache_is_no_pass(registered: Team) -> None:
    """The remote still has the right one; what is read is never what was recorded."""
    ana = registered.ana
    artifact = json.loads(ana.read(f"models/{MODEL}/versions/v1/version.json"))["artifact"]
    cached = registered.root / ".dvc/cache/mlgit/md5" / artifact["md5"][:2] / artifact["md5"][2:]
    content = cached.read_bytes()
    cached.chmod(0o644)
    cached.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    answer = ana(f"promote {MODEL}@1 --to staging --json")
    gates = {one["gate"]: one for one in answer.json["gates"]}
    assert (answer.code, gates["model-safe"]["outcome"], gates["integrity"]["outcome"]) == (1, "error", "fail")
    assert gates["model-safe"]["facts"] == {"finding": "data-corrupt"}
    assert "differs from its record" in gates["integrity"]["message"]


def test_what_a_version_is_made_from_has_to_be_committed(registered: Team) -> None:
    ana = registered.ana
    (ana.root / "src/put.py").write_text(ana.read("src/put.py") + "# half a thought\n")
    (ana.root / "README.md").write_text("Nothing is made from this.\n")
    answer = ana(f"register {OTHER}")
    assert (answer.code, answer.ids) == (1, ["inputs-uncommitted"])
    assert "src/put.py" in answer.err
    assert "README.md" not in answer.err


def test_what_the_pipeline_left_has_to_be_of_todays_code(registered: Team) -> None:
    registered.ana.edit("params.yaml", "worse", "better")
    assert registered.ana.refused(f"register {OTHER}") == ["pipeline-stale"]


def fits_otherwise(team: Team, name: str, content: bytes, model: str = "model.skops") -> None:
    """Let the pipeline leave something else behind, and commit that."""
    ana = team.ana
    ana.commit(f"Put another {name}", {f"src/fits/worse/{name}": content})
    ana.does(f"train {MODEL}")


def test_a_pickle_is_no_version_and_is_never_loaded(registered: Team) -> None:
    ana = registered.ana
    harmful = b"cos\nsystem\n(S'touch " + str(registered.folder / "harmed").encode() + b"'\ntR."
    ana.edit("dvc.yaml", "out/model.skops", "out/model.pkl")
    ana.edit("src/put.py", 'pathlib.Path("out", name)', 'pathlib.Path("out", name.replace("model.skops", "model.pkl"))')
    ana.edit(f"models/{OTHER}/model.yaml", "out/model.skops", "out/model.pkl")
    fits_otherwise(registered, "model.skops", harmful)
    assert ana.refused(f"register {OTHER}") == ["model-is-pickle"]
    assert not (registered.folder / "harmed").exists()


def test_predictions_that_the_model_does_not_give_are_no_version(registered: Team) -> None:
    better = (registered.root / "src/fits/better/predictions.parquet").read_bytes()
    fits_otherwise(registered, "predictions.parquet", better)
    assert registered.ana.refused(f"register {MODEL}") == ["predictions-mismatch"]


def test_a_number_that_was_typed_into_a_record_fails_the_first_gate(registered: Team) -> None:
    ana = registered.ana
    path = f"models/{MODEL}/versions/v3/version.json"
    recorded = json.loads(ana.read(path))["evaluation"]["metrics"]["roc_auc"]
    ana.edit(path, str(recorded), "0.999")
    gates = ana(f"promote {MODEL}@3 --to staging --json").json["gates"]
    assert [(one["gate"], one["outcome"]) for one in gates[:2]] == [("model-safe", "pass"), ("integrity", "fail")]
    validated = ana("validate")
    assert (validated.code, "version-tampered" in validated.ids) == (1, True)


# Words for programs


def document(answer: Answer) -> str:
    schema = answer.json["schema"]
    assert isinstance(schema, str)
    return schema


def test_every_command_answers_with_a_document_of_its_own(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    for line, schema in (
        ("status", "status"),
        ("log", "log"),
        (f"show {MODEL}", "model"),
        (f"show {MODEL}@2", "version"),
        (f"diff {MODEL}@1 {MODEL}@2", "diff"),
        (f"gate {MODEL}@2 --env production", "gate"),
        ("validate", "validate"),
        ("explain beats-champion", "explain"),
        ("data check", "data-check"),
        (f"promote {MODEL}@2 --to production", "proposed"),
    ):
        assert document(ana.does(f"{line} --json")) == f"mlgit/{schema}.v1", line
    assert document(ben.does("approve --json")) == "mlgit/approve.v1"
    assert document(ben.does("merge --json")) == "mlgit/merge.v1"
    assert document(ana.does("apply --json")) == "mlgit/apply.v1"


def test_a_refusal_is_a_document_too(proposed: Team) -> None:
    answer = proposed.ana("merge --json")
    assert (answer.code, answer.err) == (1, "")
    assert (document(answer), answer.json["exit"]) == ("mlgit/error.v1", 1)
    (finding,) = answer.json["findings"]
    assert finding["id"] == "approvals-missing"
    assert {"message", "why", "fix"} <= finding.keys()


# Apply


def test_a_target_that_was_tampered_with_is_put_right(running: Team) -> None:
    ana = running.ana
    model = target(running, "production") / "current/model.skops"
    good = model.read_bytes()
    model.chmod(0o644)
    model.write_bytes(good + b"!")
    answer = ana.does("apply --json").json
    assert {one["environment"]: one["state"] for one in answer["results"]} == {
        "staging": "up-to-date",
        "production": "applied",
    }
    assert model.read_bytes() == good


def test_a_file_that_was_put_beside_the_model_is_taken_away(running: Team) -> None:
    stray = target(running, "staging") / "current/sitecustomize.py"
    stray.write_text("raise SystemExit")
    running.ana.does("apply")
    assert not stray.exists()


def test_an_entry_that_the_ledger_lost_is_written_again(running: Team) -> None:
    ana = running.ana
    ana.git("update-ref", "refs/heads/mlgit-ledger", "mlgit-ledger~1")
    before = contents(target(running, "production"))
    answer = ana.does("apply --json").json
    assert {one["environment"]: one["state"] for one in answer["results"]} == {
        "staging": "up-to-date",
        "production": "recorded",
    }
    assert [entry["seq"] for entry in deployments(running)] == [1]
    assert contents(target(running, "production")) == before


def pushed_directly(team: Team) -> None:
    """Let somebody write a manifest on the base branch without a promotion."""
    staging = team.ana.read(f"environments/{STAGING}.yaml")
    forged = staging.replace("environment: staging", "environment: production").replace(
        "name: staging", "name: production"
    )
    team.mallory.commit("Ship it", {f"environments/{PRODUCTION}.yaml": forged})


def test_a_manifest_that_nobody_proposed_is_blocked_and_that_is_recorded_once(proposed: Team) -> None:
    ana = proposed.ana
    pushed_directly(proposed)
    before = contents(target(proposed, "production"))
    for _ in range(3):
        answer = ana("apply --json")
        assert answer.code == 1
        assert [one["state"] for one in answer.json["results"]] == ["up-to-date", "blocked"]
    assert contents(target(proposed, "production")) == before
    assert runs(proposed, "production") == 1
    assert [entry["status"] for entry in deployments(proposed)] == ["verified", "blocked"]
    assert deployments(proposed)[-1]["digest"] == deployments(proposed)[0]["digest"]
    row = ana.does("status --json").json["rows"][1]
    assert (row["environment"], row["deployed"]) == ("production", "blocked")


def test_a_blocked_environment_is_well_again_once_the_change_is_taken_back_and_proposed(proposed: Team) -> None:
    pushed_directly(proposed)
    assert proposed.ana("apply").code == 1
    proposed.ana.git("revert", "--no-edit", "HEAD")
    assert proposed.ana.does("apply --json").json["results"][1]["state"] == "recorded"
    assert runs(proposed, "production") == 1
    proposed.promote(f"{MODEL}@2", "production", approve=[proposed.ben])
    assert runs(proposed, "production") == 2
    assert [entry["status"] for entry in deployments(proposed)] == ["verified", "blocked", "verified", "verified"]


def test_taking_a_promotion_back_by_hand_is_a_change_that_nobody_agreed_to(proposed: Team) -> None:
    ana = proposed.ana
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    ana.does("apply")
    ana.git("revert", "--no-edit", "-m", "1", "HEAD")
    answer = ana("apply --json")
    assert (answer.code, answer.json["results"][1]["state"]) == (1, "blocked")
    assert runs(proposed, "production") == 2


def test_an_environment_that_somebody_else_serves_is_left_to_them(registered: Team) -> None:
    ana = registered.ana
    path = "environments/staging/environment.yaml"
    head, _, _ = ana.read(path).partition("target:")
    ana.commit("Somebody else brings it there", {path: f"{head}target: {{type: none}}\n"})
    registered.promote(f"{MODEL}@1", "staging", apply=False)
    answer = ana.does("apply --json").json
    assert [one["state"] for one in answer["results"]] == ["no-target"]
    assert not (registered.root / "deployed").exists()
    assert "refs/heads/mlgit-ledger" not in ana.refs()


def test_a_target_that_cannot_be_written_is_a_failure_and_leaves_what_runs(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    releases = target(proposed, "production") / "releases"
    kept = releases.with_name("kept")
    releases.rename(kept)
    releases.write_text("no folder")
    answer = proposed.ana("apply production --json")
    assert (answer.code, answer.json["results"][0]["state"]) == (3, "failed")
    releases.unlink()
    kept.rename(releases)
    assert runs(proposed, "production") == 1
    proposed.ana.does("apply production")
    assert runs(proposed, "production") == 2
