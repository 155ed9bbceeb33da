"""A target that is a folder: each release whole beside the others, and one symbolic link that says which of them runs.

    <path>/<model>/releases/<digest in hexadecimal>/   the files, and release.json
    <path>/<model>/current -> releases/<digest>        switched by one rename
    <path>/<model>/slots.json                          which releases run beside the current one, and their share of requests
    <path>/<model>/.lock                               held by the switch under way

`slots.json` is there only while something runs beside the champion, and holds only while it names as champion what `current`
points to. So whatever a switch was stopped at, a reader has what ran before, what runs now, or the champion alone. One that
holds no longer may be left by a switch that was stopped; the next one takes it away.

Every step inside `<path>` is taken through open folders that are never reached over a symbolic link, so nothing is
written outside. POSIX only: Windows has neither such folders nor a rename that replaces a link.
"""

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mlgit.domain.codec import sha256
from mlgit.domain.names import is_name
from mlgit.domain.records.environment import DirectoryTargetSpec
from mlgit.edges.targets import folders, slots
from mlgit.errors import inconclusive, refused
from mlgit.ops.kernel.ports.target import Observed, Release, ReleaseBeside

KEPT: Final = 5
"""Releases that stay, so that a rollback has something to return to: the last ones that were made current."""
MANIFEST: Final = "release.json"

_CURRENT: Final = "current"
_RELEASES: Final = "releases"
_LOCK: Final = ".lock"
# Fixed names, since the lock lets one switch at a time leave them behind; the next one clears them away.
_NEW, _OLD, _NEXT = ".new", ".old", ".current.new"

_RELEASE = re.compile(r"[0-9a-f]{64}")
_LINK = re.compile(rf"{_RELEASES}/([0-9a-f]{{64}})")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,254}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MANIFEST_BYTES: Final = 1_000_000


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`release.json`: what a release is, for whoever serves it.

    `artifact` is the sha256 of the model file, `file` its name, and `files` gives the sha256 of every file.
    """

    model: str
    digest: str
    artifact: str
    file: str
    files: dict[str, str]


def open_target(spec: DirectoryTargetSpec, root: Path) -> "DirectoryTarget":
    """Return the target of a folder, which a relative path names from the root of the work tree."""
    path = Path(spec.path).expanduser()
    return DirectoryTarget(path if path.is_absolute() else root / path)


class DirectoryTarget:
    """Runs versions by putting them into a folder that something else serves from."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def observe(self, model: str) -> Observed:
        """Read back what runs: the digest that the current release says, and the sha256 of the artifact really there.

        The digest is None where no release is current, or where it does not say what it is; `facts["fault"]` then says
        why. `facts["altered"]` names the files that are not those that were put there. `facts["slots"]` has what runs beside it.

        Raises:
            MlgitError: no model can have that name (`release-invalid`).
            Inconclusive: the folder cannot be read (`target-unreadable`).
        """
        _check(holds=is_name(model), message=f"{model!r} is not the name of a model")
        try:
            return self._observe(model)
        except OSError as error:
            raise inconclusive(
                "target-unreadable",
                f"{self._path / model} cannot be read",
                why=folders.cause(error),
                fix="let this user read the folder, then run the command again",
            ) from error

    def switch(self, release: Release, beside: Sequence[ReleaseBeside] = ()) -> Observed:
        """Put a release there and make it current, at once or not at all; the same again changes nothing.

        A release that is there but was altered is put right. Waits for a switch of the same model that is under way.
        Of the releases that ran before, those beyond the last five are removed.

        Args:
            release: `artifact` is the sha256 of one of its files; the names of files are plain, without folders.
            beside: what runs beside it, one a slot.

        Raises:
            MlgitError: the release is not what it says (`release-invalid`); nothing was changed.
            Inconclusive: the folder cannot be written or the disk is full (`target-unwritable`), or a file of the release
                cannot be read (`file-unreadable`); what ran before still runs, or the release already does.
        """
        for one in (release, *(other.release for other in beside)):
            _check_release(one)
            _check(holds=one.model == release.model, message=f"{one.model} is not {release.model}")
        try:
            with self._locked(release.model) as (home, releases):
                _clear_left_overs(home, releases)
                try:
                    for one in (release, *(other.release for other in beside)):
                        _put(releases, _hexadecimal(one), one)
                finally:
                    shutil.rmtree(_NEW, ignore_errors=True, dir_fd=releases)
                slots.write(release, beside, home)
                _point(home, releases, _hexadecimal(release))
                slots.clear(beside, home)
                _remove_old(releases, _hexadecimal(release), {_hexadecimal(other.release) for other in beside})
        except OSError as error:
            raise inconclusive(
                "target-unwritable",
                f"{self._path / release.model} cannot be written",
                why=folders.cause(error),
                fix="let this user write there, or free some space, then run the command again",
            ) from error
        return self.observe(release.model)

    def _observe(self, model: str) -> Observed:
        facts: dict[str, Any] = {"kind": "directory", "path": str(self._path / model)}
        with contextlib.ExitStack() as stack:
            try:
                root = stack.enter_context(folders.root(self._path))
                home = stack.enter_context(folders.folder(model, root))
                link = os.readlink(_CURRENT, dir_fd=home)
            except FileNotFoundError:
                return Observed(None, None, facts)
            match = _LINK.fullmatch(link)
            if match is None:
                return Observed(None, None, facts | {"fault": f"{_CURRENT} points to {link}, which is no release"})
            try:
                releases = stack.enter_context(folders.folder(_RELEASES, home))
                folder = stack.enter_context(folders.folder(match[1], releases))
            except FileNotFoundError:
                return Observed(None, None, facts | {"fault": f"{link} is not there"})
            observed = _observed(folder, model, match[1], facts | {"release": link})
            return slots.add(observed, home, lambda digest: _beside(releases, model, digest))

    @contextlib.contextmanager
    def _locked(self, model: str) -> Iterator[tuple[int, int]]:
        """Give the open folders of a model and of its releases, made if need be, to one process at a time."""
        self._path.mkdir(parents=True, exist_ok=True)
        with folders.root(self._path) as root:
            folders.make(model, root)
            with folders.folder(model, root) as home:
                lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=home)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX)  # given back by the kernel, however this process ends
                    folders.make(_RELEASES, home)
                    with folders.folder(_RELEASES, home) as releases:
                        yield home, releases
                finally:
                    os.close(lock)


