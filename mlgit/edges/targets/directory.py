"""A target that is a folder: each release is a folder of its own, and a symbolic link points to the current one.

    <path>/<model>/releases/<digest in hexadecimal>/   the files, and release.json
    <path>/<model>/current -> releases/<digest>        switched by one rename
    <path>/<model>/slots.json                          which releases run beside the current one, and their share of requests
    <path>/<model>/.lock                               held while a switch is in progress

`slots.json` exists only while something runs beside the champion, and is valid only while it names as champion what `current`
points to. So wherever a switch is interrupted, a reader has what ran before, what runs now, or the champion alone. An
interrupted switch may leave an invalid one, which the next switch removes.

Every step inside `<path>` uses open folders that are never reached over a symbolic link, so nothing is written outside,
also if somebody replaces a folder by a link meanwhile. POSIX only: Windows has neither such folders nor a rename that
replaces a link.
"""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from mlgit.domain.records.environment import DirectoryTargetSpec
from mlgit.edges.targets import folders, releases, slots
from mlgit.errors import inconclusive
from mlgit.ops.kernel.ports.target import Observed, Release, ReleaseBeside

KEPT: Final = 5
"""How many releases that were current last are kept for a rollback, with the current one."""

_CURRENT: Final = "current"
_RELEASES: Final = "releases"
_LOCK: Final = ".lock"
_NEXT: Final = ".current.new"
_LINK = re.compile(rf"{_RELEASES}/({releases.NAME.pattern})")


def open_target(spec: DirectoryTargetSpec, root: Path) -> "DirectoryTarget":
    """Return the target of a folder; a relative path starts at the root of the work tree."""
    path = Path(spec.path).expanduser()
    return DirectoryTarget(path if path.is_absolute() else root / path)


class DirectoryTarget:
    """Runs versions by writing them into a folder that another program serves from."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def observe(self, model: str) -> Observed:
        """Read back what runs: the digest in the manifest of the current release, and the sha256 of its model file.

        The digest is None if no release is current, or if it has no valid manifest; `facts["fault"]` then says why.
        `facts["altered"]` names the files that were changed, removed or added since. `facts["slots"]` has what runs beside it.

        Raises:
            MlgitError: no model can have that name (`release-invalid`).
            Inconclusive: the folder cannot be read (`target-unreadable`).
        """
        releases.check_model(model)
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
        """Write a release and make it current, at once or not at all. Switching to what runs changes nothing.

        An altered release is repaired. If another switch of the same model is in progress, this waits for its end.

        Args:
            release: `artifact` is the sha256 of one of its files; file names are plain, without folders.
            beside: what runs beside it, at most one for each slot.

        Raises:
            MlgitError: the release is not valid (`release-invalid`); nothing was changed.
            Inconclusive: the folder cannot be written or the disk is full (`target-unwritable`), or a file of the release
                cannot be read (`file-unreadable`); what ran before still runs, or the release already does.
        """
        running = (release, *(other.release for other in beside))
        for each in running:
            releases.check(each, release.model)
        try:
            with self._locked(release.model) as (home, inside):
                _remove_left_overs(home, inside)
                # All releases exist before one of the files that point to them is changed.
                for each in running:
                    releases.put(each, inside)
                slots.write(release, beside, home)
                _make_current(home, inside, releases.folder_name(release))
                slots.clear(beside, home)
                # The switch is done: what cannot be removed now is removed by the next one.
                with contextlib.suppress(OSError):
                    names = {releases.folder_name(other.release) for other in beside}
                    releases.remove_old(inside, releases.folder_name(release), names, KEPT)
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
                return Observed(None, None, facts | {"fault": f"{_CURRENT} points to {link}, which is not a release"})
            try:
                inside = stack.enter_context(folders.folder(_RELEASES, home))
                folder = stack.enter_context(folders.folder(match[1], inside))
            except FileNotFoundError:
                return Observed(None, None, facts | {"fault": f"{link} does not exist"})
            observed = releases.observe(folder, model, match[1], facts | {"release": link})
            return slots.add(observed, home, lambda digest: releases.observe_digest(inside, model, digest))

    @contextlib.contextmanager
    def _locked(self, model: str) -> Iterator[tuple[int, int]]:
        """Yield the open folders of a model and of its releases, created if needed, to one process at a time."""
        self._path.mkdir(parents=True, exist_ok=True)
        with folders.root(self._path) as root:
            folders.make(model, root)
            with folders.folder(model, root) as home:
                lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=home)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel releases it, however this process ends
                    folders.make(_RELEASES, home)
                    with folders.folder(_RELEASES, home) as inside:
                        yield home, inside
                finally:
                    os.close(lock)


def _remove_left_overs(home: int, inside: int) -> None:
    """Remove what a killed switch left behind."""
    folders.remove(_NEXT, home)
    folders.remove(slots.NEXT, home)
    releases.clear(inside)


def _make_current(home: int, inside: int, name: str) -> None:
    """Make a release current by one rename, and set the time of its folder, by which old releases are sorted."""
    now = time.time_ns()
    os.utime(name, ns=(now, now), dir_fd=inside, follow_symlinks=False)
    link = f"{_RELEASES}/{name}"
    with contextlib.suppress(OSError):  # no link yet, or a file in its place: the rename below replaces it or fails
        if os.readlink(_CURRENT, dir_fd=home) == link:
            return
    os.symlink(link, _NEXT, dir_fd=home)
    os.replace(_NEXT, _CURRENT, src_dir_fd=home, dst_dir_fd=home)
    os.fsync(home)
