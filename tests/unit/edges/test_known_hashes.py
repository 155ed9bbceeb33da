"""Hashes of a file are known until it changes, and only if a change would be seen."""

import errno
import hashlib
import os
import time
from pathlib import Path

import pytest

from mlgit.edges import hashing, known_hashes
from mlgit.edges.cache import FileCache
from mlgit.edges.known_hashes import KnownHashes
from mlgit.errors import MlgitError

CONTENT = bytes(range(256)) * 1024


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that has not changed for a while."""
    path = tmp_path / "model.bin"
    path.write_bytes(CONTENT)
    time.sleep(0.06)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path / "git")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read."""
    seen: list[Path] = []
    hash_file = hashing.hash_file

    def counted(path: Path) -> hashing.Hashes:
        seen.append(path)
        return hash_file(path)

    monkeypatch.setattr(hashing, "hash_file", counted)
    return seen


def test_a_file_is_read_once_by_one_command_and_the_next(file: Path, cache: FileCache, reads: list[Path]) -> None:
    hashes = KnownHashes(cache)
    assert hashes.of(file) == hashes.of(file)
    hashes.save()
    assert KnownHashes(cache).of(file) == hashes.of(file)
    assert reads == [file]


def test_a_link_to_a_file_is_that_file(file: Path, cache: FileCache, reads: list[Path]) -> None:
    link = file.with_name("link")
    os.link(file, link)
    time.sleep(0.06)  # a link changes the file's ctime
    hashes = KnownHashes(cache)
    assert hashes.of(file) == hashes.of(link)
    assert reads == [file]


def test_a_change_is_seen_even_with_the_old_time(file: Path, cache: FileCache) -> None:
    hashes = KnownHashes(cache)
    before, times = hashes.of(file), file.stat()
    file.write_bytes(CONTENT[::-1])
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    time.sleep(0.06)
    assert hashes.of(file) != before


def test_a_file_that_changed_just_now_is_read_again(tmp_path: Path, cache: FileCache, reads: list[Path]) -> None:
    path = tmp_path / "new"
    hashes = KnownHashes(cache)
    for content in (CONTENT, CONTENT[::-1]):
        path.write_bytes(content)
        hashes.of(path)
    assert len(reads) == 2


def test_times_of_whole_seconds_are_not_trusted_at_once(file: Path, cache: FileCache, reads: list[Path]) -> None:
    os.utime(file, ns=(0, (time.time_ns() // 10**9) * 10**9))
    time.sleep(0.06)
    hashes = KnownHashes(cache)
    hashes.of(file)
    hashes.of(file)
    assert len(reads) == 2


def test_a_small_file_and_one_without_a_cache_are_always_read(file: Path, cache: FileCache, reads: list[Path]) -> None:
    small = file.with_name("small")
    small.write_bytes(b"x")
    time.sleep(0.06)
    for hashes, path in ((KnownHashes(cache), small), (KnownHashes(), file)):
        hashes.of(path)
        hashes.of(path)
        hashes.save()
    assert len(reads) == 4


def test_a_missing_file_is_refused(tmp_path: Path, cache: FileCache) -> None:
    with pytest.raises(MlgitError) as refusal:
        KnownHashes(cache).of(tmp_path / "missing")
    assert refusal.value.findings[0].id == "file-unreadable"


def test_a_damaged_cache_is_empty(file: Path, cache: FileCache, reads: list[Path]) -> None:
    cache.put("hashes", known_hashes._KEY, b'{"1:2": ["short"]}')
    assert KnownHashes(cache).of(file).size == len(CONTENT)


def test_many_blocks_are_hashed_as_one(tmp_path: Path) -> None:
    path = tmp_path / "large"
    content = CONTENT * 13
    path.write_bytes(content)
    md5, sha256, size = hashing.hash_file(path)
    assert (md5, size) == (hashlib.md5(content).hexdigest(), len(content))
    assert sha256 == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_copy_of_a_known_file_has_its_hashes(file: Path, cache: FileCache) -> None:
    hashes = KnownHashes(cache)
    copy = file.with_name("copy")
    assert not hashes.knows(file)
    known = hashes.of(file)
    assert hashes.knows(file)
    assert hashes.copy(file, copy) == known
    assert copy.read_bytes() == CONTENT
    with pytest.raises(FileExistsError):
        hashes.copy(file, copy)


def test_a_copy_of_what_changes_meanwhile_has_its_own_hashes(
    file: Path, cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes, copy_content = KnownHashes(cache), hashing.copy_content
    hashes.of(file)

    def changing(source: Path, destination: Path) -> None:
        source.write_bytes(CONTENT[::-1])
        copy_content(source, destination)

    monkeypatch.setattr(hashing, "copy_content", changing)
    copy = file.with_name("copy")
    assert hashes.copy(file, copy).md5 == hashlib.md5(CONTENT[::-1]).hexdigest()


@pytest.mark.parametrize("fails_after", [0, 1, None], ids=["at once", "in the middle", "never"])
def test_a_copy_is_whole_whatever_the_kernel_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_after: int | None
) -> None:
    source, calls = tmp_path / "source", []
    source.write_bytes(CONTENT * 9)

    def copied(read: int, write: int, _: int) -> int:
        calls.append(read)
        if fails_after is not None and len(calls) > fails_after:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return os.write(write, os.read(read, 100_000))

    monkeypatch.setattr(os, "copy_file_range", copied, raising=False)
    hashing.copy_content(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT * 9
