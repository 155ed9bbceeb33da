"""`dvc.lock`: what each stage read and wrote in its last run."""

from pathlib import Path
from typing import Any, Final

import msgspec

from mlgit.edges.formats import yamlfile
from mlgit.errors import Location, refused

LOCK: Final = "dvc.lock"


class File(msgspec.Struct, frozen=True):
    """A file or folder that a stage read or wrote: path as in dvc.yaml, DVC's hash and its kind, size in bytes."""

    path: str
    md5: str | None = None
    size: int | None = None
    hash: str | None = None


class Stage(msgspec.Struct, frozen=True):
    """The last run of a stage: its command, what it read and wrote, and the parameters by file and dotted key."""

    cmd: str | list[str]
    deps: list[File] = []
    outs: list[File] = []
    params: dict[str, dict[str, Any]] = {}


def lock(root: Path) -> dict[str, Stage]:
    """Read the last run of each stage; empty if the pipeline never ran.

    Raises:
        MlgitError: dvc.lock cannot be read (`dvc-lock-invalid`, or a finding of the YAML reader).
    """
    try:
        return parse_lock((root / LOCK).read_bytes())
    except FileNotFoundError:
        return {}


def parse_lock(content: bytes) -> dict[str, Stage]:
    """Read the content of a dvc.lock.

    Raises:
        MlgitError: as `lock`.
    """
    try:
        return msgspec.convert(yamlfile.parse(content, LOCK).value.get("stages"), type=dict[str, Stage])
    except msgspec.ValidationError as error:
        raise refused(
            "dvc-lock-invalid",
            "dvc.lock is not in the format of DVC 3",
            why=str(error),
            fix="run `dvc repro` to write it again",
            at=Location(LOCK),
        ) from error
