"""What was proposed before an input changed: no command calls it mergeable, and promoting again leads on."""

from typing import Any

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team

WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"
PROMOTE = f"promote {MODEL}@2 --to production"
NOTE = """\
import json, pathlib
print(json.dumps({"outcome": pathlib.Path("checks/note.txt").read_text(), "message": "as the note says"}))
"""
CONTRACT = "datasets/biopsies/dataset.yaml"


def open_promotion(desk: Desk) -> Any:
    (row,) = desk.does("status --json").json["open"]
    return row


def change_the_contract(team: Team) -> None:
    team.ana.edit(CONTRACT, 'owner: "@acme/pathology"', 'owner: "@acme/data"')


@pytest.mark.tier("fast")
def test_after_an_input_changed_promote_proposes_anew_and_the_new_one_is_merged(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    first = open_promotion(ana)
    assert (first["is_stale"], first["next"]) == (False, f"mlgit approve {WHERE}")
    assert " on 2026-" in ana.does("status").out
    ben.does("approve")
    change_the_contract(proposed)
    stale = open_promotion(ana)
    assert (stale["is_stale"], stale["ready"], stale["next"]) == (True, False, f"mlgit {PROMOTE}")
    assert stale["gates"] == "the contract of biopsies changed since the gates of this promotion were evaluated"
    queue = ana.does("queue --json").json
    assert (queue["waiting"][0]["place"], queue["next"]) == (None, f"mlgit {PROMOTE}")
    assert ana.refused(f"merge {WHERE}")[0] == "promotion-stale"

    again = ana.does(f"{PROMOTE} --json").json
    assert (again["state"], again["replaces_open"]["promotion"]) == ("proposed", first["promotion"])
    assert again["promotion"] != first["promotion"]
    ben.does("approve")
    ana.does("merge")


def test_a_result_that_the_gates_no_longer_give_is_found_by_promote(proposed: Team) -> None:
    """The report says what nobody has evaluated: as where a file changed that no record names."""
    ana = proposed.ana
    assert "was proposed already" in ana.does(PROMOTE).out
    ana.does("withdraw")
    gate = "{id: exec, name: note, command: [python, checks/note.py]}"
    ana.edit("policies/production.yaml", "gates:", f"gates:\n  - {gate}")
    ana.commit("A gate of our own", {"checks/note.py": NOTE, "checks/note.txt": "pass"})
    promoted = ana.does(f"{PROMOTE} --json").json
    first, number = promoted["promotion"], len(promoted["gates"])
    assert "exec:note" in {one["gate"] for one in promoted["gates"]}
    assert ana.does(f"{PROMOTE} --json").json["promotion"] == first
    ana.commit("Another note", {"checks/note.txt": "fail"})
    assert open_promotion(ana)["gates"] == f"{number} of {number}"
    refused = ana(f"{PROMOTE} --json")
    assert (refused.code, refused.json["state"]) == (1, "refused")
    assert refused.json["replaces_open"]["promotion"] == first


def test_another_change_is_not_replaced_unless_asked_for(proposed: Team) -> None:
    ana = proposed.ana
    first = open_promotion(ana)["promotion"]
    as_shadow = f"promote {MODEL}@3 --to production --as shadow"
    ana.edit("environments/production/environment.yaml", "after: [staging]", "after: []")
    assert ana.refused(as_shadow) == ["promotion-open"]
    assert ana.refused(f"{as_shadow} --dry-run") == ["promotion-open"]
    assert ana.refused(f"recertify {WHERE}") == ["promotion-open"]
    assert f"mlgit withdraw {WHERE}" in ana(as_shadow).err
    said = ana.does(f"recertify {WHERE} --replace").out
    assert f"In place of {first} ({MODEL}@2), whose approvals do not carry over: --replace was given" in said


def test_a_dry_run_answers_as_the_command_does(proposed: Team) -> None:
    ana = proposed.ana
    ana.does("withdraw")
    nobody = ana.using(user_email="")
    for line in (PROMOTE, f"hold add {WHERE}@1 --reason 'bad slices'"):
        assert nobody(f"{line} --dry-run").ids == nobody(line).ids == ["git-identity-missing"]
    ana.does(PROMOTE)
    ana.git("switch", "--quiet", BRANCH)
    ana.commit("My own notes", {"notes.txt": "keep me"})
    ana.git("switch", "--quiet", "main")
    ana.edit("policies/production.yaml", "margin: 0.0", "margin: 0.001")
    assert ana(f"{PROMOTE} --dry-run").ids == ana(PROMOTE).ids == ["branch-foreign-commit"]
    ana.git("branch", "-D", BRANCH)
    ana.git("branch", "mlgit/promote/production")
    assert ana(f"{PROMOTE} --dry-run").ids == ana(PROMOTE).ids == ["ref-name-conflict"]
