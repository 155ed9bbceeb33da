"""Every step that a command suggests is taken, in exactly the state in which it is suggested, and leads on."""

import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Answer, Desk, Team
from tests.flows.test_what_is_said import CASES, SNAPSHOTS, prepared

_PERSON = re.compile(r", run by (?P<name>\w+)")
_QUOTED = re.compile(r"`((?:mlgit|git|dvc) [^`]*)`")
_PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|\.\.\.|@N\b|NAME")


def suggested(team: Team, asker: Desk, answer: Answer) -> Iterator[tuple[Desk, str, bool]]:
    """Yield each suggested command of an answer, who is to run it, and whether it is to resolve a finding.

    Commands with a blank to fill in are left out, and those that are one of two ways.
    """
    for line in answer.text.splitlines():
        words = line.strip()
        is_fix = words.startswith("fix  ")
        if (not is_fix and not words.startswith("Next: ")) or " or run " in words:
            continue
        command = " && ".join(_QUOTED.findall(words)) if is_fix else words.removeprefix("Next: ")
        person = _PERSON.search(command)
        who = getattr(team, person["name"]) if person else team.ben if "somebody" in words else asker
        command = _PERSON.split(command)[0]
        if command.startswith(("mlgit", "git", "dvc")) and not _PLACEHOLDER.search(command):
            yield who, command, is_fix


def follow(team: Team, asker: Desk, answer: Answer) -> None:
    """Take the next steps of answers while they change something, as after a proposal: approve, merge, apply."""
    for _ in range(4):
        for who, command, is_fix in suggested(team, asker, answer):
            if not is_fix and command.split()[1] in {"approve", "merge", "apply"}:
                (answer,) = take(who, command)
                assert answer.code == 0, answer.text
                break
        else:
            return


def take(who: Desk, command: str) -> list[Answer]:
    """Run a command line as a person does: parts joined by `&&`, of mlgit or of another tool."""
    answers = []
    for part in re.split(r" && |, then ", command):
        if part.startswith("mlgit "):
            answers.append(who(part.removeprefix("mlgit ")))
        else:
            with who.present():
                done = subprocess.run(part, shell=True, cwd=who.root, capture_output=True, text=True, check=False)
            answers.append(Answer(done.returncode, done.stdout, done.stderr))
        if answers[-1].code:
            break
    return answers


SUGGESTING = [
    case
    for case in CASES
    if re.search(r"^(Next: |  fix  .*`)", (SNAPSHOTS / f"{case[0]}.text.txt").read_text(encoding="utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize(("name", "scene", "who", "line"), SUGGESTING, ids=[case[0] for case in SUGGESTING])
def test_a_suggested_step_leads_on(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    scene: str,
    who: Callable[[Team], Desk],
    line: str,
) -> None:
    team = prepared(request, scene)
    monkeypatch.chdir(team.root)
    asker = who(team)
    answer = asker(line)
    for person, command, is_fix in list(suggested(team, asker, answer))[:1]:
        taken = take(person, command)
        for step in taken:
            assert step.code in {0, 1}, f"{name}: `{command}` is no way on:\n{step.text}"
            assert not set(answer.ids) & set(step.ids), f"{name}: `{command}` leads back:\n{step.text}"
        if is_fix:
            follow(team, asker, taken[-1])
            again = asker(line)
            assert not set(answer.ids) & set(again.ids), f"{name}: after `{command}` it is as before:\n{again.text}"


def test_files_that_were_never_committed_are_named_in_the_way_out(registered: Team) -> None:
    (registered.root / "src/new.py").write_text("print('new')\n")
    answer = registered.ana(f"register {MODEL}")
    assert answer.ids == ["inputs-uncommitted"]
    ((person, command, _),) = suggested(registered, registered.ana, answer)
    assert all(taken.code == 0 for taken in take(person, command)), command
    assert "inputs-uncommitted" not in registered.ana(f"register {MODEL}").ids


def test_only_next_steps_lead_from_a_version_to_staging(registered: Team) -> None:
    """Somebody who does nothing but what is suggested gets a version into staging, and sees it there."""
    ana = registered.ana
    ana.edit("params.yaml", "fit: worse", "fit: better")
    answer, taken = ana(f"train {MODEL}"), []
    ana.git("commit", "--quiet", "--all", "--message", "Train the better one")
    while len(taken) < 6:
        person, command, _ = next(suggested(registered, ana, answer))
        (answer,) = take(person, command)
        assert answer.code == 0, answer.text
        taken.append(command.split()[1])
        if taken[-1] == "apply":
            break
    assert taken == ["register", "promote", "merge", "apply"]
    rows = ana.does("status --json").json["rows"]
    assert any(row["environment"] == "staging" and row["champion"] for row in rows)
