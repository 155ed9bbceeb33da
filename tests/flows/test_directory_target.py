"""A folder as a target: what is written and observed, and what a failure or a kill at any point leaves."""

import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from mlgit.edges.targets.directory import KEPT, DirectoryTarget
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel.ports.target import Observed, Release, ReleaseBeside

MODEL = "churn"


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def release_of(folder: Path, number: int, content: bytes | None = None, model: str = MODEL) -> Release:
    """A release with its files, made in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    artifact, card = folder / f"model-{number}", folder / f"card-{number}"
    artifact.write_bytes(content if content is not None else b"model %d" % number)
    card.write_text(f"# Version {number}\n")
    files = {"model.skops": artifact, "card.md": card}
    texts = {"version.json": b'{"version": %d}' % number}
    return Release(model, sha256(b"version %d" % number), sha256(artifact.read_bytes()), files, texts)


class Place:
    """A target with releases for it, and functions that read its folder."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "target"
        self.home = self.path / MODEL
        self.target = DirectoryTarget(self.path)
        self.sources = tmp_path / "sources"

    def release(self, number: int, content: bytes | None = None) -> Release:
        return release_of(self.sources, number, content)

    def folder(self, release: Release) -> Path:
        return self.home / "releases" / release.digest.removeprefix("sha256:")

    def snapshot(self) -> dict[str, str | bytes]:
        """All files and links, by path; the lock is left out, since it says nothing."""
        found: dict[str, str | bytes] = {}
        for path in sorted(self.path.rglob("*")):
            if path.is_symlink():
                found[str(path.relative_to(self.path))] = str(path.readlink())
            elif path.is_file() and path.name != ".lock":
                found[str(path.relative_to(self.path))] = path.read_bytes()
        return found

    def expect(self, release: Release) -> None:
        """The release runs, whole, and nothing is left over."""
        observed = self.target.observe(MODEL)
        assert (observed.digest, observed.artifact) == (release.digest, release.artifact)
        assert not {"altered", "fault"} & set(observed.facts)
        assert [path.name for path in self.path.rglob(".*") if path.name != ".lock"] == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def refusal(place: Place, release: Release) -> tuple[str, str]:
    """Switch, expect a refusal, and return its id and its whole text."""
    with pytest.raises(MlgitError) as caught:
        place.target.switch(release)
    (finding,) = caught.value.findings
    assert isinstance(caught.value, Inconclusive) == (finding.id != "release-invalid")
    return finding.id, f"{finding.message} {finding.why}"


def test_nothing_runs_before_the_first_switch(place: Place) -> None:
    assert place.target.observe(MODEL) == Observed(None, None, {"kind": "directory", "path": str(place.home)})
    assert not place.path.exists()


@pytest.mark.tier("fast")
def test_a_release_is_written_whole_and_becomes_current_by_a_relative_link(place: Place) -> None:
    release = place.release(1)
    observed = place.target.switch(release)
    assert observed == place.target.observe(MODEL)
    place.expect(release)
    current = place.home / "current"
    assert str(current.readlink()) == f"releases/{release.digest[7:]}"
    assert (current / "model.skops").read_bytes() == b"model 1"
    assert (current / "card.md").read_text() == "# Version 1\n"
    assert (current / "version.json").read_bytes() == b'{"version": 1}'
    assert msgspec.json.decode((current / "release.json").read_bytes()) == {
        "model": MODEL,
        "digest": release.digest,
        "artifact": release.artifact,
        "file": "model.skops",
        "files": {
            "card.md": sha256(b"# Version 1\n"),
            "model.skops": release.artifact,
            "version.json": sha256(b'{"version": 1}'),
        },
    }


def test_a_folder_may_be_moved_as_a_whole(place: Place, tmp_path: Path) -> None:
    release = place.release(1)
    place.target.switch(release)
    place.path.rename(tmp_path / "elsewhere")
    assert DirectoryTarget(tmp_path / "elsewhere").observe(MODEL).digest == release.digest


