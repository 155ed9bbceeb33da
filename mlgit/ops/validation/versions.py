"""Validate registered versions: their records, and every file that these name."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

from mlgit.domain import layout
from mlgit.domain.codec import version_digest
from mlgit.domain.names import Digest
from mlgit.domain.records import Promotion, Version
from mlgit.domain.rules.configuration import unknown_finding
from mlgit.domain.rules.texts import check_secrets, check_visible
from mlgit.domain.rules.versions import check_card, check_version, stated_blobs
from mlgit.domain.slots import filled
from mlgit.errors import Finding, Location, MlgitError
from mlgit.ops.validation.tree_check import TreeCheck, of_kind

IDENTIFIED_FILES = ("/card.md", "/profile.json")
"""Endings of the files whose blob id a version states."""


class VersionCheck:
    """Checks the versions of one tree.

    A project has hundreds of thousands of files of versions. A file whose blob id is the expected one has the expected content,
    so it is not read.
    """

    def __init__(self, check: TreeCheck, blob_ids: Mapping[str, str] | None = None) -> None:
        """Take the validation of the tree, and the blob ids of its files by path, as far as they are known without reads."""
        self._check = check
        self._tree = check.state.tree
        self._blob_ids = blob_ids or {}

    def check(self, folders: Collection[str], with_cards: Collection[str]) -> Iterator[Version]:
        """Check versions and every file that they name; yield those with a valid record.

        Args:
            folders: folders of versions.
            with_cards: the folders whose model card is read and checked, not only compared by its digest.
        """
        records = self._check.read([f"{folder}/version.json" for folder in folders], keep=False)
        versions = of_kind(Version, records)
        unchanged = [self._unchanged_files(version) for version in versions]
        to_read = []
        for version, names in zip(versions, unchanged, strict=True):
            folder = layout.version_folder(version.model, version.version)
            if folder in with_cards:
                names.discard("card.md")
            to_read.append([f"{folder}/{name}" for name in ("card.md", "profile.json") if name not in names])
        contents = self._tree.read_many(path for paths in to_read for path in paths)
        for version, names, paths in zip(versions, unchanged, to_read, strict=True):
            folder = layout.version_folder(version.model, version.version)
            files = {path.removeprefix(f"{folder}/"): content for path, content in islice(contents, len(paths))}
            blob_ids = self._read_blob_ids(version, files)
            self._check.add(check_version(version, files, verified=names, ids=blob_ids))
            for name, content in files.items():
                self._check.add(check_visible(content or b"", f"{folder}/{name}"))
            self._check.add(check_secrets(files.get("card.md") or b"", f"{folder}/card.md"))
            self._check.add(self._check_supersedes(version))
            # The card of a record that was changed is not held against it: the record is what is wrong.
            is_whole = version_digest(version) == version.digest
            if is_whole and folder in with_cards and (card := files["card.md"]) is not None:
                self._check_card(version, f"{folder}/card.md", card)
            yield version

    def digests(self, manifest: Promotion) -> dict[int, Digest | None]:
        """Return the digests of the versions that a manifest names by number, and None for each other version."""
        paths = {number: f"{folder_of(manifest, number)}/version.json" for number in numbers_in(manifest)}
        records = self._check.read(paths.values())
        missing = {number for number, path in paths.items() if path in records and records[path] is None}
        existing = [number for number in self._check.state.numbers(manifest.model) if number not in missing]
        return dict.fromkeys(existing) | {version.version: version.digest for version in of_kind(Version, records)}

    def _unchanged_files(self, version: Version) -> set[str]:
        """Return the names of the files of a version that have the blob id that it states."""
        folder = layout.version_folder(version.model, version.version)
        stated = stated_blobs(version).items()
        return {name for name, blob in stated if self._blob_ids.get(f"{folder}/{name}") == blob}

    def _read_blob_ids(self, version: Version, files: Mapping[str, bytes | None]) -> dict[str, str]:
        """Return the blob ids of the files that were read and whose id the version states."""
        contents = {name: content for name in stated_blobs(version) if (content := files.get(name)) is not None}
        if not contents:
            return {}
        return dict(zip(contents, self._tree.blobs(list(contents.values())) or (), strict=False))

    def _check_supersedes(self, version: Version) -> list[Finding]:
        number, model = version.supersedes, version.model
        if number is None or number in self._check.state.numbers(model):
            return []
        at = Location(layout.version(model, version.version), path="supersedes")
        return [unknown_finding("version-unknown", f"{model}@{number}", at, map(str, self._check.state.numbers(model)))]

    def _check_card(self, version: Version, file: str, content: bytes) -> None:
        try:
            card, _ = self._check.formats.card(file, content)
            problem = self._check.state.problem_of(version.model)
        except MlgitError as error:
            self._check.add(error.findings)
        else:
            self._check.add(check_card(card, version, problem))


def numbers_in(manifest: Promotion) -> list[int]:
    """Return the version numbers in the slots of a manifest."""
    return [slot.version for slot in filled(manifest.slots).values()]


def folder_of(manifest: Promotion, number: int) -> str:
    """Return the folder of a version of the model of a manifest."""
    return layout.version_folder(manifest.model, number)


def named_folders(manifests: Iterable[Promotion]) -> set[str]:
    """Return the folders of the versions that manifests name."""
    return {folder_of(manifest, number) for manifest in manifests for number in numbers_in(manifest)}


def newest_folders(folders: Iterable[str]) -> set[str]:
    """Return the folder of the newest version of each model."""
    newest: dict[str, tuple[int, str]] = {}
    for folder in folders:
        versions, _, label = folder.rpartition("/")
        newest[versions] = max(newest.get(versions, (0, "")), (int(label[1:]), folder))
    return {folder for _, folder in newest.values()}
