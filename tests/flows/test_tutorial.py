"""The tutorial, run as it stands: every block of commands in order, as a newcomer would type it, with what it says they print.

A comment before a block tells what to do with it: `<!-- exit: 1 -->` that its last command answers no, `<!-- skip -->` that it
is only shown. A block of `text` belongs to the commands before it; each of its lines has to occur in one line that they
print, where `...` stands for anything.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorial.md"
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*) -->\n)?^```(?P<kind>sh|text)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Step(NamedTuple):
    """Commands, the exit code with which the last of them ends, and lines that they print."""

    line: int
    commands: str
    exit: int
    printed: list[str]


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    for block in BLOCK.finditer(text):
        mark, kind, body = block["mark"] or "", block["kind"], block["body"]
        if kind == "text":
            found[-1].printed.extend(line for line in body.splitlines() if line.strip())
        elif mark != "skip":
            code = int(mark.removeprefix("exit: ")) if mark else 0
            found.append(Step(text.count("\n", 0, block.start("body")) + 1, body, code, []))
    return found


def as_pattern(line: str) -> re.Pattern[str]:
    """Return what finds a stated line in what was printed; white space may be wider there."""
    words = re.escape(" ".join(line.split())).replace(r"\ ", " +")
    return re.compile(re.sub(r"(?: \+)?\\\.\\\.\\\.(?: \+)?", lambda _: r"[^\n]*", words))


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a person at a new machine: an empty home, and mlgit on the path."""
    home, programs = tmp_path / "home", tmp_path / "programs"
    for folder in (home, programs):
        folder.mkdir()
    program = programs / "mlgit"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m mlgit "$@"\n')
    program.chmod(0o755)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_", "GITHUB_", "COV_"))
    }
    for name in ("CI", "SSH_AUTH_SOCK"):
        kept.pop(name, None)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    return kept | {
        "HOME": str(home),
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_NOSYSTEM": "1",
        "DVC_NO_ANALYTICS": "1",
        "NO_COLOR": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.mark.first
def test_every_command_of_the_tutorial_does_what_it_says(tmp_path: Path, shell: dict[str, str]) -> None:
    here = tmp_path / "work"
    here.mkdir()
    where = tmp_path / "where"
    for step in steps(TUTORIAL.read_text(encoding="utf-8")):
        # The last command of a block decides; those before it must succeed. The next block begins where this one ended.
        script = f"set -e\ntrap 'pwd > {where}' EXIT\n{step.commands}"
        ended = subprocess.run(
            ["bash", "-c", script], cwd=here, env=shell, capture_output=True, text=True, timeout=300, check=False
        )
        said = ended.stdout + ended.stderr
        assert ended.returncode == step.exit, f"docs/tutorial.md:{step.line}\n{step.commands}\n{said}"
        for line in step.printed:
            assert as_pattern(line).search(said), f"docs/tutorial.md:{step.line}: no line like {line!r} in\n{said}"
        here = Path(where.read_text().strip())


def test_seven_commands_lead_to_staging() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    first = text[text.index("## A first version") : text.index("The model is at")]
    assert sum(len(step.commands.splitlines()) for step in steps(first)) == 7


@pytest.mark.parametrize(
    ("stated", "printed", "found"),
    [
        ("roc_auc 0.97... decides", "roc_auc            0.9701  decides", True),
        ("roc_auc 0.97... decides", "roc_auc            0.9601  decides", False),
        ("(commit ...)", "folder x (commit 12ab)", True),
        ("Registered a@1 ...", "Registered a@1", True),
        ("a b", "a\nb", False),
    ],
)
def test_a_stated_line_stands_for_one_printed_line(stated: str, printed: str, found: bool) -> None:
    assert bool(as_pattern(stated).search(printed)) == found