def test_the_same_switch_again_changes_nothing(place: Place) -> None:
    release = place.release(1)
    place.target.switch(release)
    before, inode = place.snapshot(), place.folder(release).stat().st_ino
    place.target.switch(release)
    assert (place.snapshot(), place.folder(release).stat().st_ino) == (before, inode)


@pytest.mark.parametrize("texts", [{}, {"version.json": b"{}"}, {"version.json": b'{"version": 1}', "more.md": b""}])
def test_the_same_version_with_other_texts_is_repaired(place: Place, texts: dict[str, bytes]) -> None:
    release = place.release(1)
    place.target.switch(release)
    place.target.switch(msgspec.structs.replace(release, texts=texts))
    place.expect(release)
    assert {path.name: path.read_bytes() for path in place.folder(release).iterdir() if path.name in texts} == texts
    assert (place.folder(release) / "version.json").exists() == bool(texts)


def test_models_do_not_touch_each_other(place: Place, tmp_path: Path) -> None:
    churn, fraud = place.release(1), release_of(tmp_path / "fraud", 2, model="fraud")
    place.target.switch(churn)
    place.target.switch(fraud)
    assert [place.target.observe(model).digest for model in (MODEL, "fraud")] == [churn.digest, fraud.digest]


def test_the_last_five_that_ran_stay_and_the_current_one_is_never_removed(place: Place) -> None:
    releases = [place.release(number) for number in range(KEPT + 3)]
    for release in releases[: KEPT + 1]:
        place.target.switch(release)
    assert [place.folder(release).exists() for release in releases[: KEPT + 1]] == [False] + [True] * KEPT
    place.target.switch(releases[1])  # the oldest that is kept runs again, so it is the youngest now
    for release in releases[KEPT + 1 :]:
        place.target.switch(release)
    kept = {number for number, release in enumerate(releases) if place.folder(release).exists()}
    assert kept == {1, KEPT - 1, KEPT, KEPT + 1, KEPT + 2}
    place.expect(releases[-1])


def test_other_folders_beside_the_releases_are_not_touched(place: Place) -> None:
    for number in range(KEPT + 2):
        place.target.switch(place.release(number))
        (place.home / "releases" / "notes").mkdir(exist_ok=True)
    assert (place.home / "releases" / "notes").is_dir()


# Ways to tamper with a release: a change of its folder; the observed artifact; the reported files.
def _change_model(folder: Path) -> None:
    (folder / "model.skops").write_bytes(b"another model")


def _link_model(folder: Path) -> None:
    (folder / "model.skops").rename(folder.parent / "moved")
    (folder / "model.skops").symlink_to("../moved")


def _fold_model(folder: Path) -> None:
    (folder / "model.skops").unlink()
    (folder / "model.skops").mkdir()
    (folder / "model.skops" / "inside").write_text("x")


def _pipe_model(folder: Path) -> None:
    (folder / "model.skops").unlink()
    os.mkfifo(folder / "model.skops")


def _add_file(folder: Path) -> None:
    (folder / "extra.py").write_text("x")


TAMPERED = [
    (_change_model, sha256(b"another model"), ["model.skops"]),
    (_link_model, None, ["model.skops"]),
    (_fold_model, None, ["model.skops"]),
    (_pipe_model, None, ["model.skops"]),
    (_add_file, sha256(b"model 1"), ["extra.py"]),
]


@pytest.mark.parametrize(("tamper", "artifact", "altered"), TAMPERED)
def test_a_tampered_release_is_observed_and_repaired(
    place: Place, tamper: Callable[[Path], None], artifact: str | None, altered: list[str]
) -> None:
    release = place.release(1)
    place.target.switch(release)
    tamper(place.folder(release))
    observed = place.target.observe(MODEL)
    assert (observed.digest, observed.artifact, observed.facts["altered"]) == (release.digest, artifact, altered)
    place.target.switch(release)
    place.expect(release)


