"""What goes through GitPython has the guards of every other Git command, and its errors are findings."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import git
import pytest

from mlgit.cli.main import run
from mlgit.cli.session import Session
from mlgit.edges.git import command, gitpython, remotes
from mlgit.edges.git.command import Git
from mlgit.edges.git.repository import open_repository
from mlgit.errors import Finding, Inconclusive, MlgitError
from tests.flows.conftest import MakeRepo, Repo
from tests.flows.people import Team

REF = "refs/heads/topic"


@pytest.fixture
def team(repo: Repo, make_repo: MakeRepo) -> Repo:
    """A repository with a commit and an empty bare `origin`."""
    repo.write({"a": "1"}).commit("one")
    repo.git("remote", "add", "origin", str(make_repo("origin.git", "--bare").root))
    return repo


class Shown:
    """Collects progress as a terminal would show it."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.lines: list[str] = []
        self.closed = 0

    @contextmanager
    def __call__(self, what: str) -> Iterator[Callable[[str], None]]:
        self.titles.append(what)
        try:
            yield self.lines.append
        finally:
            self.closed += 1


def finding(action: Callable[[], object]) -> Finding:
    with pytest.raises(MlgitError) as raised:
        action()
    return raised.value.findings[0]


def refuse(team: Repo, script: str) -> None:
    hook = team.root.parent / "origin.git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\nexit 1\n")
    hook.chmod(0o755)


def has_ended(pid: int, *, within: float) -> bool:
    """Tell whether a process ends within some seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within)[0])
    finally:
        os.close(handle)


class TestGuards:
    @pytest.fixture
    def calls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple[list[str], set[str]]]]:
        """Let every Git say how it was called; return the calls so far: words, and variables with their values."""
        real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / "bin").mkdir()
        spy = tmp_path / "bin/git"
        spy.write_text(
            f"#!{sys.executable}\nimport json, os, sys\n"
            f"with open({str(tmp_path / 'calls')!r}, 'a') as file:\n"
            "    file.write(json.dumps([sys.argv[1:], dict(os.environ)]) + '\\n')\n"
            f"os.execv({real!r}, ['git', *sys.argv[1:]])\n"
        )
        spy.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)

        def calls() -> list[tuple[list[str], set[str]]]:
            lines = (tmp_path / "calls").read_text().splitlines()
            return [(words, {f"{k}={v}" for k, v in env.items()}) for words, env in map(json.loads, lines)]

        return calls

    def guarded(self, call: tuple[list[str], set[str]], words: list[str]) -> bool:
        """Tell whether a call begins with the same words as one of `command.Git`, in the same environment."""
        argv, env = Git(Path())._call((), write=True)
        expected = argv[1:] + words
        return call[0][: len(expected)] == expected and {f"{k}={env[k]}" for k in command.ENVIRONMENT} <= call[1]

    def test_push_and_fetch(self, team: Repo, calls: Callable[[], list[tuple[list[str], set[str]]]]) -> None:
        repository = team.open()
        where = [f"--git-dir={team.root}/.git", f"--work-tree={team.root}"]
        repository.push("origin", [f"main:{REF}"], force_with_lease={REF: None})
        repository.fetch("origin", [f"+{REF}:refs/remotes/origin/topic"])
        ours = [call for call in calls() if call[0][-1] == f"main:{REF}" or "fetch" in call[0]]
        assert len(ours) == 2
        assert self.guarded(ours[0], [*where, "push"])
        assert self.guarded(ours[1], [*where, "fetch"])
        assert set(ours[0][0]) >= {"--porcelain", "--no-recurse-submodules", f"--force-with-lease={REF}:", "--"}
        assert set(ours[1][0]) >= {"--quiet", "--no-recurse-submodules", "--no-write-fetch-head", "--"}
        assert ours[0][0].index("--") == len(ours[0][0]) - 3  # only remote and refspecs come after it
        assert not {"--progress", "-v"} & {word for words, _ in ours for word in words}

    def test_init(self, tmp_path: Path, calls: Callable[[], list[tuple[list[str], set[str]]]]) -> None:
        (tmp_path / "new").mkdir()
        gitpython.init(tmp_path / "new", "trunk")
        (call,) = [call for call in calls() if "init" in call[0]]
        assert self.guarded(call, ["init"])
        assert (tmp_path / "new/.git/HEAD").read_text() == "ref: refs/heads/trunk\n"

    def test_a_scratch_repository_stays_one(
        self, team: Repo, calls: Callable[[], list[tuple[list[str], set[str]]]]
    ) -> None:
        with team.open().scratch() as scratch:
            scratch.push("origin", [f"main:{REF}"])
        (call,) = [call for call in calls() if call[0][-1] == f"main:{REF}"]
        assert "GIT_AUTHOR_EMAIL=mlgit@scratch.invalid" in call[1]

    def test_another_program_is_not_taken_for_git(self, team: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(git.Git, "GIT_PYTHON_GIT_EXECUTABLE", "/nowhere/git")
        team.open().push("origin", [f"main:{REF}"])

    def test_fetch_leaves_fetch_head_to_the_person(self, team: Repo) -> None:
        repository = team.open()
        repository.push("origin", [f"main:{REF}"])
        (team.root / ".git/FETCH_HEAD").write_text("mine")
        repository.fetch("origin", [f"+{REF}:refs/remotes/origin/topic"])
        assert (team.root / ".git/FETCH_HEAD").read_text() == "mine"

    @pytest.mark.parametrize("address", ["ext::sh -c 'touch pwned'", "fd::17"])
    def test_an_address_that_runs_a_program_starts_no_git(self, team: Repo, address: str) -> None:
        repository = team.open()
        for action in (repository.push, repository.fetch):
            refusal = finding(lambda: action(address, ["main"]))  # noqa: B023 - called at once
            assert refusal.id == "git-failed"
            assert address.partition("::")[0] in refusal.why

    def test_hooks_of_the_person_run_on_a_push(self, team: Repo) -> None:
        hook = team.root / ".git/hooks/pre-push"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho 'not from here' >&2\nexit 1\n")
        hook.chmod(0o755)
        refusal = finding(lambda: team.open().push("origin", [f"main:{REF}"]))
        assert (refusal.id, "not from here" in refusal.why) == ("git-failed", True)


class TestTimeouts:
    def test_a_remote_that_never_answers(self, team: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Git is stopped, and so is the program that it waits for."""
        ssh = tmp_path / "ssh"
        ssh.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 300\n")
        ssh.chmod(0o755)
        monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
        monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
        began = time.monotonic()
        with pytest.raises(Inconclusive) as raised:
            remotes.fetch(Git(team.root), "ssh://nowhere.invalid/x", ["main"], timeout=2)
        assert time.monotonic() - began < 60
        assert raised.value.findings[0].id == "tool-timeout"
        assert isinstance(raised.value.__cause__, git.GitCommandError)
        if (tmp_path / "pid").exists():  # else this machine was too slow for Git to start it in time
            assert has_ended(int((tmp_path / "pid").read_text()), within=30)


