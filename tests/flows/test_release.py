"""A release: two builds of a commit have the same bytes, whatever folder, clock, umask and work tree they are made in."""

import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from mlgit import __version__
from tools import release

ROOT = Path(__file__).parents[2]


def test_two_builds_have_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hatchling")
    first = release.build(ROOT, tmp_path / "first")
    copy = tmp_path / "elsewhere" / "copy"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(copy)], check=True)
    (copy / "mlgit/left-over.py").write_text("print('not released')\n")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    before = os.umask(0o077)
    try:
        second = release.build(copy, tmp_path / "second")
    finally:
        os.umask(before)
    assert release.differing(first, second) == []
    names = [f"mlgit-{__version__}-py3-none-any.whl", f"mlgit-{__version__}.tar.gz"]
    assert [path.name for path in first] == names
    with zipfile.ZipFile(first[0]) as wheel, tarfile.open(first[1]) as sdist:
        listed = [*wheel.namelist(), *sdist.getnames()]
    assert "mlgit/cli/main.py" in listed
    assert not [name for name in listed if "left-over" in name]


def test_a_difference_is_found(tmp_path: Path) -> None:
    for folder, content in (("a", b"1"), ("b", b"2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.whl").write_bytes(content)
    (tmp_path / "b/y.tar.gz").write_bytes(b"")
    listed = [sorted((tmp_path / folder).iterdir()) for folder in ("a", "b")]
    assert release.differing(*listed) == ["x.whl", "y.tar.gz"]
    assert release.differing(listed[0], listed[0]) == []


def test_a_tag_is_the_version(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"the version is {__version__}"):
        release.main(tmp_path / "dist", "v0.0.0")
    assert not (tmp_path / "dist").exists()
