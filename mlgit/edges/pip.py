"""pip, as the installer of packages: what it would install, with which hashes, and wheels that it builds.

The report is that of `pip install --report`, version 1 (https://pip.pypa.io/en/stable/reference/installation-report/).
"""

import importlib.metadata
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import msgspec

from mlgit.edges import process
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel.ports.installer import PackageFile, Wheel

PYTHON_OF_WORKFLOWS: Final = "3.12"
"""The version of Python that the workflows of `mlgit init` set up."""

_PLATFORMS: Final = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(39, 4, -1)),
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "manylinux1_x86_64",
    "linux_x86_64",
)
"""What ubuntu-latest takes, the newest first."""
_TIMEOUT: Final = 1800.0
_SHOWN: Final = re.compile(r"(?:Collecting|Downloading|Building wheel for) \S+")


class _Metadata(msgspec.Struct):
    name: str
    version: str


class _Archive(msgspec.Struct):
    hashes: dict[str, str] = {}


class _Download(msgspec.Struct):
    url: str
    archive_info: _Archive | None = None


class _Install(msgspec.Struct):
    metadata: _Metadata
    download_info: _Download


class _Report(msgspec.Struct):
    install: list[_Install]


class _Commit(msgspec.Struct):
    commit_id: str


class _DirectUrl(msgspec.Struct):
    url: str
    vcs_info: _Commit | None = None


class Pip:
    """pip of the interpreter that runs mlgit, with a folder for the wheels that it builds."""

    def __init__(self, folder: Path, root: Path, on_line: Callable[[str], None]) -> None:
        """Take an empty folder, the folder that relative paths are relative to, and what is called with each step of pip."""
        self._folder = folder
        self._root = root
        self._on_line = on_line

    def resolve(self, requirements: Sequence[str], files: Sequence[str]) -> list[PackageFile]:
        """Return everything that an installation of requirements, and of those in requirements files, would need here."""
        named = [word for file in files for word in ("-r", file)]
        return self._report("--ignore-installed", "--prefer-binary", *named, "--", *requirements)

    def resolve_for_workflows(self, requirements: Sequence[str]) -> list[PackageFile]:
        """Return, of pinned requirements alone, the wheels that the workflows would install."""
        platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
        python = ("--python-version", PYTHON_OF_WORKFLOWS, "--implementation", "cp")
        target = ("--target", str(self._folder / "target"), "--no-deps", "--only-binary=:all:")
        return self._report(*target, *python, *platforms, "--", *requirements)

    def wheel(self, requirement: str) -> Wheel:
        """Return the wheel of one requirement, without its dependencies."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        self._pip("wheel", "--no-deps", "--wheel-dir", str(folder), "--", requirement)
        (built,) = folder.iterdir()
        content = built.read_bytes()
        (self._wheels / built.name).write_bytes(content)
        return Wheel(built.name, content)

    @property
    def _wheels(self) -> Path:
        folder = self._folder / "wheels"
        folder.mkdir(exist_ok=True)
        return folder

    def _report(self, *words: str) -> list[PackageFile]:
        file = self._folder / "report.json"
        self._pip("install", "--dry-run", "--report", str(file), "--find-links", str(self._wheels), *words)
        try:
            report = msgspec.json.decode(file.read_bytes(), type=_Report)
        except msgspec.DecodeError as error:
            raise _failed("pip wrote a report that cannot be read", str(error)) from error
        return [_package(entry) for entry in report.install]

    def _pip(self, command: str, *words: str) -> None:
        # -P: no file of the folder that it runs in is imported. A URL and a path are arguments, never options.
        argv = [sys.executable, "-P", "-m", "pip", command, "--disable-pip-version-check", "--no-input", *words]
        try:
            for line in process.lines(argv, cwd=self._root, timeout=_TIMEOUT):
                if match := _SHOWN.search(line):
                    self._on_line(match[0])
        except MlgitError as error:
            finding = error.findings[0]
            if finding.id != "tool-failed":
                raise
            raise _failed(f"pip {command} failed", finding.why) from error


@contextmanager
def installer(root: Path, on_line: Callable[[str], None]) -> Iterator[Pip]:
    """Yield pip, with a temporary folder.

    Args:
        root: the folder that relative paths are relative to.
        on_line: called with each step of pip.
    """
    with tempfile.TemporaryDirectory(prefix="mlgit-pip-") as folder:
        yield Pip(Path(folder), root, on_line)


def _package(entry: _Install) -> PackageFile:
    archive = entry.download_info.archive_info
    digest = None if archive is None else archive.hashes.get("sha256")
    if digest is None:
        name = entry.metadata.name
        raise _failed(f"{name} has no sha256", f"{entry.download_info.url} is no file with a hash in its index")
    return PackageFile(entry.metadata.name, entry.metadata.version, entry.download_info.url, digest)


def _failed(message: str, why: str) -> MlgitError:
    return refused(
        "packages-unresolvable",
        message,
        why=why,
        fix="correct what is asked for; `pip config list` shows which index pip asks",
    )


def own_source() -> str:
    """Return where the running mlgit was installed from: a URL, a commit, a path, or its version where it was an index.

    The record of the installation is that of PEP 610, `direct_url.json`.
    """
    distribution = importlib.metadata.distribution("mlgit")
    written = distribution.read_text("direct_url.json")
    if written is None:
        return distribution.version
    origin = msgspec.json.decode(written, type=_DirectUrl)
    if origin.vcs_info is not None:
        return f"git+{origin.url}@{origin.vcs_info.commit_id}"
    return url2pathname(urlsplit(origin.url).path) if origin.url.startswith("file:") else origin.url
