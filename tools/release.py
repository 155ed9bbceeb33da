"""Builds the wheel and the sdist of a release, twice, and keeps them only if both builds have the same bytes.

    python -m tools.release dist [TAG]

What is built is what the commit has, from `git archive`, with the time of the commit (`SOURCE_DATE_EPOCH`): no file of the work
tree, no clock and no folder is in it. Beside the files, `SHA256SUMS` has their hashes.
"""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from mlgit import __version__

ROOT: Final = Path(__file__).parents[1]
SUMS: Final = "SHA256SUMS"
_BUILD: Final = (
    "import sys; from hatchling import build; build.build_wheel(sys.argv[1]); build.build_sdist(sys.argv[1])"
)


def build(root: Path, folder: Path, commit: str = "HEAD") -> list[Path]:
    """Build the wheel and the sdist of a commit into a folder; return the files, sorted.

    Raises:
        CalledProcessError: Git or the build failed.
    """
    archive = _git(root, "archive", "--format=tar", commit)
    stamp = _git(root, "log", "-1", "--format=%ct", commit).decode().strip()
    with tempfile.TemporaryDirectory() as exported:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(exported, filter="data")
        folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"SOURCE_DATE_EPOCH": stamp}
        command = [sys.executable, "-P", "-c", _BUILD, str(folder.absolute())]
        subprocess.run(command, cwd=exported, env=environment, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.iterdir())


def differing(first: list[Path], second: list[Path]) -> list[str]:
    """Return the names of files that two builds do not have alike."""
    contents = [{path.name: path.read_bytes() for path in paths} for paths in (first, second)]
    return sorted(
        name for name in contents[0].keys() | contents[1].keys() if contents[0].get(name) != contents[1].get(name)
    )


def main(folder: Path, tag: str | None) -> None:
    """Build a release into an empty folder, and refuse a tag that is not the version, or a build that cannot be repeated."""
    if tag is not None and tag != f"v{__version__}":
        sys.exit(f"the tag is {tag}, and the version is {__version__}")
    built = build(ROOT, folder)
    with tempfile.TemporaryDirectory() as again:
        if names := differing(built, build(ROOT, Path(again))):
            sys.exit(f"two builds differ: {', '.join(names)}")
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in built)
    (folder / SUMS).write_text(sums, encoding="utf-8")


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)  # noqa: PLR2004 - DIST [TAG]
