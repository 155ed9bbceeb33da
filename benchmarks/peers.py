"""GTO and MLflow with as many versions as mlgit: the most similar query of each, in one process.

GTO stores versions and assignments in annotated Git tags; `gto show` corresponds to `mlgit status`. MLflow stores them in a
database, here SQLite, and has no approvals; its search of all versions is the most similar query.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import Command, Cost

_ROUNDS = 3
_MLFLOW_FILL = """
import sys
from mlflow import MlflowClient
client = MlflowClient(registry_uri=sys.argv[1], tracking_uri=sys.argv[1])
versions, models = int(sys.argv[2]), int(sys.argv[3])
for model in range(models):
    client.create_registered_model(f"model-{model + 1:03}")
for index in range(versions):
    client.create_model_version(f"model-{index % models + 1:03}", source="/tmp/model")
for model in range(models):
    client.set_registered_model_alias(f"model-{model + 1:03}", "production", "1")
"""
_MLFLOW_LIST = """
import sys
from mlflow import MlflowClient
client = MlflowClient(registry_uri=sys.argv[1], tracking_uri=sys.argv[1])
token, count = None, 0
while count == 0 or token:
    page = client.search_model_versions(max_results=10_000, page_token=token)
    count, token = count + len(page), page.token
assert count == int(sys.argv[2]), count
"""


def costs(
    folder: Path, python: str | None, versions: int, models: int, env: Mapping[str, str]
) -> dict[str, Cost | str]:
    """Return the cost of each peer, or why it was not measured.

    Args:
        folder: folder for their repositories and databases.
        python: the Python interpreter of an environment that has them.
        versions: number of versions in total.
        models: number of models.
        env: the environment variables.
    """
    if python is None:
        missing = "not measured: --peer-python is not given"
        return {"gto show": missing, "MLflow search_model_versions": missing}
    # Without PYTHONPATH, so that peers import nothing from this checkout.
    own_env = {key: value for key, value in env.items() if key != "PYTHONPATH"}
    return {
        "gto show": _gto(folder / f"gto-{versions}", python, versions, models, own_env),
        "MLflow search_model_versions": _mlflow(folder / f"mlflow-{versions}.db", python, versions, models, own_env),
    }


def _gto(folder: Path, python: str, versions: int, models: int, env: Mapping[str, str]) -> Cost | str:
    if not _has(python, "gto", env):
        return "not measured: that environment has no gto"
    if not folder.exists():
        _tag(folder, versions, models, env)
    query = (python, "-c", "from gto.cli import app; app()", "show", "--repo", str(folder))
    return _cost(Command((query,), folder), env)


def _tag(folder: Path, versions: int, models: int, env: Mapping[str, str]) -> None:
    """Make a repository with a tag for each version, and one for each model that assigns a version to production.

    GTO requires a commit of its own for each version of a model.
    """
    person = "Ada Example <ada@example.org> {} +0000\n"
    stream: list[str] = []
    for number in range(1, -(-versions // models) + 1):
        parent = f"from :{number - 1}\n" if number > 1 else ""
        message = f"committer {person.format(1_700_000_000 + number)}data 5\ntrain\n"
        stream.append(f"commit refs/heads/main\nmark :{number}\n{message}{parent}\n")
    tags = [
        (f"model-{index % models + 1:03}@v0.0.{index // models + 1}", index // models + 1) for index in range(versions)
    ]
    tags += [(f"model-{model + 1:03}#production#1", 1) for model in range(models)]
    for index, (name, number) in enumerate(tags):
        stream.append(f"tag {name}\nfrom :{number}\ntagger {person.format(1_700_100_000 + index)}data 0\n\n")
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], env=env, check=True)
    text = "".join(stream).encode()
    subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], input=text, env=env, check=True)
    subprocess.run(["git", "-C", str(folder), "pack-refs", "--all"], env=env, check=True)


def _mlflow(database: Path, python: str, versions: int, models: int, env: Mapping[str, str]) -> Cost | str:
    if not _has(python, "mlflow", env):
        return "not measured: that environment has no mlflow"
    uri = f"sqlite:///{database}"
    if not database.exists():
        fill = (python, "-c", _MLFLOW_FILL, uri, str(versions), str(models))
        subprocess.run(fill, env=env, check=True, capture_output=True)
    return _cost(Command(((python, "-c", _MLFLOW_LIST, uri, str(versions)),), database.parent), env)


def _has(python: str, package: str, env: Mapping[str, str]) -> bool:
    process = subprocess.run([python, "-c", f"import {package}"], env=env, capture_output=True, check=False)
    return process.returncode == 0


def _cost(command: Command, env: Mapping[str, str]) -> Cost:
    return measure.median(measure.in_turns({"peer": command}, _ROUNDS, env)["peer"])
