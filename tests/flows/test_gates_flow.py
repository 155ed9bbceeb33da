"""Gates on real versions: those on files and depth, a team's own, warnings, and reports of the past judged again."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from mlgit.domain import codec, layout
from mlgit.domain.records import GateReport, Version
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_approvals_flow import forged

STAGING = "policies/staging.yaml"
HOW_TO = Path(__file__).parents[2] / "docs/how-to/write-a-gate.md"


def policy(*gates: str) -> str:
    lines = "".join(f"  - {gate}\n" for gate in ("id: integrity", *gates))
    return f"kind: policy\nschema: 1\nname: staging\ngates:\n{lines}approvals:\n  promote: {{min: 0}}\nevidence: none\n"


def verdicts(desk: Desk, version: str = f"{MODEL}@1") -> dict[str, Any]:
    """What each gate of staging says of a version, by its name."""
    return {one["gate"]: one for one in desk(f"gate {version} --env staging --json").json["results"]}


def lose(team: Team, stored: dict[str, Any], *, cache: bool = True) -> None:
    """Take content out of the remote, and out of the cache."""
    name = f"{stored['md5'][:2]}/{stored['md5'][2:]}"
    for place in (team.folder / "storage", *([team.root / ".dvc/cache"] if cache else [])):
        (place / "mlgit/md5" / name).unlink()
        (place / "files/md5" / name).unlink(missing_ok=True)


def record(desk: Desk, number: int) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(desk.read(layout.version(MODEL, number)))
    return loaded


FILES = (
    "id: stored",
    "id: model-safe",
    "{id: evaluation-fresh, max_age: 30d}",
    "id: signature-compatible",
    "id: rescore",
    "id: environment-locked",
)


@pytest.mark.tier("fast")
def test_what_was_registered_stands_up_to_the_gates_on_files_and_depth(running: Team) -> None:
    ana = running.ana
    ana.commit("Ask more of staging", {STAGING: policy(*FILES)})
    said = verdicts(ana, f"{MODEL}@2")
    assert {gate: one["outcome"] for gate, one in said.items()} == {
        "integrity": "pass",
        "stored": "pass",
        "model-safe": "pass",
        "evaluation-fresh": "pass",
        "signature-compatible": "pass",
        "rescore": "pass",
        "environment-locked": "pass",
    }, said
    assert said["rescore"]["facts"]["rows"] == record(ana, 2)["evaluation"]["rows"]


def test_a_file_that_only_the_cache_has_is_not_stored(registered: Team) -> None:
    ana = registered.ana
    ana.commit("Ask for stored files", {STAGING: policy("id: stored")})
    lose(registered, record(ana, 1)["evaluation"]["predictions"], cache=False)
    said = verdicts(ana)
    assert (said["integrity"]["outcome"], said["stored"]["outcome"]) == ("pass", "fail")
    assert said["stored"]["facts"]["missing"] == [f"models/{MODEL}/versions/v1/predictions.parquet"]


def test_a_model_file_of_types_that_nobody_trusts_any_more_is_not_safe(registered: Team) -> None:
    ana = registered.ana
    ana.commit("Ask for safe files", {STAGING: policy("{id: model-safe, formats: [onnx]}")})
    said = verdicts(ana)["model-safe"]
    assert (said["outcome"], said["facts"]["format"]) == ("fail", "skops")


def test_predictions_of_another_model_pass_recompute_and_fail_rescore(registered: Team) -> None:
    """Somebody writes a record of the first model file with the better predictions of the second, all digests right."""
    ana = registered.ana
    first = layout.version_folder(MODEL, 1)
    forged = msgspec.convert(record(ana, 1) | {"version": 4, "evaluation": record(ana, 2)["evaluation"]}, type=Version)
    forged = msgspec.structs.replace(forged, digest=codec.version_digest(forged))
    folder = layout.version_folder(MODEL, 4)
    ana.commit(
        "Forge a version, and ask for depth",
        {
            STAGING: policy("id: rescore", "id: reproduce"),
            f"{folder}/version.json": codec.to_json(forged),
            **{f"{folder}/{name}": ana.read(f"{first}/{name}") for name in ("card.md", "profile.json")},
        },
    )
    said = verdicts(ana, f"{MODEL}@4")
    assert [said[gate]["outcome"] for gate in ("integrity", "rescore", "reproduce")] == ["pass", "fail", "fail"], said
    said = verdicts(ana, f"{MODEL}@1")
    assert [said[gate]["outcome"] for gate in ("integrity", "rescore", "reproduce")] == ["pass", "pass", "pass"], said


def test_a_version_of_another_commit_than_it_says_cannot_be_reproduced(registered: Team) -> None:
    """The record names the commit of the second version; its parameters are not those of the first."""
    ana = registered.ana
    first = msgspec.convert(record(ana, 1), type=Version)
    moved = msgspec.structs.replace(
        first, version=4, inputs=msgspec.structs.replace(first.inputs, commit=record(ana, 2)["inputs"]["commit"])
    )
    moved = msgspec.structs.replace(moved, digest=codec.version_digest(moved))
    files = {f"{layout.version_folder(MODEL, 4)}/version.json": codec.to_json(moved)}
    ana.commit("Name another commit", {STAGING: policy("id: reproduce"), **files})
    said = verdicts(ana, f"{MODEL}@4")["reproduce"]
    assert (said["outcome"], said["facts"]) == ("error", {"finding": "version-inputs-mismatch"})
    assert "parameters" in said["message"]


def test_a_pipeline_that_fails_is_no_pass(registered: Team) -> None:
    ana = registered.ana
    first = msgspec.convert(record(ana, 1), type=Version)
    broken = ana.read("src/put.py").replace("import pathlib", "raise SystemExit('it rained')\nimport pathlib")
    params = ana.show(first.inputs.commit, "params.yaml")
    commit = ana.commit("Fit as the first, with a slip", {"src/put.py": broken, "params.yaml": f"{params}\n"})
    listed = ana.git("ls-tree", "-r", "HEAD", "--", *_reads(ana)).splitlines()
    code = codec.digest_of({line.split("\t")[1]: f"git:{line.split()[2]}" for line in listed})
    inputs = msgspec.structs.replace(first.inputs, commit=commit, code=code)
    version = msgspec.structs.replace(first, version=4, inputs=inputs)
    version = msgspec.structs.replace(version, digest=codec.version_digest(version))
    files = {f"{layout.version_folder(MODEL, 4)}/version.json": codec.to_json(version)}
    ana.commit("Register what cannot be trained", {STAGING: policy("id: reproduce"), **files})
    said = verdicts(ana, f"{MODEL}@4")["reproduce"]
    assert (said["outcome"], said["facts"]) == ("error", {"finding": "reproduction-failed"}), said
    assert "it rained" in said["message"]


def _reads(desk: Desk) -> list[str]:
    """What the model's file says that a version depends on."""
    lines = desk.read(f"models/{MODEL}/model.yaml").splitlines()
    (found,) = (line for line in lines if line.startswith("reads:"))
    return [path.strip(" /") for path in found.partition("[")[2].partition("]")[0].split(",")]


