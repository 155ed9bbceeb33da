"""What a command does where something is wrong: hostile files, broken storage, odd repositories, a hostile environment.

Each fault is refused with the finding that names it, and nothing is changed by the refusal; or it does no harm.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from mlgit.domain import codec
from mlgit.domain.records import Version
from mlgit.edges.dvc import workspace
from tests.flows.builder import MODEL
from tests.flows.content import CACHE, STORAGE, overwrite, retrained, stored
from tests.flows.people import Desk, Team
from tests.thorough.disturbed import AT_THAT_TIME, plain

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
    Fault("1 a space in the record", replace(RECORD, '"model":', '"model": '), {"immutable-file-changed"}),
    Fault(
        "1 the card", replace(f"{V1}/card.md", "Written", "Typed"), {"version-file-mismatch", "immutable-file-changed"}
    ),
    Fault(
        "1 the profile", replace(f"{V1}/profile.json", "1", "2"), {"version-file-mismatch", "immutable-file-changed"}
    ),
    Fault(
        "2 the model's hash",
        replace(f"{V1}/version.json", '"md5": "', '"md5": "0'),
        {"value-not-allowed"},
    ),
    Fault("3 the model's size", replace(f"{V1}/version.json", '"size": ', '"size": 1'), {"version-tampered"}),
    Fault("4 record deleted", remove(RECORD), {"immutable-file-deleted"}),
    Fault("4 folder deleted", lambda root: shutil.rmtree(root / V1), {"immutable-file-deleted"}),
    Fault("5 a version that is not there", replace(MANIFEST, "version: 1", "version: 9"), {"version-unknown"}),
    Fault("6 another version", replace(MANIFEST, "version: 1", "version: 2"), {"slot-digest-mismatch"}),
    Fault("6 another model", replace(MANIFEST, f"model: {MODEL}", "model: triage"), {"path-mismatch"}),
    *(
        Fault(f"19 path {path}", replace(RECORD, '"path": "model.skops"', f'"path": "{path}"'), {"value-not-allowed"})
        for path in _HOSTILE_PATHS
    ),
    Fault("20 record a link", link(RECORD, "../v2/version.json"), {"path-is-link"}),
    Fault("20 card a link", link(f"{V1}/card.md", "/etc/passwd"), {"path-is-link", "version-file-missing"}),
    Fault("20 profile a link", link(f"{V1}/profile.json", "/etc/passwd"), {"path-is-link"}),
    Fault("20 folder a link", _linked_folder, {"path-is-link", "immutable-file-deleted"}),
    Fault("20 manifest a link", link(MANIFEST, f"../staging/{MODEL}.yaml"), {"path-is-link"}),
    Fault("20 signers a link", link(".mlgit/allowed_signers", "/etc/passwd"), {"path-is-link"}),
    Fault("20 a new link", link(f"{V1}/notes.md", "/etc/passwd"), {"path-is-link"}),
    Fault("20 the project a link", link("mlgit.yaml", "/etc/passwd"), {"not-a-project"}),
    Fault("21 names that differ in case", put("src/PUT.py"), {"path-collision"}),
    Fault(
        "21 one accent, two spellings", all_of(put("src/caf\u00e9.py"), put("src/cafe\u0301.py")), {"path-collision"}
    ),
    *(
        Fault(f"22 name {name}", put(f"models/{text}/model.yaml"), {"name-invalid"})
        for name, text in _HOSTILE_NAMES.items()
    ),
    Fault("24 data among the records", put("datasets/biopsies/raw.tsv", b"1,2\n" * (LARGE // 4)), {"file-too-large"}),
    Fault("24 a model in a version", put(f"{V1}/weights.bin", bytes(LARGE)), {"file-too-large"}),
    Fault("24 an endless record", put("problems/more.yaml", f"name: {'x' * LARGE}"), {"document-too-large"}),
    Fault("26 a pointer upwards", replace(POINTER, "path: biopsies.csv", "path: ../../x.csv"), {"dvc-pointer-unsafe"}),
    Fault(
        "26 a pointer to anywhere", replace(POINTER, "path: biopsies.csv", "path: /etc/passwd"), {"dvc-pointer-unsafe"}
    ),
    Fault("26 a hash that is a path", replace(POINTER, "md5: ", "md5: ../../"), {"dvc-pointer-unsafe"}),
    Fault("26 another folder", replace(POINTER, "outs:", "wdir: ../..\nouts:"), {"dvc-pointer-invalid"}),
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
    for line in ("validate --at change --base main", "validate --base main"):
        ids = ana.refused(line)
        assert fault.ids & set(ids), ids


@pytest.mark.parametrize("name", ["card.md", "profile.json"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_commit_that_changed_a_version_is_found_without_a_base(name: str, number: int, running: Team) -> None:
    """Files that are known by their ids are not read; one with another id is."""
    file = f"models/{MODEL}/versions/v{number}/{name}"
    with (running.root / file).open("a") as text:
        text.write(" ")
    running.ana.git("commit", "--quiet", "--all", "--message", "Change")
    answer = running.ana("validate --at HEAD --json")
    found = {(one["id"], one["at"]["file"]) for one in answer.json["findings"]}
    assert ("version-file-mismatch", file) in found
    assert {where for _, where in found} == {file}


@pytest.mark.parametrize("name", ["card", "profile"])
def test_a_record_cannot_vouch_for_another_file(name: str, running: Team) -> None:
    """Whoever states the id of another content is found as soon as the record comes in."""
    ana = running.ana
    ana.git("switch", "--quiet", "--create", "change")
    record = codec.from_json(Version, (running.root / RECORD).read_bytes())
    assert record.blobs is not None
    lie = msgspec.structs.replace(record, blobs=msgspec.structs.replace(record.blobs, **{name: "0" * 40}))
    lie = msgspec.structs.replace(lie, digest=codec.version_digest(lie))
    (running.root / RECORD).write_bytes(codec.to_json(lie))
    ana.git("commit", "--quiet", "--all", "--message", "Change")
    assert set(ana.refused("validate --base main --at change")) == {"version-blob-mismatch", "immutable-file-changed"}
    assert "version-blob-mismatch" in ana.refused("validate --at change")


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
    assert running.ana.refused("promote --to staging --", name, code=2) == ["version-reference-invalid"]


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


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    overwrite(file, bytes(content))


def _cut(file: Path) -> None:
    overwrite(file, file.read_bytes()[:-1])


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
    (finding,) = integrity["facts"]["findings"]
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
    # The records are right. Where the cache has an object, `validate` opens it (ADR 23).
    found = {"_flip": {"data-corrupt"}, "_cut": {"stored-size-mismatch"}}.get(harm.__name__, set())
    assert {*proposed.ana("validate").ids} == found


# What the model is made from


MODELS = {
    "model-is-lfs-pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n" % (b"a" * 64),
    "model-is-pickle": b"\x80\x04K\x01.",
}


# What each kind of file is told from is tested without a pipeline (`edges/modelfile`).
@pytest.mark.parametrize("said", MODELS)
def test_what_is_no_model_is_named(said: str, registered: Team) -> None:
    retrained(registered, MODELS[said])
    assert registered.ana.refused(f"register {MODEL}") == [said]


@pytest.mark.tier("thorough", "params.yaml")
@pytest.mark.parametrize("path", ["params.yaml", "src/helper.py"])
def test_nothing_is_made_from_what_a_link_points_to(path: str, registered: Team) -> None:
    """The commit holds the link; what is behind it could change, and nobody would see."""
    ana = registered.ana
    outside = registered.folder / "outside"
    file = registered.root / path
    outside.write_bytes(file.read_bytes() if file.exists() else b"")
    link(path, str(outside))(registered.root)
    ana.git("add", "--all")
    ana.git("commit", "--quiet", "--message", "Link")
    ana.does(f"train {MODEL}")
    assert ana.refused(f"register {MODEL}") == ["path-is-link"]


def test_the_file_that_is_registered_is_the_one_that_was_hashed(registered: Team) -> None:
    """An output may be a link, as DVC makes them; what is kept is its content, whatever the link says later."""
    retrained(registered)
    model = registered.root / "out/model.skops"
    elsewhere = registered.folder / "elsewhere.skops"
    content = model.read_bytes()
    model.rename(elsewhere)
    model.symlink_to(elsewhere)
    registered.ana.does(f"register {MODEL}")
    elsewhere.write_bytes(b"something else")
    assert content in [file.read_bytes() for file in stored(registered, STORAGE)]
    assert registered.ana.does(f"promote {MODEL}@4 --to staging --json").json["state"] == "proposed"


# Storage, repository and disk


def _broken_storage(team: Team) -> None:
    for file in (team.root / ".dvc/cache").rglob("*"):
        if file.is_file() and file.read_bytes()[:2] == b"PK":
            file.unlink()
    shutil.rmtree(team.folder / "storage")
    (team.folder / "storage").write_text("This is no folder.")


def test_no_record_where_the_content_cannot_be_pushed(registered: Team) -> None:
    retrained(registered)
    _broken_storage(registered)
    before = registered.ana.refs(), registered.ana.git("status", "--porcelain")
    answer = registered.ana(f"register {MODEL}")
    assert answer.code == 3
    assert answer.ids == ["dvc-remote-unreachable"]
    assert (registered.ana.refs(), registered.ana.git("status", "--porcelain")) == before
    (registered.folder / "storage").unlink()
    (registered.folder / "storage").mkdir()
    registered.ana.does(f"register {MODEL}")


def _approved(team: Team) -> None:
    team.ben.does("approve")


def _as_it_is(_: Team) -> None:
    """Nothing has to be done before."""


LOCKS: dict[str, tuple[str, str, str, Callable[[Team], None]]] = {
    "the index, register": ("registered", "index.lock", f"register {MODEL}", retrained),
    "the index, merge": ("proposed", "index.lock", f"merge production/{MODEL}", _approved),
    "the base, merge": ("proposed", "refs/heads/main.lock", f"merge production/{MODEL}", _approved),
    "a branch, promote": (
        "running",
        f"refs/heads/mlgit/promote/staging/{MODEL}.lock",
        f"promote {MODEL}@2 --to staging",
        _as_it_is,
    ),
    "the ledger, approve": ("proposed", "refs/heads/mlgit-ledger.lock", "approve", _as_it_is),
}


@pytest.mark.tier("thorough", "the index, register")  # trains
@pytest.mark.parametrize("name", LOCKS)
def test_a_stale_lock_of_git_is_named_and_left_to_the_person(name: str, request: pytest.FixtureRequest) -> None:
    scene, lock, line, prepare = LOCKS[name]
    team: Team = request.getfixturevalue(scene)
    person = team.ben if line == "approve" else team.ana
    prepare(team)
    path = team.root / ".git" / lock
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    before = person.everything()
    answer = person(line)
    assert answer.code == 3
    assert answer.ids == ["git-locked"]
    assert f"{path} exists" in answer.text
    assert "delete that file" in answer.text
    assert person.everything() == before
    assert path.exists()
    path.unlink()
    person.does(line)


def test_what_a_person_has_at_hand_is_left_alone(proposed: Team) -> None:
    """Staged, changed and unknown files stay as they are, through every command that changes the repository."""
    ana, root = proposed.ana, proposed.root
    _change(root / "README.md", b"staged\n")
    ana.git("add", "README.md")
    _change(root / "README.md", b"changed\n")
    put("src/new.py", "new\n")(root)
    before = ana.git("diff", "--cached"), ana.git("diff"), ana.git("status", "--porcelain")
    proposed.ben.does("approve")
    ana.does(f"merge production/{MODEL}")
    ana.does("apply")
    assert (ana.git("diff", "--cached"), ana.git("diff"), ana.git("status", "--porcelain")) == before


def _change(file: Path, more: bytes) -> None:
    file.write_bytes(file.read_bytes() + more)


def test_a_file_in_the_way_stops_a_merge_before_it_begins(proposed: Team) -> None:
    proposed.ben.does("approve")
    _change(proposed.root / MANIFEST, b"# mine\n")
    assert proposed.ana.refused(f"merge production/{MODEL}") == ["work-tree-dirty"]


def _hook(team: Team, name: str, script: str) -> None:
    hook = team.root / ".git/hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def test_hooks_for_commits_of_people_are_not_for_records_and_help_says_so(proposed: Team) -> None:
    """mlgit's commits are made beside the work tree, which such hooks judge; what they hold, `validate` has judged."""
    for name in ("pre-commit", "commit-msg", "pre-merge-commit", "post-checkout"):
        _hook(proposed, name, f"touch ../{name}; exit 1")
    proposed.ben.does("approve")
    proposed.ana.does(f"merge production/{MODEL}")
    assert not (proposed.folder / "pre-commit").exists()
    for command in ("register", "promote", "merge"):
        assert "pre-commit" in proposed.ana.does(f"{command} --help").text


