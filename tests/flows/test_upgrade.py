"""`mlgit upgrade` with pip itself, and small packages in a folder instead of an index."""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.flows.people import Desk, Team

LOCK = ".mlgit/requirements.lock"
_WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def _metadata(name: str, version: str, requires: str = "") -> str:
    need = f"Requires-Dist: {requires}\n" if requires else ""
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{need}\n"


def wheel(folder: Path, name: str, version: str, requires: str = "") -> Path:
    """Write a wheel that holds nothing but its metadata."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", _metadata(name, version, requires))
        archive.writestr(f"{info}/WHEEL", _WHEEL)
        archive.writestr(f"{info}/RECORD", "")
    return path


def sources(folder: Path, name: str, version: str) -> None:
    """Write the sources of a package that is published without a wheel; its build asks for nothing."""
    backend = f"""
import zipfile


def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, info = "{name}-{version}-py3-none-any.whl", "{name}-{version}.dist-info"
    with zipfile.ZipFile(folder + "/" + name, "w") as archive:
        archive.writestr(info + "/METADATA", {_metadata(name, version)!r})
        archive.writestr(info + "/WHEEL", {_WHEEL!r})
        archive.writestr(info + "/RECORD", "")
    return name
"""
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": backend,
        "PKG-INFO": _metadata(name, version),
    }
    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


@pytest.fixture
def ana(registered: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Ana, whose pip asks a folder: pip's own configuration says so."""
    index = tmp_path / "index"
    wheel(index, "helper", "2.0")
    wheel(index, "pinned", "1.0")
    sources(index, "oldstyle", "3.0")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    registered.ana.commit("Pin what we train with", {"requirements.txt": "pinned==1.0\n"})
    return registered.ana


def installed(desk: Desk) -> subprocess.CompletedProcess[str]:
    """Try what the workflows do."""
    options = ("--dry-run", "--ignore-installed", "--require-hashes", "--only-binary=:all:")
    command = [sys.executable, "-m", "pip", "install", *options, "-r", str(desk.root / LOCK)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_a_wheel_and_what_it_needs_are_locked_and_install_with_hashes(ana: Desk, tmp_path: Path) -> None:
    built = wheel(tmp_path / "dist", "mlgit", "9.9", "helper")
    planned = ana.does(f"upgrade --from {built} --with oldstyle --dry-run --json").json
    assert (planned["state"], planned["version"], planned["packages"]) == ("planned", "9.9", 4)
    assert not (ana.root / LOCK).exists()
    assert ana.does(f"upgrade --from {built} --with oldstyle --json").json["state"] == "written"
    text = ana.read(LOCK)
    assert [line.split("==")[0] for line in text.splitlines() if "==" in line] == [
        "helper",
        "mlgit",
        "oldstyle",
        "pinned",
    ]
    assert "index" not in text.replace("--find-links", "")
    assert sorted(path.name for path in (ana.root / ".mlgit/wheels").iterdir()) == [
        "mlgit-9.9-py3-none-any.whl",
        "oldstyle-3.0-py3-none-any.whl",
    ]
    done = installed(ana)
    assert done.returncode == 0, done.stderr
    assert "there-already" in ana.does(f"upgrade --from {built} --with oldstyle --json").out


def test_another_package_of_the_same_name_is_not_installed(ana: Desk, tmp_path: Path) -> None:
    """Somebody publishes `helper` and `mlgit` again, with the same versions."""
    ana.does(f"upgrade --from {wheel(tmp_path / 'dist', 'mlgit', '9.9', 'helper')}")
    wheel(tmp_path / "index", "helper", "2.0", "evil")
    wheel(tmp_path / "index", "mlgit", "9.9", "evil")
    done = installed(ana)
    assert done.returncode != 0
    assert "helper" in done.stderr


def test_what_cannot_be_resolved_changes_nothing(ana: Desk, tmp_path: Path) -> None:
    built = wheel(tmp_path / "dist", "mlgit", "9.9", "nowhere")
    assert ana.refused(f"upgrade --from {built}") == ["packages-unresolvable"]
    assert ana.refused("upgrade --from latest", code=2) == ["mlgit-source-invalid"]


def test_the_doctor_misses_the_lock_and_finds_what_is_wrong_with_it(ana: Desk, tmp_path: Path) -> None:
    def said() -> list[str]:
        checks = ana("doctor --json").json["checks"]
        return [
            finding["id"] for check in checks if check["check"] == "requirements-lock" for finding in check["findings"]
        ]

    assert said() == [], "without a forge, no workflow needs it"
    ana.edit("mlgit.yaml", "forge: none", "forge: github")
    assert said() == ["requirements-lock-missing"]
    ana.does(f"upgrade --from {wheel(tmp_path / 'dist', 'mlgit', '9.9', 'helper')}")
    ana.git("add", ".mlgit")
    ana.git("commit", "--quiet", "--message", "Lock mlgit")
    assert said() == []
    ana.commit("Pin another", {"requirements.txt": "pinned==1.1\n"})
    ana.commit("Ask an index", {LOCK: "--extra-index-url https://example.org\n" + ana.read(LOCK)})
    path = ".github/workflows/own.yaml"
    flow = "on: push\njobs: {a: {steps: [{run: 'pip install mlgit==9.9'}]}}\n"
    ana.commit("Install it by name", {path: flow})
    assert said() == ["workflow-install-unlocked", "requirements-lock-invalid", "requirements-lock-stale"]