def test_one_switch_repairs_a_release_and_adds_another_beside_it(place: Place) -> None:
    champion, challenger = place.release(1), place.release(2)
    place.target.switch(champion)
    (place.folder(champion) / "card.md").write_text("altered")
    observed = place.target.switch(champion, [ReleaseBeside("challenger", 10, challenger)])
    assert observed.beside == {"challenger": (challenger.digest, challenger.artifact, 10)}
    place.expect(champion)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"model": 1}',
        b" " * 2_000_000,
        b'{"model":"fraud","digest":"sha256:00","artifact":"","file":"model.skops","files":{}}',
        b'{"model":"churn","digest":"sha256:00","artifact":"","file":"../../x","files":{"../../x":"","model.skops":""}}',
    ],
)
def test_a_release_without_a_valid_manifest_has_no_digest_and_is_repaired(place: Place, content: bytes) -> None:
    release = place.release(1)
    place.target.switch(release)
    (place.folder(release) / "release.json").write_bytes(content)
    observed = place.target.observe(MODEL)
    assert observed.digest is None
    assert "release.json" in observed.facts["fault"]
    place.target.switch(release)
    place.expect(release)


@pytest.mark.parametrize(
    "link", ["/etc", "../fraud/current", "releases/..", "releases/" + "0" * 63, "releases/" + "0" * 64]
)
def test_a_current_that_is_no_release_is_observed_and_repaired(place: Place, link: str) -> None:
    release = place.release(1)
    place.target.switch(release)
    (place.home / "current").unlink()
    (place.home / "current").symlink_to(link)
    observed = place.target.observe(MODEL)
    assert (observed.digest, observed.artifact) == (None, None)
    assert link in observed.facts["fault"]
    place.target.switch(release)
    place.expect(release)


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_or_file_in_place_of_a_release_is_replaced(place: Place, tmp_path: Path, kind: str) -> None:
    release = place.release(1)
    place.folder(release).parent.mkdir(parents=True)
    if kind == "link":
        place.folder(release).symlink_to(tmp_path)
    else:
        place.folder(release).write_text("x")
    place.target.switch(release)
    place.expect(release)


@pytest.mark.parametrize("part", ["churn", "churn/releases", "churn/.lock"])
def test_nothing_is_written_through_a_link_that_leads_out(place: Place, tmp_path: Path, part: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (place.path / part).parent.mkdir(parents=True)
    (place.path / part).symlink_to(outside / "file" if part.endswith("lock") else outside)
    id_, text = refusal(place, place.release(1))
    assert id_ == "target-unwritable"
    assert part.rsplit("/", 1)[-1] in text
    assert list(outside.iterdir()) == []


def test_left_over_links_are_removed_but_not_their_targets(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "keep").mkdir(parents=True)
    (place.home / "releases").mkdir(parents=True)
    for name in ("releases/.new", "releases/.old", ".current.new"):
        (place.home / name).symlink_to(outside)
    place.target.switch(place.release(1))
    place.expect(place.release(1))
    assert (outside / "keep").is_dir()


def test_the_path_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "target").symlink_to("disk")
    place = Place(tmp_path)
    place.target.switch(place.release(1))
    place.expect(place.release(1))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"model": "../churn"}, "'../churn'"),
        ({"model": "releases/x"}, "'releases/x'"),
        ({"digest": "sha256:../../x"}, "'sha256:../../x'"),
        ({"digest": "sha256:" + "0" * 64 + "\n"}, "0\\n"),
        ({"artifact": sha256(b"other")}, sha256(b"other")),
        ({"files": {}}, "no files"),
        ({"files": {"../x": Path("/dev/null")}}, "'../x'"),
        ({"files": {"a/b": Path("/dev/null")}}, "'a/b'"),
        ({"files": {".new": Path("/dev/null")}}, "'.new'"),
        ({"files": {"release.json": Path("/dev/null")}}, "'release.json'"),
        ({"texts": {"release.json": b"{}"}}, "'release.json'"),
        ({"texts": {"../x": b""}}, "'../x'"),
        ({"texts": {"card.md": b""}}, "given twice"),
    ],
)
def test_an_invalid_release_is_refused_and_nothing_changes(place: Place, change: dict[str, object], word: str) -> None:
    place.target.switch(place.release(1))
    before = place.snapshot()
    id_, text = refusal(place, msgspec.structs.replace(place.release(2), **change))
    assert (id_, word in text) == ("release-invalid", True)
    assert place.snapshot() == before


