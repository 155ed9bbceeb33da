"""One release in a folder of releases: written whole, verified, repaired, and read back.

All functions take open folders (file descriptors), which are never reached over a symbolic link.
"""

import os
import re
import shutil
from typing import Any, Final

import msgspec

from mlgit.domain.codec import sha256
from mlgit.domain.names import is_name
from mlgit.edges.targets import folders
from mlgit.errors import refused
from mlgit.ops.kernel.ports.target import Observed, Release

MANIFEST: Final = "release.json"

NAME: Final = re.compile(r"[0-9a-f]{64}")
"""The name of a release's folder: its digest in hexadecimal."""

# Fixed names: the lock allows one switch at a time, so the next one can remove what a killed one left.
_NEW, _OLD = ".new", ".old"

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,254}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MANIFEST_BYTES: Final = 1_000_000


class ReleaseManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`release.json`, which describes a release to the program that serves it.

    `artifact` is the sha256 of the model file, `file` its name, and `files` has the sha256 of every file.
    """

    model: str
    digest: str
    artifact: str
    file: str
    files: dict[str, str]


def check(release: Release, model: str) -> None:
    """Refuse a release whose names or digests could lead outside of its folder.

    Raises:
        MlgitError: a name or digest is not plain, or the release is of another model (`release-invalid`).
    """
    check_model(release.model)
    for digest in (release.digest, release.artifact):
        _check(holds=_DIGEST.fullmatch(digest) is not None, message=f"{digest!r} is not a digest")
    for name in (*release.files, *release.texts):
        plain = _FILE.fullmatch(name) is not None and name != MANIFEST
        _check(holds=plain, message=f"{name!r} cannot be the name of a file in a release")
    for name in set(release.files) & set(release.texts):
        _check(holds=False, message=f"{name!r} is given twice, as a file and as a text")
    _check(holds=release.model == model, message=f"{release.model} is not {model}")


def check_model(model: str) -> None:
    """Refuse what cannot be the name of a model.

    Raises:
        MlgitError: it is not a name (`release-invalid`).
    """
    _check(holds=is_name(model), message=f"{model!r} is not the name of a model")


def folder_name(release: Release) -> str:
    """Return the name of a release's folder."""
    return release.digest.removeprefix("sha256:")


def clear(releases: int) -> None:
    """Remove what a killed switch left behind."""
    folders.remove(_NEW, releases)
    folders.remove(_OLD, releases)


def put(release: Release, releases: int) -> None:
    """Write a release's folder, whole or not at all, or repair it if it was altered.

    Raises:
        MlgitError: no file has the digest of the artifact (`release-invalid`).
        Inconclusive: a file of the release cannot be read (`file-unreadable`).
        OSError: the folder cannot be written.
    """
    if _is_intact(releases, release):
        return
    name = folder_name(release)
    try:
        os.mkdir(_NEW, dir_fd=releases)
        with folders.folder(_NEW, releases) as new:
            manifest = _fill(new, release)
            if folders.is_folder(name, releases):
                _repair(releases, name, new, manifest)
            else:
                folders.remove(name, releases)
                os.rename(_NEW, name, src_dir_fd=releases, dst_dir_fd=releases)
        os.fsync(releases)
    finally:
        shutil.rmtree(_NEW, ignore_errors=True, dir_fd=releases)


def remove_old(releases: int, current: str, beside: set[str], kept: int) -> None:
    """Remove all but the `kept` releases that were made current last; those that run are never removed."""
    others = [name for name in folders.names(releases) if NAME.fullmatch(name) and name not in {current, *beside}]
    others.sort(key=lambda name: os.stat(name, dir_fd=releases, follow_symlinks=False).st_mtime_ns, reverse=True)
    for name in others[kept - 1 :]:
        # Renamed first, so that a folder with the name of a release is always whole, also if this is killed.
        os.rename(name, _OLD, src_dir_fd=releases, dst_dir_fd=releases)
        folders.remove(_OLD, releases)


