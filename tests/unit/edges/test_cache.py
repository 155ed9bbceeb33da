"""The cache gives back what was put, with its key and whole; or nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.edges.cache import FileCache

CONTENT = b'{"rows": []}' * 20


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    cache = FileCache(tmp_path)
    cache.put("status", "refs", CONTENT)
    return cache


def test_it_gives_back_what_was_put_with_the_same_key(cache: FileCache) -> None:
    assert cache.get("status", "refs") == CONTENT
    assert cache.get("status", "other refs") is None
    assert cache.get("records", "refs") is None


def test_the_newest_content_counts(cache: FileCache, tmp_path: Path) -> None:
    cache.put("status", "refs", b"")
    assert cache.get("status", "refs") == b""
    cache.put("status", "other refs", CONTENT)
    assert cache.get("status", "refs") is None
    assert [file.name for file in (tmp_path / "mlgit/cache").iterdir()] == ["status"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept[:-1],
        lambda kept: kept[:40],
        lambda kept: kept[:10],
        lambda _: b"",
        lambda kept: kept + b" ",
        lambda kept: kept[:-1] + b"X",
        lambda kept: b"X" + kept[1:],
        lambda kept: kept[:32] + b'{"rows": [1]}',
        lambda kept: bytes(len(kept)),
    ],
)
def test_a_damaged_file_is_none(damage: Callable[[bytes], bytes], cache: FileCache, tmp_path: Path) -> None:
    (file,) = (tmp_path / "mlgit/cache").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert cache.get("status", "refs") is None
    cache.put("status", "refs", CONTENT)
    assert cache.get("status", "refs") == CONTENT


def test_where_nothing_can_be_kept_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "mlgit").write_bytes(b"in the way")
    cache = FileCache(tmp_path)
    cache.put("status", "refs", CONTENT)
    assert cache.get("status", "refs") is None


def test_what_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "mlgit/cache/status/in the way").mkdir(parents=True)
    cache = FileCache(tmp_path)
    cache.put("status", "refs", CONTENT)
    assert cache.get("status", "refs") is None
    assert [file.name for file in (tmp_path / "mlgit/cache").iterdir()] == ["status"]


def test_an_entry_of_another_user_is_none(tmp_path: Path) -> None:
    """Whoever copies a folder, or writes into it, does not have the secret."""
    FileCache(tmp_path, secret_file=tmp_path / "theirs").put("status", "refs", CONTENT)
    own = FileCache(tmp_path, secret_file=tmp_path / "own/cache.key")
    assert own.get("status", "refs") is None
    own.put("status", "refs", CONTENT)
    assert FileCache(tmp_path, secret_file=tmp_path / "own/cache.key").get("status", "refs") == CONTENT
    assert (tmp_path / "own/cache.key").stat().st_mode & 0o077 == 0


def test_without_a_place_for_the_secret_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = FileCache(tmp_path, secret_file=tmp_path / "file/cache.key")
    cache.put("status", "refs", CONTENT)
    assert cache.get("status", "refs") is None
