"""What a version is made from follows from the pipeline: nothing that a stage reads is left out of its record."""

import json
import shutil
from typing import Any

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team

_WEIGHTS = "id,weight\n1,2\n2,3\n3,5\n"
_UPSTREAM = """\
  weigh:
    foreach: ${kinds}
    do:
      cmd: python ../src/weigh.py
      wdir: lib
      deps: [../src/weigh.py, ../datasets/weights/weights.csv, "${item}.txt"]
      params: [extra.yaml: [note]]
      outs: ["weights-${item}.txt"]
"""
_WEIGH = """\
import pathlib
for kind in ("a", "b"):
    pathlib.Path(f"weights-{kind}.txt").write_text(pathlib.Path("../datasets/weights/weights.csv").read_text())
"""


@pytest.fixture
def wider(registered: Team) -> Team:
    """The pipeline with stages upstream in another folder, a second file of parameters, and a second dataset."""
    ana = registered.ana
    (ana.root.parent / "weights.csv").write_text(_WEIGHTS)
    ana.does(f"data add {ana.root.parent / 'weights.csv'}")
    stages = ana.read("dvc.yaml").replace(
        "deps: [src/put.py, src/fits, datasets/biopsies/biopsies.csv]",
        "deps: [src/put.py, src/fits, datasets/biopsies/biopsies.csv, lib/weights-a.txt, lib/weights-b.txt]",
    )
    ana.commit(
        "Train from weights too",
        {
            "dvc.yaml": f"vars: [{{kinds: [a, b]}}]\n{stages}{_UPSTREAM}",
            "src/weigh.py": _WEIGH,
            "lib/a.txt": "1\n",
            "lib/b.txt": "1\n",
            "lib/extra.yaml": "note: 3\n",
            "lib/.gitignore": "weights-*\n",
            "datasets/weights/dataset.yaml": ana.read("datasets/weights/dataset.yaml"),
            "datasets/weights/weights.csv.dvc": ana.read("datasets/weights/weights.csv.dvc"),
            ".gitignore": ana.read(".gitignore"),
        },
    )
    ana.git("add", "--all")
    ana.git("commit", "--quiet", "--allow-empty", "--message", "The rest")
    return registered


def inputs(ana: Desk, number: int) -> dict[str, Any]:
    record = json.loads(ana.read(f"models/{MODEL}/versions/v{number}/version.json"))
    found = record["inputs"]
    assert isinstance(found, dict)
    return found


def test_a_record_names_what_every_stage_upstream_reads(wider: Team) -> None:
    ana = wider.ana
    ana.does("validate")
    ana.does(f"train {MODEL}")
    ana.does(f"register {MODEL}")
    before = inputs(ana, 4)
    assert sorted(before["data"]) == ["biopsies", "weights"]
    assert before["params"]["lib/extra.yaml:note"] == 3
    for path, content in (("lib/a.txt", "2\n"), ("lib/extra.yaml", "note: 4\n")):
        (ana.root / path).write_text(content)
    trained = ana.does(f"train {MODEL} --json").json
    assert {"lib/a.txt", "lib/extra.yaml"} <= set(trained["uncommitted"])
    ana.git("commit", "--quiet", "--message", "The lock", "--", "dvc.lock")
    assert ana.refused(f"register {MODEL}") == ["inputs-uncommitted"]
    ana.git("commit", "--quiet", "--all", "--message", "All of it")
    ana.does(f"register {MODEL}")
    after = inputs(ana, 5)
    assert (before["code"] == after["code"], before["params"] == after["params"]) == (False, False)
    changed = {change["field"] for change in ana.does(f"diff {MODEL}@4 {MODEL}@5 --json").json["changes"]}
    assert {"code", "params.lib/extra.yaml:note"} <= changed
    assert ana.does("lineage --dataset weights --json").json["versions"] == [f"{MODEL}@4", f"{MODEL}@5"]


def test_revoked_data_of_any_stage_keeps_a_version_out(wider: Team) -> None:
    ana = wider.ana
    ana.does(f"train {MODEL}")
    ana.does(f"register {MODEL}")
    contract = ana.read("datasets/weights/dataset.yaml")
    ana.commit(
        "Revoke it",
        {"datasets/weights/dataset.yaml": f"{contract}revoked: {{since: 2026-01-01, reason: no consent}}\n"},
    )
    answer = ana(f"promote {MODEL}@4 --to staging --json")
    gate = next(gate for gate in answer.json["gates"] if gate["gate"] == "data-contract")
    assert (answer.code, gate["outcome"]) == (1, "fail")
    assert "weights: revoked since 2026-01-01" in gate["message"]