def test_a_hook_that_guards_refs_is_obeyed(proposed: Team) -> None:
    proposed.ben.does("approve")
    _hook(proposed, "reference-transaction", 'test "$1" != prepared || { echo "frozen today" >&2; exit 1; }')
    before = proposed.ana.everything()
    answer = proposed.ana(f"merge production/{MODEL}")
    assert answer.code in {1, 3}
    assert "frozen today" in answer.text or "hook" in answer.text
    assert proposed.ana.everything() == before


# Shapes of repositories


def _read_only(team: Team) -> None:
    """As a snapshot or somebody else's folder is; root writes everywhere, so for root a file system has to say no."""
    if os.geteuid() == 0:
        done = subprocess.run(["mount", "--bind", "-o", "ro", str(team.root), str(team.root)], check=False)
        if done.returncode:
            pytest.skip("root may write everywhere, and may not mount here")
        return
    for place, folders, files in os.walk(team.root):
        for name in [*folders, *files]:
            path = Path(place, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)


@pytest.fixture
def read_only(running: Team) -> Iterator[Team]:
    """The repository may be read, and not be written."""
    _read_only(running)
    yield running
    if os.geteuid() == 0:
        # Lazily: a Git process that a command left to the end of the test run may still be in there.
        subprocess.run(["umount", "--lazy", str(running.root)], check=True)
    else:
        subprocess.run(["chmod", "-R", "u+w", str(running.root)], check=False)