def test_a_column_that_callers_do_not_send_yet_is_found(running: Team) -> None:
    """The second version, told of one column less: against it, the first one asks for more."""
    ana = running.ana
    second = msgspec.convert(record(ana, 2), type=Version)
    first = msgspec.convert(record(ana, 1), type=Version)
    fewer = msgspec.structs.replace(
        second, version=4, inputs=msgspec.structs.replace(second.inputs, columns=first.inputs.columns[1:])
    )
    fewer = msgspec.structs.replace(fewer, digest=codec.version_digest(fewer))
    folder, other = layout.version_folder(MODEL, 4), layout.version_folder(MODEL, 2)
    ana.commit(
        "Add a version that takes one column less",
        {
            STAGING: policy("{id: signature-compatible, allow_added: true}"),
            f"{folder}/version.json": codec.to_json(fewer),
            f"{folder}/profile.json": ana.read(f"{other}/profile.json"),
        },
    )
    said = verdicts(ana, f"{MODEL}@4")["signature-compatible"]
    assert (said["outcome"], said["facts"]["broken"]) == ("fail", [f"{first.inputs.columns[0]} is removed"])


# Warnings, conditions


def test_a_gate_that_warns_is_shown_and_stops_nobody(registered: Team) -> None:
    ana = registered.ana
    warns = "{id: threshold, metric: roc_auc, min: 1.0, severity: warn}"
    ana.commit("Warn", {STAGING: policy(warns, "{id: rescore, when: {risk: low}}")})
    shown = ana.does(f"gate {MODEL}@1 --env staging").out
    assert re.search(r"fail +threshold +\(warns only\) roc_auc", shown)
    assert re.search(r"skip +rescore +evaluated only for risk low; the problem has risk high", shown)
    registered.promote(f"{MODEL}@1", "staging")
    (report,) = (path for path in ana.files("main") if "/gates/" in path)
    said = {one["gate"]: one for one in json.loads(ana.show("main", report))["results"]}
    assert {gate: (one["outcome"], one.get("severity")) for gate, one in said.items()} == {
        "model-safe": ("pass", None),
        "integrity": ("pass", None),
        "threshold": ("fail", "warn"),
        "rescore": ("skip", None),
    }