def observe(folder: int, model: str, name: str, facts: dict[str, Any]) -> Observed:
    """Read a release back from its folder, and hash its files."""
    manifest = _read_manifest(folder)
    if manifest is None:
        return Observed(None, None, facts | {"fault": f"{MANIFEST} is missing or cannot be read"})
    actual = _hash_files(folder, manifest)
    artifact = actual.get(manifest.file)
    facts = facts | {"file": manifest.file}
    if altered := _altered(folder, manifest, actual):
        facts["altered"] = altered
    if (manifest.model, manifest.digest) != (model, f"sha256:{name}"):
        return Observed(None, artifact, facts | {"fault": f"{MANIFEST} is of {manifest.model} {manifest.digest}"})
    return Observed(manifest.digest, artifact, facts)


def observe_digest(releases: int, model: str, digest: str) -> Observed:
    """Read the release with a digest back; nothing is observed if it does not exist."""
    nothing = Observed(None, None, {})
    if not _DIGEST.fullmatch(digest):
        return nothing
    name = digest.removeprefix("sha256:")
    try:
        with folders.folder(name, releases) as folder:
            return observe(folder, model, name, {})
    except FileNotFoundError:
        return nothing


def _check(*, holds: bool, message: str) -> None:
    if not holds:
        why, fix = "it cannot be written into a folder safely", "make the release from a version again"
        raise refused("release-invalid", message, why=why, fix=fix)


def _fill(new: int, release: Release) -> ReleaseManifest:
    """Copy the files, write the manifest, and flush all of it to the disk; return the manifest."""
    files = {name: folders.copy(path, name, new) for name, path in sorted(release.files.items())}
    artifact = next((name for name, digest in files.items() if digest == release.artifact), None)
    if artifact is None:
        raise refused(
            "release-invalid",
            f"no file of the release has the artifact's digest {release.artifact}",
            why="it has " + (", ".join(f"{name} with {digest}" for name, digest in files.items()) or "no files"),
            fix="fetch the files of the version again",
        )
    for name, text in sorted(release.texts.items()):
        folders.write(name, text, new)
        files[name] = sha256(text)
    manifest = ReleaseManifest(release.model, release.digest, release.artifact, artifact, files)
    folders.write(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n", new)
    # Before the rename that gives the folder its name: a power failure must not leave a release without its files.
    os.fsync(new)
    return manifest


def _is_intact(releases: int, release: Release) -> bool:
    """Tell whether the release exists with no byte altered."""
    try:
        with folders.folder(folder_name(release), releases) as folder:
            manifest = _read_manifest(folder)
            return (
                manifest is not None
                and (manifest.model, manifest.digest) == (release.model, release.digest)
                and manifest.artifact == manifest.files.get(manifest.file) == release.artifact
                and set(manifest.files) == {*release.files, *release.texts}
                and all(manifest.files[name] == sha256(text) for name, text in release.texts.items())
                and not _altered(folder, manifest, _hash_files(folder, manifest))
            )
    except OSError:
        return False  # what cannot be read is written again


def _repair(releases: int, name: str, new: int, manifest: ReleaseManifest) -> None:
    """Replace the content of an altered release file by file: its folder may be current, so it must always exist."""
    with folders.folder(name, releases) as folder:
        for file in (*manifest.files, MANIFEST):
            if folders.is_folder(file, folder):
                folders.remove(file, folder)
            os.replace(file, file, src_dir_fd=new, dst_dir_fd=folder)
        for file in folders.names(folder) - {*manifest.files, MANIFEST}:
            folders.remove(file, folder)
        os.fsync(folder)


def _read_manifest(folder: int) -> ReleaseManifest | None:
    content = folders.read(MANIFEST, folder, _MANIFEST_BYTES)
    try:
        return None if content is None else msgspec.json.decode(content, type=ReleaseManifest)
    except msgspec.MsgspecError:
        return None


def _hash_files(folder: int, manifest: ReleaseManifest) -> dict[str, str | None]:
    """Return the sha256 of each listed file as it is now; None if it is not a plain file."""
    return {name: folders.sha256(name, folder) if _FILE.fullmatch(name) else None for name in manifest.files}


def _altered(folder: int, manifest: ReleaseManifest, actual: dict[str, str | None]) -> list[str]:
    """Return the names of files that were changed, removed or added."""
    changed = {name for name, digest in manifest.files.items() if actual[name] != digest}
    return sorted(changed | folders.names(folder) - {*manifest.files, MANIFEST})
