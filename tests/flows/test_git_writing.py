"""Writing to repositories: commits from nothing but objects, refs by compare-and-swap, and the person's own work left alone."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlgit.errors import Exit, Finding, MlgitError
from tests.flows.conftest import MakeRepo, Repo


def refusal(action: Callable[[], object]) -> Finding:
    """Return the one finding with which an action is refused."""
    with pytest.raises(MlgitError) as raised:
        action()
    (found,) = raised.value.findings
    return found


def state(repo: Repo) -> dict[str, object]:
    """Return all that a person can see of a repository."""
    index = repo.root / ".git/index"
    return {
        "status": repo.git("status", "--porcelain=v2"),
        "refs": repo.git("for-each-ref"),
        "head": repo.git("symbolic-ref", "HEAD"),
        "index": index.read_bytes() if index.exists() else None,
        "files": {str(path): path.read_bytes() for path in repo.root.glob("[!.]*") if path.is_file()},
        "left": sorted(path.name for path in (repo.root / ".git").iterdir()),
    }


@pytest.fixture
def started(repo: Repo) -> Repo:
    repo.write({"a": "1", "b/c": "2", "b/d/e": "3", "b.txt": "4", "run": "#!\n"})
    (repo.root / "run").chmod(0o755)
    repo.commit("start")
    return repo


def test_what_a_killed_run_left_behind_is_removed_after_an_hour(started: Repo) -> None:
    objects = started.root / ".git/objects"
    old, new = (objects / f"tmp_objdir-mlgit-{name}" for name in ("old", "new"))
    for folder in (old, new):
        (folder / "ab").mkdir(parents=True)
    os.utime(old, (0, 0))
    started.open().commit({"a": b"new"}, parents=[started.head], message="Change")
    assert (old.exists(), new.exists()) == (False, True)


class TestCommit:
    def test_has_the_parents_files_and_the_changes(self, started: Repo) -> None:
        repository = started.open()
        changes = {"a": b"new", "b/d/e": None, "b/d/f/g": b"added", "run": b"#!/bin/sh\n", "z": b"\r\n\0", "gone": None}
        commit = repository.commit(changes, parents=[started.head], message="Change\n\nMlgit-Promotion: 1\n")
        tree = repository.tree(commit)
        assert [(entry.path, entry.mode) for entry in tree.entries()] == [
            ("a", "100644"),
            ("b.txt", "100644"),
            ("b/c", "100644"),
            ("b/d/f/g", "100644"),
            ("run", "100755"),
            ("z", "100644"),
        ]
        assert tree.read("z") == b"\r\n\0"
        assert started.git("log", "-1", "--format=%B", commit) == "Change\n\nMlgit-Promotion: 1"
        started.git("fsck", "--strict")

    def test_is_what_git_itself_would_make(self, started: Repo) -> None:
        files = {"b/new": b"n", "b-": b"sorts before the folder", "b0": b"sorts behind it", "a": b"2"}
        commit = started.open().commit(files, parents=[started.head], message="by hand")
        started.write(dict(files.items())).git("add", "--all")
        started.git("commit", "--quiet", "-m", "by hand")
        assert started.head == commit

    def test_touches_neither_refs_nor_index_nor_files(self, started: Repo) -> None:
        started.write({"a": "mine", "staged": "mine"}).git("add", "staged")
        before = state(started)
        started.open().commit({"a": b"theirs", "new": b"theirs"}, parents=[started.head], message="m")
        assert state(started) == before

    def test_takes_as_many_processes_for_many_files_as_for_one(self, started: Repo) -> None:
        repository = started.open()
        for count in (1, 500):
            before = repository.processes
            files = {f"models/m{number}/model.yaml": str(number).encode() for number in range(count)}
            commit = repository.commit(files, parents=[started.head], message="many")
            assert repository.processes - before <= 3  # unpack-objects, commit-tree, and cat-file the first time
        assert sum(1 for _ in repository.tree(commit).entries(["models"])) == 500

    def test_the_first_commit_has_no_parents(self, repo: Repo) -> None:
        repository = repo.open()
        commit = repository.commit({"mlgit.yaml": b"x"}, parents=[], message="first")
        repository.move("HEAD", commit, expected=None, reason="start")
        assert repo.git("rev-list", "--count", "main") == "1"

    def test_a_commit_may_change_nothing(self, started: Repo) -> None:
        commit = started.open().commit({}, parents=[started.head], message="m")
        assert started.git("rev-parse", f"{commit}^{{tree}}") == started.git("rev-parse", "HEAD^{tree}")

    def test_all_files_may_go(self, repo: Repo) -> None:
        head = repo.write({"a/b": "1"}).commit("start")
        repository = repo.open()
        assert list(repository.tree(repository.commit({"a/b": None}, parents=[head], message="m")).entries()) == []

    @pytest.mark.parametrize(
        "files",
        [
            {"../out": b""},
            {"/etc/x": b""},
            {".git/config": b""},
            {"a/.GIT/x": b""},
            {"a//b": b""},
            {"": b""},
            {"a\0b": b""},
            {"\ud800": b""},
            {"a/b": b"a is a file"},
            {"b": b"b is a folder"},
            {"n": b"", "n/m": b""},
            {"n/m": b"", "n": b""},
        ],
    )
    def test_paths_that_cannot_be_are_refused(self, started: Repo, files: dict[str, bytes]) -> None:
        repository = started.open()
        found = refusal(lambda: repository.commit(files, parents=[started.head], message="m"))
        assert found.id == "path-invalid"

    def test_a_link_to_a_folder_is_not_written_through(self, started: Repo) -> None:
        (started.root / "link").symlink_to("b")
        started.commit("link")
        repository = started.open()
        assert (
            refusal(lambda: repository.commit({"link/c": b""}, parents=[started.head], message="m")).id
            == "path-invalid"
        )
        commit = repository.commit({"link": b"a file now"}, parents=[started.head], message="m")
        assert [entry.mode for entry in repository.tree(commit).entries(["link"])] == ["100644"]

    def test_without_an_identity(self, started: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
        Path(os.environ["HOME"], ".gitconfig").unlink()
        repository = started.open()
        before = state(started)
        for action in (lambda: repository.commit({"a": b""}, parents=[started.head], message="m"), repository.identity):
            found = refusal(action)
            assert found.id == "git-identity-missing"
            assert "git config --global user.name" in found.fix
        assert state(started) == before
        for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
            monkeypatch.setenv(name, "env@example.com")
        commit = repository.commit({"a": b""}, parents=[started.head], message="m")
        assert started.git("log", "-1", "--format=%an %ce", commit) == "env@example.com env@example.com"

    def test_identity(self, started: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
        assert started.open().identity() == ("Ada", "ada@example.com")
        monkeypatch.setenv("GIT_AUTHOR_NAME", "Grace <x")
        assert started.open().identity() == ("Grace x", "ada@example.com")

    def test_signs(self, started: Repo, tmp_path: Path) -> None:
        key = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        started.git("config", "gpg.format", "ssh")
        started.git("config", "user.signingkey", str(key))
        commit = started.open().commit({"a": b""}, parents=[started.head], message="m", sign=True)
        assert "-----BEGIN SSH SIGNATURE-----" in started.git("cat-file", "-p", commit)

    def test_cannot_sign_without_a_key(self, started: Repo) -> None:
        started.git("config", "gpg.format", "ssh")
        started.git("config", "user.signingkey", "/nowhere/key")
        repository = started.open()
        found = refusal(lambda: repository.commit({"a": b""}, parents=[started.head], message="m", sign=True))
        assert found.id == "signing-failed"

    def test_an_object_store_that_cannot_be_written(self, started: Repo) -> None:
        objects = started.root / ".git/objects"
        (objects / "ignored").mkdir()
        # Neither owner nor root can make a folder where there is a file: as good as a full disk.
        free = [f"{byte:02x}" for byte in range(256) if not (objects / f"{byte:02x}").exists()]
        for name in free:
            (objects / name).write_bytes(b"")
        before = state(started)
        repository = started.open()
        with pytest.raises(MlgitError) as raised:
            repository.commit({f"f{n}": str(n).encode() for n in range(50)}, parents=[started.head], message="m")
        assert raised.value.findings[0].id == "git-write-failed"
        assert raised.value.findings[0].why
        assert raised.value.exit is Exit.INCONCLUSIVE
        assert state(started) == before
        assert not list(objects.rglob("tmp_*"))

    def test_a_write_that_breaks_off_leaves_nothing(self, started: Repo) -> None:
        # A bound on the size of files stops Git in the middle of the large one, as a full disk would.
        program = (
            "import os, resource, sys\nfrom pathlib import Path\nfrom mlgit.edges.git.repository import open_repository\n"
            "from mlgit.errors import Inconclusive\nrepository = open_repository(Path(sys.argv[1]))\n"
            "head = repository.resolve('HEAD')\nresource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
            "files = {'small': b'1', 'large': os.urandom(200_000)}\n"
            "try:\n    repository.commit(files, parents=[head], message='m')\n"
            "except Inconclusive as error:\n    print(error.findings[0].id, bool(error.findings[0].why))\n"
        )
        before, objects = state(started), set((started.root / ".git/objects").rglob("*"))
        child = subprocess.run(
            [sys.executable, "-c", program, str(started.root)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert child.stdout == "git-write-failed True\n"
        assert set((started.root / ".git/objects").rglob("*")) == objects
        assert state(started) == before

    def test_what_is_there_already_is_not_written_again(self, started: Repo) -> None:
        repository, head = started.open(), started.head
        first = repository.commit({"a": b"again"}, parents=[head], message="m")
        objects = {path: path.stat().st_ino for path in (started.root / ".git/objects").rglob("*")}
        assert repository.commit({"a": b"again"}, parents=[head], message="m") == first
        assert {path: path.stat().st_ino for path in objects} == objects
        assert set((started.root / ".git/objects").rglob("*")) == set(objects)


class TestMove:
    def test_moves_only_what_is_where_it_was_expected(self, started: Repo) -> None:
        repository = started.open()
        first, second = started.head, repository.commit({"a": b"2"}, parents=[started.head], message="m")
        ref = "refs/heads/mlgit-ledger"
        repository.move(ref, first, expected=None, reason="start")
        assert refusal(lambda: repository.move(ref, second, expected=None, reason="again")).id == "ref-update-conflict"
        assert refusal(lambda: repository.move(ref, second, expected=second, reason="x")).id == "ref-update-conflict"
        assert (
            refusal(lambda: repository.move("refs/heads/no", second, expected=first, reason="x")).id
            == "ref-update-conflict"
        )
        repository.move(ref, second, expected=first, reason="on\nwards")
        assert repository.resolve(ref) == second
        assert "onwards" not in started.git("reflog", ref)
        assert "on wards" in started.git("reflog", ref)
        assert refusal(lambda: repository.delete_ref(ref, expected=first)).id == "ref-update-conflict"
        repository.delete_ref(ref, expected=second)
        assert repository.resolve(ref) is None

    def test_head_moves_its_branch(self, started: Repo) -> None:
        repository = started.open()
        old = started.head
        new = repository.commit({"a": b"2"}, parents=[old], message="m")
        repository.move("HEAD", new, expected=old, reason="r")
        assert started.git("symbolic-ref", "HEAD") == "refs/heads/main"
        assert repository.resolve("main") == new

    def test_one_of_many_at_once_wins(self, started: Repo) -> None:
        repositories = [started.open() for _ in range(4)]
        base = started.head
        commits = [
            repository.commit({"who": str(number).encode()}, parents=[base], message=f"{number}")
            for number, repository in enumerate(repositories)
        ]

        def move(number: int) -> str:
            try:
                repositories[number].move("refs/heads/main", commits[number], expected=base, reason="race")
            except MlgitError as error:
                return error.findings[0].id
            return "won"

        with ThreadPoolExecutor(4) as pool:
            won = list(pool.map(move, range(4)))
        assert sorted(won) == ["ref-update-conflict", "ref-update-conflict", "ref-update-conflict", "won"]
        assert started.head == commits[won.index("won")]

    def test_a_lock_is_named_and_left(self, started: Repo) -> None:
        lock = started.root / ".git/refs/heads/main.lock"
        lock.write_bytes(b"")
        repository, head = started.open(), started.head
        found = refusal(lambda: repository.move("refs/heads/main", head, expected=head, reason="r"))
        assert found.id == "git-locked"
        assert str(lock) in found.why
        assert lock.exists()

    def test_names_that_exclude_each_other(self, started: Repo) -> None:
        repository, head = started.open(), started.head
        found = refusal(lambda: repository.move("refs/heads/main/x", head, expected=None, reason="r"))
        assert (found.id, found.fix) == ("ref-name-conflict", "rename or delete refs/heads/main")

    @pytest.mark.parametrize("ref", ["main", "-d", "--stdin", ""])
    def test_short_names_are_refused(self, started: Repo, ref: str) -> None:
        repository, head = started.open(), started.head
        assert refusal(lambda: repository.move(ref, head, expected=None, reason="r")).id == "ref-name-invalid"

    def test_killed_between_commit_and_move(self, started: Repo) -> None:
        program = (
            "import os, signal, sys\nfrom pathlib import Path\nfrom mlgit.edges.git.repository import open_repository\n"
            "repository = open_repository(Path(sys.argv[1]))\nhead = repository.resolve('HEAD')\n"
            "repository.commit({'a': b'2'}, parents=[head], message='m')\nos.kill(os.getpid(), signal.SIGKILL)\n"
        )
        before = state(started)
        child = subprocess.run(
            [sys.executable, "-c", program, str(started.root)],
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert child.returncode == -signal.SIGKILL
        assert state(started) == before
        assert "missing" not in started.git("fsck", "--strict")
        repository, head = started.open(), started.head
        commit = repository.commit({"a": b"2"}, parents=[head], message="m")
        repository.move("HEAD", commit, expected=head, reason="again")
        assert started.head == commit


class TestMerge:
    def test_merges_without_a_checkout(self, started: Repo) -> None:
        repository, base = started.open(), started.head
        ours = repository.commit({"a": b"ours"}, parents=[base], message="ours")
        theirs = repository.commit({"b/c": b"theirs"}, parents=[base], message="theirs")
        before = state(started)
        tree = repository.merge_tree(ours, theirs)
        assert tree is not None
        commit = repository.commit_tree(tree, parents=[ours, theirs], message="Merge")
        assert repository.tree(commit).read("a") == b"ours"
        assert repository.tree(commit).read("b/c") == b"theirs"
        assert started.git("log", "-1", "--format=%P", commit) == f"{ours} {theirs}"
        assert state(started) == before

    def test_a_conflict_has_no_tree(self, started: Repo) -> None:
        repository, base = started.open(), started.head
        ours = repository.commit({"a": b"ours\n"}, parents=[base], message="ours")
        theirs = repository.commit({"a": b"theirs\n"}, parents=[base], message="theirs")
        assert repository.merge_tree(ours, theirs) is None


class TestCheckout:
    @pytest.fixture
    def ahead(self, started: Repo) -> str:
        """A commit ahead of the one checked out."""
        return started.open().commit({"a": b"2", "b/c": None, "new": b"n"}, parents=[started.head], message="ahead")

    def test_advances_and_keeps_what_is_not_in_the_way(self, started: Repo, ahead: str) -> None:
        repository, old = started.open(), started.head
        started.write({"b.txt": "mine", "untracked": "mine", "staged": "mine"}).git("add", "staged")
        os.utime(started.root / "a", (1, 1))  # touched, not changed
        assert repository.checked_out_branch() == "main"
        repository.advance_checkout(old, ahead)
        repository.move("refs/heads/main", ahead, expected=old, reason="merge")
        assert (started.root / "a").read_text() == "2"
        assert (started.root / "new").read_text() == "n"
        assert not (started.root / "b/c").exists()
        assert started.git("status", "--short").split("\n") == ["M b.txt", "A  staged", "?? untracked"]

    @pytest.mark.parametrize(("path", "staged"), [("a", False), ("a", True), ("new", False), ("b/c", False)])
    def test_refuses_to_overwrite(self, started: Repo, ahead: str, path: str, staged: bool) -> None:
        started.write({path: "mine", "elsewhere": "mine"})
        if staged:
            started.git("add", path)
        before = state(started)
        repository, old = started.open(), started.head
        found = refusal(lambda: repository.advance_checkout(old, ahead))
        assert (found.id, found.why) == ("work-tree-dirty", f"changed and not committed: {path}")
        assert state(started)["files"] == before["files"]
        assert state(started)["status"] == before["status"]

    def test_from_nothing(self, repo: Repo) -> None:
        repository = repo.open()
        commit = repository.commit({"a/b": b"1"}, parents=[], message="first")
        repository.advance_checkout(None, commit)
        repository.move("HEAD", commit, expected=None, reason="first")
        assert repo.git("status", "--short") == ""
        assert (repo.root / "a/b").read_text() == "1"

    def test_a_lock_on_the_index(self, started: Repo, ahead: str) -> None:
        (started.root / ".git/index.lock").write_bytes(b"")
        repository, old = started.open(), started.head
        assert refusal(lambda: repository.advance_checkout(old, ahead)).id == "git-locked"
        assert refusal(lambda: repository.stage(["a"])).id == "git-locked"

    def test_stages_only_these_paths(self, started: Repo) -> None:
        repository, old = started.open(), started.head
        started.write({"mine": "m", "a": "2", "n/v": "3", "b.txt": "edited"}).remove("b/c")
        started.git("add", "mine")
        new = repository.commit({"a": b"2", "n/v": b"3", "b/c": None}, parents=[old], message="m")
        repository.move("HEAD", new, expected=old, reason="r")
        repository.stage(["a", "n/v", "b/c", "never"])
        assert started.git("status", "--short").split("\n") == ["M b.txt", "A  mine"]

    def test_dirty(self, started: Repo) -> None:
        repository = started.open()
        assert repository.dirty() == []
        started.write(
            {".gitignore": "*.tmp\n", "x.tmp": "", "b/new file": "", "b/d/e": "changed", "staged": "s"}
        ).remove("a")
        started.git("add", "staged")
        started.git("mv", "b.txt", "moved.txt")
        assert repository.dirty() == [".gitignore", "a", "b.txt", "b/d/e", "b/new file", "moved.txt", "staged"]
        assert repository.dirty(["b/", "a", "nowhere"]) == ["a", "b/d/e", "b/new file"]
        assert repository.dirty([f"p{number}" for number in range(1000)] + ["b/d"]) == ["b/d/e"]
        assert repository.dirty(["b*"]) == []

    def test_dirty_in_a_conflict(self, started: Repo) -> None:
        started.git("checkout", "--quiet", "-b", "side")
        started.write({"a": "side"}).commit("side")
        started.git("checkout", "--quiet", "main")
        started.write({"a": "main"}).commit("main")
        subprocess.run(["git", "merge", "--quiet", "side"], cwd=started.root, check=False, capture_output=True)
        assert started.open().dirty() == ["a"]
        assert [(change.path, change.status) for change in started.open().changes("HEAD", None)] == [("a", "M")]
        assert [entry.path for entry in started.open().work_tree().entries(["a"])] == ["a"]


class TestRemotes:
    @pytest.fixture
    def origin(self, started: Repo, make_repo: MakeRepo) -> Repo:
        bare = make_repo("origin.git", "--bare")
        started.git("remote", "add", "origin", str(bare.root))
        started.git("push", "--quiet", "origin", "main")
        return bare

    def test_settings(self, started: Repo, origin: Repo) -> None:
        started.git("config", "Branch.Main.Merge", "x")
        started.git("config", "--add", "mlgit.two", "1")
        started.git("config", "--add", "mlgit.two", "2")
        repository = started.open()
        assert repository.remotes() == ["origin"]
        assert repository.config("user.name") == repository.config("USER.Name") == "Ada"
        assert repository.config("remote.origin.url") == str(origin.root)
        assert (repository.config("branch.Main.merge"), repository.config("branch.main.merge")) == ("x", None)
        assert (repository.config("mlgit.two"), repository.config("no.such")) == ("2", None)

    def test_pushes_and_fetches(self, started: Repo, origin: Repo) -> None:
        repository = started.open()
        ref = "refs/heads/mlgit-ledger"
        commit = repository.commit({"x": b""}, parents=[], message="ledger")
        repository.move(ref, commit, expected=None, reason="r")
        repository.push("origin", [f"{ref}:{ref}"])
        assert origin.git("rev-parse", ref) == commit
        repository.delete_ref(ref, expected=commit)
        repository.fetch("origin", [f"+{ref}:refs/remotes/origin/mlgit-ledger"])
        assert repository.resolve("origin/mlgit-ledger") == commit

    def test_a_push_that_others_overtook(self, started: Repo, origin: Repo) -> None:
        repository, base = started.open(), started.head
        ours, theirs = (repository.commit({"w": w}, parents=[base], message="m") for w in (b"o", b"t"))
        origin.git("fetch", "--quiet", str(started.root), f"{base}:refs/heads/x")
        started.git("push", "--quiet", "origin", f"{theirs}:refs/heads/main")
        found = refusal(lambda: repository.push("origin", [f"{ours}:refs/heads/main"]))
        assert found.id == "push-rejected"
        assert "rejected" in found.why
        lease = {"refs/heads/main": base}
        found = refusal(lambda: repository.push("origin", [f"{ours}:refs/heads/main"], force_with_lease=lease))
        assert "stale info" in found.why
        repository.push("origin", [f"{ours}:refs/heads/main"], force_with_lease={"refs/heads/main": theirs})
        assert origin.git("rev-parse", "main") == ours
        none = {"refs/heads/main": None}
        assert (
            refusal(lambda: repository.push("origin", [f"{theirs}:refs/heads/main"], force_with_lease=none)).id
            == "push-rejected"
        )

    def test_a_hook_of_the_remote_says_why(self, started: Repo, origin: Repo) -> None:
        hook = origin.root / "hooks/pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
        repository = started.open()
        commit = repository.commit({"a": b"2"}, parents=[started.head], message="m")
        found = refusal(lambda: repository.push("origin", [f"{commit}:refs/heads/main"]))
        assert found.id == "push-rejected"
        assert "main is protected" in found.why

    def test_a_remote_that_is_not_there(self, started: Repo) -> None:
        started.git("remote", "add", "origin", "/nowhere/at/all")
        repository = started.open()
        for action in (repository.push, repository.fetch):
            with pytest.raises(MlgitError) as raised:
                action("origin", ["main"])
            assert raised.value.findings[0].id == "git-remote-unreachable"
            assert raised.value.exit is Exit.INCONCLUSIVE

    def test_refs_that_are_not_there(self, started: Repo, origin: Repo) -> None:
        repository = started.open()
        assert refusal(lambda: repository.fetch("origin", ["refs/heads/no"])).id == "git-remote-ref-unknown"
        assert refusal(lambda: repository.push("origin", ["no:no"])).id == "git-failed"

    @pytest.mark.parametrize("remote", ["--upload-pack=touch pwned", "ext::sh -c 'touch pwned'"])
    def test_a_remote_is_no_option_and_no_command(self, started: Repo, remote: str) -> None:
        repository = started.open()
        for action in (repository.push, repository.fetch):
            with pytest.raises(MlgitError):
                action(remote, ["main"])
        assert not (started.root / "pwned").exists()