def test_observe_refuses_a_name_that_leads_elsewhere(place: Place) -> None:
    with pytest.raises(MlgitError) as caught:
        place.target.observe("../churn")
    assert caught.value.findings[0].id == "release-invalid"


def test_a_file_that_cannot_be_read_is_named_and_nothing_changes(place: Place) -> None:
    place.target.switch(place.release(1))
    before, release = place.snapshot(), place.release(2)
    release.files["card.md"].unlink()
    id_, text = refusal(place, release)
    assert (id_, str(release.files["card.md"]) in text) == ("file-unreadable", True)
    assert place.snapshot() == before


@pytest.mark.parametrize("part", ["", "churn", "churn/releases", "churn/current"])
def test_a_file_or_folder_in_the_way_is_named_and_left_alone(place: Place, part: str) -> None:
    blocked = place.path / part
    blocked.parent.mkdir(parents=True, exist_ok=True)
    if part.endswith("current"):
        (blocked / "inside").mkdir(parents=True)
    else:
        blocked.write_text("a file")
    id_, text = refusal(place, place.release(1))
    assert (id_, str(place.home) in text) == ("target-unwritable", True)
    assert (blocked / "inside").is_dir() if part.endswith("current") else blocked.read_text() == "a file"


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(place: Place) -> None:
    place.path.write_text("a file")
    with pytest.raises(Inconclusive) as caught:
        place.target.observe(MODEL)
    assert caught.value.findings[0].id == "target-unreadable"


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 64 KiB: the system refuses the write, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_release_and_no_rest(place: Place, request: pytest.FixtureRequest) -> None:
    old, new = place.release(1), place.release(2, content=bytes(1 << 20))
    place.target.switch(old)
    before = place.snapshot()
    request.getfixturevalue("small_disk")
    assert refusal(place, new)[0] == "target-unwritable"
    assert place.snapshot() == before
    place.expect(old)


