"""Reading repositories: trees, revisions, history, and how many processes it takes."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlgit.edges.git.repository import GitRepository
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel.ports.git import PathChange, TreeEntry
from tests.flows.conftest import START, Repo

FILES: dict[str, bytes | str] = {
    "mlgit.yaml": "kind: project\n",
    "models/churn/model.yaml": "kind: model\n",
    "models/churn/versions/v1/version.json": "{}\n",
    "models/churn/versions/v10/version.json": "{}\n",
    "models/churn.md": "sorts before the folder\n",
    "odd/tab\there": "tab\n",
    "odd/line\nend": "newline\n",
    "odd/ü [x]*?": "glob\n",
    "odd/quote\"'\\": b"\0\xff",
    "empty": b"",
}


@pytest.fixture
def filled(repo: Repo) -> Repo:
    repo.write(FILES).commit("all kinds of names")
    return repo


class TestTree:
    def test_names_are_sorted_and_folders_end_in_a_slash(self, filled: Repo) -> None:
        tree = filled.open().tree("HEAD")
        assert tree.names() == ["empty", "mlgit.yaml", "models/", "odd/"]
        assert tree.names_of(["/models", "/", "models/", "a//b"]) == [[], [], [], []]
        assert filled.open().work_tree().names_of(["/models", "/", "models/", "a//b"]) == [[], [], [], []]
        assert tree.names_of(["models", "models/churn/versions", "nowhere", "empty", "models/churn"]) == [
            ["churn.md", "churn/"],
            ["v1/", "v10/"],
            [],
            [],
            ["model.yaml", "versions/"],
        ]

    def test_reads_every_file(self, filled: Repo) -> None:
        tree = filled.open().tree("main")
        wanted = {path: content.encode() if isinstance(content, str) else content for path, content in FILES.items()}
        assert dict(tree.read_many(wanted)) == wanted
        assert [entry.path for entry in tree.entries()] == sorted(wanted)

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "/",
            "models",
            "models/",
            "/mlgit.yaml",
            "./mlgit.yaml",
            "models/../mlgit.yaml",
            "nope",
            "mlgit.yaml/x",
            "\ud800",
            "a\0b",
        ],
    )
    def test_what_is_no_file_is_none(self, filled: Repo, path: str) -> None:
        repository = filled.open()
        assert repository.tree("HEAD").read(path) is None
        assert repository.work_tree().read(path) is None

    def test_entries_below_folders_and_at_paths(self, filled: Repo) -> None:
        repository = filled.open()
        for tree in (repository.tree("HEAD"), repository.work_tree()):
            under = ["models/churn/versions/", "odd/ü [x]*?", "nowhere", "mlgit.yam", "odd/*"]
            assert [entry.path for entry in tree.entries(under)] == [
                "models/churn/versions/v1/version.json",
                "models/churn/versions/v10/version.json",
                "odd/ü [x]*?",
            ]

    def test_entries_have_mode_and_blob(self, filled: Repo) -> None:
        filled.write({"run": "#!/bin/sh\n"})
        (filled.root / "run").chmod(0o755)
        filled.commit("a program")
        repository = filled.open()
        blob = filled.git("rev-parse", "HEAD:run")
        assert list(repository.tree("HEAD").entries(["run"])) == [TreeEntry("run", "100755", blob)]
        assert list(repository.work_tree().entries(["run"])) == [TreeEntry("run", "100755")]

    def test_reads_may_be_interleaved_and_left(self, filled: Repo) -> None:
        tree = filled.open().tree("HEAD")
        reading = tree.read_many(["mlgit.yaml", "models/churn/model.yaml", "empty"])
        assert next(reading) == ("mlgit.yaml", b"kind: project\n")
        assert tree.read("models/churn.md") == b"sorts before the folder\n"
        assert next(reading) == ("models/churn/model.yaml", b"kind: model\n")
        del reading
        assert tree.read("odd/tab\there") == b"tab\n"

    def test_large_content_comes_whole(self, repo: Repo) -> None:
        content = {f"f{number}": os.urandom(1) * 300_000 for number in range(50)}
        repo.write(content).commit("large")
        assert dict(repo.open().tree("HEAD").read_many(content)) == content

    def test_a_missing_object_cannot_be_judged(self, filled: Repo) -> None:
        blob = filled.git("rev-parse", "HEAD:mlgit.yaml")
        (filled.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
        repository = filled.open()
        with pytest.raises(Inconclusive, match=blob) as refusal:
            repository.tree("HEAD").read("mlgit.yaml")
        assert refusal.value.findings[0].id == "git-object-missing"
        assert repository.tree("HEAD").read("empty") == b""

    def test_a_damaged_object_cannot_be_judged(self, filled: Repo) -> None:
        blob = filled.git("rev-parse", "HEAD:mlgit.yaml")
        place = filled.root / ".git/objects" / blob[:2] / blob[2:]
        place.chmod(0o644)
        place.write_bytes(b"not an object")
        with pytest.raises(Inconclusive) as refusal:
            filled.open().tree("HEAD").read("mlgit.yaml")
        assert refusal.value.findings[0].id == "git-object-missing"


class TestLinks:
    """Nothing that a repository holds leads out of it."""

    @pytest.fixture
    def linked(self, repo: Repo, tmp_path: Path) -> GitRepository:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/secret.yaml").write_text("secret")
        repo.write({"real/a.yaml": "a"})
        (repo.root / "link.yaml").symlink_to("real/a.yaml")
        (repo.root / "away").symlink_to(tmp_path / "outside")
        (repo.root / "real/up").symlink_to("..")
        repo.commit("links")
        return repo.open()

    @pytest.mark.parametrize("path", ["link.yaml", "away/secret.yaml", "away", "real/up/real/a.yaml", ".git/config"])
    def test_links_are_not_followed(self, linked: GitRepository, path: str) -> None:
        for tree in (linked.tree("HEAD"), linked.work_tree()):
            assert tree.read(path) is None
            assert tree.read("real/a.yaml") == b"a"

    def test_links_are_listed_as_links(self, linked: GitRepository) -> None:
        for tree in (linked.tree("HEAD"), linked.work_tree()):
            assert tree.names() == ["away", "link.yaml", "real/"]
            assert tree.names_of(["away", "real/up", ".git"]) == [[], [], []]
            assert [(entry.path, entry.mode) for entry in tree.entries()] == [
                ("away", "120000"),
                ("link.yaml", "120000"),
                ("real/a.yaml", "100644"),
                ("real/up", "120000"),
            ]

    def test_a_folder_that_became_a_link_hides_its_files(self, repo: Repo, tmp_path: Path) -> None:
        repo.write({"data/a.yaml": "a"}).commit("data")
        (repo.root / "data").rename(tmp_path / "elsewhere")
        (repo.root / "data").symlink_to(tmp_path / "elsewhere")
        tree = repo.open().work_tree()
        assert tree.read("data/a.yaml") is None
        assert [entry.path for entry in tree.entries()] == ["data"]

    def test_a_replace_ref_changes_nothing(self, repo: Repo) -> None:
        repo.write({"a": "true"}).commit("one")
        forged = repo.git("hash-object", "-w", "--stdin", input="forged")
        repo.git("replace", repo.git("rev-parse", "HEAD:a"), forged)
        assert repo.open().tree("HEAD").read("a") == b"true"


class TestWorkTree:
    def test_lists_what_git_would_add(self, repo: Repo) -> None:
        repo.write({".gitignore": "*.tmp\n", "kept": "1", "deleted": "2"}).commit("start")
        repo.write({"new": "3", "junk.tmp": "4"}).remove("deleted")
        tree = repo.open().work_tree()
        assert [entry.path for entry in tree.entries()] == [".gitignore", "kept", "new"]
        assert tree.commit is None

    @pytest.mark.parametrize(
        ("path", "stored"), [("a.yaml", b"x\ny\r"), ("a.md", b"x\ny\r"), ("a.json", b"x\ny\r"), ("a.bin", b"x\r\ny\r")]
    )
    def test_text_has_the_line_ends_that_git_stores(self, repo: Repo, path: str, stored: bytes) -> None:
        repo.write({path: b"x\r\ny\r"})
        assert repo.open().work_tree().read(path) == stored

    def test_what_is_no_regular_file_is_not_waited_for(self, repo: Repo) -> None:
        os.mkfifo(repo.root / "pipe.yaml")
        tree = repo.open().work_tree()
        assert tree.read("pipe.yaml") is None
        assert tree.names() == []


class TestResolve:
    @pytest.fixture
    def days(self, repo: Repo) -> list[str]:
        """One commit a day at noon, from START on."""
        made = []
        for day in range(3):
            made.append(repo.write({"day": str(day)}).commit(f"day {day}"))
            repo.wait(timedelta(days=1, minutes=-1))
        repo.git("tag", "-a", "-m", "signed off", "v1", made[0])
        repo.git("branch", "mlgit/promote/production/churn", made[1])
        return made

    @pytest.mark.parametrize(
        ("revision", "day"),
        [
            ("HEAD", 2),
            ("main", 2),
            ("refs/heads/main", 2),
            ("HEAD~2", 0),
            ("v1", 0),
            ("mlgit/promote/production/churn", 1),
            ("2026-03-01", 0),
            ("2026-03-02", 1),
            ("2026-03-02T11:59:59Z", 0),
            ("2026-03-02T12:00:00Z", 1),
            ("2026-03-02T13:00+01:00", 1),
            ("2026-03-02T12:59:59+01:00", 0),
            ("2026-03-02 12:00", 1),
            ("2030-01-01", 2),
            ("2026-02-28", None),
            ("2026-02-30", None),
            ("HEAD~3", None),
            ("nobody", None),
            ("", None),
            ("-h", None),
            ("--all", None),
            ("HEAD:day", None),
            (":/day", None),
            ("HEAD~1..HEAD", None),
            ("HEAD\nHEAD", None),
            ("0" * 40, None),
        ],
    )
    def test_revisions(self, repo: Repo, days: list[str], revision: str, day: int | None) -> None:
        repository = repo.open()
        time = repository.revision_time(revision)
        found = repository.resolve(revision) if time is None else repository.last_commit_by("HEAD", time)
        assert found == (None if day is None else days[day])

    def test_ids_whole_and_short(self, repo: Repo, days: list[str]) -> None:
        repository = repo.open()
        assert repository.resolve(days[1]) == repository.resolve(days[1][:12]) == days[1]
        assert repository.resolve(repo.git("rev-parse", "HEAD:day")) is None

    def test_a_date_follows_first_parents(self, repo: Repo, days: list[str]) -> None:
        repo.git("checkout", "--quiet", "-b", "side", days[1])
        side = repo.write({"side": "1"}).commit("side")
        repo.wait(timedelta(days=10))
        repo.git("checkout", "--quiet", "main")
        repo.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
        repository = repo.open()
        time = repository.revision_time("2026-03-05")
        assert time is not None
        assert repository.last_commit_by("HEAD", time) == days[2] != side

    def test_times(self, repo: Repo, days: list[str]) -> None:
        repository = repo.open()
        assert repository.commit_time(days[1]) == START + timedelta(days=1)
        assert repository.last_commit_by(days[1], datetime(2027, 1, 1, tzinfo=UTC)) == days[1]
        assert repository.last_commit_by(days[1], START) == days[0]
        assert repository.last_commit_by(days[1], START - timedelta(seconds=1)) is None

    def test_an_unknown_revision_is_refused(self, repo: Repo, days: list[str]) -> None:
        repository = repo.open()
        for revision in ("nobody", "0" * 40):
            with pytest.raises(MlgitError) as refusal:
                repository.tree(revision).names()
            assert refusal.value.findings[0].id == "revision-unknown"

    def test_refs(self, repo: Repo, days: list[str]) -> None:
        repository = repo.open()
        assert repository.refs("refs/heads/") == ["refs/heads/main", "refs/heads/mlgit/promote/production/churn"]
        assert repository.refs("refs/heads/mlgit/") == ["refs/heads/mlgit/promote/production/churn"]
        assert repository.refs("refs/notes/") == []


class TestHistory:
    @pytest.fixture
    def merged(self, repo: Repo) -> dict[str, str]:
        made = {"first": repo.write({"a": "1", "b": "1"}).commit("first")}
        repo.git("checkout", "--quiet", "-b", "side")
        made["side"] = repo.write({"side": "s"}).commit(":100644 looks like a change")
        repo.git("checkout", "--quiet", "main")
        made["second"] = repo.write({"a": "2"}).remove("b").commit("second")
        made["empty"] = repo.commit("empty")
        repo.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
        made["merge"] = repo.head
        return made

    def test_merges_are_shown_against_their_first_parent(self, repo: Repo, merged: dict[str, str]) -> None:
        seen = [
            (commit.id, [(change.status, change.path) for change in changes])
            for commit, changes in repo.open().commits("HEAD")
        ]
        assert seen == [
            (merged["merge"], [("A", "side")]),
            (merged["empty"], []),
            (merged["second"], [("M", "a"), ("D", "b")]),
            (merged["first"], [("A", "a"), ("A", "b")]),
        ]

    def test_a_commit_says_who_and_when(self, repo: Repo, merged: dict[str, str]) -> None:
        commit, _ = next(iter(repo.open().commits(merged["merge"])))
        assert commit.parents == (merged["empty"], merged["side"])
        assert (commit.author, commit.author_email, commit.committer_email) == (
            "Ada",
            "ada@example.com",
            "ada@example.com",
        )
        assert (commit.subject, commit.at) == ("merge", START + timedelta(minutes=4))

    def test_paths_ranges_and_side_branches(self, repo: Repo, merged: dict[str, str]) -> None:
        repository = repo.open()

        def subjects(revision: str, **options: object) -> list[str]:
            return [commit.subject for commit, _ in repository.commits(revision, **options)]  # type: ignore[arg-type]

        assert subjects("main", paths=["side"]) == ["merge"]
        assert subjects("main", paths=["a"]) == ["second", "first"]
        assert subjects("main", paths=["*"]) == []
        assert subjects(f"{merged['second']}..main") == ["merge", "empty"]
        assert subjects(f"{merged['empty']}..main", first_parent=False) == ["merge", ":100644 looks like a change"]
        assert subjects("side..side") == []

    def test_settings_of_the_person_change_nothing(self, repo: Repo, merged: dict[str, str]) -> None:
        before = list(repo.open().commits("HEAD"))
        for setting in (
            "log.showRoot=false",
            "log.showSignature=true",
            "diff.renames=copies",
            "log.decorate=full",
            "log.follow=true",
            "diff.noprefix=true",
            "core.abbrev=4",
            "diff.external=false",
            "color.ui=always",
        ):
            repo.git("config", *setting.split("="))
        repository = repo.open()
        assert list(repository.commits("HEAD")) == before
        assert next(iter(repository.commits("HEAD", paths=["a"])))[0].subject == "second"

    def test_strange_commits(self, repo: Repo) -> None:
        tree = repo.git("mktree", input="")
        raw = f"tree {tree}\nauthor \xff <> 99999999999999 +0000\ncommitter B <b@x> 99999999999999 +0000\n\n"
        name = repo.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", input=raw)
        ((commit, changes),) = repo.open().commits(name)
        assert (commit.author_email, commit.subject, changes) == ("", "", [])

    def test_changes_between_commits(self, repo: Repo, merged: dict[str, str]) -> None:
        old, new = repo.git("rev-parse", "HEAD~3:a"), repo.git("rev-parse", "HEAD:a")
        side, gone = repo.git("rev-parse", "HEAD:side"), repo.git("rev-parse", "HEAD~3:b")
        assert repo.open().changes("HEAD~3", "HEAD") == [
            PathChange("a", "M", old, new),
            PathChange("b", "D", gone, None),
            PathChange("side", "A", None, side),
        ]

    def test_a_file_that_becomes_a_link_changes_type(self, repo: Repo, merged: dict[str, str]) -> None:
        repo.remove("a")
        (repo.root / "a").symlink_to("b")
        repo.commit("link")
        assert [(change.path, change.status) for change in repo.open().changes("HEAD~1", "HEAD")] == [("a", "T")]

    def test_changes_on_disk(self, repo: Repo, merged: dict[str, str]) -> None:
        repo.write({".gitignore": "*.tmp\n", "a": "3", "new/file": "n", "x.tmp": ""}).remove("side")
        os.utime(repo.root / ".gitignore", (1, 1))
        repo.git("add", ".gitignore")
        os.utime(repo.root / ".gitignore", (2, 2))  # touched, not changed
        found = repo.open().changes("HEAD", None)
        assert [(change.status, change.path) for change in found] == [
            ("A", ".gitignore"),
            ("M", "a"),
            ("A", "new/file"),
            ("D", "side"),
        ]
        repo.git("add", "--all")
        repo.git("commit", "--quiet", "-m", "all")
        os.utime(repo.root / "a", (3, 3))
        assert repo.open().changes("HEAD", None) == []

    def test_a_file_that_only_the_index_lost_is_modified(self, repo: Repo, merged: dict[str, str]) -> None:
        repo.git("rm", "--quiet", "--cached", "a")
        assert [(change.status, change.path) for change in repo.open().changes("HEAD", None)] == [("M", "a")]

    def test_ancestry(self, repo: Repo, merged: dict[str, str]) -> None:
        repository = repo.open()
        assert repository.merge_base(merged["second"], "side") == merged["first"]
        repo.git("checkout", "--quiet", "--orphan", "island")
        island = repo.commit("island")
        assert repository.merge_base("main", island) is None


@pytest.mark.parametrize("versions", [3, 300])
def test_the_number_of_processes_does_not_depend_on_the_number_of_versions(repo: Repo, versions: int) -> None:
    places = [f"models/m{number % 7}/versions/v{number}" for number in range(versions)]
    repo.write({f"{place}/version.json": f'"{place}"' for place in places}).commit("versions")
    repository = repo.open()
    tree = repository.tree("HEAD")
    assert all(names == ["version.json"] for names in tree.names_of(places))
    assert (
        sum(content is not None for _, content in tree.read_many(f"{place}/version.json" for place in places))
        == versions
    )
    assert repository.processes == 2
    assert sum(1 for _ in tree.entries()) == versions
    assert sum(len(changes) for _, changes in repository.commits("HEAD")) == versions
    assert repository.processes == 4