def _check(*, holds: bool, message: str) -> None:
    if not holds:
        why, fix = "it cannot be put into a folder safely", "make the release from a version again"
        raise refused("release-invalid", message, why=why, fix=fix)


def _check_release(release: Release) -> None:
    _check(holds=is_name(release.model), message=f"{release.model!r} is not the name of a model")
    for digest in (release.digest, release.artifact):
        _check(holds=_DIGEST.fullmatch(digest) is not None, message=f"{digest!r} is not a digest")
    for name in (*release.files, *release.texts):
        plain = _FILE.fullmatch(name) is not None and name != MANIFEST
        _check(holds=plain, message=f"{name!r} may not be the name of a file in a release")
    for name in set(release.files) & set(release.texts):
        _check(holds=False, message=f"{name!r} is given twice, as a file and as a text")


def _hexadecimal(release: Release) -> str:
    return release.digest.removeprefix("sha256:")


def _clear_left_overs(home: int, releases: int) -> None:
    """Remove what a switch left behind that was killed."""
    folders.remove(_NEXT, home)
    folders.remove(slots.NEXT, home)
    folders.remove(_NEW, releases)
    folders.remove(_OLD, releases)


def _put(releases: int, hexadecimal: str, release: Release) -> None:
    """Bring the release's folder into being, whole, or put it right where it was altered."""
    if _is_whole(releases, hexadecimal, release):
        return
    os.mkdir(_NEW, dir_fd=releases)
    with folders.folder(_NEW, releases) as new:
        manifest = _fill(new, release)
        if folders.is_folder(hexadecimal, releases):
            _put_right(releases, hexadecimal, new, manifest)
        else:
            folders.remove(hexadecimal, releases)
            os.rename(_NEW, hexadecimal, src_dir_fd=releases, dst_dir_fd=releases)
    os.fsync(releases)


