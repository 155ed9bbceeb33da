"""A remembered record is the one that would be read, and nothing that is kept can make it another."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from mlgit.domain.records import Record
from mlgit.edges.formats.records import read_record
from mlgit.errors import MlgitError
from mlgit.ops.kernel.record_cache import CachedRecordReader
from tests.unit.ops.projects import healthy


class Kept:
    """A cache in memory (see `ops.kernel.ports.Cache`)."""

    def __init__(self) -> None:
        self.content: bytes | None = None

    def get(self, name: str, key: str) -> bytes | None:
        return self.content

    def put(self, name: str, key: str, content: bytes) -> None:
        self.content = content


class Look:
    """One look at a project: what it reads, and which files it had to parse for that."""

    def __init__(self, cache: Kept) -> None:
        self.parsed: list[str] = []
        workspace: Any = SimpleNamespace(formats=SimpleNamespace(record=self._parse), cache=cache)
        self.reader = CachedRecordReader(workspace)

    def at(self, files: dict[str, bytes]) -> dict[str, Record]:
        found = {file: self.reader(file, content) for file, content in files.items()}
        self.reader.save()
        return found

    def _parse(self, file: str, content: bytes) -> Record:
        self.parsed.append(file)
        return read_record(file, content)


@pytest.fixture
def files() -> dict[str, bytes]:
    """The records of a project, by path."""
    found = {}
    for file, content in healthy().items():
        try:
            read_record(file, content)
        except MlgitError:
            continue
        found[file] = content
    return found


@pytest.fixture
def cache(files: dict[str, bytes]) -> Kept:
    """What a first look has kept."""
    kept = Kept()
    first = Look(kept)
    assert first.at(files) == {file: read_record(file, content) for file, content in files.items()}
    assert first.parsed == list(files)
    return kept


def test_the_second_look_parses_nothing_and_sees_the_same(files: dict[str, bytes], cache: Kept) -> None:
    second = Look(cache)
    assert second.at(files) == {file: read_record(file, content) for file, content in files.items()}
    assert second.parsed == []


def test_what_has_changed_is_parsed_and_only_that(files: dict[str, bytes], cache: Kept) -> None:
    changed = files | {"mlgit.yaml": files["mlgit.yaml"] + b"# changed\n"}
    second = Look(cache)
    second.at(changed)
    assert second.parsed == ["mlgit.yaml"]
    third = Look(cache)
    third.at(changed)
    assert third.parsed == []


def test_what_is_no_longer_there_is_forgotten(files: dict[str, bytes], cache: Kept) -> None:
    only = {"mlgit.yaml": files["mlgit.yaml"] + b"# changed\n"}
    Look(cache).at(only)
    third = Look(cache)
    third.at(files)
    assert third.parsed == list(files)


def test_known_content_at_another_path_is_refused_as_ever(files: dict[str, bytes], cache: Kept) -> None:
    (manifest,) = (
        file for file in files if file.startswith("environments/production/") and "environment.yaml" not in file
    )
    with pytest.raises(MlgitError) as refusal:
        Look(cache).reader(manifest.replace("production", "staging"), files[manifest])
    assert [found.id for found in refusal.value.findings] == ["path-mismatch"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"a": 1', b"null"])
def test_what_cannot_be_read_is_as_if_nothing_were_kept(content: bytes, files: dict[str, bytes], cache: Kept) -> None:
    cache.content = content
    second = Look(cache)
    assert second.at(files) == {file: read_record(file, one) for file, one in files.items()}
    assert second.parsed == list(files)


def test_an_entry_that_is_no_record_of_its_kind_is_read_again(files: dict[str, bytes], cache: Kept) -> None:
    known = msgspec.json.decode(cache.content or b"", type=dict[str, msgspec.Raw])
    cache.content = msgspec.json.encode({key: {"kind": "project"} for key in known})
    second = Look(cache)
    assert second.at(files) == {file: read_record(file, one) for file, one in files.items()}
    assert second.parsed == list(files)
