"""Generate a repository of any size: `python -m benchmarks.generate DIR --versions 10000 --models 200`.

Versions are registered for each model in turn; then the newest three of each model are promoted through the environments.
The same numbers give the same commits. The branch `next-version` has one more version than `main`.
"""

import argparse
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, repeat
from pathlib import Path

from benchmarks import content, history
from benchmarks.content import Records
from benchmarks.stream import FastImport
from mlgit.domain import layout
from mlgit.domain.records import Deployment, Version

MAIN = "refs/heads/main"
NEXT = "refs/heads/next-version"
_PER_COMMIT = 50
_COMMITS_AT_ONCE = 20
_PROMOTED = 3  # versions of each model
_WAITING = 5  # of every fifth model, the newest version is not in production yet


def generate(folder: Path, *, versions: int, models: int, checkout: bool = False) -> None:
    """Generate a repository.

    Args:
        folder: an empty or missing folder.
        versions: number of versions in total.
        models: number of models; versions are distributed evenly.
        checkout: whether to check out `main`.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty")
    records = content.make_records(models)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    with FastImport(folder) as stream:
        newest = _register(stream, records, versions)
        _promote(stream, records, newest)
        _add_next(stream, records, newest)
    # The pack that fast-import writes is larger and slower than that of a clone.
    subprocess.run(["git", "-C", str(folder), "repack", "-adfq"], check=True)
    if checkout:
        subprocess.run(["git", "-C", str(folder), "reset", "--quiet", "--hard"], check=True)


def _register(stream: FastImport, records: Records, versions: int) -> dict[str, list[Version]]:
    """Commit the project and its versions; return the last versions of each model, oldest first.

    Versions are made by several processes, many at a time, which state the same training commit.
    """
    tip = stream.commit(MAIN, content.foundation(records), "Begin the project", content.START)
    models = list(records.models)
    newest: dict[str, list[Version]] = {model: [] for model in models}
    indices = iter(range(versions))
    with ProcessPoolExecutor(initializer=_begin, initargs=(len(models),)) as pool:
        while chunk := list(islice(indices, _PER_COMMIT * _COMMITS_AT_ONCE)):
            made = pool.map(_make, chunk, repeat(tip), chunksize=_PER_COMMIT)
            while batch := list(islice(made, _PER_COMMIT)):
                files: dict[str, bytes] = {}
                for version, version_files in batch:
                    newest[version.model] = [*newest[version.model], version][-_PROMOTED:]
                    files |= version_files
                message, at = f"Register {len(batch)} versions", batch[-1][0].registered_at
                tip = stream.commit(MAIN, files, message, at)
    return newest


def _begin(models: int) -> None:
    """Make the records of the project in a process that makes versions."""
    _records.append(content.make_records(models))


def _make(index: int, commit: str) -> tuple[Version, dict[str, bytes]]:
    """Return the version with an index over all models, and its files."""
    (records,) = _records
    models = list(records.models.values())
    model, number = models[index % len(models)], index // len(models) + 1
    return content.version(records, model, number, commit=commit, at=content.time_of_step(index))


_records: list[Records] = []
"""The records of the project, in a process that makes versions."""


def _promote(stream: FastImport, records: Records, newest: dict[str, list[Version]]) -> None:
    """Promote the newest versions of each model, and write the ledger."""
    steps = [
        step
        for index, versions in enumerate(newest.values())
        if versions
        for step in history.promotion_steps(versions, waiting=len(versions) > 1 and index % _WAITING == 0)
    ]
    champions: dict[tuple[str, str], history.GeneratedPromotion] = {}
    deployments: dict[tuple[str, str], Deployment] = {}
    for step, (version, environment) in enumerate(steps, start=_first_step(newest)):
        key = (environment, version.model)
        before, at = champions.get(key), content.time_of_step(step)
        promoted = champions[key] = history.promote(records, version, environment, before, step)
        message = f"Promote {version.model}@{version.version} to {environment}"
        commit = stream.commit(MAIN, promoted.files, message, at)
        decision = history.decision_record_of(records, promoted, before, commit=commit, step=step)
        deployments[key] = history.deployment_of(promoted, deployments.get(key), commit=commit, step=step)
        files = history.ledger_files(decision, deployments[key])
        stream.commit(layout.LEDGER, files, message.replace("Promote", "Deploy"), at)


def _add_next(stream: FastImport, records: Records, newest: dict[str, list[Version]]) -> None:
    """Add a branch that adds one version, as a pull request does."""
    name, versions = next(iter(newest.items()))
    number = versions[-1].version + 1 if versions else 1
    tip, at = stream.tips[MAIN], content.time_of_step(2 * _first_step(newest))
    _, files = content.version(records, records.models[name], number, commit=tip, at=at)
    stream.commit(NEXT, files, f"Register {name}@{number}", at, onto=MAIN)


def _first_step(newest: dict[str, list[Version]]) -> int:
    """Return the first step of history after all registrations."""
    return 1 + len(newest) * max((versions[-1].version for versions in newest.values() if versions), default=0)


def main() -> None:
    """Read the arguments, and generate the repository."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder")
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--checkout", action="store_true", help="check out main as well")
    options = parser.parse_args()
    start = time.perf_counter()
    generate(options.folder, versions=options.versions, models=options.models, checkout=options.checkout)
    print(f"{options.versions:,} versions of {options.models:,} models in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
