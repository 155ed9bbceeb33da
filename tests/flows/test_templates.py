"""What `mlgit init` writes: every record is valid, and every pipeline runs and beats what its problem states."""

import contextlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.datasets import load_breast_cancer, load_diabetes

from mlgit import __version__
from mlgit.domain.cards import CardText
from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.domain.layout import parse_path
from mlgit.domain.metrics import METRICS
from mlgit.domain.records.base import Record
from mlgit.domain.records.dataset import Dataset
from mlgit.domain.records.model import Model
from mlgit.domain.records.problem import Problem
from mlgit.edges.formats.records import read_record
from mlgit.edges.modelfile import parse_trusted_types
from mlgit.edges.ssh import signers
from mlgit.ml.baseline import baseline_answers
from mlgit.ml.compare import paired_bootstrap
from mlgit.ml.metrics import measure
from mlgit.ops.project.project_files import APPROVAL_RULES, EXAMPLE_TABLE
from tests.conftest import BuildOnce

TEMPLATES = Path(__file__).parents[2] / "templates"
NAMES = ["tabular-classification", "tabular-regression", "bring-your-own"]
VALUES = (
    {
        "project": "acme",
        "owner": "@acme/ml",
        "person": "ada",
        "email": "ada@example.org",
        "base": "main",
        "remote": "storage",
        "forge": "none",
    }
    | APPROVAL_RULES["none"]
    | EXAMPLE_TABLE
)
Trained = Callable[[str], Path]
PLACEHOLDER = re.compile(r"\{\{ (\w+)(?::([\w-]+))? \}\}")
STAGES = ["prepare", "featurize", "train", "evaluate"]
# What the model of each template may contain beyond what skops trusts by itself.
TREES = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
TRUSTED = {"tabular-classification": TREES, "tabular-regression": [], "bring-your-own": TREES}


