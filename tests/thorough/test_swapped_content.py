"""Content that is swapped while a command works: what is loaded and what is uploaded is what was hashed.

Another file takes the place of one that was hashed already, at a moment that strace stops at. `make check` tries one swap of
each kind, `make thorough` all.
"""

import io
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.domain.names import VersionRef
from mlgit.edges import hashing
from mlgit.errors import MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from tests.flows.builder import MODEL
from tests.flows.content import CACHE, STORAGE, overwrite, retrained, stored
from tests.flows.people import Team, contents
from tests.thorough.disturbed import CASES, Traced, why_not_traced

_in_place = overwrite
"""Write into a file that is there: whatever shares its content, as a hard link does, shows it too."""


def _by_rename(file: Path, content: bytes) -> None:
    """Put another file in the place of one."""
    other = file.with_name("other")
    other.write_bytes(content)
    other.replace(file)


@pytest.mark.tier("check", "in the cache, in place")
@pytest.mark.parametrize(
    ("place", "swap"),
    [(CACHE, _in_place), (STORAGE, _by_rename), (CACHE, _by_rename), (STORAGE, _in_place)],
    ids=["in the cache, in place", "in storage, by rename", "in the cache, by rename", "in storage, in place"],
)
def test_what_is_loaded_is_what_was_hashed(swap: Callable[[Path, bytes], None], place: str, registered: Team) -> None:
    """Between hash and load another model takes the place of the object; both are sound, and answer differently."""
    session = registered.ana.session()
    state = Lifecycle(session.repository.tree("HEAD"), session.formats.record)
    one, two = (state.version(VersionRef(MODEL, number)) for number in (1, 2))
    store = session.versions("storage")
    with store.fetch(two.artifact) as copy:
        other = copy.read_bytes()

    def answers(meanwhile: Callable[[], None]) -> list[float]:
        assert one.evaluation.features is not None
        with store.fetch(one.artifact) as model, store.fetch(one.evaluation.features) as rows:
            meanwhile()
            scored = session.model_files.score(
                model, "skops", b"", rows, columns=one.inputs.columns, task="binary", positive="malignant"
            )
        assert scored.score is not None
        return list(scored.score)

    calm = answers(lambda: None)
    cached = registered.root / ".dvc/cache/mlgit/md5" / one.artifact.md5[:2] / one.artifact.md5[2:]
    if place == STORAGE:
        cached.unlink()
        Path(str(cached).replace("mlgit/md5", "files/md5")).unlink()
    found = [file for file in stored(registered, place) if hashing.hash_file(file).md5 == one.artifact.md5]
    (source,) = (file for file in found if "mlgit" in file.parts) if place == CACHE else found
    assert answers(lambda: swap(source, other)) == calm
    with pytest.raises(MlgitError) as refusal, store.fetch(one.artifact):
        pass
    assert [found.id for found in refusal.value.findings] == ["data-corrupt"]


@pytest.mark.parametrize(
    ("prepare", "swap"),
    [(retrained, _by_rename), (CASES["register"].prepare, _in_place)],
    ids=["in the cache", "not in the cache"],
)
def test_what_was_measured_is_what_is_uploaded(
    swap: Callable[[Path, bytes], None],
    prepare: Callable[[Team], None],
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The predictions change between the measuring and the upload; the model stays."""
    if why := why_not_traced():
        pytest.skip(why)
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    shutil.copytree(scenes / "registered", tmp_path / "scene", symlinks=True)
    with Team.at(tmp_path / "scene", keys=scenes / "keys") as team:
        prepare(team)
        other = (team.root / "src/fits/worse/predictions.parquet").read_bytes()
        before = team.ana.refs(), contents(team.root / "models"), contents(team.folder / "storage")
        running, swapped = Traced(team.ana, f"register {MODEL}", private, calls="mkdir,mkdirat"), False
        for call in running.stops():
            if not swapped and f"{private}/mlgit-score-" in call:
                swap(team.root / "out/predictions.parquet", other)
                swapped = True
        assert swapped
        assert running.code == 1, running.said
        assert "error[data-corrupt]" in running.said
        assert (team.ana.refs(), contents(team.root / "models"), contents(team.folder / "storage")) == before


def _other_model(root: Path) -> bytes:
    """Return a sound model that answers differently."""
    return (root / "src/fits/worse/model.skops").read_bytes()


def _packed_again(root: Path) -> bytes:
    """Return the same model in an archive of other bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(root / "out/model.skops") as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.comment = b"packed again"
    return packed.getvalue()


_SWAPS = [
    # Hashed, and not loaded yet: another model answers differently, the same one in other bytes does not.
    ("mlgit-score-", _in_place, _other_model, "predictions-mismatch"),
    ("mlgit-score-", _by_rename, _packed_again, "data-corrupt"),
    # Loaded, and not kept yet.
    ("mlgit-(?!score-)", _by_rename, _other_model, "data-corrupt"),
]


@pytest.mark.tier("check", "hashed, another model")
@pytest.mark.parametrize(
    ("moment", "swap", "other", "said"), _SWAPS, ids=["hashed, another model", "hashed, other bytes", "loaded"]
)
def test_what_is_uploaded_is_what_was_hashed(
    moment: str,
    swap: Callable[[Path, bytes], None],
    other: Callable[[Path], bytes],
    said: str,
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file in the work tree changes while it is registered, when a private folder of a certain name is made."""
    if why := why_not_traced():
        pytest.skip(why)
    case, private = CASES["register"], tmp_path / "private"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    shutil.copytree(scenes / case.scene, tmp_path / "scene", symlinks=True)
    with Team.at(tmp_path / "scene", keys=scenes / "keys") as team:
        case.prepare(team)
        before = team.ana.refs(), contents(team.root / "models"), contents(team.folder / "storage")
        running, swapped = Traced(team.ana, case.command, private, calls="mkdir,mkdirat"), False
        for call in running.stops():
            if not swapped and re.search(f"{private}/{moment}", call):
                swap(team.root / "out/model.skops", other(team.root))
                swapped = True
        assert swapped
        assert running.code == 1, running.said
        assert f"error[{said}]" in running.said
        assert (team.ana.refs(), contents(team.root / "models"), contents(team.folder / "storage")) == before
