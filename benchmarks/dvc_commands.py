"""DVC's own commands in a project with many versions: `python -m benchmarks.dvc_commands [--versions 1000]`.

Compares a `.dvc` pointer in the folder of each version, as `dvc add` would leave it, with the arrangement of mlgit: the record of
a version names its files, and they are in a folder of their own in cache and remote. Prints a Markdown table.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlgit.domain.records.version import StoredFile
from mlgit.edges.dvc import pointers, workspace
from mlgit.edges.dvc.versionstore import OBJECTS

_DVC = ("files", "md5")
_FILES = ("model.skops", "predictions.parquet", "test.parquet")
_DATA = "datasets/customers/customers.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=1000, help="number of versions")
    versions = parser.parse_args().versions
    with tempfile.TemporaryDirectory() as folder:
        columns = {
            "a pointer beside each version": _measured(Path(folder, "pointers"), versions, has_pointers=True),
            "mlgit": _measured(Path(folder, "mlgit"), versions, has_pointers=False),
        }
    print(f"| {versions:,} versions | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for row in columns["mlgit"]:
        print(f"| {row} | {' | '.join(column[row] for column in columns.values())} |")


def _measured(folder: Path, versions: int, *, has_pointers: bool) -> dict[str, str]:
    root, storage = folder / "team", folder / "storage"
    kept = _make(root, storage, versions, has_pointers=has_pointers)
    status, seconds = _timed(lambda: _dvc(root, "status"))
    rows = {
        "`dvc status`": f"{len(status.splitlines()):,} lines, {seconds:.1f} s",
        "of these on versions": f"{status.count('models/'):,}",
    }
    _, seconds = _timed(lambda: _dvc(root, "pull"))
    pulled = sum(path.is_file() for path in (root / ".dvc/cache").rglob("*"))
    rows["`dvc pull`"] = f"{pulled:,} files, {seconds:.1f} s"
    # Somebody collects on a branch from before the versions.
    subprocess.run(["git", "switch", "--quiet", "--detach", "HEAD~1"], cwd=root, check=True)
    _dvc(root, "gc", "--workspace", "--cloud", "--force")
    lost = sum(not path.exists() for path in kept)
    rows["files of versions lost in the remote by `dvc gc -w -c` on an older commit"] = f"{lost:,} of {len(kept):,}"
    return rows


def _make(root: Path, storage: Path, versions: int, *, has_pointers: bool) -> list[Path]:
    """Make a project with a dataset and versions, whose content is in the remote; return the objects of the versions."""
    root.mkdir(parents=True)
    storage.mkdir()
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    workspace.initialise(root, "storage", str(storage))
    _point(root, _DATA, _stored(storage, _DVC, "customers.csv", b"id,left\n1,0\n")[0])
    (root / ".gitignore").write_text(f"/{_DATA}\n")
    _commit(root, "A dataset")
    kept = []
    for number in range(1, versions + 1):
        place = f"models/churn/versions/v{number}"
        (root / place).mkdir(parents=True)
        (root / place / "version.json").write_text(f'{{"version": {number}}}\n')
        for name in _FILES:
            file, stored = _stored(storage, _DVC if has_pointers else OBJECTS, name, f"{name} {number}".encode())
            kept.append(stored)
            if has_pointers:
                _point(root, f"{place}/{name}", file)
    _commit(root, "Versions")
    return kept


def _stored(storage: Path, folder: tuple[str, str], name: str, content: bytes) -> tuple[StoredFile, Path]:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    place = Path(storage, *folder, md5[:2], md5[2:])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return StoredFile(path=name, sha256=digest, md5=md5, size=len(content)), place


def _point(root: Path, path: str, file: StoredFile) -> None:
    pointer = root / f"{path}.dvc"
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.write_bytes(pointers.render(file))


def _commit(root: Path, message: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "--message", message], cwd=root, check=True)


def _dvc(root: Path, *words: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True).stdout


def _timed(action: Callable[[], str]) -> tuple[str, float]:
    began = time.perf_counter()
    answer = action()
    return answer, time.perf_counter() - began


if __name__ == "__main__":
    main()
