"""DVC for real: a checkout, a remote in a folder, and what is done to both of them."""

import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mlgit.domain.codec import to_mapping
from mlgit.domain.records.version import Artifact, StoredFile
from mlgit.edges import hashing
from mlgit.edges.cache import FileCache
from mlgit.edges.dvc import lockfile, parameters, pipeline, pointers, workspace
from mlgit.edges.dvc.store import DvcStore
from mlgit.edges.dvc.versionstore import VersionStore
from mlgit.edges.known_hashes import KnownHashes
from mlgit.errors import Exit, Finding, Inconclusive, MlgitError

CONTENT = b"a model " * 50_000


def checkout(folder: Path) -> Path:
    """Make an empty Git repository with DVC and a remote beside it."""
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    workspace.initialise(folder, "storage", "../storage")
    return folder


def dvc(root: Path, *arguments: str) -> None:
    """Run DVC as a person would."""
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
    subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, env=environment, check=True, capture_output=True
    )


def finding(action: Callable[[], object]) -> Finding:
    """Return the one finding with which an action is refused."""
    with pytest.raises(MlgitError) as refusal:
        action()
    (problem,) = refusal.value.findings
    return problem


def set_params(root: Path, settings: dict[str, str]) -> None:
    with parameters.setting(root, settings, print) as keep:
        keep()


def fetched(store: DvcStore, file: StoredFile) -> bytes:
    with store.fetch(file) as path:
        return path.read_bytes()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return checkout(tmp_path / "team")


@pytest.fixture
def store(root: Path) -> DvcStore:
    return DvcStore(root, "storage")


@pytest.fixture
def model(root: Path) -> tuple[Path, StoredFile]:
    path = root / "model.skops"
    path.write_bytes(CONTENT)
    return path, hashing.stored(path, "model.skops")


def object_in(folder: Path, file: StoredFile) -> Path:
    return folder / "files/md5" / file.md5[:2] / file.md5[2:]


def bytes_read() -> int:
    """Return how many bytes this process has read."""
    return int(Path("/proc/self/io").read_text().split()[1])


def replace(path: Path, content: bytes) -> None:
    """Change a file that is protected against writing, and leave it as protected."""
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def take_the_place_of(path: Path, content: bytes) -> None:
    """Put another file in the place of one."""
    other = path.with_name("other")
    other.write_bytes(content)
    other.replace(path)


