"""What a command does where something is wrong: hostile files, broken storage, odd repositories, a hostile environment.

Each fault is refused with the finding that names it, and nothing is changed by the refusal; or it does no harm.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Team

V1 = f"models/{MODEL}/versions/v1"
RECORD = f"{V1}/version.json"
MANIFEST = f"environments/production/{MODEL}.yaml"
POINTER = "datasets/biopsies/biopsies.csv.dvc"
LARGE = 6 << 20

Spoil = Callable[[Path], None]


def put(path: str, content: str | bytes = "x\n") -> Spoil:
    """Write a file."""

    def spoil(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)

    return spoil


def replace(path: str, before: str, after: str) -> Spoil:
    """Change words in a file."""

    def spoil(root: Path) -> None:
        text = (root / path).read_text()
        assert before in text
        (root / path).write_text(text.replace(before, after, 1))

    return spoil


def remove(path: str) -> Spoil:
    """Take a file away."""
    return lambda root: (root / path).unlink()


def link(path: str, target: str) -> Spoil:
    """Put a symbolic link in the place of a file, or where there is none."""

    def spoil(root: Path) -> None:
        (root / path).unlink(missing_ok=True)
        (root / path).symlink_to(target)

    return spoil


def all_of(*spoils: Spoil) -> Spoil:
    """Do several things."""

    def spoil(root: Path) -> None:
        for one in spoils:
            one(root)

    return spoil


def _linked_folder(root: Path) -> None:
    shutil.rmtree(root / V1)
    (root / V1).symlink_to("v2")


class Fault(msgspec.Struct, frozen=True):
    """A hostile repository: what was done to it, and the findings that name it."""

    name: str
    spoil: Spoil
    ids: set[str]


_HOSTILE_PATHS = (
    "../escaped",
    "/etc/passwd",
    "C:/windows/x",
    "//server/share/x",
    r"\\\\server\\share\\x",
    ".git/config",
    "sub/.GIT/hooks/x",
    ".dvc/config",
    ".github/workflows/x.yaml",
    ".mlgit/allowed_signers",
    "-rf",
    "a//b",
    "nul\\u0000byte",
)
_HOSTILE_NAMES = {
    "bidi": "admin\u202eb",
    "zero-width": "admin\u200bb",
    "homoglyph": "\u0430dmin",
    "full-width": "\uff41dmin",
    "leading-hyphen": "-x",
    "option": "--output=x",
    "device": "con",
    "space": "a b",
    "escape": "a\x1b[31mb",
    "newline": "a\nb",
    "lock": "a.lock",
    "long": "a" * 65,
}

FILES = [
    Fault("1 a number of the record", replace(RECORD, '"size": ', '"size": 1'), {"version-tampered"}),
    Fault("1 a space in the record", replace(RECORD, '"model":', '"model": '), {"immutable-changed"}),
    Fault("1 the card", replace(f"{V1}/card.md", "Written", "Typed"), {"version-file-differs", "immutable-changed"}),
    Fault("1 the profile", replace(f"{V1}/profile.json", "1", "2"), {"version-file-differs", "immutable-changed"}),
    Fault("2 the pointer's hash", replace(f"{V1}/model.skops.dvc", "md5: ", "md5: 0"), {"pointer-differs"}),
    Fault("3 the pointer's size", replace(f"{V1}/model.skops.dvc", "size: ", "size: 1"), {"pointer-differs"}),
    Fault("4 record deleted", remove(RECORD), {"immutable-deleted"}),
    Fault("4 folder deleted", lambda root: shutil.rmtree(root / V1), {"immutable-deleted"}),
    Fault("5 a version that is not there", replace(MANIFEST, "version: 1", "version: 9"), {"version-unknown"}),
    Fault("6 another version", replace(MANIFEST, "version: 1", "version: 2"), {"slot-differs"}),
    Fault("6 another model", replace(MANIFEST, f"model: {MODEL}", "model: triage"), {"path-mismatch"}),
    *(
        Fault(f"19 path {path}", replace(RECORD, '"path": "model.skops"', f'"path": "{path}"'), {"value-not-allowed"})
        for path in _HOSTILE_PATHS
    ),
    Fault("20 record a link", link(RECORD, "../v2/version.json"), {"state-link"}),
    Fault("20 card a link", link(f"{V1}/card.md", "/etc/passwd"), {"state-link", "version-file-missing"}),
    Fault("20 pointer a link", link(f"{V1}/model.skops.dvc", "/etc/passwd"), {"state-link"}),
    Fault("20 folder a link", _linked_folder, {"state-link", "immutable-deleted"}),
    Fault("20 manifest a link", link(MANIFEST, f"../staging/{MODEL}.yaml"), {"state-link"}),
    Fault("20 signers a link", link(".mlgit/allowed_signers", "/etc/passwd"), {"state-link"}),
    Fault("20 a new link", link(f"{V1}/notes.md", "/etc/passwd"), {"state-link"}),
    Fault("20 the project a link", link("mlgit.yaml", "/etc/passwd"), {"not-a-project"}),
    Fault("21 names that differ in case", put("src/PUT.py"), {"path-clash"}),
    Fault("21 one accent, two spellings", all_of(put("src/caf\u00e9.py"), put("src/cafe\u0301.py")), {"path-clash"}),
    *(
        Fault(f"22 name {name}", put(f"models/{text}/model.yaml"), {"name-unfit"})
        for name, text in _HOSTILE_NAMES.items()
    ),
    Fault("24 data among the records", put("datasets/biopsies/raw.tsv", b"1,2\n" * (LARGE // 4)), {"file-large"}),
    Fault("24 a model in a version", put(f"{V1}/weights.bin", bytes(LARGE)), {"file-large"}),
    Fault("24 an endless record", put("problems/more.yaml", f"name: {'x' * LARGE}"), {"document-too-large"}),
    Fault("26 a pointer upwards", replace(POINTER, "path: biopsies.csv", "path: ../../x.csv"), {"pointer-unsafe"}),
    Fault("26 a pointer to anywhere", replace(POINTER, "path: biopsies.csv", "path: /etc/passwd"), {"pointer-unsafe"}),
    Fault("26 a hash that is a path", replace(POINTER, "md5: ", "md5: ../../"), {"pointer-unsafe"}),
    Fault("26 another folder", replace(POINTER, "outs:", "wdir: ../..\nouts:"), {"pointer-invalid"}),
]


@pytest.mark.parametrize("fault", FILES, ids=lambda fault: fault.name)
def test_validate_names_what_is_wrong_with_a_file(fault: Fault, running: Team) -> None:
    fault.spoil(running.root)
    answer = running.ana("validate")
    assert answer.code == 1, answer.text
    assert fault.ids <= set(answer.ids), answer.ids
    # What a file is called never acts on the terminal that shows it.
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u200b\u202a-\u202e]", answer.text)
    document = running.ana("validate --json").json
    assert fault.ids <= {finding["id"] for finding in document["findings"]}


@pytest.mark.parametrize("fault", FILES, ids=lambda fault: fault.name)
def test_a_change_is_held_against_its_base(fault: Fault, running: Team) -> None:
    """The same faults, committed on a branch, as a check of a pull request sees them."""
    ana = running.ana
    ana.git("switch", "--quiet", "--create", "change")
    fault.spoil(running.root)
    ana.git("add", "--all")
    ana.git("commit", "--quiet", "--message", "Change")
    for line in ("validate --base main", "validate --at change --base main"):
        ids = ana.refused(line)
        assert fault.ids & set(ids), ids


@pytest.mark.parametrize("path", _HOSTILE_PATHS)
def test_a_hostile_path_is_refused_before_anything_is_looked_for(path: str, running: Team) -> None:
    replace(f"models/{MODEL}/versions/v2/version.json", '"path": "model.skops"', f'"path": "{path}"')(running.root)
    running.ana.git("commit", "--quiet", "--all", "--message", "Change")
    shutil.rmtree(running.folder / "storage")  # whoever looked there would say that data is missing
    assert running.ana.refused(f"promote {MODEL}@2 --to staging") == ["value-not-allowed"]


OPTIONS = {
    "validate --base=--output=x": "revision-unknown",
    "validate --at=--output=x": "revision-unknown",
    "status --at=--output=x": "revision-unknown",
    "log --at=--all": "revision-unknown",
    "show malignancy@1 --at=-x": "revision-unknown",
    "validate --at=HEAD..main": "revision-unknown",
    "validate --at=:/Register": "revision-unknown",
    "validate --at=HEAD:mlgit.yaml": "revision-unknown",
    "promote malignancy@2 --to=--output=x": "environment-unknown",
    "promote malignancy@2 --to=../staging": "environment-unknown",
    "merge -- --output=x": "promotion-unknown",
    "approve -- --output=x": "promotion-unknown",
}


@pytest.mark.parametrize("line", OPTIONS)
def test_a_word_is_never_taken_for_an_option(line: str, running: Team) -> None:
    assert running.ana.refused(line) == [OPTIONS[line]]


@pytest.mark.parametrize("name", ["-x@1", "../x@1", "malignancy@--output=x", "\u0430dmin@1", "a\x1b@1"])
def test_a_version_has_a_plain_name(name: str, running: Team) -> None:
    assert running.ana.refused("promote --to staging --", name, code=2) == ["version-name"]


@pytest.mark.parametrize("name", ["--output=x", "-x", "a;touch${IFS}x", "`touch${IFS}x`"])
def test_a_branch_may_be_called_anything(name: str, running: Team) -> None:
    ana = running.ana
    ana.git("update-ref", f"refs/heads/{name}", "HEAD")
    ana.git("symbolic-ref", "HEAD", f"refs/heads/{name}")
    ana.does("validate")
    ana.does("status")
    ana.does(f"promote {MODEL}@2 --to staging")
    assert not (running.root / "x").exists()


# Content


def stored(team: Team, *places: str) -> list[Path]:
    """The model files of versions in some places where DVC keeps content."""
    return [
        file
        for place in places
        for file in (team.folder / place / "files").rglob("*")
        if file.is_file() and file.read_bytes()[:2] == b"PK"
    ]


CACHE, STORAGE = "team/.dvc/cache", "storage"


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    _overwrite(file, bytes(content))


def _overwrite(file: Path, content: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(content)


def _cut(file: Path) -> None:
    _overwrite(file, file.read_bytes()[:-1])


def _merged(team: Team) -> None:
    team.ben.does("approve")
    team.ana.does(f"merge production/{MODEL}")


CONTENT = [
    ("3 cut short in the remote", _cut, [STORAGE], "data-corrupt"),
    ("43 not in the remote", Path.unlink, [STORAGE], "data-missing"),
    ("43 nowhere", Path.unlink, [STORAGE, CACHE], "data-missing"),
]


@pytest.mark.parametrize(("harm", "places", "said"), [case[1:] for case in CONTENT], ids=[case[0] for case in CONTENT])
def test_nothing_is_proposed_whose_content_is_not_there(
    harm: Callable[[Path], None], places: list[str], said: str, running: Team
) -> None:
    for file in stored(running, *places):
        harm(file)
    assert running.ana.refused(f"promote {MODEL}@2 --to staging") == [said]


@pytest.mark.parametrize("harm", [_flip, _cut])
def test_content_that_was_altered_is_told_by_both_hashes(harm: Callable[[Path], None], running: Team) -> None:
    for file in stored(running, CACHE):
        harm(file)
    before = running.ana.everything()
    answer = running.ana(f"promote {MODEL}@2 --to staging --json")
    assert answer.code == 1
    (integrity,) = (gate for gate in answer.json["gates"] if gate["gate"] == "integrity")
    assert integrity["outcome"] == "fail"
    (finding,) = integrity["findings"]
    assert re.search(r"data-corrupt: .*/.dvc/cache/.* sha256:[0-9a-f]{64} .* sha256:[0-9a-f]{64} ", finding)
    assert running.ana.everything() == before


@pytest.mark.parametrize("harm", [_flip, _cut, Path.unlink])
def test_what_cannot_be_verified_is_not_deployed(harm: Callable[[Path], None], proposed: Team) -> None:
    _merged(proposed)
    current = proposed.root / "deployed/production" / MODEL / "current"
    before = current.readlink()
    for file in stored(proposed, CACHE, STORAGE):
        harm(file)
    answer = proposed.ana("apply production")
    assert answer.code in {1, 3}
    assert "integrity" in answer.text
    assert current.readlink() == before
    proposed.ana.does("validate")