def test_a_report_that_makes_light_of_a_gate_is_refused(proposed: Team) -> None:
    """Every answer in it is true; it only says of those that are no, that they do not matter."""
    ana = proposed.ana
    ana.edit("environments/production/environment.yaml", "after: [staging]", "after: []")
    ana.does(f"promote {MODEL}@2 --to production")
    said = {one["gate"]: one["outcome"] for one in ana(f"gate {MODEL}@3 --env production --json").json["results"]}
    assert "fail" in said.values()

    def light(report: GateReport) -> GateReport:
        weights: dict[str, Any] = {gate: "warn" if outcome == "fail" else "block" for gate, outcome in said.items()}
        results = [replace(one, outcome=said[one.gate], severity=weights[one.gate]) for one in report.results]
        return replace(report, results=results)

    forged(proposed, 3, change=light)
    proposed.ben("approve")
    ids = ana.refused(f"merge production/{MODEL}")
    assert {"gates-failed", "gate-report-mismatch"}.intersection(ids)


# A team's own gates


def example(language: str, begins: str) -> str:
    """Return an example of the how-to."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", HOW_TO.read_text(), re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if block.startswith(begins))
    assert isinstance(found, str)
    return found


def test_the_example_of_the_how_to_works(registered: Team) -> None:
    ana = registered.ana
    check = example("python", '""".mlgit/checks/no_pii.py')
    asked = example("yaml", "kind: policy")
    ana.commit("Ask for no names", {".mlgit/checks/no_pii.py": check, STAGING: asked})
    said = verdicts(ana)["exec:no-pii"]
    assert (said["outcome"], said["message"]) == ("pass", "none of 2 columns is taken")
    column = record(ana, 1)["inputs"]["columns"][0]
    ana.commit("Forbid a column that is there", {STAGING: asked.replace("[name, email]", f"[{json.dumps(column)}]")})
    said = verdicts(ana)["exec:no-pii"]
    assert (said["outcome"], said["facts"]) == ("fail", {"found": [column]})


LOOKS = """\
import json, os, sys
import pandas
evidence = json.load(sys.stdin)
predictions = pandas.read_parquet(evidence["files"]["predictions"])
facts = {
    "schema": evidence["schema"], "kinds": sorted(key for key in evidence if isinstance(evidence[key], dict)),
    "rows": len(predictions), "features": len(pandas.read_parquet(evidence["files"]["features"])),
    "champion": evidence["champion"], "risk": evidence["problem"].get("risk"),
    "versions": os.path.exists("models/%s/versions" % evidence["model"]["name"]), "at": evidence["at"][:4],
}
print(json.dumps({"outcome": "pass", "message": "looked", "facts": facts}))
"""