class TestStore:
    def test_what_was_uploaded_is_in_cache_and_remote(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        _, file = model
        assert store.missing([file]) == [file]
        store.upload([model])
        assert store.missing([file, file]) == []
        assert object_in(root / ".dvc/cache", file).read_bytes() == CONTENT
        assert object_in(root.parent / "storage", file).read_bytes() == CONTENT

    def test_an_upload_can_be_repeated(self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]) -> None:
        store.upload([model, model])
        before = object_in(root.parent / "storage", model[1]).stat().st_mtime_ns
        store.upload([model, model])
        assert object_in(root.parent / "storage", model[1]).stat().st_mtime_ns == before

    def test_only_what_the_remote_lacks_is_missing(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        store.upload([model])
        (root / "other").write_bytes(b"other")
        other = hashing.stored(root / "other", "other")
        assert store.missing([model[1], other, model[1]]) == [other]
        assert store.missing([]) == []

    def test_a_second_clone_pulls_the_same_bytes(
        self, tmp_path: Path, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        store.upload([model])
        clone = checkout(tmp_path / "clone")
        (clone / "model.skops.dvc").write_bytes(pointers.render(model[1]))
        dvc(clone, "pull", "--quiet")
        assert (clone / "model.skops").read_bytes() == CONTENT

    @pytest.mark.parametrize("source", ["cache", "remote"])
    def test_a_fetched_copy_is_private_and_does_not_stay(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile], source: str
    ) -> None:
        path, file = model
        store.upload([model])
        if source == "remote":
            object_in(root / ".dvc/cache", file).unlink()
        with store.fetch(file) as copy:
            assert copy.name == "model.skops"
            assert copy.read_bytes() == CONTENT
            assert copy.parent.stat().st_mode & 0o077 == 0
            copy.chmod(0o644)
            copy.write_bytes(b"changed")
        assert not copy.parent.exists()
        assert path.read_bytes() == CONTENT
        assert fetched(store, file) == CONTENT

    @pytest.mark.parametrize("swap", [replace, take_the_place_of])
    @pytest.mark.parametrize("source", ["cache", "remote"])
    @pytest.mark.parametrize("links", ["reflink,copy", "hardlink,symlink"])
    def test_a_fetched_copy_shows_no_change_of_what_it_was_copied_from(
        self,
        root: Path,
        store: DvcStore,
        model: tuple[Path, StoredFile],
        links: str,
        source: str,
        swap: Callable[[Path, bytes], None],
    ) -> None:
        dvc(root, "config", "cache.type", links)
        store.upload([model])
        origin = object_in(root / ".dvc/cache", model[1])
        if source == "remote":
            origin.unlink()
            origin = object_in(root.parent / "storage", model[1])
        with store.fetch(model[1]) as copy, copy.open("rb") as opened:
            swap(origin, b"X" * len(CONTENT))
            assert opened.read() == CONTENT
            assert copy.read_bytes() == CONTENT
        assert finding(lambda: fetched(store, model[1])).id == "data-corrupt"

    @pytest.mark.parametrize("links", ["reflink,copy", "hardlink,symlink"])
    def test_work_tree_cache_and_remote_share_no_file(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile], links: str
    ) -> None:
        dvc(root, "config", "cache.type", links)
        store.upload([model])
        path, cached, remote = (
            model[0],
            object_in(root / ".dvc/cache", model[1]),
            object_in(root.parent / "storage", model[1]),
        )
        replace(path, b"changed")
        assert cached.read_bytes() == remote.read_bytes() == CONTENT
        replace(cached, b"changed")
        assert remote.read_bytes() == CONTENT

    def test_a_copy_of_what_changes_all_the_time_is_whole_or_refused(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        store.upload([model])
        cached, done = object_in(root / ".dvc/cache", model[1]), threading.Event()

        def change() -> None:
            for number in itertools.cycle(range(4)):
                (replace, take_the_place_of)[number // 2](cached, CONTENT if number % 2 else b"X" * len(CONTENT))
                if done.is_set() and number % 2:
                    break

        changing = threading.Thread(target=change)
        changing.start()
        try:
            for _ in range(100):
                try:
                    assert fetched(store, model[1]) == CONTENT
                except MlgitError as refusal:
                    assert refusal.findings[0].id == "data-corrupt"  # noqa: PT017 - either may happen
        finally:
            done.set()
            changing.join()
        assert fetched(store, model[1]) == CONTENT

    def test_what_is_nowhere_is_missing(self, store: DvcStore, model: tuple[Path, StoredFile]) -> None:
        problem = finding(lambda: fetched(store, model[1]))
        assert problem.id == "data-missing"
        assert model[1].md5 in problem.why
        assert "dvc push" in problem.fix

    @pytest.mark.parametrize(
        "damage", [CONTENT[:-1], b"", b"X" + CONTENT[1:], CONTENT + b"X"], ids=["cut", "empty", "a byte", "longer"]
    )
    @pytest.mark.parametrize("source", ["cache", "remote"])
    def test_a_damaged_object_is_never_handed_out(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile], source: str, damage: bytes
    ) -> None:
        _, file = model
        store.upload([model])
        cached, remote = object_in(root / ".dvc/cache", file), object_in(root.parent / "storage", file)
        if source == "remote":
            cached.unlink()
        replace(remote if source == "remote" else cached, damage)
        problem = finding(lambda: fetched(store, file))
        assert problem.id == "data-corrupt"
        if len(damage) == len(CONTENT):
            assert file.sha256 in problem.why
            assert hashing.hash_file(remote if source == "remote" else cached).sha256 in problem.why

    def test_an_object_of_another_size_in_the_remote_is_not_taken_for_present(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        store.upload([model])
        replace(object_in(root.parent / "storage", model[1]), CONTENT[:100])
        problem = finding(lambda: store.missing([model[1]]))
        assert problem.id == "data-corrupt"
        assert "100 bytes" in problem.why

    def test_asking_removes_nothing(self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]) -> None:
        store.upload([model])
        remote = object_in(root.parent / "storage", model[1])
        remote.chmod(0o644)
        remote.write_bytes(b"X" + CONTENT[1:])
        assert store.missing([model[1]]) == []
        assert remote.exists()

    def test_a_file_that_changed_since_it_was_hashed_is_not_uploaded(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        path, file = model
        path.write_bytes(b"X" + CONTENT[1:])
        assert finding(lambda: store.upload([model])).id == "data-corrupt"
        assert not object_in(root / ".dvc/cache", file).exists()
        assert not object_in(root.parent / "storage", file).exists()

    def test_a_file_that_changed_is_not_taken_for_the_one_in_the_cache(
        self, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        store.upload([model])
        model[0].write_bytes(b"X" + CONTENT[1:])
        assert finding(lambda: store.upload([model])).id == "data-corrupt"

    def test_a_link_into_the_cache_is_the_file_there(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        store.upload([model])
        model[0].unlink()
        model[0].symlink_to(object_in(root / ".dvc/cache", model[1]))
        store.upload([model])

    def test_a_file_that_is_gone_is_not_uploaded(self, store: DvcStore, model: tuple[Path, StoredFile]) -> None:
        model[0].unlink()
        assert finding(lambda: store.upload([model])).id == "file-unreadable"

    def test_a_damaged_cache_is_not_uploaded(self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]) -> None:
        store.upload([model])
        object_in(root.parent / "storage", model[1]).unlink()
        replace(object_in(root / ".dvc/cache", model[1]), b"X" + CONTENT[1:])
        assert finding(lambda: store.upload([model])).id == "data-corrupt"
        assert not object_in(root.parent / "storage", model[1]).exists()

    def test_a_damaged_cache_beside_a_good_file_reaches_no_remote(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        store.upload([model])
        remote = object_in(root.parent / "storage", model[1])
        assert remote.stat().st_mode & 0o777 == object_in(root / ".dvc/cache", model[1]).stat().st_mode & 0o777
        remote.unlink()
        replace(object_in(root / ".dvc/cache", model[1]), b"")
        assert finding(lambda: store.upload([model])).id == "data-corrupt"
        assert list(remote.parent.iterdir()) == []

    @pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="this system does not count what is read")
    def test_a_large_file_is_read_twice_and_hashed_once(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, size = root / "large.bin", 32 << 20
        path.write_bytes(os.urandom(size))
        dvc(root, "add", "large.bin")
        time.sleep(0.1)  # what changed just now is hashed again
        hashes = KnownHashes(FileCache(root / ".git"))
        store = VersionStore(root, "storage", hashes)
        store.missing([hashing.stored(root / ".dvc/config", "config")])  # imports DVC
        before = bytes_read()
        stored = hashing.stored(path, "large.bin", hashes.of(path))
        file = Artifact(**to_mapping(stored), format="skops", types=["builtins.list"])
        monkeypatch.setattr(hashing, "hash_file", None)  # nothing is hashed from here on
        monkeypatch.setattr(hashing, "copy_file", None)
        store.upload([(path, file)], [])
        assert (bytes_read() - before) / size < 2.1
        assert store.missing([file]) == []
        uploaded = root.parent / "storage/mlgit/md5" / file.md5[:2] / file.md5[2:]
        assert uploaded.read_bytes() == path.read_bytes()
        assert uploaded.stat().st_ino not in {path.stat().st_ino, object_in(root / ".dvc/cache", file).stat().st_ino}

    def test_a_cache_elsewhere_is_used(
        self, tmp_path: Path, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        with (root / ".dvc/config.local").open("w") as config:
            config.write(f"[cache]\n    dir = {tmp_path / 'elsewhere'}\n")
        store.upload([model])
        assert object_in(tmp_path / "elsewhere", model[1]).read_bytes() == CONTENT
        assert not (root / ".dvc/cache").exists()

    @pytest.mark.parametrize("url", ["../../storage", "{absolute}/nowhere"])
    def test_a_folder_that_is_not_there_is_refused_and_not_made(
        self, root: Path, tmp_path: Path, model: tuple[Path, StoredFile], url: str
    ) -> None:
        worktree = tmp_path / "elsewhere/again"  # as `git worktree add` makes it: the relative address points beside it
        shutil.copytree(root, worktree)
        config = worktree / ".dvc/config"
        config.write_text(config.read_text().replace("../../storage", url.format(absolute=tmp_path)))
        before = sorted(tmp_path.rglob("*"))
        there = DvcStore(worktree, "storage")
        for action in (lambda: there.upload([model]), there.probe):
            assert finding(action).id == "dvc-remote-folder-missing"
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_remote_whose_folder_is_a_file_is_unreachable(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        (root.parent / "storage").rmdir()
        (root.parent / "storage").write_text("not a folder")
        actions: list[Callable[[], object]] = [
            lambda: store.missing([model[1]]),
            lambda: fetched(store, model[1]),
            lambda: store.upload([model]),
        ]
        for action in actions:
            with pytest.raises(Inconclusive) as silence:
                action()
            (problem,) = silence.value.findings
            assert (problem.id, problem.why) == ("dvc-remote-unreachable", "Not a directory")
            assert silence.value.exit == Exit.INCONCLUSIVE

    def test_an_unknown_remote_is_named_with_those_that_are_known(
        self, root: Path, model: tuple[Path, StoredFile]
    ) -> None:
        problem = finding(lambda: DvcStore(root, "elsewhere").missing([model[1]]))
        assert problem.id == "dvc-remote-unknown"
        assert "storage" in problem.why

    def test_a_remote_for_which_a_package_is_missing_is_unsupported(
        self, root: Path, model: tuple[Path, StoredFile]
    ) -> None:
        (root / ".dvc/config").write_text("['remote \"far\"']\n    url = oss://bucket/path\n")
        assert finding(lambda: DvcStore(root, "far").missing([model[1]])).id == "dvc-remote-unsupported"

    def test_a_cache_that_cannot_be_written_is_no_fault_of_the_data(
        self, root: Path, store: DvcStore, model: tuple[Path, StoredFile]
    ) -> None:
        (root / ".dvc/cache").write_text("not a folder")
        with pytest.raises(Inconclusive) as failure:
            store.upload([model])
        assert failure.value.findings[0].id == "disk-io-failed"

    def test_an_empty_file_is_not_described(self, root: Path) -> None:
        (root / "empty").touch()
        assert finding(lambda: hashing.stored(root / "empty", "empty")).id == "file-empty"
        assert finding(lambda: hashing.stored(root / "absent", "absent")).id == "file-unreadable"

    def test_a_bare_repository_and_a_checkout_without_dvc_say_what_they_lack(
        self, tmp_path: Path, model: tuple[Path, StoredFile]
    ) -> None:
        assert finding(lambda: DvcStore(None, "storage").missing([model[1]])).id == "dvc-missing"
        assert finding(lambda: fetched(DvcStore(tmp_path, "storage"), model[1])).id == "dvc-missing"


class _Answers(BaseHTTPRequestHandler):
    """A web server that answers all with one status."""

    status = 403

    def do_HEAD(self) -> None:
        self.send_error(self.status)

    do_GET = do_POST = do_HEAD  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class TestHttpRemote:
    SECRET = "hunter2"

    @pytest.fixture
    def server(self) -> Iterator[HTTPServer]:
        with HTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {})) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield server
            server.shutdown()
            thread.join()

    def remote(self, root: Path, port: int) -> DvcStore:
        url = f"http://user:{self.SECRET}@127.0.0.1:{port}/store?token={self.SECRET}"
        (root / ".dvc/config").write_text(f"['remote \"web\"']\n    url = {url}\n")
        return DvcStore(root, "web")

    @pytest.mark.parametrize(
        ("status", "expected"),
        [(401, "dvc-remote-access-denied"), (403, "dvc-remote-access-denied"), (400, "dvc-remote-unreachable")],
    )
    def test_a_refusal_is_not_taken_for_an_absence(
        self, root: Path, server: HTTPServer, model: tuple[Path, StoredFile], status: int, expected: str
    ) -> None:
        server.RequestHandlerClass.status = status  # type: ignore[attr-defined]
        with pytest.raises(Inconclusive) as silence:
            self.remote(root, server.server_port).missing([model[1]])
        (problem,) = silence.value.findings
        assert problem.id == expected
        assert self.SECRET not in str(problem)

    def test_an_absence_is_an_absence(self, root: Path, server: HTTPServer, model: tuple[Path, StoredFile]) -> None:
        server.RequestHandlerClass.status = 404  # type: ignore[attr-defined]
        assert self.remote(root, server.server_port).missing([model[1]]) == [model[1]]


class TestSetUp:
    def test_it_is_what_dvc_expects_and_nothing_is_staged(self, root: Path) -> None:
        assert (root / ".dvc/.gitignore").read_text().split() == ["/config.local", "/tmp", "/cache"]
        config = workspace.configuration(root)
        assert config["core"]["remote"] == "storage"
        assert (config["core"]["analytics"], config["core"]["autostage"]) == (False, False)
        assert config["remote"]["storage"]["verify"] is True
        assert Path(config["remote"]["storage"]["url"]) == root.parent / "storage"
        assert str(root) not in (root / ".dvc/config").read_text()
        staged = subprocess.run(["git", "diff", "--cached", "--name-only"], cwd=root, check=True, capture_output=True)
        assert staged.stdout == b""

    def test_setting_up_again_changes_nothing(self, root: Path) -> None:
        before = (root / ".dvc/config").read_bytes()
        assert workspace.initialise(root, "storage", "s3://other/place") == []
        assert (root / ".dvc/config").read_bytes() == before

    def test_what_people_configured_stays(self, root: Path) -> None:
        assert workspace.initialise(root, "more", "s3://other/place") == [".dvc/config"]
        config = workspace.configuration(root)
        assert config["core"]["remote"] == "storage"
        assert config["remote"].keys() == {"storage", "more"}
        assert config["remote"]["more"]["url"] == "s3://other/place"

    def test_a_broken_configuration_is_not_quoted(self, root: Path) -> None:
        (root / ".dvc/config").write_text("[core]\nhunter2\n")
        problem = finding(lambda: workspace.configuration(root))
        assert problem.id == "dvc-config-invalid"
        assert "hunter2" not in str(problem)

    def test_data_is_added_once(self, root: Path) -> None:
        (root / "raw.csv").write_bytes(CONTENT)
        assert workspace.add(root, "raw.csv") == "raw.csv.dvc"
        written = (root / "raw.csv.dvc").read_bytes()
        assert written == pointers.render(hashing.stored(root / "raw.csv", "raw.csv"))
        assert "/raw.csv" in (root / ".gitignore").read_text().split()

    def test_what_is_not_there_cannot_be_added(self, root: Path) -> None:
        with pytest.raises(Inconclusive) as failure:
            workspace.add(root, "--force")
        (problem,) = failure.value.findings
        assert problem.id == "dvc-failed"
        assert "--force" in problem.why


PIPELINE = """\
stages:
  prepare:
    cmd: mkdir -p features && cat raw.csv raw.csv > features/a.txt && echo b > features/b.txt
    deps: [raw.csv]
    outs: [features]
  train:
    cmd: echo training && cat features/a.txt params.yaml > model.txt && echo '{"auc":0.5}' > metrics.json
    deps: [features]
    params: [train.lr, seed]
    outs: [model.txt]
    metrics:
    - metrics.json:
        cache: false
  aside:
    cmd: echo aside > aside.txt
    deps: [other.csv]
    outs: [aside.txt]
"""
PARAMS = "# chosen by hand\ntrain:\n  lr: 0.1 # rate\n  rounds: 3\nseed: 7\n"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose pipeline ran once: `train` needs `prepare`, and `aside` was never run."""
    root = checkout(tmp_path_factory.mktemp("pipeline") / "team")
    for name, text in {
        "dvc.yaml": PIPELINE,
        "params.yaml": PARAMS,
        "raw.csv": "a,b\n1,2\n",
        "other.csv": "c\n",
    }.items():
        (root / name).write_text(text)
    lines: list[str] = []
    assert pipeline.DvcPipeline(root).reproduce(["train"], {}, lines.append) == 0
    assert "training" in lines
    return root


@pytest.fixture
def made(ran: Path, tmp_path: Path) -> Path:
    """A copy of that checkout."""
    return Path(shutil.copytree(ran.parent, tmp_path / "made", symlinks=True), "team")


class TestPipeline:
    def test_the_lock_says_what_was_made_from_what(self, ran: Path) -> None:
        stages = lockfile.lock(ran)
        assert stages.keys() == {"prepare", "train"}
        assert stages["train"].params == {"params.yaml": {"seed": 7, "train.lr": 0.1}}
        assert stages["train"].deps[0].path == "features"
        outputs = {file.path: file for file in stages["train"].outs}
        hashes = hashing.hash_file(ran / "model.txt")
        assert outputs["model.txt"] == lockfile.File("model.txt", hashes.md5, hashes.size, "md5")
        assert outputs.keys() == {"model.txt", "metrics.json"}

    def test_a_pipeline_that_never_ran_has_no_lock(self, root: Path) -> None:
        assert lockfile.lock(root) == {}

    def test_a_lock_of_another_form_is_refused(self) -> None:
        assert finding(lambda: lockfile.parse_lock(b"train:\n  cmd: old\n")).id == "dvc-lock-invalid"

    def test_metrics_are_read(self, ran: Path) -> None:
        assert pipeline.DvcPipeline(ran).metrics(["train"]) == {"auc": 0.5}
        assert pipeline.DvcPipeline(ran).metrics(["aside"]) == {}

    def test_up_to_date_is_proven_without_asking_dvc(self, made: Path) -> None:
        shutil.rmtree(made / ".dvc")  # DVC would fail
        assert pipeline.DvcPipeline(made).out_of_date(["train"]) == []

    @pytest.mark.parametrize(
        ("file", "was", "becomes", "reason"),
        [
            ("raw.csv", "1,2", "1,3", "prepare: dependency raw.csv is modified"),
            ("features/b.txt", "b", "c", "train: dependency features is modified"),
            ("model.txt", "lr", "rl", "train: output model.txt is modified"),
            ("params.yaml", "lr: 0.1", "lr: 0.2", "train: parameter train.lr in params.yaml is modified"),
            ("dvc.yaml", "echo training", "echo more", "train: changed command"),
        ],
    )
    def test_what_changed_is_named(self, made: Path, file: str, was: str, becomes: str, reason: str) -> None:
        text = (made / file).read_text()
        assert was in text
        (made / file).unlink()  # it may be a link into the cache
        (made / file).write_text(text.replace(was, becomes, 1))
        assert reason in pipeline.DvcPipeline(made).out_of_date(["train"])

    def test_without_a_change_dvc_is_not_started(self, made: Path) -> None:
        shutil.rmtree(made / ".dvc")  # DVC would fail
        lines: list[str] = []
        assert pipeline.DvcPipeline(made).reproduce(["train"], {}, lines.append) == 0
        assert lines == ["Data and pipelines are up to date."]

    def test_data_that_is_not_what_its_pointer_says_is_out_of_date(self, made: Path) -> None:
        stored = hashing.stored(made / "raw.csv", "raw.csv")
        (made / "raw.csv.dvc").write_bytes(pointers.render(stored))
        assert pipeline.DvcPipeline(made).out_of_date(["train"]) == []
        text = pointers.render(stored).decode()
        (made / "raw.csv.dvc").write_text(text.replace(stored.md5, "0123456789abcdef" * 2))
        assert pipeline.DvcPipeline(made).out_of_date(["train"])[0].startswith("raw.csv.dvc: output raw.csv is ")

    def test_what_a_stage_does_not_need_may_change(self, made: Path) -> None:
        shutil.rmtree(made / ".dvc")
        (made / "other.csv").write_text("changed")
        (made / "params.yaml").write_text(PARAMS.replace("rounds: 3", "rounds: 4"))
        assert pipeline.DvcPipeline(made).out_of_date(["train"]) == []

    def test_what_is_gone_or_was_never_made_is_out_of_date(self, made: Path) -> None:
        (made / "model.txt").unlink()
        reasons = pipeline.DvcPipeline(made).out_of_date(["train", "aside"])
        assert "train: output model.txt is deleted" in reasons
        assert any(reason.startswith("aside: ") for reason in reasons)

    @pytest.mark.parametrize(
        ("was", "becomes"),
        [
            ("echo training", "echo ${word}"),
            ("[train.lr, seed]", "&these [train.lr, seed]"),
            ("    outs: [model.txt]", "    frozen: false\n    outs: [model.txt]"),
        ],
        ids=["template", "anchor", "frozen"],
    )
    def test_a_form_that_only_dvc_reads_is_judged_by_dvc(self, made: Path, was: str, becomes: str) -> None:
        text = PIPELINE.replace(was, becomes).replace("stages:", "vars: [{word: training}]\nstages:")
        (made / "dvc.yaml").write_text(text)
        assert pipeline.DvcPipeline(made).out_of_date(["train"]) == []

    def test_a_stage_that_is_not_there_cannot_be_judged(self, made: Path) -> None:
        with pytest.raises(Inconclusive) as failure:
            pipeline.DvcPipeline(made).out_of_date(["tarin"])
        assert failure.value.findings[0].id == "dvc-failed"

    def test_a_parameter_is_set_and_what_depends_on_it_is_made_again(self, made: Path) -> None:
        lines: list[str] = []
        assert (
            pipeline.DvcPipeline(made).reproduce(["train"], {"train.lr": "0.25", "params.yaml:seed": "8"}, lines.append)
            == 0
        )
        assert (made / "params.yaml").read_text() == PARAMS.replace("0.1", "0.25").replace("7", "8")
        assert "lr: 0.25" in (made / "model.txt").read_text()
        assert "training" in lines
        assert pipeline.DvcPipeline(made).out_of_date(["train"]) == []

    def test_the_exit_code_of_a_failed_run_is_returned(self, made: Path) -> None:
        (made / "dvc.yaml").write_text(PIPELINE.replace("echo training", "echo broken; false"))
        lines: list[str] = []
        assert pipeline.DvcPipeline(made).reproduce(["train"], {}, lines.append) != 0
        assert "broken" in lines

    def test_a_run_that_fails_leaves_no_parameter_set(self, made: Path) -> None:
        (made / "dvc.yaml").write_text(PIPELINE.replace("echo training", "grep lr params.yaml; false"))
        lines: list[str] = []
        assert pipeline.DvcPipeline(made).reproduce(["train"], {"train.lr": "0.25"}, lines.append) == 1
        assert any("0.25" in line for line in lines)  # it was set while the stage ran
        assert (made / "params.yaml").read_text() == PARAMS
        assert "params.yaml is as it was before: the run did not succeed" in lines
        assert not (made / ".dvc/tmp/mlgit-params.json").exists()

    def test_what_a_killed_run_set_is_restored_by_the_next(self, made: Path) -> None:
        code = (
            "import os, pathlib; from mlgit.edges.dvc.parameters import setting\n"
            "with setting(pathlib.Path(), {'train.lr': '0.25'}, print): os.kill(os.getpid(), 9)"
        )
        killed = subprocess.run([sys.executable, "-c", code], cwd=made, check=False)
        assert killed.returncode == -9
        assert "0.25" in (made / "params.yaml").read_text()
        lines: list[str] = []
        assert pipeline.DvcPipeline(made).reproduce(["train"], {}, lines.append) == 0
        assert lines[0] == "params.yaml is as it was before: an earlier run with --set was killed"
        assert (made / "params.yaml").read_text() == PARAMS

    def test_an_edit_during_a_run_is_not_undone(self, made: Path) -> None:
        (made / "dvc.yaml").write_text(PIPELINE.replace("echo training", "echo mine > params.yaml; false"))
        assert pipeline.DvcPipeline(made).reproduce(["train"], {"train.lr": "0.25"}, lambda _: None) == 1
        assert (made / "params.yaml").read_text() == "mine\n"

    def test_two_runs_do_not_set_parameters_at_once(self, made: Path) -> None:
        with parameters.setting(made, {"seed": "8"}, print):
            assert finding(lambda: set_params(made, {"seed": "9"})).id == "train-running"
        assert (made / "params.yaml").read_text() == PARAMS

    def test_a_parameter_cannot_be_infinite(self, made: Path) -> None:
        assert finding(lambda: set_params(made, {"seed": "1e999"})).id == "param-value-invalid"

    def test_a_parameter_that_is_set_to_what_it_is_leaves_the_file_alone(self, made: Path) -> None:
        before = (made / "params.yaml").stat().st_mtime_ns
        set_params(made, {"seed": "7"})
        assert (made / "params.yaml").stat().st_mtime_ns == before

    @pytest.mark.parametrize("name", ["train.rl", "lr", "train", "train.lr.x", "none.yaml:lr", "train."])
    def test_a_parameter_that_is_not_there_is_not_made_up(self, made: Path, name: str) -> None:
        problem = finding(lambda: set_params(made, {"seed": "9", name: "1"}))
        assert problem.id == "param-unknown"
        assert problem.why
        assert (made / "params.yaml").read_text() == PARAMS
