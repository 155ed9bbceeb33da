"""Builds the scenes that stories begin with: a template's project, trained, registered, promoted, proposed.

The models are fitted here, and the stages of the pipeline put them in their places: a stage that imports scikit-learn takes
seconds, and how a model is fitted matters to no story.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.flows.people import NAMES, START, Now, Team, signer

MODEL, POLICY = "malignancy", "policies/production.yaml"
OTHER = "triage"
"""A second model for the same problem, with one version."""
FITS = ("plain", "better", "worse")
"""What the versions 1, 2 and 3 are."""

ROLES = """\
kind: roles
schema: 1
people:
  ana: {emails: [ana@acme.example], roles: [trainer, applier]}
  ben: {emails: [ben@acme.example, ben@home.example], roles: [reviewer, applier]}
  cara: {emails: [cara@acme.example], roles: [reviewer, risk]}
  robot: {emails: [robot@acme.example], bot: true}
"""
_STAGES = """\
stages:
  train:
    cmd: python src/put.py model.skops train.parquet test.parquet
    deps: [src/put.py, src/fits, datasets/biopsies/biopsies.csv]
    params: [train]
    outs: [out/model.skops, out/train.parquet, out/test.parquet]
  evaluate:
    cmd: python src/put.py predictions.parquet
    deps: [src/put.py, src/fits, out/model.skops]
    params: [train]
    outs: [out/predictions.parquet]
"""
_PUT = """\
import pathlib, shutil, sys

lines = dict(line.split(": ") for line in pathlib.Path("params.yaml").read_text().split("\\n") if ": " in line)
pathlib.Path("out").mkdir(exist_ok=True)
for name in sys.argv[1:]:
    shutil.copyfile(pathlib.Path("src/fits", lines["  fit"].strip(), name), pathlib.Path("out", name))
"""
_SECTIONS = (
    "Intended use",
    "Out-of-scope use",
    "Training data",
    "Limitations",
    "Ethical considerations",
    "Monitoring",
)


def build(folder: Path) -> None:
    """Build every scene, each from the one before."""
    keys = folder / "keys"
    keys.mkdir(parents=True)
    for name in NAMES:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(keys / name)], check=True)
    team = Team(folder / "registered", keys, Now(START))
    team.folder.mkdir()
    _register(team)
    team = _next(team, "running")
    for environment, approvers in (("staging", []), ("production", [team.ben])):
        team.promote(f"{MODEL}@1", environment, approve=approvers)
    team = _next(team, "proposed")
    team.promote(f"{MODEL}@2", "staging")
    team.ana.does(f"promote {MODEL}@2 --to production")
    team.leave()


def _next(team: Team, scene: str) -> Team:
    team.ana.git("gc", "--quiet")  # fewer files to copy
    team.leave()
    folder = team.folder.with_name(scene)
    shutil.copytree(team.folder, folder, symlinks=True)
    return Team(folder, team.keys, team.now)


def _register(team: Team) -> None:
    """Make the project, and train and register its versions."""
    ana = team.ana
    ana.at(team.folder).does(
        "init team --template tabular-classification --owner @acme/pathology --remote storage --yes"
    )
    # Loading a model takes seconds each time, and matters to the stories about depth only (see test_gates_flow).
    (ana.root / POLICY).write_text(re.sub(r"  - id: rescore .*\n", "", ana.read(POLICY)))
    ana.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    _fit(ana.root)
    model = ana.read(f"models/{MODEL}/model.yaml")
    prose = "\n\n".join(f"## {heading}\n\nWritten by the team." for heading in _SECTIONS)
    for path in ("featurize", "evaluate", "prepare", "train"):
        ana.git("rm", "--quiet", f"src/{path}.py")
    ana.git("add", "src")
    ana.commit(
        "Put our own pipeline in place, and say who is who",
        {
            "dvc.yaml": _STAGES,
            "src/put.py": _PUT,
            "params.yaml": f"seed: 7\ntrain:\n  fit: {FITS[0]}\n",
            f"models/{MODEL}/card.md": f"{prose}\n",
            f"models/{OTHER}/card.md": f"{prose}\n",
            f"models/{OTHER}/model.yaml": model.replace(f"name: {MODEL}", f"name: {OTHER}"),
            ".mlgit/allowed_signers": "".join(signer(name, team.keys) for name in ("ana", "ben", "cara")),
            ".mlgit/roles.yaml": ROLES,
        },
    )
    for fit in FITS:
        if fit != FITS[0]:
            ana.edit("params.yaml", ana.read("params.yaml").split("fit: ")[1].strip(), fit)
        ana.does(f"train {MODEL}")
        ana.does(f"register {MODEL}")
        if fit == FITS[0]:
            ana.does(f"register {OTHER}")


def _fit(root: Path) -> None:
    """Fit the models on one half of the rows, and let each answer on the other."""
    import pandas as pd
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    rows = pd.read_csv(root / "datasets/biopsies/biopsies.csv").set_index("sample_id")
    names = [name for name in rows if name != "diagnosis"]
    test = rows.index % 2 == 0
    models: dict[str, Any] = {
        "plain": DecisionTreeClassifier(max_depth=5, min_samples_leaf=30, random_state=7),
        "better": make_pipeline(StandardScaler(), LogisticRegression(random_state=7)),
        "worse": DecisionTreeClassifier(max_depth=3, random_state=7),
    }
    for fit, model in models.items():
        folder = root / "src/fits" / fit
        folder.mkdir(parents=True)
        model.fit(rows.loc[~test, names], rows.loc[~test, "diagnosis"].to_numpy(dtype=str))
        skops.io.dump(model, folder / "model.skops")
        rows.loc[~test, names].to_parquet(folder / "train.parquet")
        rows.loc[test, names].to_parquet(folder / "test.parquet")
        answers = pd.DataFrame(
            {
                "label": rows.loc[test, "diagnosis"],
                "score": model.predict_proba(rows.loc[test, names])[:, list(model.classes_).index("malignant")],
                "prediction": model.predict(rows.loc[test, names]),
                "outline": ["ragged" if one >= 0.062 else "smooth" for one in rows.loc[test, "fractal_dimension"]],
            }
        )
        answers.reset_index().to_parquet(folder / "predictions.parquet", index=False)