def test_after_many_switches_at_once_one_release_is_current_and_whole(place: Place) -> None:
    releases = [place.release(number, content=bytes([number]) * 300_000) for number in range(KEPT + 3)]
    start, failures = threading.Barrier(len(releases)), list[BaseException]()

    def switch(release: Release) -> None:
        try:
            start.wait(timeout=30)
            DirectoryTarget(place.path).switch(release)
        except BaseException as error:  # noqa: BLE001 - any failure of a thread fails the test
            failures.append(error)

    threads = [threading.Thread(target=switch, args=(release,)) for release in releases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    running = place.target.observe(MODEL).digest
    (left,) = [release for release in releases if release.digest == running]
    place.expect(left)


# Killing and failing system calls. `go` marks where the switch begins among the calls of the interpreter's own start.

CHILD = """
import os, sys
from pathlib import Path
import msgspec
from mlgit.edges.targets.directory import DirectoryTarget
from mlgit.errors import MlgitError
from mlgit.ops.kernel.ports.target import Release
release = msgspec.json.decode(sys.argv[2], type=Release, dec_hook=lambda kind, value: kind(value))
os.access("/go", os.F_OK)
try:
    DirectoryTarget(Path(sys.argv[1])).switch(release)
except MlgitError as error:
    sys.exit(error.findings[0].id)
"""
CALLS = "openat,mkdir,mkdirat,write,fsync,rename,renameat,renameat2,symlink,symlinkat,unlink,unlinkat,utimensat,flock"

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compiled modules: it spares each process their compilation, and the counts their writing."""
    folder = tmp_path_factory.mktemp("bytecode")
    child = (sys.executable, "-c", CHILD.partition("release =")[0])
    subprocess.run(child, env=environment(folder), check=True, timeout=60)
    return folder


def environment(bytecode: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONPYCACHEPREFIX": str(bytecode)}


def traced(place: Place, bytecode: Path, release: Release, *options: str) -> subprocess.CompletedProcess[str]:
    """Switch in a process of its own, under strace."""
    encoded = msgspec.json.encode(release, enc_hook=str).decode()
    child = (sys.executable, "-c", CHILD, str(place.path), encoded)
    command = ("strace", "-f", "-qq", *options, *child)
    return subprocess.run(command, env=environment(bytecode), capture_output=True, text=True, timeout=60, check=False)


def points(place: Place, bytecode: Path, release: Release, log: Path) -> list[tuple[str, int]]:
    """Every system call of a switch that changes something: its name, and how often it was called until then."""
    process = traced(place, bytecode, release, "-o", str(log), "-e", f"trace=access,{CALLS}")
    if "ptrace" in process.stderr:
        pytest.skip("strace may not trace here")
    assert process.returncode == 0, process.stderr
    counts: dict[str, int] = {}
    calls: list[tuple[str, int]] | None = None
    for line in log.read_text().splitlines():
        match = re.search(r"^(?:\d+ +)?(\w+)\(", line)
        if match is None:
            continue
        call = match[1]
        counts[call] = counts.get(call, 0) + 1
        if call == "access" and '"/go"' in line:
            calls = []
        elif calls is not None and call != "access" and not (call == "openat" and "O_CREAT" not in line):
            calls.append((call, counts[call]))
    assert calls
    return calls


def rewound(place: Place, kept: Path) -> None:
    shutil.rmtree(place.path)
    shutil.copytree(kept, place.path, symlinks=True)


@needs_strace
@pytest.mark.tier("thorough", "first-signal=KILL", "tampered-signal=KILL", "next-error=ENOSPC")
@pytest.mark.parametrize(
    ("story", "fault"),
    [
        ("first", "signal=KILL"),
        ("next", "signal=KILL"),
        ("tampered", "signal=KILL"),
        ("next", "error=ENOSPC"),
    ],
)
def test_a_switch_that_is_killed_or_fails_anywhere_leaves_the_old_or_the_new_whole(
    place: Place, tmp_path: Path, bytecode: Path, story: str, fault: str
) -> None:
    new = place.release(99)
    allowed: set[tuple[str | None, str | None]] = {(new.digest, new.artifact)}
    place.path.mkdir()
    if story == "first":
        allowed.add((None, None))
    elif story == "next":
        releases = [place.release(number) for number in range(KEPT)]
        for release in releases:
            place.target.switch(release)
        allowed.add((releases[-1].digest, releases[-1].artifact))
    else:
        place.target.switch(new)
        _fold_model(place.folder(new))
        _add_file(place.folder(new))
        allowed.add((new.digest, None))
    kept, outcomes = tmp_path / "kept", set[tuple[str | None, str | None]]()
    shutil.copytree(place.path, kept, symlinks=True)
    calls = points(place, bytecode, new, tmp_path / "log")
    place.expect(new)
    for call, number in calls:
        rewound(place, kept)
        process = traced(
            place, bytecode, new, "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}"
        )
        if fault == "signal=KILL":
            assert process.returncode == -signal.SIGKILL, (call, number, process.stderr)
        else:
            assert process.stderr.strip() in {"", "target-unwritable"}, (call, number)
        observed = place.target.observe(MODEL)
        outcomes.add((observed.digest, observed.artifact))
        assert (observed.digest, observed.artifact) in allowed, (call, number)
        assert observed.digest == new.digest or process.returncode != 0, (call, number)
        place.target.switch(new)
        place.expect(new)
    assert outcomes == allowed