def test_a_record_that_leaves_out_a_dataset_fails_a_gate(wider: Team) -> None:
    from msgspec.structs import replace

    from mlgit.domain.codec import to_json, version_digest
    from mlgit.domain.records import Version
    from mlgit.edges.formats.records import read_record

    ana = wider.ana
    ana.does(f"train {MODEL}")
    ana.does(f"register {MODEL}")
    path = f"models/{MODEL}/versions/v4/version.json"
    record = read_record(path, ana.read(path).encode())
    assert isinstance(record, Version)
    data = {name: stored for name, stored in record.inputs.data.items() if name != "weights"}
    forged = replace(record, inputs=replace(record.inputs, data=data))
    ana.commit("Leave it out", {path: to_json(replace(forged, digest=version_digest(forged)))})
    answer = ana(f"promote {MODEL}@4 --to staging --json")
    gate = next(gate for gate in answer.json["gates"] if gate["gate"] == "data-contract")
    assert (gate["outcome"], "weights: the pipeline reads it" in gate["message"]) == ("fail", True)


@pytest.mark.parametrize(
    ("dependency", "finding"),
    [
        ("notes/words.txt", "input-untracked"),
        ("data/raw.csv", "input-without-contract"),
        ("../elsewhere.csv", "input-outside"),
        ("https://example.org/data.csv", "input-outside"),
    ],
)
def test_what_is_tracked_nowhere_is_refused(registered: Team, dependency: str, finding: str) -> None:
    ana = registered.ana
    if dependency.startswith("data/"):
        pointer = ana.read("datasets/biopsies/biopsies.csv.dvc").replace("biopsies.csv", "raw.csv")
        ana.commit("Data of DVC alone", {"data/raw.csv.dvc": pointer, "data/.gitignore": "/raw.csv\n"})
    ana.edit(
        "dvc.yaml", "deps: [src/put.py, src/fits, datasets", f'deps: ["{dependency}", src/put.py, src/fits, datasets'
    )
    assert ana("validate").ids == [finding]
    assert ana.refused(f"register {MODEL}") == [finding]


def test_an_ignored_file_in_a_folder_that_a_stage_reads_is_refused(registered: Team) -> None:
    ana = registered.ana
    ana.commit("Ignore it", {"src/fits/.gitignore": "local.txt\n"})
    (ana.root / "src/fits/local.txt").write_text("known here only\n")
    assert ana.refused(f"register {MODEL}") == ["input-untracked"]
    (ana.root / "src/fits/local.txt").unlink()
    (ana.root / "src/fits/__pycache__").mkdir()
    ana.commit("Ignore caches", {"src/fits/.gitignore": "__pycache__\n"})
    (ana.root / "src/fits/__pycache__/x.pyc").write_bytes(b"")
    assert ana(f"register {MODEL}").ids == ["pipeline-stale"]


def test_data_that_was_changed_after_it_was_added_is_refused(registered: Team) -> None:
    ana = registered.ana
    data = ana.root / "datasets/biopsies/biopsies.csv"
    content = data.read_bytes()
    data.unlink()
    data.write_bytes(content + content.splitlines(keepends=True)[1].replace(b"1", b"9000", 1))
    ana.does(f"train {MODEL}")
    assert ana(f"register {MODEL}").ids == ["inputs-uncommitted"]


def test_training_in_a_fresh_clone_says_what_to_pull_before_anything_runs(registered: Team) -> None:
    clone = registered.ana.clone("fresh")
    shutil.rmtree(clone.root / ".dvc/cache", ignore_errors=True)
    answer = clone(f"train {MODEL} --set seed=8")
    assert (answer.code, answer.ids) == (1, ["data-missing"])
    assert "run `dvc pull datasets/biopsies/biopsies.csv.dvc`" in answer.err
    assert clone.git("status", "--porcelain") == ""
    assert not (clone.root / "out").exists()


def test_training_without_a_file_that_a_stage_reads_is_refused_before_anything_runs(registered: Team) -> None:
    ana = registered.ana
    ana.git("rm", "--quiet", "-r", "src/fits")
    assert ana.refused(f"train {MODEL}") == ["input-missing"]


def test_a_stage_that_does_not_exist_is_found(registered: Team) -> None:
    ana = registered.ana
    ana.edit(f"models/{MODEL}/model.yaml", "train: train", "train: fit")
    assert ana("validate").ids == ["stage-unknown"]
    assert ana.refused(f"train {MODEL}") == ["stage-unknown"]


def test_whoever_changed_what_a_stage_upstream_reads_cannot_approve(wider: Team) -> None:
    ana, ben = wider.ana, wider.ben
    ana.edit("policies/production.yaml", "exclude: [author,", "exclude: [lineage, author,")
    ben.edit("lib/b.txt", "1", "2")
    ana.edit("params.yaml", "worse", "better")
    ana.does(f"train {MODEL}")
    ana.does(f"register {MODEL}")
    wider.promote(f"{MODEL}@4", "staging")
    ana.does(f"promote {MODEL}@4 --to production")
    answer = ben("approve")
    assert "changed lib/b.txt, which the version is made from" in answer.text
    assert "counted    ben" not in answer.text


def test_a_column_that_is_nowhere_is_found_before_anything_runs(registered: Team) -> None:
    ana = registered.ana
    ana.edit("problems/malignancy.yaml", "slices: [outline]", "slices: [outlines]")
    ana.edit("problems/malignancy.yaml", "positive: malignant", "positive: Malignant")
    assert ana("validate").ids == ["column-unknown", "positive-label-unknown"]
    assert set(ana.refused(f"train {MODEL}")) == {"positive-label-unknown", "column-unknown"}