def test_a_repository_that_may_not_be_written_is_read(read_only: Team) -> None:
    ana = read_only.ana
    ana.does("validate")
    ana.does("status")
    ana.does("log")
    assert ana.refused(f"promote {MODEL}@2 --to staging", code=3) == ["git-write-failed"]


def _replaced_by_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("harm", [_flip, _cut, Path.unlink, _replaced_by_a_folder, lambda file: overwrite(file, b"")])
@pytest.mark.parametrize("name", ["status", "records"])
def test_what_status_has_kept_is_never_believed_over_git(
    name: str, harm: Callable[[Path], None], running: Team
) -> None:
    lines = ("status --json", "status --at main --json")
    expected = [running.ana.does(line).json for line in lines]
    harm(running.root / ".git/mlgit/cache" / name)
    assert [running.ana.does(line).json for line in lines] == expected
    running.promote(f"{MODEL}@2", "staging")
    for line in lines:
        assert ("staging", f"{MODEL}@2") in [
            (row["environment"], row["champion"]) for row in running.ana.does(line).json["rows"]
        ]


def test_in_a_shallow_clone_nothing_is_judged_by_history(proposed: Team) -> None:
    _merged(proposed)
    shallow = proposed.ana.clone("shallow", "--depth=1")
    shallow.does("validate")
    shallow.does("status")
    answer = shallow("apply production")
    assert answer.code in {1, 3}
    assert answer.ids == ["history-shallow"]
    assert "fetch-depth: 0" in answer.text
    assert "refs/heads/mlgit-ledger" not in shallow.refs()  # this clone says nothing about the promotion
    assert proposed.ana.refs()["refs/heads/mlgit-ledger"] == shallow.refs()["refs/remotes/origin/mlgit-ledger"]


