"""Files whose names are not UTF-8, or hold line breaks and escape sequences: they stop nothing else, and print nothing raw."""

import json
import os

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team

NAMES = [
    b"environments/production/a\xe9.yaml",
    b"environments/production/b\nc.yaml",
    b"environments/staging/d\x1b[31m.yaml",
    b"models/m\xe9/model.yaml",
    b"models/m\nn/versions/v1/version.json",
    b"policies/p\xff.yaml",
    b"datasets/d\xff/dataset.yaml",
    b"environments/\xff/environment.yaml",
]
READING = ["status", "queue", "log", f"show {MODEL}", "hold list", "audit", "apply --dry-run", "status --at HEAD"]


def add(desk: Desk, name: bytes) -> None:
    place = desk.root / os.fsdecode(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"kind: promotion\n")
    desk.git("add", "--all")
    desk.git("commit", "--quiet", "--message", "Add it")


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_hostile_name_stops_nothing_but_validation(running: Team, name: bytes) -> None:
    ana = running.ana
    before = {line: ana(line).code for line in READING}
    add(ana, name)
    for line in READING:
        answer = ana(line)
        assert answer.code == before[line] or (line == "audit" and answer.code == 1), answer.text
        answer.text.encode()
        assert not any(ord(character) < 32 and character != "\n" for character in answer.text)
    for line in ("validate --json", "validate --at HEAD --json"):
        refused = ana(line)
        assert refused.code == 1
        assert "name-invalid" in json.dumps(refused.json)
    shown = ana("validate").text
    assert all(
        line.startswith(("error[", "  ", "warning[")) or "checked" in line or not line for line in shown.split("\n")
    )
