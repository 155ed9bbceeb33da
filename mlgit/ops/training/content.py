"""The files of registered versions that are not in Git: download them, and upload them to a new or damaged remote."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.records import Version
from mlgit.domain.records.version import StoredFile
from mlgit.domain.rules.versions import stored_files
from mlgit.errors import Exit, Finding, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace


class DownloadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a version, and where it was written; `is_new` is false if the same file was there."""

    file: str
    path: str
    sha256: Digest
    size: int
    is_new: bool


class Downloaded(Outcome, frozen=True, kw_only=True, tag="mlgit/download.v1"):
    """The files of a version. `dry_run` is whether nothing was written."""

    version: str
    folder: str
    files: list[DownloadedFile]
    dry_run: bool


class Uploaded(Outcome, frozen=True, kw_only=True, tag="mlgit/upload.v1"):
    """How many files of which versions the remote has, how many it got now, and what is in no cache of this machine."""

    remote: str
    versions: int
    files: int
    uploaded: int
    findings: list[Finding]
    dry_run: bool

    @property
    def exit(self) -> Exit:
        """No if a file is neither here nor in the remote."""
        return Exit.NO if self.findings else Exit.YES


def download(
    workspace: Workspace,
    state: Lifecycle,
    ref: VersionRef,
    folder: Path,
    *,
    with_data: bool = False,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Downloaded:
    """Write the files of a version into a folder: model, predictions, test features, and the data that it was made from.

    Every file is verified by its sha256 before it gets its name.

    Args:
        workspace: the workspace.
        state: the state with the version.
        ref: the version.
        folder: where to write.
        with_data: whether to write the data too, below `datasets/`.
        dry_run: whether to write nothing.
        on_step: called with each step before it starts.

    Raises:
        MlgitError: the version does not exist (`version-unknown`), a file is nowhere (`data-missing`) or not what was
            recorded (`data-corrupt`), or another file is in the way (`download-exists`).
    """
    version = state.version(ref)
    store = workspace.versions(state.project().remote)
    wanted = [(stored.path, stored) for stored in stored_files(version)]
    if with_data:
        wanted += [(f"datasets/{name}/{stored.path}", stored) for name, stored in version.inputs.data.items()]
    files = []
    for name, stored in wanted:
        path = folder / name
        is_there = path.is_file() and workspace.hash_file(path, stored.path).sha256 == stored.sha256
        if path.exists() and not is_there:
            raise refused(
                "download-exists",
                f"{path} is another file",
                why=f"it is not {name} of {ref}",
                fix="name another folder with `--output`, or remove it",
            )
        if not (is_there or dry_run):
            on_step(f"downloading {name}, {stored.size:,} bytes")
            store.download(stored, path)
        files.append(
            DownloadedFile(file=name, path=str(path), sha256=stored.sha256, size=stored.size, is_new=not is_there)
        )
    return Downloaded(version=str(ref), folder=str(folder), files=files, dry_run=dry_run)


def upload(
    workspace: Workspace,
    state: Lifecycle,
    refs: Sequence[VersionRef],
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Uploaded:
    """Put the files of versions that the remote lacks there, from the cache: after a move, or where some were lost.

    Args:
        workspace: the workspace.
        state: the state with the versions.
        refs: the versions; all of the project if there are none.
        dry_run: whether to upload nothing.
        on_step: called with each step before it starts.

    Raises:
        MlgitError: a version does not exist (`version-unknown`), or a cached file is not what was recorded (`data-corrupt`).
    """
    remote = state.project().remote
    store = workspace.versions(remote)
    count, files = 0, dict[str, tuple[str, StoredFile]]()
    for version in map(state.version, refs) if refs else _all_versions(state):
        count += 1
        stored = (*stored_files(version), *version.inputs.data.values())
        files.update({file.md5: (f"{version.model}@{version.version}", file) for file in stored})
    on_step(f"looking for {len(files)} files in remote {remote}")
    missing = store.missing([file for _, file in files.values()])
    here = [file for file in missing if store.cached(file) is not None]
    if here and not dry_run:
        on_step(f"uploading {len(here)} files")
        store.restore(here)
    lost = [
        Finding(
            "data-missing",
            f"{file.path} of {files[file.md5][0]} is neither here nor in remote {remote}",
            why=f"md5 {file.md5}",
            fix="run `mlgit upload` where the version was registered",
        )
        for file in missing
        if file not in here
    ]
    return Uploaded(remote=remote, versions=count, files=len(files), uploaded=len(here), findings=lost, dry_run=dry_run)


def _all_versions(state: Lifecycle) -> Iterator[Version]:
    for model, numbers in state.numbers_of(state.models()).items():
        for number in numbers:
            yield state.version(VersionRef(model, number))
