"""Make a real repository of any size: `python -m benchmarks.generate DIR --versions 10000 --models 200`.

Versions come in one after the other, a model at a time in turn; then the newest three of each model climb the
environments. The same numbers give the same commits. The branch `next-version` has one version more than `main`.
"""

import argparse
import subprocess
import time
from itertools import islice
from pathlib import Path

from benchmarks import content, history
from benchmarks.content import Records
from benchmarks.stream import FastImport
from mlgit.domain import layout
from mlgit.domain.records import Deployment, Version

MAIN = "refs/heads/main"
NEXT = "refs/heads/next-version"
_PER_COMMIT = 50
_CLIMBING = 3
_WAITING = 5  # the newest version of each fifth model is not in production yet


def generate(folder: Path, *, versions: int, models: int, checkout: bool = False) -> None:
    """Make a repository.

    Args:
        folder: a folder that is empty, or not there.
        versions: how many versions there are in all.
        models: how many models they are spread over, evenly.
        checkout: whether the files of `main` are written to the folder as well.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty")
    known = content.records(models)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    with FastImport(folder) as stream:
        newest = _register(stream, known, versions)
        _climb(stream, known, newest)
        _add_next(stream, known, newest)
    # A stream leaves a pack that is larger and slower than that of any clone.
    subprocess.run(["git", "-C", str(folder), "repack", "-adfq"], check=True)
    if checkout:
        subprocess.run(["git", "-C", str(folder), "reset", "--quiet", "--hard"], check=True)


def _register(stream: FastImport, known: Records, versions: int) -> dict[str, list[Version]]:
    """Commit the project and its versions; return the newest versions of each model, the newest last."""
    tip = stream.commit(MAIN, content.foundation(known), "Begin the project", content.START)
    models = list(known.models.values())
    newest: dict[str, list[Version]] = {model.name: [] for model in models}
    indices = iter(range(versions))
    while batch := list(islice(indices, _PER_COMMIT)):
        files: dict[str, bytes] = {}
        for index in batch:
            model, number = models[index % len(models)], index // len(models) + 1
            version, made = content.version(known, model, number, commit=tip, at=content.moment(index))
            newest[model.name] = [*newest[model.name], version][-_CLIMBING:]
            files |= made
        tip = stream.commit(MAIN, files, f"Register {len(batch)} versions", content.moment(batch[-1]))
    return newest


def _climb(stream: FastImport, known: Records, newest: dict[str, list[Version]]) -> None:
    """Promote the newest versions of each model, and write to the ledger what follows."""
    steps = [
        step
        for index, versions in enumerate(newest.values())
        if versions
        for step in history.climb(versions, waits=len(versions) > 1 and index % _WAITING == 0)
    ]
    champions: dict[tuple[str, str], history.Promoted] = {}
    deployments: dict[tuple[str, str], Deployment] = {}
    for step, (version, environment) in enumerate(steps, start=_first_step(newest)):
        key = (environment, version.model)
        before, at = champions.get(key), content.moment(step)
        promoted = champions[key] = history.promote(known, version, environment, before, step)
        message = f"Promote {version.model}@{version.version} to {environment}"
        commit = stream.commit(MAIN, promoted.files, message, at)
        decision = history.decided(known, promoted, before, commit=commit, step=step)
        deployments[key] = history.deployed(promoted, deployments.get(key), commit=commit, step=step)
        files = history.ledger_files(decision, deployments[key])
        stream.commit(layout.LEDGER, files, message.replace("Promote", "Deploy"), at)


def _add_next(stream: FastImport, known: Records, newest: dict[str, list[Version]]) -> None:
    """Add a branch that brings one version, as a pull request does."""
    name, versions = next(iter(newest.items()))
    number = versions[-1].version + 1 if versions else 1
    tip, at = stream.tips[MAIN], content.moment(2 * _first_step(newest))
    _, files = content.version(known, known.models[name], number, commit=tip, at=at)
    stream.commit(NEXT, files, f"Register {name}@{number}", at, onto=MAIN)


def _first_step(newest: dict[str, list[Version]]) -> int:
    """Return a step of history that comes after all registrations."""
    return 1 + len(newest) * max((versions[-1].version for versions in newest.values() if versions), default=0)


def main() -> None:
    """Read the arguments, and make the repository."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder")
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--checkout", action="store_true", help="write the files of main as well")
    chosen = parser.parse_args()
    began = time.perf_counter()
    generate(chosen.folder, versions=chosen.versions, models=chosen.models, checkout=chosen.checkout)
    print(f"{chosen.versions:,} versions of {chosen.models:,} models in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