def test_a_command_is_told_all_that_is_judged_on(registered: Team) -> None:
    ana = registered.ana
    gate = "{id: exec, name: looks, command: [python, checks/looks.py]}"
    ana.commit("Look around", {"checks/looks.py": LOOKS, STAGING: policy(gate)})
    said = verdicts(ana)["exec:looks"]
    rows = record(ana, 1)["evaluation"]["rows"]
    assert said["outcome"] == "pass", said
    assert said["facts"] | {"risk": None} == {
        "schema": "mlgit/evidence.v1",
        "kinds": ["candidate", "files", "model", "problem", "settings"],
        "rows": rows,
        "features": rows,
        "champion": None,
        "risk": None,
        "versions": False,
        "at": "2026",
    }


def answering(outcome: str) -> str:
    return f'print(\'{{"outcome": "{outcome}", "message": "so"}}\')\n'


def test_a_change_never_brings_the_gate_that_judges_it(registered: Team) -> None:
    ana = registered.ana
    gate = "{id: exec, name: strict, command: [python, checks/strict.py]}"
    ana.commit("Be strict", {"checks/strict.py": answering("pass"), STAGING: policy(gate)})
    ana.does(f"promote {MODEL}@1 --to staging")
    ana.commit("Be stricter", {"checks/strict.py": answering("fail")})
    (ana.root / "checks/strict.py").write_text(answering("pass"))  # in the work tree only
    assert verdicts(ana)["exec:strict"]["outcome"] == "fail"
    ana.git("checkout", "--quiet", "checks/strict.py")
    branch = f"mlgit/promote/staging/{MODEL}"
    ana.git("switch", "--quiet", branch)
    ana.commit("Be lenient in the proposal", {"checks/strict.py": answering("pass") + "# at any price\n"})
    ana.git("switch", "--quiet", "main")
    assert "promotion-with-other-changes" in ana.refused(f"merge staging/{MODEL}")
    assert verdicts(ana)["exec:strict"]["outcome"] == "fail"


def test_a_command_of_the_teams_is_asked_again_at_merge(registered: Team) -> None:
    ana = registered.ana
    gate = "{id: exec, name: strict, command: [python, checks/strict.py]}"
    ana.commit("Be strict", {"checks/strict.py": answering("pass"), STAGING: policy(gate)})
    ana.does(f"promote {MODEL}@1 --to staging")
    ana.commit("Be stricter", {"checks/strict.py": answering("fail")})
    assert ana.refused(f"merge staging/{MODEL}") == ["gate-report-mismatch"]
    ana.commit("Be as before", {"checks/strict.py": answering("pass")})
    ana.does(f"merge staging/{MODEL}")
    assert ana.does("gate --verify --all --json").json["reports"][0]["result"] == "same"


def test_a_gate_of_a_package_that_is_not_installed_is_no_pass(registered: Team) -> None:
    ana = registered.ana
    ana.commit("Ask a package", {STAGING: policy("{id: python, name: acme-latency}")})
    answer = ana(f"gate {MODEL}@1 --env staging --json")
    assert (answer.code, answer.json["outcome"]) == (3, "error")
    said = next(result for result in answer.json["results"] if result["gate"].startswith("python:"))
    assert (said["gate"], said["facts"]) == ("python:acme-latency", {"finding": "gate-unknown"})
    assert "install exactly one package" in said["fix"]


