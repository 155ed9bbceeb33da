"""Commands of a team's own: what they are given, and what becomes of them when they do not answer."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mlgit.domain.results import CommandAnswer
from mlgit.edges.private import MAX_OUTPUT_BYTES, check_out
from mlgit.edges.teamgates import PrivateTeamGates
from mlgit.errors import MlgitError
from tests.dicttree import DictTree

PASS = {"outcome": "pass", "message": "none found"}


def run(program: str, *, document: bytes = b"{}", seconds: float = 30, **files: str) -> CommandAnswer:
    """Run a program of Python that is a file of the tree."""
    tree = DictTree({"checks/gate.py": program.encode(), **{path: text.encode() for path, text in files.items()}})
    return PrivateTeamGates().run(tree, ["python", "checks/gate.py", "$HOME; *"], document, seconds=seconds)


def facts(expression: str, **more: Any) -> Any:
    """Return what an expression is to a command."""
    result = run(f"import json, os, sys\nprint(json.dumps({{'fact': {expression}}}))", **more)
    assert result.answer is not None, result.error
    return result.answer["fact"]


def test_reads_the_document_and_answers() -> None:
    assert facts("json.load(sys.stdin)", document=b'{"candidate": {"version": 2}}') == {"candidate": {"version": 2}}


def test_runs_in_a_checkout_without_a_shell() -> None:
    assert facts("sorted(os.listdir())", **{"README.md": "hello"}) == ["README.md", "checks"]
    assert facts("sys.argv[1]") == "$HOME; *"


def test_finds_nothing_of_this_machine_in_its_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("PATH", f".{os.pathsep}{tmp_path}{os.pathsep}{os.environ['PATH']}")
    names = set(facts("sorted(os.environ)")) - {"LC_CTYPE"}  # which Python sets itself
    assert names == {"HOME", "LANG", "PATH", "TMPDIR"}
    home, path = facts("[os.environ['HOME'], os.environ['PATH']]")
    assert not Path(home).exists()
    assert path.split(os.pathsep)[:2] == [str(Path(sys.executable).parent), str(tmp_path)]
    assert facts("sys.executable") == str(Path(sys.executable).with_name("python"))


BAD: list[tuple[str, str]] = [
    ("import sys; sys.exit('no such column')", "it exited with code 1; last output: no such column"),
    ("import sys; sys.exit(3)", "it exited with code 3"),
    ("import os; os.kill(os.getpid(), 9)", "it was killed by signal 9"),
    ("", "its answer is not a JSON document"),
    ("print('all good')", "its answer is not a JSON document"),
    ("print('[]')", "its answer is not a JSON document"),
    ('print(\'{"outcome": "fail", "outcome": "pass", "message": "so"}\')', "its answer is not a JSON document"),
    ("print('{\"facts\": NaN}')", "its answer is not a JSON document"),
    ("print('[' * 100_000)", "its answer is not a JSON document"),
    (f"print('x' * {MAX_OUTPUT_BYTES + 1})", "it answered more than"),
    ("import sys; sys.stderr.write('\\x1b[2Jnasty\\u202e\\n'); sys.exit(1)", "last output:  [2Jnasty"),
]


@pytest.mark.parametrize(("program", "why"), BAD)
def test_whatever_is_no_answer_is_none(program: str, why: str) -> None:
    result = run(program)
    assert (result.answer, why in result.error) == (None, True), result.error
    assert result.error.isprintable()


def test_a_missing_program_is_an_error() -> None:
    result = PrivateTeamGates().run(DictTree({}), ["no-such-program"], b"{}", seconds=5)
    assert (result.answer, result.error) == (None, "no-such-program cannot be started: No such file or directory")


def test_output_on_stderr_does_not_matter_if_there_is_an_answer() -> None:
    program = f"import sys; sys.stderr.write('x' * 1_000_000); print('{json.dumps(PASS)}')"
    assert run(program) == CommandAnswer(PASS)


WAITS = "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"


@pytest.mark.parametrize(
    ("program", "seconds", "why"),
    [
        (
            f"{WAITS}sys.stderr.write(f'<{{child.pid}}>'); sys.stderr.flush(); child.wait()",
            2.0,
            "longer than 2 sec",
        ),
        (f"{WAITS}sys.exit(f'<{{child.pid}}>')", 60.0, "exited with code 1"),
        (
            f"{WAITS}sys.stderr.write(f'<{{child.pid}}>'); sys.stderr.flush(); sys.stdout.close()\nchild.wait()",
            2.0,
            "longer than 2",
        ),
    ],
)
def test_a_command_ends_in_time_with_all_that_it_started(program: str, seconds: float, why: str) -> None:
    start = time.monotonic()
    result = run(program, seconds=seconds)
    assert time.monotonic() - start < 30
    assert (result.answer, why in result.error) == (None, True), result.error
    child = result.error.partition("<")[2].partition(">")[0]
    while not (gone := _is_gone(int(child))) and time.monotonic() - start < 60:
        pass  # the system may take a while to end a killed process
    assert gone


def _is_gone(process: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for yet is shown as defunct."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1] in {"", "Z"}


def test_a_checkout_holds_plain_files_below_it_and_no_versions(tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    folder.mkdir()
    tree = DictTree(
        {
            "checks/gate.py": b"pass",
            "models/delay/model.yaml": b"kind: model",
            "models/delay/versions/v1/version.json": b"{}",
            "../outside": b"x",
            ".git/config": b"[core]",
            "sub/.GIT/hooks/pre-commit": b"x",
            "/absolute": b"x",
        }
    )
    check_out(tree, folder)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == ["checks/gate.py", "models/delay/model.yaml"]
    assert sorted(tmp_path.iterdir()) == [folder]


def _package(folder: Path, monkeypatch: pytest.MonkeyPatch, points: str) -> None:
    """Install a package that provides gates, as a folder on the path."""
    info = folder / "acme_gates-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-gates\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mlgit.gates]\n{points}\n")
    (folder / "acme_gates_for_a_test.py").write_text(
        "TEXT = 'none'\n\ndef latency(evidence, settings):\n    return settings\n"
    )
    monkeypatch.syspath_prepend(str(folder))


def test_a_function_of_an_installed_package_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _package(tmp_path, monkeypatch, "acme-latency = acme_gates_for_a_test:latency")
    assert PrivateTeamGates().installed("acme-latency")(None, {"p99": 20}) == {"p99": 20}


@pytest.mark.parametrize(
    ("points", "finding", "says"),
    [
        ("other = acme_gates_for_a_test:latency", "gate-unknown", "other"),
        ("acme = no_such_module:latency", "gate-plugin-invalid", "ModuleNotFoundError"),
        ("acme = acme_gates_for_a_test:none", "gate-plugin-invalid", "AttributeError"),
        ("acme = acme_gates_for_a_test:TEXT", "gate-plugin-invalid", "cannot be called"),
    ],
)
def test_a_function_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: str, finding: str, says: str
) -> None:
    _package(tmp_path, monkeypatch, points)
    with pytest.raises(MlgitError) as raised:
        PrivateTeamGates().installed("acme")
    (problem,) = raised.value.findings
    assert (problem.id, says in problem.why) == (finding, True), problem


def test_two_packages_with_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[mlgit.gates]\nacme = {name}:gate\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MlgitError) as raised:
        PrivateTeamGates().installed("acme")
    assert (raised.value.findings[0].id, "2 installed packages" in raised.value.findings[0].message) == (
        "gate-unknown",
        True,
    )