def _fill(new: int, release: Release) -> Manifest:
    """Copy the files, write the manifest, and see all of it on the disk; return the manifest."""
    files = {name: folders.copy(path, name, new) for name, path in sorted(release.files.items())}
    artifact = next((name for name, digest in files.items() if digest == release.artifact), None)
    if artifact is None:
        raise refused(
            "release-invalid",
            f"no file of the release has the artifact's digest {release.artifact}",
            why="there are " + (", ".join(f"{name} with {digest}" for name, digest in files.items()) or "no files"),
            fix="fetch the files of the version again",
        )
    for name, text in sorted(release.texts.items()):
        folders.write(name, text, new)
        files[name] = sha256(text)
    manifest = Manifest(release.model, release.digest, release.artifact, artifact, files)
    folders.write(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n", new)
    os.fsync(new)
    return manifest


def _is_whole(releases: int, hexadecimal: str, release: Release) -> bool:
    """Tell whether the release is there already, with no byte of it altered."""
    try:
        with folders.folder(hexadecimal, releases) as folder:
            manifest = _manifest(folder)
            return (
                manifest is not None
                and (manifest.model, manifest.digest) == (release.model, release.digest)
                and manifest.artifact == manifest.files.get(manifest.file) == release.artifact
                and set(manifest.files) == {*release.files, *release.texts}
                and all(manifest.files[name] == sha256(text) for name, text in release.texts.items())
                and not _altered(folder, manifest, _found(folder, manifest))
            )
    except OSError:
        return False  # what cannot be read is put there again


def _put_right(releases: int, hexadecimal: str, new: int, manifest: Manifest) -> None:
    """Replace what is in an altered release file by file, so that its folder, perhaps current, is never missing."""
    with folders.folder(hexadecimal, releases) as folder:
        for name in (*manifest.files, MANIFEST):
            if folders.is_folder(name, folder):
                folders.remove(name, folder)
            os.replace(name, name, src_dir_fd=new, dst_dir_fd=folder)
        for name in folders.names(folder) - {*manifest.files, MANIFEST}:
            folders.remove(name, folder)
        os.fsync(folder)


def _point(home: int, releases: int, hexadecimal: str) -> None:
    """Make a release current, by one rename, and note when."""
    now = time.time_ns()
    os.utime(hexadecimal, ns=(now, now), dir_fd=releases, follow_symlinks=False)
    link = f"{_RELEASES}/{hexadecimal}"
    with contextlib.suppress(OSError):  # there is none yet, or no link: the rename below settles or refuses it
        if os.readlink(_CURRENT, dir_fd=home) == link:
            return
    os.symlink(link, _NEXT, dir_fd=home)
    os.replace(_NEXT, _CURRENT, src_dir_fd=home, dst_dir_fd=home)
    os.fsync(home)


def _remove_old(releases: int, current: str, beside: set[str]) -> None:
    """Remove the releases beyond the last that ran, those that run never."""
    # The switch is done: what cannot be removed now is tried again by the next one.
    with contextlib.suppress(OSError):
        others = [
            name for name in folders.names(releases) if _RELEASE.fullmatch(name) and name not in {current, *beside}
        ]
        others.sort(key=lambda name: os.stat(name, dir_fd=releases, follow_symlinks=False).st_mtime_ns, reverse=True)
        for name in others[KEPT - 1 :]:
            # Renamed first, so that a release that has its name is always whole.
            os.rename(name, _OLD, src_dir_fd=releases, dst_dir_fd=releases)
            folders.remove(_OLD, releases)


def _manifest(folder: int) -> Manifest | None:
    """Return what a release says of itself; None where it says nothing that can be understood."""
    content = folders.read(MANIFEST, folder, _MANIFEST_BYTES)
    try:
        return None if content is None else msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError:
        return None


def _found(folder: int, manifest: Manifest) -> dict[str, str | None]:
    """Return the sha256 of each file as it really is; None where it is no file."""
    return {name: folders.sha256(name, folder) if _FILE.fullmatch(name) else None for name in manifest.files}


def _altered(folder: int, manifest: Manifest, found: dict[str, str | None]) -> list[str]:
    """Return the names of files that are changed, missing, or were never put there."""
    changed = {name for name, digest in manifest.files.items() if found[name] != digest}
    return sorted(changed | folders.names(folder) - {*manifest.files, MANIFEST})


def _observed(folder: int, model: str, hexadecimal: str, facts: dict[str, Any]) -> Observed:
    manifest = _manifest(folder)
    if manifest is None:
        return Observed(None, None, facts | {"fault": f"{MANIFEST} is missing or cannot be understood"})
    found = _found(folder, manifest)
    artifact = found.get(manifest.file)
    facts = facts | {"file": manifest.file}
    if altered := _altered(folder, manifest, found):
        facts["altered"] = altered
    if (manifest.model, manifest.digest) != (model, f"sha256:{hexadecimal}"):
        return Observed(None, artifact, facts | {"fault": f"{MANIFEST} speaks of {manifest.model} {manifest.digest}"})
    return Observed(manifest.digest, artifact, facts)


def _beside(releases: int, model: str, digest: str) -> Observed:
    """Read a release back that is not current; nothing is seen where it is not there."""
    nothing = Observed(None, None, {})
    if not _DIGEST.fullmatch(digest):
        return nothing
    hexadecimal = digest.removeprefix("sha256:")
    try:
        with folders.folder(hexadecimal, releases) as folder:
            return _observed(folder, model, hexadecimal, {})
    except FileNotFoundError:
        return nothing
