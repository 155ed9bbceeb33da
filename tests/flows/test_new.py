"""`mlgit new` in a real project: every draft can be read, keeps the rules, and never takes the place of anything."""

import json
import subprocess
from pathlib import Path

import pytest

from mlgit.cli.main import run
from mlgit.cli.session import Session
from mlgit.domain.cards import CardText
from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.errors import Finding
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.project import new
from mlgit.ops.validation.validate import check_all

KINDS = ["problem", "dataset", "model", "environment", "policy"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to draft in; the current folder is its root."""
    monkeypatch.chdir(tmp_path)
    assert run(["init", "acme"]) == 0
    monkeypatch.chdir("acme")
    return tmp_path / "acme"


def state(root: Path) -> Lifecycle:
    session = Session(root)
    return Lifecycle(session.repository.work_tree(), session.formats.record)


def findings(root: Path) -> list[Finding]:
    return check_all(state(root), Session(root).formats)[1]


@pytest.mark.tier("fast")
def test_every_kind_is_drafted_valid(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        extra = ["--problem", "fraud", "--dataset", "fraud"] if kind == "model" else []
        assert run(["new", kind, "fraud", *extra]) == 0
        shown = capsys.readouterr().out
        assert f"Drafted {kind} fraud" in shown
        assert shown.splitlines()[-1].startswith("Next: edit ")
    assert [(found.id, str(found.at)) for found in findings(project)] == [
        ("environment-unlisted", "environments/fraud/environment.yaml"),
        ("column-unknown", "problems/fraud.yaml (target.column)"),  # the draft has to be edited
    ]


def test_a_new_environment_says_what_to_write_into_the_project(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["new", "environment", "canary"]) == 0
    assert "  environments: [staging, production, canary]" in capsys.readouterr().out.splitlines()
    file = project / "mlgit.yaml"
    file.write_text(file.read_text().replace("[staging, production]", "[staging, production, canary]"))
    assert findings(project) == []
    drafted = state(project).environment("canary")
    assert (drafted.policy, drafted.after) == ("production", ["production"])


def test_an_environment_is_guarded_by_the_policy_of_its_name(project: Path) -> None:
    assert run(["new", "policy", "canary"]) == 0
    assert run(["new", "environment", "canary"]) == 0
    assert state(project).environment("canary").policy == "canary"


def test_a_model_takes_over_what_problem_and_contract_say(project: Path) -> None:
    assert run(["new", "model", "trees"]) == 0
    drafted, known = state(project).model("trees"), state(project).model("malignancy")
    assert (drafted.problem, drafted.datasets, drafted.keys) == ("malignancy", ["biopsies"], ["sample_id"])
    assert drafted.signature == known.signature
    assert drafted.reads == known.reads
    assert drafted.lock == "requirements.txt"
    card = CardText.parse((project / "models/trees/card.md").read_text())
    assert list(card.sections) == [heading.casefold() for heading in CARD_SECTIONS]


@pytest.mark.parametrize("noun", ["problem", "dataset"])
def test_a_model_of_several_has_to_say_which(noun: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", noun, "second"]) == 0
    assert run(["new", "model", "trees"]) == 2
    said = capsys.readouterr().err
    assert f"error[{noun}-ambiguous]" in said
    assert f"--{noun}" in said


def test_a_model_of_something_unknown_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", "model", "trees", "--problem", "malignanzy"]) == 1
    assert "did you mean malignancy?" in capsys.readouterr().err


def test_what_is_there_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    there = {
        "problem": "malignancy",
        "dataset": "biopsies",
        "model": "malignancy",
        "environment": "staging",
        "policy": "production",
    }
    for kind, name in there.items():
        assert run(["new", kind, name]) == 1
        assert "error[record-exists]" in capsys.readouterr().err
    assert subprocess.run(["git", "status", "--short"], capture_output=True, check=True).stdout == b""


def test_a_name_that_does_not_do_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        for name in ("My Problem", "../up", "a/b", "x.lock", "a" * 65):
            assert run(["new", kind, name]) == 2
            assert "error[name-invalid]" in capsys.readouterr().err
        assert run(["new", kind, ""]) == 2
        assert "argument 3 is empty" in capsys.readouterr().err


def test_a_model_cannot_be_called_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", "model", "environment"]) == 2
    assert "error[name-reserved]" in capsys.readouterr().err


def test_a_name_that_yaml_would_take_for_something_else_stays_a_name(project: Path) -> None:
    for name in ("null", "true", "1e5", "123", "1.5", "no"):
        assert run(["new", "problem", name]) == 0
        assert run(["new", "dataset", name]) == 0
        assert run(["new", "model", name, "--problem", name, "--dataset", name]) == 0
        drafted = state(project).model(name)
        assert (drafted.name, drafted.problem, drafted.datasets) == (name, name, [name])


def test_a_dry_run_writes_nothing_and_json_is_a_document(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", "problem", "fraud", "--dry-run"]) == 0
    assert "Would draft" in capsys.readouterr().out
    assert not (project / "problems/fraud.yaml").exists()
    assert run(["new", "problem", "fraud", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "mlgit/new.v1"
    assert document["files"] == ["problems/fraud.yaml"]


def test_outside_a_project_there_is_nothing_to_draft_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    subprocess.run(["git", "init", "-q", tmp_path / "empty"], check=True)
    assert run(["-C", str(tmp_path / "empty"), "new", "problem", "fraud"]) == 1
    assert "error[not-a-project]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "written"),
    [("a-b", "a-b"), ("no", '"no"'), ("1e5", '"1e5"'), ("a: b", '"a: b"'), ("datasets/x", "datasets/x")],
)
def test_text_is_quoted_where_it_must_be(text: str, written: str) -> None:
    assert new.scalar(text) == written
