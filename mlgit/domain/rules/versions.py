"""Rules for versions: the record, the files beside it and the card are what was registered."""

from collections.abc import Container, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from mlgit.domain import layout
from mlgit.domain.codec import sha256, version_digest
from mlgit.domain.names import BlobId, Digest, VersionRef
from mlgit.domain.records.card import Card
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.version import StoredFile, Version
from mlgit.domain.results import ModelFileInspection
from mlgit.errors import Finding, Location


def check_version(
    version: Version,
    files: Mapping[str, bytes | None],
    *,
    verified: Container[str] = (),
    ids: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Finding]:
    """Check the digest of a version record, and the digests and Git ids of the files that it names.

    Args:
        version: the record.
        files: content of `card.md` and `profile.json`, by name in the folder of the version.
        verified: names of files whose Git ids already prove their content.
        ids: the Git ids of files by name, to be compared with those in the record.
    """
    folder = layout.version_folder(version.model, version.version)
    ref = VersionRef(version.model, version.version)
    actual = version_digest(version)
    if actual != version.digest:
        yield Finding(
            "version-tampered",
            f"the record of {ref} is not what was registered",
            why=f"its digest is {actual}, but it states {version.digest}",
            fix="restore it from the commit that registered it; for a correction register a new version with `supersedes`",
            at=Location(f"{folder}/version.json"),
        )
    for name, digest in (("card.md", version.card), ("profile.json", version.profile)):
        if name not in verified:
            yield from _check_file(version, name, files.get(name), digest, ids.get(name))


def stated_blobs(version: Version) -> dict[str, str]:
    """Return the Git ids of files beside a version record that the record states, by name."""
    return {} if version.blobs is None else {"card.md": version.blobs.card, "profile.json": version.blobs.profile}


def stored_files(version: Version) -> tuple[StoredFile, ...]:
    """Return the files of a version that are not in Git: its record finds and verifies them in the remote."""
    evaluation = version.evaluation
    return (version.artifact, evaluation.predictions, *([evaluation.features] if evaluation.features else []))


def check_card(card: Card, version: Version, problem: Problem) -> Iterator[Finding]:
    """Check that the numbers and the names that cannot change later in the front matter of a card are those of the record."""
    file = layout.card(version.model, version.version)
    facts: tuple[tuple[str, Any, Any], ...] = (
        ("mlgit.model", card.mlgit.model, version.model),
        ("mlgit.problem", card.mlgit.problem, problem.name),
        ("mlgit.artifact", card.mlgit.artifact, version.artifact.sha256),
        ("mlgit.split", card.mlgit.split, version.evaluation.split),
    )
    names = [("model-index name", model.name, version.model) for model in card.model_index]
    stated = [
        (f"model-index metric {metric.type}", metric.value, version.evaluation.metrics.get(metric.type))
        for model in card.model_index
        for result in model.results
        for metric in result.metrics
    ]
    for where, value, recorded in (*facts, *names, *stated):
        if value != recorded or recorded is None or isinstance(value, bool):
            yield Finding(
                "card-mismatch",
                f"the card of {VersionRef(version.model, version.version)} has {where} {value}",
                why=f"the record has {'no value' if recorded is None else recorded}",
                fix="restore it from the commit that registered the version, or register again",
                at=Location(file, path=where),
            )


def check_model_file(version: Version, inspected: ModelFileInspection) -> Iterator[Finding]:
    """Check that a model file has the format and the types that the record of its version states.

    Args:
        version: the version.
        inspected: the content of its model file; one that is no model at all has findings of its own.
    """
    recorded, ref = version.artifact, VersionRef(version.model, version.version)
    at = Location(layout.version(version.model, version.version), path="artifact")
    if inspected.format is not None and inspected.format != recorded.format:
        yield Finding(
            "model-format-mismatch",
            f"the model file of {ref} is {inspected.format}, and {recorded.format} is recorded",
            why="the format follows from the content of the file; its name does not count",
            fix="register the version again with `mlgit register`, which records the right format",
            at=at,
        )
    elif inspected.format is not None and sorted(inspected.types) != sorted(recorded.types):
        others = sorted({*inspected.types} ^ {*recorded.types})
        yield Finding(
            "model-types-mismatch",
            f"the model file of {ref} contains other types than those recorded",
            why=f"only one of the two has {', '.join(others)}",
            fix="register the version again with `mlgit register`, which records the right types",
            at=at,
        )


def _check_file(
    version: Version, name: str, content: bytes | None, digest: Digest, blob: BlobId | None
) -> Iterator[Finding]:
    """Check the digest and, if it is given, the Git id of a file beside the record."""
    folder = layout.version_folder(version.model, version.version)
    ref = VersionRef(version.model, version.version)
    stated = stated_blobs(version).get(name)
    if content is None:
        yield _missing_file(ref, folder, name)
    elif sha256(content) != digest:
        yield Finding(
            "version-file-mismatch",
            f"{name} of {ref} is not what was registered",
            why=f"its sha256 is {sha256(content)[7:19]}, and the record states {digest[7:19]}",
            fix="restore it from the commit that registered it; put later notes into files of their own",
            at=Location(f"{folder}/{name}"),
        )
    # An id of another length is from a repository with another hash algorithm, and cannot be compared.
    elif stated is not None and blob is not None and len(blob) == len(stated) and blob != stated:
        yield Finding(
            "version-blob-mismatch",
            f"the record of {ref} has another Git id for {name} than the file",
            why=f"the file is {blob[:12]}, and the record states {stated[:12]}",
            fix="register the version again with `mlgit register`, which records the right id",
            at=Location(f"{folder}/version.json"),
        )


def _missing_file(ref: VersionRef, folder: str, name: str) -> Finding:
    return Finding(
        "version-file-missing",
        f"{ref} lacks {name}",
        why="its record names it",
        fix="restore it from the commit that registered the version",
        at=Location(f"{folder}/{name}"),
    )
