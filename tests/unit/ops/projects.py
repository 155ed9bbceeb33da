"""A small healthy project as a dict of files, and what its parts look like after a change."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlgit.cli.session import Session
from mlgit.domain import carddraft, layout
from mlgit.domain.codec import digest, sha256, to_json, to_mapping
from mlgit.domain.records import Promotion, Version
from mlgit.domain.records.base import Record
from mlgit.domain.records.promotion import PromotionRef, ReportRef, VersionPin
from mlgit.edges.formats import yamlfile
from mlgit.edges.formats.records import read_record
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import PathChange, TreeEntry
from tests import samples
from tests.dicttree import DictTree

FORMATS = Session(Path()).formats
PROFILE = b"{}\n"

Content = Mapping[str, bytes | None]


class Modes(DictTree):
    """A tree in which some paths are links."""

    def __init__(self, files: Mapping[str, bytes], modes: Mapping[str, str]) -> None:
        super().__init__(files)
        self._modes = modes

    def entries(self, under: Sequence[str] = ()) -> Iterator[TreeEntry]:
        for entry in super().entries(under):
            yield msgspec.structs.replace(entry, mode=self._modes.get(entry.path, entry.mode))


def yaml(record: Record) -> bytes:
    return yamlfile.dump(to_mapping(record))


def version_files(number: int = 1, **changes: Any) -> dict[str, bytes]:
    """Return the files of a version, each as its record says."""
    version = registered(number, **changes)
    folder = layout.version_folder(version.model, number)
    return {
        f"{folder}/version.json": to_json(version),
        f"{folder}/card.md": card_of(version),
        f"{folder}/profile.json": PROFILE,
    }


def registered(number: int = 1, **changes: Any) -> Version:
    draft = samples.version(number, **changes)
    return samples.version(number, **changes | {"card": sha256(card_of(draft)), "profile": sha256(PROFILE)})


def card_of(version: Version) -> bytes:
    matter = carddraft.front_matter(
        samples.problem(), samples.model(), version.artifact, version.evaluation, version.inputs
    )
    return b"---\n" + yamlfile.dump(matter) + b"---\n" + carddraft.prose_draft("delay").encode()


def report_path(number: int, promotion: str = samples.ULID) -> str:
    return layout.gate_report("delay", number, promotion)


def promoted(number: int = 1, environment: str = "production", **changes: Any) -> tuple[Promotion, dict[str, bytes]]:
    """Return a manifest and the files that come with it."""
    version = registered(number)
    report = samples.gate_report(version, environment=environment)
    path = report_path(number)
    manifest = samples.promotion(
        version, **{"environment": environment, "gates": ReportRef(report=path, digest=digest(report))} | changes
    )
    return manifest, {layout.promotion(environment, "delay"): yaml(manifest), path: to_json(report)}


def healthy() -> dict[str, bytes]:
    """Return a project with two environments, two versions, and the first of them in production."""
    return {
        "mlgit.yaml": yaml(samples.project()),
        ".mlgit/roles.yaml": yaml(samples.roles()),
        ".mlgit/allowed_signers": b"",
        "README.md": b"# acme\n",
        "src/train.py": b"print()\n",
        "problems/late-arrival.yaml": yaml(samples.problem()),
        "datasets/flights/dataset.yaml": yaml(samples.dataset()),
        "datasets/flights/flights.parquet.dvc": FORMATS.pointer(samples.stored("flights.parquet", 50)),
        "models/delay/model.yaml": yaml(samples.model()),
        "models/delay/card.md": b"# delay\n",
        "policies/production.yaml": yaml(samples.policy()),
        "policies/staging.yaml": yaml(samples.policy(name="staging")),
        "environments/staging/environment.yaml": yaml(samples.environment(name="staging", policy="staging", after=[])),
        "environments/production/environment.yaml": yaml(samples.environment()),
        **version_files(1),
        **version_files(2),
        **promoted(1)[1],
    }


def second_promotion() -> dict[str, bytes]:
    """Return the files of a sound promotion of the second version, on top of the healthy project."""
    first = promoted(1)[0]
    report = samples.gate_report(
        registered(2), promotion=LATER_ULID, champion=VersionPin(version=1, digest=registered(1).digest)
    )
    path = report_path(2, LATER_ULID)
    manifest = samples.promotion(
        registered(2),
        promotion=LATER_ULID,
        replaces=PromotionRef(promotion=first.promotion, digest=digest(first)),
        baseline=VersionPin(version=1, digest=registered(1).digest),
        gates=ReportRef(report=path, digest=digest(report)),
    )
    return {"environments/production/delay.yaml": yaml(manifest), path: to_json(report)}


LATER_ULID = "01KJZ000000000000000000000"


def edited(path: str, old: str, new: str, files: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """Return a file of the project with some text replaced, which has to be there."""
    content = (files or healthy())[path]
    assert old.encode() in content, f"{path} has no {old!r}"
    return {path: content.replace(old.encode(), new.encode())}


def state(changes: Content = {}, modes: Mapping[str, str] = {}) -> Lifecycle:  # noqa: B006 - only read
    """Return the healthy project with some files replaced, added or (None) deleted."""
    files = {path: content for path, content in (healthy() | dict(changes)).items() if content is not None}
    return Lifecycle(Modes(files, modes), read_record)


def differences(changes: Content) -> list[PathChange]:
    """Return how a change differs from the healthy project, as Git would say it."""
    before = healthy()
    found = []
    for path, content in sorted(changes.items()):
        status: Any = "D" if content is None else "M" if path in before else "A"
        if content != before.get(path):
            found.append(PathChange(path, status, "a" * 40, "b" * 40))
    return found
