"""Names, paths, durations, promotion ids and version labels: what is taken, and what is turned away at the door."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from mlgit.domain import names
from mlgit.domain.names import VersionRef, is_name, new_promotion_id, proposed_at, seconds
from mlgit.errors import Exit, UsageError

GOOD_NAMES = ["a", "0", "late-arrival", "v1.2_x", "a" * 64, "git", "lock", "unlock", "console", "com10", "model.lock2"]
BAD_NAMES = [
    *("", "A", "Late", "late arrival", "-a", "a-", ".a", "a.", "_a", "a__b", "a..b", "a-.b", "a/b", "a\\b", "a@b"),
    *("a\n", "\na", "a\0", "a\x1b[0m", "ä", "٣", "a" * 65, "a.lock", ".git", "..", "a~1", "a:b", "a*b", "refs@{0}"),
    *("con", "prn", "aux", "nul", "com1", "lpt9", "nul.x", "aux.tar.gz"),
]
GOOD_PATHS = ["a", "src/", "a/b.c", "a b/c", "models/é/x", "a.git/x", "a/.gitignore", "a/...b", ".dvcignore", "a" * 255]
BAD_PATHS = [
    *("", "/", "/etc/passwd", "-rf", "a\\b", "c:/x", "C:x", "a\n", "a\0b", "a\x7f", "a" * 256),
    *(
        ".",
        "..",
        "../a",
        "a/..",
        "a/../b",
        "./a",
        "a/./b",
        "a//b",
        "src//",
        "a/.. /b",
        "a/.../b",
        "a./b",
        "a /b",
        "a.",
        "a ",
    ),
    *(
        ".git",
        ".git/hooks/x",
        "a/.git/config",
        ".GIT/x",
        "a/.Git",
        ".dvc/config",
        "a/.DVC/x",
        ".github/workflows/x.yaml",
    ),
    *(".mlgit/roles.yaml", "x/.MLGIT/y"),
]
BAD_PATHS += [".git\u200b/config", ".g\u200cit/config", "\ufeff.git/config", "a\u202eb", "git~1/config", "x/GIT~2"]
BAD_PATHS += ["~/x", "~root/x", "$HOME/x", "a/$x", "a\x85b", "a\u2028b"]
CASES: list[tuple[Any, list[str], list[str]]] = [
    (names.Name, GOOD_NAMES, BAD_NAMES),
    (names.RelativePath, GOOD_PATHS, BAD_PATHS),
    (names.FilePath, [path for path in GOOD_PATHS if not path.endswith("/")], [*BAD_PATHS, "src/", "a/b/"]),
    (
        names.Duration,
        ["1m", "72h", "14d", "999999w"],
        ["0d", "", "d", "1", "1s", "-1d", "1.5h", "1000000d", "1d\n", "01d"],
    ),
    (
        names.Digest,
        ["sha256:" + "0f" * 32],
        ["0f" * 32, "sha256:" + "0F" * 32, "sha256:0f", "sha256:" + "0f" * 32 + "\n"],
    ),
    (names.Md5, ["0f" * 16, "0f" * 16 + ".dir"], ["0f" * 15, "0F" * 16, "0f" * 16 + ".DIR", "0f" * 16 + "\n"]),
    (names.CommitId, ["0f" * 20, "0f" * 32], ["0f" * 10, "HEAD", "0f" * 20 + "\n", "0f" * 24]),
    (
        names.PromotionId,
        ["01JD8ZK3M90000000000000000", "7" + "Z" * 25],
        ["8" + "0" * 25, "0" * 25, "0" * 27, "01jd8zk3m90000000000000000", "I" + "0" * 25, "0" * 26 + "\n"],
    ),
    (names.Line, ["x", "täglich", "a b", "x" * 500], ["", "a\nb", "a\n", "\ta", "a\x7f", "x" * 501]),
]


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, good, _ in CASES for text in good])
def test_is_taken(form: Any, text: str) -> None:
    assert msgspec.convert(text, type=form) == text


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, _, bad in CASES for text in bad])
def test_is_turned_away(form: Any, text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, type=form)


@pytest.mark.parametrize("text", GOOD_NAMES + BAD_NAMES)
def test_is_name_agrees_with_the_type(text: str) -> None:
    assert is_name(text) == (text in GOOD_NAMES)


@pytest.mark.parametrize(("duration", "length"), [("1m", 60), ("72h", 259_200), ("14d", 1_209_600), ("2w", 1_209_600)])
def test_durations_are_counted_in_seconds(duration: str, length: int) -> None:
    assert seconds(duration) == length


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("churn@10", VersionRef("churn", 10)),
        ("churn@v10", VersionRef("churn", 10)),
        ("a.b-c@999999999", VersionRef("a.b-c", 999_999_999)),
    ],
)
def test_a_version_is_named_by_model_and_number(text: str, ref: VersionRef) -> None:
    assert VersionRef.parse(text) == ref
    assert VersionRef.parse(str(ref)) == ref


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "churn",
            "churn@",
            "@1",
            "churn@0",
            "churn@01",
            "churn@-1",
            "churn@1.0",
            "churn@1\n",
            "churn@٣",
            "Churn@1",
        ),
        *("churn@latest", "churn@1@2", "con@1", "../churn@1", "churn@1000000000", "churn @1", "churn@vv1"),
    ],
)
def test_what_names_no_version_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError) as error:
        VersionRef.parse(text)
    assert error.value.exit is Exit.USAGE
    assert error.value.findings[0].id == "version-reference-invalid"
    assert "MODEL@NUMBER" in error.value.findings[0].fix


def test_versions_sort_by_number_not_by_text() -> None:
    assert sorted([VersionRef("a", 10), VersionRef("a", 9), VersionRef("B", 1)]) == [
        VersionRef("B", 1),
        VersionRef("a", 9),
        VersionRef("a", 10),
    ]


def test_a_promotion_id_is_a_ulid() -> None:
    # The example of the specification's time part: 1469918176385 is 01ARYZ6S41.
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1_469_918_176_385)
    assert new_promotion_id(at, entropy=0) == "01ARYZ6S41" + "0" * 16
    assert new_promotion_id(at, entropy=(1 << 80) - 1) == "01ARYZ6S41" + "Z" * 16


def test_two_promotion_ids_of_one_moment_differ() -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    assert len({new_promotion_id(now) for _ in range(50)}) == 50


def test_the_time_of_an_id_beyond_the_calendar_is_its_end() -> None:
    last = proposed_at("7" + "Z" * 25)
    assert last.year == 9999
    assert last.tzinfo is UTC
