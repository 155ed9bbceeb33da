"""DVC's own commands in a project with versions: they are about what people work on, and `dvc gc` takes no version away."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlgit.domain.codec import sha256
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team, contents

CACHE, STORAGE = "team/.dvc/cache", "storage"
FORMS: Mapping[str, dict[str, Any]] = {
    "-w": {"workspace": True},
    "-a": {"all_branches": True},
    "-T": {"all_tags": True},
    "-A": {"all_commits": True},
    "--rev": {"rev": "HEAD"},
    "--date": {"commit_date": "2026-02-01"},
    "--all-experiments": {"all_experiments": True},
}
"""Every way to say what `dvc gc` keeps."""


def dvc(desk: Desk, *words: str) -> str:
    """Run DVC as a person would; return what it prints."""
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "HOME": str(desk.root.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=desk.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def repository(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Open DVC's repository in this process: as a command, each of its forms would take seconds."""
    from dvc.repo import Repo

    monkeypatch.chdir(root)
    with Repo(str(root)) as opened:
        yield opened


def objects(team: Team, place: str, folder: str) -> set[str]:
    """The hashes of the objects in a folder of the cache or the remote."""
    files = (team.folder / place / folder / "md5").glob("??/*")
    return {file.parent.name + file.name for file in files}


def md5s(ana: Desk, number: int) -> set[str]:
    """The hashes of all that a version rests on."""
    record = json.loads(ana.read(f"models/{MODEL}/versions/v{number}/version.json"))
    evaluation = record["evaluation"]
    stored = [record["artifact"], evaluation["predictions"], evaluation["features"], *record["inputs"]["data"].values()]
    return {file["md5"] for file in stored}


def test_status_and_pull_speak_of_what_people_work_on(registered: Team) -> None:
    ana = registered.ana
    assert "up to date" in dvc(ana, "status")
    assert not [path for path in ana.files("HEAD") if path.startswith("models/") and path.endswith(".dvc")]
    dvc(ana, "push")
    clone = ana.clone("fresh")
    dvc(clone, "pull")
    assert "up to date" in dvc(clone, "status")
    pulled = {path.parent.name + path.name for path in (clone.root / ".dvc/cache/files/md5").glob("??/*")}
    assert md5s(ana, 3) <= pulled  # what the pipeline last wrote
    assert not (md5s(ana, 1) - md5s(ana, 3)) & pulled
    assert not (clone.root / ".dvc/cache/mlgit").exists()
    assert clone.does(f"register {MODEL} --json").json["state"] == "there-already"


def test_no_form_of_garbage_collection_takes_a_version_away(registered: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team, ana = registered, registered.ana
    versions = md5s(ana, 1) | md5s(ana, 2) | md5s(ana, 3)
    dvc(ana, "push")
    before = {place: objects(team, place, "mlgit") for place in (CACHE, STORAGE)}
    assert before[CACHE] == before[STORAGE] == versions
    old = md5s(ana, 1) - md5s(ana, 3)
    assert old & objects(team, CACHE, "files")
    with repository(ana.root, monkeypatch) as opened:
        for form in FORMS.values():
            for more in ({"not_in_remote": True}, {}, {"cloud": True}):
                opened.gc(force=True, **form, **more)
                assert {place: objects(team, place, "mlgit") for place in (CACHE, STORAGE)} == before, (form, more)
    assert not old & (objects(team, CACHE, "files") | objects(team, STORAGE, "files"))  # it did collect
    uploaded = ana.does("upload --dry-run --json").json
    assert (uploaded["versions"], uploaded["uploaded"]) == (4, 0)
    clone = ana.clone("fresh")
    clone.does(f"download {MODEL}@1 --output {team.folder / 'got'} --data")
    record = json.loads(ana.read(f"models/{MODEL}/versions/v1/version.json"))
    assert sha256((team.folder / "got/model.skops").read_bytes()) == record["artifact"]["sha256"]
    assert (team.folder / "got/datasets/biopsies/biopsies.csv").is_file()


def test_data_of_a_version_is_kept_though_the_dataset_went_on(
    registered: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team, ana = registered, registered.ana
    data = ana.root / "datasets/biopsies/biopsies.csv"
    content = data.read_bytes()
    data.unlink()
    data.write_bytes(b"".join(content.splitlines(keepends=True)[:-1]))
    ana.does("data add datasets/biopsies/biopsies.csv")
    ana.git("commit", "--quiet", "--all", "--message", "A row less")
    with repository(ana.root, monkeypatch) as opened:
        opened.gc(workspace=True, cloud=True, force=True)
    ana.does(f"download {MODEL}@1 --output {team.folder / 'got'} --data")
    assert (team.folder / "got/datasets/biopsies/biopsies.csv").read_bytes() == content


def test_a_download_is_repeated_and_overwrites_nothing(registered: Team) -> None:
    ana, folder = registered.ana, registered.folder / "got"
    assert ana.does(f"download {MODEL}@1 --output {folder} --dry-run").out.count("to be written") == 3
    assert not folder.exists()
    ana.does(f"download {MODEL}@1 --output {folder}")
    before = contents(folder)
    assert ana.does(f"download {MODEL}@1 --output {folder}").out.count("there already") == 3
    (folder / "model.skops").write_bytes(b"mine")
    assert ana.refused(f"download {MODEL}@1 --output {folder}") == ["download-exists"]
    assert contents(folder) == before | {"model.skops": b"mine"}
    assert ana.refused(f"download {MODEL}@9 --output {folder}") == ["version-unknown"]


def test_a_remote_that_lost_versions_gets_them_from_the_cache(registered: Team) -> None:
    team, ana = registered, registered.ana
    lost = md5s(ana, 1) - md5s(ana, 2)
    for md5 in lost:
        (team.folder / STORAGE / "mlgit/md5" / md5[:2] / md5[2:]).unlink()
    assert ana.refused(f"promote {MODEL}@1 --to staging") == ["data-missing"]
    assert ana.does(f"upload {MODEL}@1 --json").json["uploaded"] == len(lost)
    assert objects(team, STORAGE, "mlgit") >= lost
    (md5, *_) = lost
    for place in (STORAGE, CACHE):
        for folder in ("mlgit", "files"):
            (team.folder / place / folder / "md5" / md5[:2] / md5[2:]).unlink(missing_ok=True)
    assert ana.refused(f"upload {MODEL}@1") == ["data-missing"]