@pytest.mark.parametrize(
    ("gates", "finding"),
    [
        (["{id: exec, name: a, command: [a]}", "{id: exec, name: a, command: [b]}"], "gate-duplicate"),
        (["{id: exec, name: a, command: []}"], "value-not-allowed"),
        (["{id: exec, command: [a]}"], "key-missing"),
        (["{id: evaluation-fresh}"], "key-missing"),
        (["{id: stored, severity: info}"], "value-not-allowed"),
    ],
)
def test_a_policy_with_a_slip_is_found(registered: Team, gates: list[str], finding: str) -> None:
    registered.ana.commit("Slip", {STAGING: policy(*gates)})
    assert finding in registered.ana("validate").ids


# Reports of the past


def test_reports_of_the_past_give_the_same_answers(running: Team) -> None:
    ana = running.ana
    answer = ana.does("gate --verify --all --json").json
    assert answer["schema"] == "mlgit/gate-verify.v1"
    assert sorted((one["environment"], one["result"]) for one in answer["reports"]) == [
        ("production", "same"),
        ("staging", "same"),
    ], answer
    one = answer["reports"][0]
    for name in (one["promotion"], one["report"]):
        (again,) = ana.does(f"gate --verify {name} --json").json["reports"]
        assert again == one
    assert len(ana.does(f"gate --verify {MODEL}@1 --json").json["reports"]) == 2
    assert "2 reports evaluated again: 2 the same, 0 differ, 0 inconclusive" in ana.does("gate --verify --all").out


def test_what_the_policy_became_later_does_not_matter_to_a_report(running: Team) -> None:
    ana = running.ana
    ana.commit("Ask for the impossible", {STAGING: policy("{id: threshold, metric: roc_auc, min: 1.0}")})
    assert ana.does("gate --verify --all --json").json["reports"][0]["result"] == "same"


def test_a_report_that_was_changed_differs(running: Team) -> None:
    ana = running.ana
    path = next(path for path in ana.files("main") if "/gates/" in path)
    report = json.loads(ana.read(path))
    gate = next(one for one in report["results"] if one["gate"] == "beats-baseline")
    gate["facts"]["candidate"] += 0.01
    ana.commit("Make it look better", {path: json.dumps(report, indent=2) + "\n"})
    answer = ana(f"gate --verify {path} --json")
    (found,) = answer.json["reports"]
    assert (answer.code, found["result"]) == (1, "differs")
    assert any(detail.startswith("beats-baseline: candidate ") for detail in found["details"])
    assert any("another digest" in detail for detail in found["details"])
    assert "differs" in ana(f"gate --verify {path}").out


def test_a_report_whose_evidence_is_gone_cannot_be_judged(running: Team) -> None:
    ana = running.ana
    lose(running, record(ana, 1)["evaluation"]["predictions"])
    answer = ana("gate --verify --all --json")
    assert (answer.code, {one["result"] for one in answer.json["reports"]}) == (3, {"inconclusive"})
    assert any("predictions.parquet cannot be fetched" in detail for detail in answer.json["reports"][0]["details"])


def test_the_gates_can_be_judged_again_in_a_clone(running: Team) -> None:
    ana = running.ana
    there = ana.clone("elsewhere")
    shutil.copytree(
        running.root / ".dvc", there.root / ".dvc", dirs_exist_ok=True, ignore=shutil.ignore_patterns("cache")
    )
    assert there.does("gate --verify --all --json").json["reports"][0]["result"] == "same"


@pytest.mark.parametrize("name", ["01KJMNQVB03RNTGVT3Z586K0BG", "models/no/such.json", f"{MODEL}@3"])
def test_a_report_that_is_not_there_is_said(running: Team, name: str) -> None:
    assert running.ana.refused(f"gate --verify {name}") == ["gate-report-unknown"]


@pytest.mark.parametrize(
    "line",
    [
        "gate --verify",
        f"gate --verify {MODEL}@1 --all",
        f"gate --verify {MODEL}@1 --to staging",
        "gate --all",
        "gate --to staging",
        f"gate {MODEL}@1",
        "gate non@sense --env staging",
    ],
)
def test_words_that_do_not_go_together_are_wrong_usage(registered: Team, line: str) -> None:
    assert registered.ana(line).code == 2
