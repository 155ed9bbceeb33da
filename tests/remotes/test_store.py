"""The store on real servers: what was pushed comes back, and what was damaged there is refused."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.domain.records.version import StoredFile
from mlgit.edges import hashing
from mlgit.edges.dvc.store import DvcStore
from mlgit.errors import Finding, Inconclusive, MlgitError
from tests.remotes.places import SECRET, Place, object_path

CONTENT = b"a model " * 5_000


class Person:
    """Somebody's checkout, with DVC set up for a place."""

    def __init__(self, root: Path, place: Place, **own: str) -> None:
        self.root = root
        (root / ".dvc").mkdir(parents=True)
        settings = "".join(f"    {key} = {value}\n" for key, value in ({"url": place.url} | dict(place.shared)).items())
        (root / ".dvc/config").write_text(f"[core]\n    remote = storage\n['remote \"storage\"']\n{settings}")
        secrets = "".join(f"    {key} = {value}\n" for key, value in (dict(place.own) | own).items())
        (root / ".dvc/config.local").write_text(f"['remote \"storage\"']\n{secrets}" if secrets else "")
        self.store = DvcStore(root, "storage")

    def file(self, name: str, content: bytes = CONTENT) -> tuple[Path, StoredFile]:
        path = self.root / name
        path.write_bytes(content)
        return path, hashing.stored(path, name)


@pytest.fixture
def ana(tmp_path: Path, place: Place) -> Person:
    return Person(tmp_path / "ana", place)


@pytest.fixture
def pushed(ana: Person, request: pytest.FixtureRequest) -> StoredFile:
    """Something of this test's own, in the place."""
    path, file = ana.file("model.skops", CONTENT + request.node.name.encode())
    ana.store.upload([(path, file)])
    return file


def finding(action: Callable[[], object], kind: type[MlgitError] = MlgitError) -> Finding:
    with pytest.raises(kind) as refusal:
        action()
    (problem,) = refusal.value.findings
    assert SECRET not in str(problem)
    return problem


def test_what_was_pushed_comes_back_in_another_clone(place: Place, pushed: StoredFile, tmp_path: Path) -> None:
    ben = Person(tmp_path / "ben", place)
    assert ben.store.missing([pushed]) == []
    with ben.store.fetch(pushed) as copy:
        assert hashing.hash_file(copy) == (pushed.md5, pushed.sha256, pushed.size)


def test_what_is_there_already_is_not_pushed_again(ana: Person, place: Place, pushed: StoredFile) -> None:
    before = place.objects.names()
    ana.store.upload([(ana.root / "model.skops", pushed)])
    assert place.objects.names() == before


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda content: content[:-1] + b"#", "data-corrupt"),
        (lambda content: content[:-7], "data-corrupt"),
        (lambda content: b"", "data-corrupt"),
        (lambda content: None, "data-missing"),
    ],
    ids=["tampered", "cut", "emptied", "gone"],
)
def test_what_was_damaged_there_is_refused(
    place: Place, pushed: StoredFile, tmp_path: Path, damage: Callable[[bytes], bytes | None], found: str
) -> None:
    path = object_path(pushed.md5)
    content = place.objects.read(path)
    assert content is not None
    place.objects.write(path, damage(content))
    ben = Person(tmp_path / "ben", place)
    with contextlib.ExitStack() as stack:
        assert finding(lambda: stack.enter_context(ben.store.fetch(pushed))).id == found


def test_a_probe_leaves_nothing_behind(ana: Person, place: Place) -> None:
    before = place.objects.names()
    ana.store.probe()
    ana.store.probe()
    assert place.objects.names() == before


def test_a_missing_base_folder_is_reported_of_a_folder_and_over_webdav(place: Place, tmp_path: Path) -> None:
    """Elsewhere it is created with the first file."""
    ben = Person(tmp_path / "ben", place, url=f"{place.url}/deeper")
    if place.url.startswith("webdav") or "://" not in place.url:
        assert finding(ben.store.probe).id == "dvc-remote-folder-missing"
    else:
        ben.store.probe()


def test_denied_access_is_reported(place: Place, pushed: StoredFile, tmp_path: Path) -> None:
    wrong = {
        "webdav": {"password": "wrong"},
        "ssh": {"keyfile": str(Path(place.own.get("keyfile", "person")).with_name("stranger"))},
    }.get(place.url.partition("://")[0])
    if wrong is None:
        pytest.skip("a folder has no accounts, and moto lets everybody in")
    ben = Person(tmp_path / "ben", place, **wrong)
    assert finding(lambda: ben.store.missing([pushed]), Inconclusive).id == "dvc-remote-access-denied"
    assert finding(ben.store.probe).id in {"dvc-remote-access-denied", "dvc-remote-read-only"}


def test_an_unreachable_server_differs_from_a_missing_file(place: Place, pushed: StoredFile, tmp_path: Path) -> None:
    if "://" not in place.url:
        pytest.skip("a folder has no server")
    settings = {"endpointurl": "http://127.0.0.1:9"} if place.url.startswith("s3") else {"port": "9"}
    if place.url.startswith("webdav"):
        settings = {"url": "webdav://127.0.0.1:9/kept"}
    ben = Person(tmp_path / "ben", place, **settings)
    assert finding(lambda: ben.store.missing([pushed]), Inconclusive).id == "dvc-remote-unreachable"