def fill(folder: Path, name: str) -> Path:
    """Copy a template over the common files and put values in place of its placeholders."""
    sources = {
        path.relative_to(TEMPLATES / part): path
        for part in ("common", name)
        for path in sorted((TEMPLATES / part).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    (model,) = (filled(relative.parts[1], {}) for relative in sources if relative.match("models/*/model.yaml"))
    for relative, source in sources.items():
        place = folder / filled(str(relative), {})
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix in {".csv", ".parquet"}:
            shutil.copyfile(source, place)
        else:
            place.write_text(filled(source.read_text(encoding="utf-8"), {"model": model}), encoding="utf-8", newline="")
    return folder


def filled(text: str, more: Mapping[str, str]) -> str:
    """Put values in place of the placeholders of a text or a path."""
    values = VALUES | more
    return PLACEHOLDER.sub(lambda found: installed(found[2]) if found[1] == "version" else values[found[1]], text)


def installed(distribution: str) -> str:
    return __version__ if distribution == "mlgit" else version(distribution)


def text_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in {".csv", ".parquet"}]


def records(folder: Path) -> dict[str, Record]:
    """Read every record as mlgit reads it, by its path; every file at a record's place must be one."""
    paths = [path.relative_to(folder).as_posix() for path in text_files(folder)]
    return {path: read_record(path, (folder / path).read_bytes()) for path in paths if parse_path(path) is not None}


def only(folder: Path, kind: type[Record]) -> Any:
    (record,) = (record for record in records(folder).values() if isinstance(record, kind))
    return record


def run(folder: Path, *command: str) -> str:
    """Run a command as a user would, with this environment's programs first, and return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    quiet = {
        "HOME": str(folder.parent),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        command, cwd=folder, env=kept | quiet | {"PATH": programs}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def run_stages(folder: Path, *stages: str) -> None:
    """Run stages as processes, as `dvc repro` does."""
    for stage in stages or STAGES:
        run(folder, "python", "-W", "error", f"src/{stage}.py")


def run_stages_here(folder: Path) -> None:
    """Run all stages in this process, which has imported scikit-learn already."""
    with contextlib.chdir(folder), warnings.catch_warnings(action="error"):
        for stage in STAGES:
            runpy.run_path(f"src/{stage}.py", run_name="__main__")


def write_own_data(path: Path) -> None:
    """Write a file as the placeholders of bring-your-own describe it, with gaps and with something to learn."""
    random = np.random.default_rng(3)
    rows = pd.DataFrame({"id": range(1, 601), "amount": random.gamma(2, 50, 600).round(2)})
    rows["channel"] = random.choice(["shop", "web"], 600)
    chance = 1 / (1 + np.exp(-(rows["amount"] - 100) / 20 - 2 * (rows["channel"] == "web")))
    rows["target"] = (random.random(600) < chance).astype(int)
    rows.loc[::20, "amount"] = None
    rows.loc[::33, "channel"] = None
    rows.to_csv(path, index=False)


@pytest.fixture(params=NAMES)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return fill(tmp_path / "project", request.param)


@pytest.fixture
def trained(build_once: BuildOnce) -> Trained:
    """Return the project of a template, its pipeline run: by DVC, as processes, or in this process; one template each.

    All tests share it, so none may change it.
    """

    def train(folder: Path) -> None:
        name = folder.stem.removeprefix("template-")
        fill(folder, name)
        if name == "bring-your-own":
            write_own_data(folder / "datasets/data/data.csv")
            run_stages(folder)
        elif name == "tabular-regression":
            run_stages_here(folder)
        else:
            run(folder, "git", "init", "--quiet")
            run(folder, "dvc", "init", "--quiet")
            run(folder, "dvc", "add", "--quiet", "datasets/biopsies/biopsies.csv")
            run(folder, "dvc", "repro", "--quiet")

    return lambda name: build_once(f"template-{name}", train)


def test_every_record_is_valid_and_of_a_kind_that_people_write(project: Path) -> None:
    kinds = {type(record).__struct_config__.tag for record in records(project).values()}
    assert kinds == {"project", "problem", "dataset", "model", "environment", "policy", "roles"}


def test_every_yaml_file_of_mlgit_is_at_the_place_of_a_record(project: Path) -> None:
    files = {path.relative_to(project).as_posix() for path in project.rglob("*.yaml")}
    others = {path for path in files - records(project).keys() if not path.startswith(".github/workflows/mlgit-")}
    assert others == {"dvc.yaml", "params.yaml"}


def test_records_name_each_other(project: Path) -> None:
    found = records(project)
    model, problem, dataset = only(project, Model), only(project, Problem), only(project, Dataset)
    assert (model.problem, model.datasets) == (problem.name, [dataset.name])
    assert model.keys == dataset.keys
    columns = {name: column.type for name, column in dataset.columns.items()}
    assert model.signature.inputs == {name: columns[name] for name in model.signature.inputs}
    assert problem.target.column in columns
    assert problem.target.column not in model.signature.inputs
    assert METRICS[problem.metric.primary].direction == problem.metric.direction
    assert problem.target.type in METRICS[problem.metric.primary].tasks
    for name in found["mlgit.yaml"].environments:  # type: ignore[attr-defined]
        environment: Any = found[f"environments/{name}/environment.yaml"]
        assert f"policies/{environment.policy}.yaml" in found
    for path in model.reads:
        assert (project / path).exists()


def test_every_record_names_the_schema_of_its_kind(project: Path) -> None:
    for path in records(project):
        first = (project / path).read_text(encoding="utf-8").splitlines()[0]
        named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert named is not None, path
        target = Path(os.path.normpath(Path(path).parent / named[1])).as_posix()
        at = parse_path(path)
        assert at is not None
        assert target == f".mlgit/schemas/{at.kind}.schema.json"


def test_no_placeholder_is_left(project: Path) -> None:
    for path in text_files(project):
        # `${{ }}` is GitHub's own.
        assert not re.search(r"(?<!\$)\{\{", path.read_text(encoding="utf-8")), path


def test_one_person_reaches_staging_and_not_production(project: Path) -> None:
    found: dict[str, Any] = dict(records(project))
    staging, production = found["policies/staging.yaml"], found["policies/production.yaml"]
    assert (staging.approvals.promote.min, staging.evidence) == (0, "none")
    assert (production.approvals.promote.min, production.evidence) == (1, "signed")
    assert set(production.exclude) == {"author", "committers", "trainer", "bots"}
    assert {gate.id for gate in staging.gates} < {gate.id for gate in production.gates}
    assert "rescore" in {gate.id for gate in production.gates}, "numbers that nobody can check again are typed numbers"
    assert found["environments/production/environment.yaml"].after == ["staging"]


def test_nobody_may_sign_and_no_type_is_trusted_at_first(project: Path) -> None:
    assert signers.parse((project / ".mlgit/allowed_signers").read_bytes(), ".mlgit/allowed_signers").signers == ()
    assert parse_trusted_types((project / ".mlgit/trusted_types").read_bytes()) == frozenset()


def test_the_card_has_every_section_and_none_is_written_yet(project: Path) -> None:
    (card,) = project.glob("models/*/card.md")
    text = CardText.parse(card.read_text(encoding="utf-8"))
    assert list(text.sections) == [heading.casefold() for heading in CARD_SECTIONS]
    assert not any(text.is_written(heading) for heading in CARD_SECTIONS)


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("models/m/versions/v1/profile.json", False),
        ("models/m/versions/v1/version.json", False),
        ("models/m/versions/v1/card.md", False),
        ("models/m/versions/v1/gates/x.json", False),
        ("datasets/d/d.csv.dvc", False),
        ("datasets/d/dataset.yaml", False),
        ("requirements.txt", False),
        ("models/m/versions/v1/model.skops", True),
        ("models/m/versions/v1/model.txt", True),
        ("models/m/versions/v1/predictions.parquet", True),
        ("datasets/d/d.csv", True),
        ("out/metrics.json", True),
        ("deployed/staging/m/current", True),
    ],
)
def test_git_keeps_pointers_and_records_but_not_data(tmp_path: Path, path: str, ignored: bool) -> None:
    folder = fill(tmp_path / "project", "tabular-classification")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).touch()
    run(folder, "git", "init", "--quiet")
    listed = run(folder, "git", "ls-files", "--others", "--exclude-standard", "--", path)
    assert listed == ("" if ignored else f"{path}\n")


def test_the_data_is_what_scikit_learn_ships() -> None:
    cancer = load_breast_cancer()
    ours = pd.read_csv(TEMPLATES / "tabular-classification/datasets/biopsies/biopsies.csv")
    means = [name.startswith("mean ") for name in cancer.feature_names]
    assert np.array_equal(ours.drop(columns=["sample_id", "diagnosis"]), cancer.data[:, means])
    assert list(ours["diagnosis"]) == [str(cancer.target_names[target]) for target in cancer.target]
    features, progression = load_diabetes(return_X_y=True, scaled=False)
    ours = pd.read_csv(TEMPLATES / "tabular-regression/datasets/patients/patients.csv")
    assert np.array_equal(ours.drop(columns=["patient_id", "progression"]), features)
    assert np.array_equal(ours["progression"], progression)


@pytest.mark.parametrize("name", NAMES)
def test_the_pipeline_leaves_what_the_model_says(trained: Trained, name: str) -> None:
    folder = trained(name)
    model, problem = only(folder, Model), only(folder, Problem)
    predictions = pd.read_parquet(folder / model.outputs.predictions)
    scores = ["score"] if problem.target.type == "binary" else []
    assert set(predictions.columns) == {*model.keys, "label", "prediction", *scores, *problem.metric.slices}
    assert not predictions.duplicated(model.keys).any()
    assert not predictions.drop(columns=problem.metric.slices).isna().to_numpy().any()
    if name != "bring-your-own":
        assert len(predictions) > 200
    inputs = list(model.signature.inputs)
    train, test = (pd.read_parquet(folder / path) for path in (model.outputs.train, model.outputs.test))
    assert list(train.columns) == list(test.columns) == inputs
    assert not set(train.index) & set(test.index)
    assert sorted(predictions[model.keys[0]]) == sorted(test.index)


@pytest.mark.parametrize("name", NAMES)
def test_the_model_loads_with_the_trusted_types_alone_and_gives_the_predictions(trained: Trained, name: str) -> None:
    folder = trained(name)
    record, problem = only(folder, Model), only(folder, Problem)
    model = skops.io.load(folder / record.outputs.model, trusted=TRUSTED[name])
    predictions = pd.read_parquet(folder / record.outputs.predictions).set_index(record.keys)
    test = pd.read_parquet(folder / record.outputs.test).loc[predictions.index]
    assert np.array_equal(model.predict(test), predictions["prediction"])
    if problem.target.type == "binary":
        positive = list(model.classes_).index(problem.target.positive)
        assert np.array_equal(model.predict_proba(test)[:, positive], predictions["score"])


@pytest.mark.parametrize(
    ("name", "margin"), [("tabular-classification", 0.02), ("tabular-regression", 10), ("bring-your-own", 0.2)]
)
def test_the_model_clearly_beats_the_baseline(trained: Trained, name: str, margin: float) -> None:
    folder = trained(name)
    problem = only(folder, Problem)
    assert problem.baseline is not None
    predictions = pd.read_parquet(folder / "out/predictions.parquet")
    column = None
    if problem.baseline.column is not None:
        column = pd.read_parquet(folder / "out/test.parquet")[problem.baseline.column]
    metric, positive = problem.metric.primary, problem.target.positive
    answers = baseline_answers(metric, predictions, problem.baseline, positive, column)
    assert paired_bootstrap(metric, predictions, answers, positive, seed=7).value > margin


def test_the_pipeline_gives_the_same_predictions_again(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(trained("tabular-classification"), folder, symlinks=True)
    before = (folder / "out/predictions.parquet").read_bytes()
    run_stages(folder, "train", "evaluate")
    assert (folder / "out/predictions.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("task", "target", "metric"),
    [
        ("multiclass", lambda rows: rows["channel"].fillna("none"), "accuracy"),
        pytest.param(
            "regression", lambda rows: rows["amount"].fillna(0) * 2, "rmse", marks=pytest.mark.tier("thorough")
        ),
    ],
)
def test_bring_your_own_does_the_other_tasks_and_keys_of_several_columns(
    tmp_path: Path, task: str, target: Any, metric: str
) -> None:
    folder = fill(tmp_path / "project", "bring-your-own")
    data = folder / "datasets/data/data.csv"
    write_own_data(data)
    rows = pd.read_csv(data)
    rows.assign(target=target(rows), channel=rows["channel"].fillna("none")).to_csv(data, index=False)
    params = folder / "params.yaml"
    text = params.read_text(encoding="utf-8").replace("task: binary", f"task: {task}")
    params.write_text(text.replace("keys: [id]", "keys: [id, channel]").replace("by: [id]", "by: [channel, id]"))
    run_stages_here(folder)
    assert list(json.loads((folder / "out/metrics.json").read_text(encoding="utf-8"))) == [metric]
    predictions = pd.read_parquet(folder / "out/predictions.parquet")
    scores = [f"score_{name}" for name in sorted(set(predictions["label"]))] if task == "multiclass" else []
    assert set(predictions.columns) == {"id", "channel", "label", "prediction", *scores}
    if task == "multiclass":
        assert measure("log_loss", predictions, None) > 0


@pytest.mark.parametrize("path", sorted((TEMPLATES / "common/.github/workflows").iterdir()), ids=lambda path: path.stem)
def test_a_workflow_grants_little_and_hands_values_over_by_environment(path: Path) -> None:
    # This loader makes text of everything, so that `on` stays a word.
    workflow = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step.get("uses", "a@" + 40 * "0"))
    if "pull_request" in workflow["on"]:
        assert {right for job in workflow["jobs"].values() for right in job["permissions"].values()} == {"read"}
        assert all(job["steps"][0]["with"]["persist-credentials"] == "false" for job in workflow["jobs"].values())


def test_the_verdict_is_asked_for_with_every_change() -> None:
    text = (TEMPLATES / "common/.github/workflows/mlgit-validate.yaml").read_text(encoding="utf-8")
    workflow = yaml.load(text, yaml.BaseLoader)
    assert set(workflow["on"]) == {"pull_request", "pull_request_review", "merge_group", "push"}
    # No path or branch is left out; `mlgit approve` edits the description.
    assert workflow["on"]["pull_request"] == {"types": ["opened", "reopened", "synchronize", "edited"]}
    (job,) = workflow["jobs"].values()
    assert job["name"] == "mlgit/verdict"
    assert "secrets." not in text