def test_in_a_bare_repository_what_needs_files_says_so(running: Team) -> None:
    bare = running.ana.clone("bare.git", "--bare")
    bare.does("status")
    bare.does("validate --at main")
    assert bare.refused("validate", code=2) == ["repository-bare"]
    assert bare.refused(f"register {MODEL}", code=2) == ["repository-bare"]


def test_a_detached_head_and_a_linked_work_tree_do(running: Team) -> None:
    ana = running.ana
    linked = ana.at(running.folder / "linked")
    ana.git("worktree", "add", "--quiet", "--detach", str(linked.root), "main")
    head = linked.head()
    linked.does("validate")
    linked.does(f"promote {MODEL}@2 --to staging")
    assert linked.refused(f"merge staging/{MODEL}") == ["base-branch-checked-out"]
    assert linked.head() == head


def test_a_submodule_is_a_repository_of_its_own(running: Team) -> None:
    outer = running.ana.at(running.folder / "outer")
    outer.root.mkdir()
    outer.git("init", "--quiet")
    outer.git("submodule", "--quiet", "add", running.root.as_uri(), "team")
    assert outer.refused("status") == ["repository-empty"]
    (outer.root / "storage").symlink_to(running.folder / "storage")
    inner = outer.at(outer.root / "team")
    inner.does("validate")
    inner.does(f"promote {MODEL}@2 --to staging")


