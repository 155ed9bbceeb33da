"""The lock of packages: what is written passes `pip install --require-hashes`, and what lacks a hash is found."""

import pytest

from mlgit.domain.requirements_lock import LockedPackage, check_lock, differing_pins, normalized, parse, render
from mlgit.errors import UsageError
from mlgit.ops.project.upgrade import MlgitSource

HASH, OTHER = "a" * 64, "b" * 64
MLGIT = LockedPackage("mlgit", "1.2.0", (HASH,))
URL = LockedPackage("mlgit", "1.2.0", (HASH,), "https://example.org/mlgit-1.2.0-py3-none-any.whl")


def ids(content: str) -> list[tuple[str, int | None]]:
    return [(finding.id, finding.at.line if finding.at else None) for finding in check_lock(content)]


@pytest.mark.parametrize("mlgit", [MLGIT, URL])
def test_what_is_written_is_valid(mlgit: LockedPackage) -> None:
    text = render("wheels/", [LockedPackage("numpy", "2.1", (OTHER, HASH)), mlgit], has_wheels=True)
    assert ids(text) == []
    assert parse(text) == {"mlgit": None if mlgit.url else "1.2.0", "numpy": "2.1"}
    assert text.index("mlgit") < text.index("numpy")
    assert f"numpy==2.1 \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{OTHER}\n" in text


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("numpy==2.1", 2),
        ("numpy", 2),
        (f"numpy --hash=sha256:{HASH}", 2),
        (f"numpy>=2 --hash=sha256:{HASH}", 2),
        ("numpy==2.1 --hash=md5:0123", 2),
        (f"numpy==2.1 --hash=sha256:{HASH} --hash=sha1:0123", 2),
        ("--index-url https://example.org/simple", 2),
        ("--extra-index-url https://example.org/simple", 2),
        ("--find-links https://example.org/", 2),
        ("--trusted-host example.org", 2),
        ("-r other.txt", 2),
        ("# a comment\n\nnumpy==2.1 \\\n  # no hash", 4),
    ],
)
def test_whatever_has_no_hash_or_leads_elsewhere_is_found(line: str, number: int) -> None:
    assert ids(f"mlgit==1.2.0 --hash=sha256:{HASH}\n{line}\n") == [("requirements-lock-invalid", number)]


def test_a_lock_names_mlgit() -> None:
    assert ids(f"numpy==2.1 --hash=sha256:{HASH}\n") == [("requirements-lock-invalid", None)]
    assert ids("") == [("requirements-lock-invalid", None)]
    assert ids(f"MLGIT==1.0 --hash=sha256:{HASH} # ours\n") == []


def test_other_pins_of_the_project_are_found() -> None:
    text = render("here", [MLGIT, LockedPackage("scikit-learn", "1.9", (HASH,))], has_wheels=False)
    assert differing_pins(text, "scikit_learn==1.9  # as locked\n# pandas==2\nmlgit==1.2.0\n") == []
    assert differing_pins(text, "scikit-learn==1.8\npandas[parquet]==2.0\n-r other.txt\nnumpy\n") == [
        "scikit-learn==1.8",
        "pandas==2.0",
    ]
    assert differing_pins(render("here", [URL], has_wheels=False), "mlgit==9\n") == []


def test_names_are_compared_as_pip_does() -> None:
    assert normalized("Scikit__Learn.x") == "scikit-learn-x"


@pytest.mark.parametrize(
    ("text", "kind", "requirement"),
    [
        ("1.2.0", "index", "mlgit==1.2.0"),
        (
            "https://example.org/a/mlgit-1.2.0-py3-none-any.whl",
            "url",
            "https://example.org/a/mlgit-1.2.0-py3-none-any.whl",
        ),
        (f"git+https://example.org/mlgit@{'a' * 40}", "wheel", f"git+https://example.org/mlgit@{'a' * 40}"),
        ("../mlgit-1.2.0-py3-none-any.whl", "wheel", "../mlgit-1.2.0-py3-none-any.whl"),
        ("mlgit-1.2.0-py3-none-any.whl", "wheel", "mlgit-1.2.0-py3-none-any.whl"),
        (".", "wheel", "."),
    ],
)
def test_a_source_is_a_version_a_wheel_a_commit_or_a_folder(text: str, kind: str, requirement: str) -> None:
    source = MlgitSource.parse(text)
    assert (source.kind, source.requirement) == (kind, requirement)


_MOVING = (
    "mlgit",
    "latest",
    "git+https://example.org/mlgit@main",
    "https://example.org/mlgit.tar.gz",
    "--no-index=x/y",
    "",
)


@pytest.mark.parametrize("text", _MOVING)
def test_what_can_move_is_no_source(text: str) -> None:
    with pytest.raises(UsageError):
        MlgitSource.parse(text)