class TestMessages:
    @pytest.mark.parametrize("watched", [False, True])
    def test_what_a_hook_prints_is_the_reason(self, team: Repo, watched: bool) -> None:
        refuse(team, "echo 'blocked: 12 files' >&2; printf 'gr\\374n\\n' >&2")
        repository = open_repository(team.root, show=Shown() if watched else None)
        refusal = finding(lambda: repository.push("origin", [f"main:{REF}"]))
        assert refusal.id == "push-rejected"
        assert refusal.why.endswith("; blocked: 12 files; gr\N{REPLACEMENT CHARACTER}n")
        assert "pre-receive hook declined" in refusal.why
        assert "objects" not in refusal.why

    def test_a_reason_that_looks_like_progress_is_kept(self, team: Repo) -> None:
        reasons = ("Total 3 (delta 0): the policy says no", "Enumerating objects: signing is required")
        refuse(team, "; ".join(f"echo '{reason}' >&2" for reason in reasons))
        refusal = finding(lambda: team.open().push("origin", [f"main:{REF}"]))
        assert all(reason in refusal.why for reason in reasons)

    def test_an_error_of_git_is_the_cause_of_the_finding(self, tmp_path: Path) -> None:
        (tmp_path / "new").mkdir()
        (tmp_path / "new/.git").write_text("nonsense")
        with pytest.raises(Inconclusive) as raised:
            gitpython.init(tmp_path / "new", "main")
        (found,) = raised.value.findings
        assert (found.id, found.message) == ("git-failed", "`git init` failed")
        assert found.why.startswith("fatal: invalid gitfile format")
        assert isinstance(raised.value.__cause__, git.GitCommandError)

    def test_without_git(self, team: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        repository = team.open()
        monkeypatch.setenv("PATH", str(tmp_path))
        assert finding(lambda: repository.fetch("origin", ["main"])).id == "tool-missing"
        assert finding(lambda: gitpython.init(tmp_path, "main")).id == "tool-missing"

    def test_a_gitpython_that_cannot_start_is_a_finding(self, tmp_path: Path) -> None:
        script = (
            "from mlgit.errors import MlgitError\ntry:\n    import mlgit.edges.git.gitpython\nexcept MlgitError as e:\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", f"{script}    print(e.findings[0].id)"],
            env={**os.environ, "PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert done.stdout == "tool-missing\n"

    def test_variables_of_gitpython_name_no_other_program(self, team: Repo, tmp_path: Path) -> None:
        program = tmp_path / "other-git"
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        program.chmod(0o755)
        script = (
            f"from pathlib import Path\nfrom mlgit.edges.git.repository import open_repository\n"
            f"open_repository(Path({str(team.root)!r})).push('origin', ['main:{REF}'])"
        )
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "GIT_PYTHON_GIT_EXECUTABLE": str(program), "GIT_PYTHON_REFRESH": "raise"},
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert not (tmp_path / "started").exists()


class TestInit:
    def test_a_folder_that_is_gone_is_not_replaced_by_the_current_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert finding(lambda: gitpython.init(tmp_path / "gone", "main")).id == "folder-missing"
        assert list(tmp_path.iterdir()) == []

    def test_it_is_where_git_dir_says(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "new").mkdir()
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
        gitpython.init(tmp_path / "new", "main")
        assert (tmp_path / "elsewhere/HEAD").read_text() == "ref: refs/heads/main\n"
        assert list((tmp_path / "new").iterdir()) == []

    @pytest.mark.parametrize("name", ["cost$HOME", "%PATH%", "~", "two words"])
    def test_a_name_of_a_folder_is_no_variable(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).mkdir()
        gitpython.init(tmp_path / name, "main")
        assert open_repository(tmp_path / name).root == tmp_path / name


class TestProgress:
    def test_stages_are_shown_while_somebody_watches(self, team: Repo, make_repo: MakeRepo) -> None:
        shown = Shown()
        open_repository(team.root, show=shown).push("origin", [f"main:{REF}"])
        other = make_repo("other")
        other.git("remote", "add", "origin", team.git("remote", "get-url", "origin"))
        open_repository(other.root, show=shown).fetch("origin", [f"+{REF}:{REF}"])
        assert shown.titles == ["pushing to origin", "fetching from origin"]
        assert shown.closed == 2
        assert "writing objects 100%" in {line.partition(",")[0] for line in shown.lines}
        assert "counting objects 100%" in shown.lines
        assert other.git("rev-parse", REF) == team.head

    def test_an_unreachable_remote_closes_the_display(self, team: Repo) -> None:
        shown = Shown()
        repository = open_repository(team.root, show=shown)
        assert finding(lambda: repository.fetch("nowhere.git", ["main"])).id == "git-remote-unreachable"
        assert (shown.closed, shown.lines) == (1, [])

    def test_a_display_that_fails_does_not_stop_the_push(self, team: Repo) -> None:
        @contextmanager
        def broken(_: str) -> Iterator[Callable[[str], None]]:
            def show(_: str) -> None:
                raise BrokenPipeError

            yield show

        open_repository(team.root, show=broken).push("origin", [f"main:{REF}"])
        assert team.git("ls-remote", "origin", REF).split()[0] == team.head

    def test_a_remote_cannot_write_to_the_terminal(self) -> None:
        lines: list[str] = []
        messages = gitpython._Messages(lines.append)
        messages.read("remote: Counting objects:  50% (1/2), \x1b]0;owned\x07\x9b2J" + "x" * 1000 + "\n")
        messages.read("Receiving objects:   0% (0/0)\n")
        messages.read("remote: \x1b[31mred\n")
        assert lines == ["counting objects 50%, ]0;owned2J" + "x" * 30, "receiving objects 0"]
        assert messages.lines == ["remote: \x1b[31mred"]  # the renderer of findings cleans it

    def test_at_a_terminal_it_is_one_line_that_goes_away(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        times = iter([0.0, 0.5, 2.0, 3.0])
        monkeypatch.setattr("time.monotonic", lambda: next(times))
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        display: AbstractContextManager[Callable[[int | str], None]] = Session(Path()).progress("fetching from origin")
        with display as show:
            show("receiving objects 1%")
            show("receiving objects 45%")
            show(1234)
        assert capsys.readouterr().err == (
            "\r\x1b[K... fetching from origin: receiving objects 45%\r\x1b[K... fetching from origin: 1,234\r\x1b[K"
        )


@pytest.mark.parametrize("line", ["status", "validate", "log", "show malignancy"])
def test_commands_that_only_read_do_not_import_gitpython(line: str, running: Team) -> None:
    words = ["-C", str(running.root), *line.split()]
    script = f"import sys\nfrom mlgit.cli.main import run\ncode = run({words!r})\nprint([code, 'git' in sys.modules])"
    with running.ana.present():
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
        )
    assert done.stdout.splitlines()[-1] == "[0, False]", done.stderr


def test_a_project_is_created_through_gitpython(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    created: list[tuple[Path, str]] = []
    init = gitpython.init

    def record(folder: Path, branch: str) -> None:
        created.append((folder, branch))
        init(folder, branch)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gitpython, "init", record)
    assert run(["init", "acme", "--yes"]) == 0
    assert created == [(tmp_path / "acme", "main")]