def test_before_the_first_commit_there_is_no_state(running: Team) -> None:
    new = running.ana.at(running.folder / "new")
    new.root.mkdir()
    new.git("init", "--quiet")
    for line in ("status", "log", f"promote {MODEL}@1 --to staging", "apply"):
        assert new.refused(line) == ["repository-empty"], line
    assert new.refused("validate") == ["not-a-project"]


def test_outside_of_any_repository(running: Team, tmp_path: Path) -> None:
    (tmp_path / "nowhere").mkdir()
    answer = running.ana.at(tmp_path / "nowhere")("status")
    assert (answer.code, answer.ids) == (1, ["not-a-repository"])


# The environment


def with_settings(desk: Desk, settings: dict[str, str], line: str) -> tuple[int, str]:
    """Run a command in an environment with other settings; return its exit code, and what it said."""
    with desk.present(), pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        argv = [sys.executable, "-B", "-c", AT_THAT_TIME, desk.session().clock.now().isoformat(), *line.split()]
        done = subprocess.run(argv, cwd=desk.root, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_repository_that_git_dir_names_is_used(running: Team, tmp_path: Path) -> None:
    there = {"GIT_DIR": str(running.root / ".git"), "GIT_WORK_TREE": str(running.root)}
    elsewhere = running.ana.at(tmp_path)
    assert with_settings(elsewhere, there, "validate")[0] == 0
    code, said = with_settings(elsewhere, there, f"promote {MODEL}@2 --to staging --dry-run")
    assert code == 0, said


def test_a_repository_of_somebody_else_is_not_trusted(running: Team) -> None:
    code, said = with_settings(running.ana, {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}, "status")
    assert code == 3
    assert "repository-dubious-ownership" in said
    assert "safe.directory" in said


@pytest.mark.parametrize(
    ("tool", "scene", "person", "line"),
    [
        ("git", "running", "ana", "status"),
        ("git", "running", "ana", "validate"),
        ("git", "running", "ana", f"promote {MODEL}@2 --to staging"),
        ("git", "registered", "ana", f"register {MODEL}"),
        ("git", "proposed", "ana", "merge"),
        ("ssh-keygen", "proposed", "ben", "approve"),
    ],
)
def test_a_program_that_is_missing_is_named(
    tool: str, scene: str, person: str, line: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    team: Team = request.getfixturevalue(scene)
    team.ana.edit("params.yaml", "fit: worse", "fit: better")
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in {"git", "ssh-keygen", "sh"} - {tool}:
        if found := shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"):
            (folder / name).symlink_to(found)
    desk: Desk = getattr(team, person)
    before = desk.everything()
    code, said = with_settings(desk, {"PATH": str(folder)}, line)
    assert code == 3, said
    assert re.search(rf"error\[(tool|{tool})-missing\]", said), said
    assert tool in said
    assert desk.everything() == before


@pytest.mark.parametrize(
    ("version", "does", "line"),
    [
        *(
            ("2.25.1", 'echo "error: unknown option" >&2; exit 129', line)
            for line in ("status", "validate", f"promote {MODEL}@2 --to staging", f"merge production/{MODEL}", "apply")
        ),
        # Enough for all but to merge.
        ("2.34.0", 'case "$*" in *merge-tree*) exit 129;; esac; exec "$REAL" "$@"', f"merge production/{MODEL}"),
    ],
)
def test_a_git_that_is_too_old_is_named(version: str, does: str, line: str, proposed: Team, tmp_path: Path) -> None:
    proposed.ben.does("approve")
    real = shutil.which("git")
    old = tmp_path / "git"
    old.write_text(
        f'#!/bin/sh\nfor last; do :; done\n[ "$last" = version ] && exec echo "git version {version}"\n{does}\n'
    )
    old.chmod(0o755)
    before = proposed.ana.everything()
    path = f"{tmp_path}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    code, said = with_settings(proposed.ana, {"PATH": path, "REAL": str(real)}, line)
    assert code in {1, 3}, said
    assert "error[git-too-old]" in said
    assert f"Git {version.rpartition('.')[0]} is too old" in said
    assert "or newer" in said
    assert "https://git-scm.com/downloads" in said
    assert proposed.ana.everything() == before


_NO_DVC = {
    "dvc-missing": {"__init__": "raise ModuleNotFoundError(\"No module named 'dvc'\")"},
    "dvc-missing, in parts": {"__init__": "__version__ = '3.67.1'"},
    "dvc-too-old": {"__init__": "__version__ = '3.48.4'"},
}
_NEEDS_DVC = [
    ("running", f"promote {MODEL}@2 --to staging"),
    ("registered", f"register {MODEL}"),
    ("registered", f"train {MODEL}"),
    ("registered", "data add datasets/biopsies/biopsies.csv"),
]


def _shadowed(folder: Path, modules: dict[str, str]) -> dict[str, str]:
    """Return settings with which another package is imported in place of DVC."""
    (folder / "dvc").mkdir()
    for name, content in modules.items():
        (folder / "dvc" / f"{name}.py").write_text(content)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


# Each kind with one command, and each command with one kind: every pair would take a minute more and show nothing else.
@pytest.mark.tier(
    "thorough", *(f"dvc-missing-registered-{line} {MODEL}" for line in ("register", "train"))
)  # they train
@pytest.mark.parametrize(
    ("kind", "scene", "line"),
    [*((kind, *_NEEDS_DVC[0]) for kind in _NO_DVC), *(("dvc-missing", *one) for one in _NEEDS_DVC[1:])],
)
def test_a_dvc_that_will_not_do_is_named(
    scene: str, line: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    team: Team = request.getfixturevalue(scene)
    if line.startswith("register"):
        retrained(team)
    elif line.startswith("train"):
        team.ana.edit("params.yaml", "fit: worse", "fit: better")
    settings = _shadowed(tmp_path, _NO_DVC[kind])
    before = team.ana.everything()
    code, said = with_settings(team.ana, settings, line)
    assert code == 3, said
    assert f"error[{kind.partition(',')[0]}]" in said
    assert "DVC 3.59 or newer" in said
    assert 'pip install "dvc>=3.59"' in said
    assert "Traceback" not in said
    assert team.ana.everything() == before


@pytest.mark.parametrize("reading", ["status", "log", "validate", f"show {MODEL}@1"])
def test_what_only_reads_does_without_dvc(reading: str, registered: Team, tmp_path: Path) -> None:
    code, said = with_settings(registered.ana, _shadowed(tmp_path, _NO_DVC["dvc-missing"]), reading)
    assert code == 0, said


@pytest.mark.parametrize("kind", ["dvc-too-old"])
@pytest.mark.parametrize("line", [f"merge production/{MODEL}", "apply production"])
def test_what_cannot_be_judged_here_is_not_held_against_a_promotion(
    line: str, kind: str, proposed: Team, tmp_path: Path
) -> None:
    """Least of all on the ledger, from which nothing is ever removed."""
    _approved(proposed)
    if line.startswith("apply"):
        proposed.ana.does(f"merge production/{MODEL}")
    before = proposed.ana.everything()
    code, said = with_settings(proposed.ana, _shadowed(tmp_path, _NO_DVC[kind]), line)
    assert code == 3, said
    assert "error[gates-inconclusive]" in said
    assert "DVC 3.59 or newer" in said
    assert proposed.ana.everything() == before
    proposed.ana.does(line)


def test_the_oldest_dvc_is_the_one_that_is_asked_for_at_installation() -> None:
    asked = Path(__file__).parents[2].joinpath("pyproject.toml").read_text()
    assert f'"dvc>={".".join(map(str, workspace.MINIMUM))}"' in asked


def test_the_same_bytes_in_every_environment(registered: Team, tmp_path: Path) -> None:
    """Language, time zone, rights of new files and a person's line ends leave no trace in what is committed."""
    retrained(registered)
    registered.leave()
    strange = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "1"}
    found = []
    for name, mask, settings, ends in (("plain", 0o022, {}, "false"), ("strange", 0o077, strange, "true")):
        shutil.copytree(registered.folder, tmp_path / name, symlinks=True)
        with Team.at(tmp_path / name, keys=registered.keys) as team:
            desk = team.ana.using(core_autocrlf=ends)
            before = os.umask(mask)
            try:
                code, said = with_settings(desk, settings, f"register {MODEL}")
            finally:
                os.umask(before)
            assert code == 0, said
            folder = f"models/{MODEL}/versions/v4"
            found.append({path: plain(desk.show("HEAD", f"{folder}/{path}")) for path in desk.files(f"HEAD:{folder}")})
            assert desk.git("status", "--porcelain") == ""
    assert found[0] == found[1]
    assert "version.json" in found[0]


def test_history_is_ordered_by_ancestry_whatever_clocks_said(running: Team) -> None:
    ana, base = running.ana, running.ana.refs()["refs/heads/main"]
    soon = f"{running.now.moment + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    _add_commits(ana, "2001-01-01T00:00:00Z", soon, "2002-02-02T00:00:00Z")
    assert ana.head("main~3") == base
    ana.does("validate")
    assert _champions(ana, "status --json") == _champions(ana, f"status --json --at {base}")
    running.now.wait(timedelta(hours=2))
    running.promote(f"{MODEL}@2", "staging")
    said = [event["after"] for event in ana.does("log --json").json["events"]]
    assert said.index(f"{MODEL}@2") < said.index(f"{MODEL}@1")
    assert "up-to-date" in ana.does("apply --json").text


def test_nothing_is_merged_onto_a_commit_of_the_future_until_then(running: Team) -> None:
    """Whatever date the commit after it states."""
    ana = running.ana
    _add_commits(ana, "2099-01-01T00:00:00Z", "2002-02-02T00:00:00Z")
    ana.does(f"promote {MODEL}@2 --to staging")
    assert ana.refused("merge") == ["promotion-time-invalid"]


def _add_commits(desk: Desk, *dates: str) -> None:
    for date in dates:
        tree = desk.git("rev-parse", "HEAD^{tree}")
        desk.git("update-ref", "refs/heads/main", _dated(desk, tree, desk.head("main"), date))


def _champions(desk: Desk, line: str) -> list[tuple[str, str, str]]:
    return [(row["model"], row["environment"], row["champion"]) for row in desk.does(line).json["rows"]]


def _dated(desk: Desk, tree: str, parent: str, date: str) -> str:
    with desk.present(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", date)
        patch.setenv("GIT_AUTHOR_DATE", date)
        argv = ["git", "commit-tree", tree, "-p", parent, "-m", date]
        done = subprocess.run(argv, cwd=desk.root, capture_output=True, text=True, check=True)
    return done.stdout.strip()
