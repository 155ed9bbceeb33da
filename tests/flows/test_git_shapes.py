"""Every shape that a repository comes in: it works, or says why it cannot."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.edges.git.command import Git
from mlgit.edges.git.repository import open_repository
from mlgit.errors import MlgitError
from tests.flows.conftest import MakeRepo, Repo


@pytest.fixture
def team(repo: Repo) -> Repo:
    repo.write({"mlgit.yaml": "1", "models/churn/model.yaml": "2"}).commit("one")
    repo.write({"mlgit.yaml": "1b"}).commit("two")
    return repo


def finding_id(action: Callable[[], object]) -> str:
    with pytest.raises(MlgitError) as raised:
        action()
    return raised.value.findings[0].id


@pytest.mark.parametrize("folder", [".", "models", "models/churn"])
def test_from_any_folder(team: Repo, folder: str) -> None:
    repository = team.open(folder)
    assert repository.processes == 1
    assert repository.root == team.root
    assert repository.git_dir == team.root / ".git"
    assert repository.tree("HEAD").read("mlgit.yaml") == repository.work_tree().read("mlgit.yaml") == b"1b"
    assert [entry.path for entry in repository.work_tree().entries(["models"])] == ["models/churn/model.yaml"]
    assert repository.dirty(["models"]) == []


def test_through_a_link(team: Repo, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(team.root / "models")
    assert open_repository(tmp_path / "link").root == team.root


def test_closes_and_opens_again(team: Repo) -> None:
    with team.open() as repository:
        tree = repository.tree("HEAD")
        assert tree.read("mlgit.yaml") == b"1b"
    assert tree.read("models/churn/model.yaml") == b"2"


@pytest.mark.tier("fast")
def test_linked_worktree(team: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    team.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "linked"), "HEAD~1")
    linked = Repo(tmp_path / "linked", monkeypatch)
    repository = linked.open("models")
    assert repository.root == linked.root
    assert repository.git_dir == team.root / ".git/worktrees/linked"
    assert repository.location.common_dir == team.root / ".git"
    assert repository.checked_out_branch() == "other"
    head = repository.resolve("HEAD")
    assert head == team.git("rev-parse", "HEAD~1")
    new = repository.commit({"mlgit.yaml": b"3"}, parents=[head], message="m")
    repository.advance_checkout(head, new)
    repository.move("HEAD", new, expected=head, reason="r")
    assert linked.git("status", "--short") == team.git("status", "--short") == ""
    assert team.open().resolve("other") == new


def test_detached_head(team: Repo) -> None:
    team.git("checkout", "--quiet", "--detach")
    repository, head = team.open(), team.head
    assert repository.checked_out_branch() is None
    new = repository.commit({"a": b"1"}, parents=[head], message="m")
    repository.move("HEAD", new, expected=head, reason="r")
    assert (team.head, repository.resolve("main")) == (new, head)


def test_bare(team: Repo) -> None:
    bare = team.clone("bare.git", "--bare")
    repository = bare.open()
    assert (repository.root, repository.git_dir, repository.checked_out_branch()) == (None, bare.root, None)
    assert repository.tree("main").read("mlgit.yaml") == b"1b"
    head = repository.resolve("HEAD")
    assert head is not None
    repository.move(
        "refs/heads/main", repository.commit({"a": b""}, parents=[head], message="m"), expected=head, reason="r"
    )
    assert [commit.subject for commit, _ in repository.commits("main")] == ["m", "two", "one"]
    assert finding_id(repository.work_tree) == finding_id(repository.dirty) == "repository-bare"


def test_inside_the_git_folder(team: Repo) -> None:
    repository = team.open(".git")
    assert repository.root is None
    assert repository.tree("HEAD").read("mlgit.yaml") == b"1b"


def test_shallow(team: Repo) -> None:
    shallow = team.clone("shallow", "--depth=1")
    repository = shallow.open()
    assert repository.is_shallow
    assert repository.tree("HEAD").read("mlgit.yaml") == b"1b"
    assert repository.resolve("HEAD~1") is None
    with pytest.raises(MlgitError) as raised:
        repository.require_full_history()
    assert raised.value.findings[0].id == "history-shallow"
    assert "fetch-depth: 0" in raised.value.findings[0].fix
    team.open().require_full_history()


def test_unborn(repo: Repo) -> None:
    repository = repo.write({"a.yaml": "1"}).open()
    assert repository.resolve("HEAD") is None
    assert repository.resolve("2026-03-01") is None
    assert repository.checked_out_branch() == "main"
    assert repository.dirty() == ["a.yaml"]
    assert [entry.path for entry in repository.work_tree().entries()] == ["a.yaml"]
    assert finding_id(lambda: repository.tree("HEAD")) == "revision-unknown"


def test_git_dir_of_the_environment(team: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("GIT_DIR", str(team.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(team.root))
    repository = open_repository(elsewhere)
    assert repository.root == team.root
    assert repository.tree("HEAD").read("mlgit.yaml") == b"1b"
    assert repository.dirty() == []


def test_submodule(team: Repo, make_repo: MakeRepo) -> None:
    outer = make_repo("outer")
    outer.git("submodule", "--quiet", "add", str(team.root), "parts/team")
    outer.commit("submodule")
    repository = outer.open()
    for tree in (repository.tree("HEAD"), repository.work_tree()):
        assert tree.names("parts") == ["team"]
        assert tree.names("parts/team") == []
        assert tree.read("parts/team/mlgit.yaml") is tree.read("parts/team") is None
        assert [(entry.path, entry.mode) for entry in tree.entries(["parts"])] == [("parts/team", "160000")]
    assert next(repository.tree("HEAD").entries(["parts"])).blob == team.head
    inner = outer.open("parts/team/models")
    assert inner.root == outer.root / "parts/team"
    assert inner.tree("HEAD").read("mlgit.yaml") == b"1b"


def test_sha256(make_repo: MakeRepo) -> None:
    repo = make_repo("long-ids", "--object-format=sha256")
    head = repo.write({"a/b.yaml": "1", "c": "2"}).commit("one")
    repository = repo.open()
    assert len(head) == 64
    assert repository.tree(head).names_of(["", "a"]) == [["a/", "c"], ["b.yaml"]]
    assert [(entry.path, len(entry.blob or "")) for entry in repository.tree("HEAD").entries()] == [
        ("a/b.yaml", 64),
        ("c", 64),
    ]
    new = repository.commit({"a/d": b"3", "c": None}, parents=[head], message="two")
    assert finding_id(lambda: repository.move("HEAD", new, expected=None, reason="r")) == "ref-update-conflict"
    repository.advance_checkout(head, new)
    repository.move("HEAD", new, expected=head, reason="r")
    repository.stage(["a/d", "c"])
    assert repo.git("status", "--short") == ""
    assert [(change.status, change.path) for change in repository.changes(head, new)] == [("A", "a/d"), ("D", "c")]
    repo.git("fsck", "--strict")


def test_packed(team: Repo) -> None:
    team.git("gc", "--quiet")
    assert team.open().tree("HEAD~1").read("mlgit.yaml") == b"1"


def test_read_only_object_store(team: Repo) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes where it may not")
    objects = team.root / ".git/objects"
    for folder in [objects, *(path for path in objects.rglob("*") if path.is_dir())]:
        folder.chmod(0o555)
    repository = team.open()
    assert finding_id(lambda: repository.commit({"n": b"n"}, parents=[team.head], message="m")) == "git-write-failed"
    assert repository.tree("HEAD").read("mlgit.yaml") == b"1b"


def test_no_repository(tmp_path: Path) -> None:
    assert finding_id(lambda: open_repository(tmp_path)) == "not-a-repository"
    assert finding_id(lambda: open_repository(tmp_path / "nowhere")) == "folder-missing"


def test_somebody_elses_repository(team: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(MlgitError) as raised:
        team.open()
    (found,) = raised.value.findings
    assert found.id == "repository-dubious-ownership"
    assert "safe.directory" in found.fix


def test_hooks_and_monitors_of_the_repository_do_not_run_when_it_is_read(team: Repo, tmp_path: Path) -> None:
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\ntouch {tmp_path}/seen\n")
    spy.chmod(0o755)
    hooks = team.root / ".git/hooks"
    for name in ("post-index-change", "post-checkout", "reference-transaction", "pre-commit"):
        hooks.mkdir(exist_ok=True)
        shutil.copy(spy, hooks / name)
    team.git("config", "core.fsmonitor", str(spy))
    (tmp_path / "seen").unlink(missing_ok=True)
    os.utime(team.root / "mlgit.yaml", (1, 1))
    repository = team.open()
    assert repository.dirty() == []
    assert repository.changes("HEAD", None) == []
    assert sum(1 for _ in repository.work_tree().entries()) == 2
    assert sum(1 for _ in repository.commits("HEAD")) == 2
    assert not (tmp_path / "seen").exists()


def test_no_git(team: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert finding_id(team.open) == "tool-missing"


@pytest.mark.parametrize("answer", ["echo --path-format=absolute", "echo 'error: unknown option' >&2; exit 129"])
def test_an_old_git(team: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str) -> None:
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin/git"
    old.write_text(f'#!/bin/sh\ncase "$*" in *version*) echo "git version 2.25.1";; *) {answer};; esac\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert finding_id(team.open) == "git-too-old"


def test_a_git_that_is_too_old_for_one_thing(team: Repo) -> None:
    git = Git(team.root)
    git.require((2, 34), "mlgit")
    assert finding_id(lambda: git.require((99, 0), "time travel")) == "git-too-old"


def test_a_submodule_is_one_on_disk_whether_or_not_its_folder_is_there(team: Repo, make_repo: MakeRepo) -> None:
    outer = make_repo("outer")
    outer.git("submodule", "--quiet", "add", str(team.root), "models/team")
    outer.commit("submodule")
    (outer.root / "part").mkdir()
    outer.git("init", "--quiet", "part")
    outer.write({"part/file": "not tracked", "100644 0 0\tfile": "a name like a line of Git's"})
    clone = outer.clone("clone")
    with outer.open() as repository:
        on_disk = {entry.path: entry.mode for entry in repository.work_tree().entries()}
        changes = {change.path: (change.status, change.mode) for change in repository.changes("HEAD", None)}
    assert (on_disk["models/team"], on_disk["part"], on_disk["100644 0 0\tfile"]) == ("160000", "160000", "100644")
    assert changes == {"part": ("A", "160000"), "100644 0 0\tfile": ("A", "100644")}
    for place in ("models/team", "models"):
        with clone.open() as repository:
            found = {entry.path: entry.mode for entry in repository.work_tree().entries()}
        assert found["models/team"] == "160000"
        (clone.root / place).rmdir()
