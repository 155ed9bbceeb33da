"""The doctor on real projects: well where they are well, and each thing that somebody broke is named with its way out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.people import Desk, Team

SECRET = "correct-horse-battery-staple"


def states(desk: Desk) -> dict[str, str]:
    return {one["check"]: one["state"] for one in desk("doctor --json").json["checks"]}


def test_a_project_that_is_well_is_said_to_be_and_nothing_is_changed(running: Team) -> None:
    before = running.ana.everything()
    answer = running.ana.does("doctor")
    assert answer.ids == []
    assert "0 errors, 0 warnings, 0 inconclusive" in answer.out
    assert "you are Ana <ana@acme.example>, ana in .mlgit/roles.yaml" in answer.out
    assert "production signed: anybody with a clone can verify who approved" in answer.out
    assert running.ana.everything() == before


def test_commits_that_prove_no_author_are_a_warning(running: Team) -> None:
    desk = running.ana.using(commit_gpgsign="false")
    answer = desk("doctor")
    assert (answer.code, answer.ids) == (0, ["commits-unsigned"])
    assert "Git's commit.gpgsign is off" in answer.out


def _config(team: Team, old: str, new: str) -> None:
    path = team.root / ".dvc/config"
    path.write_text(path.read_text().replace(old, new))


def _commit(path: str, content: str) -> Callable[[Team], object]:
    return lambda team: team.ana.commit("Change it", {path: content})


def _flow(name: str, text: str) -> Callable[[Team], object]:
    return _commit(f".github/workflows/{name}.yaml", f"{text}\n")


def _blocked(folder: Path) -> None:
    """Put a file into the place of a folder."""
    shutil.rmtree(folder)
    folder.write_text("")


MANY: dict[str, Callable[[Team], object]] = {
    "identity email-unlisted": lambda team: team.ana.edit(".mlgit/roles.yaml", "ana@acme", "ana@other"),
    "signing-key signing-key-unlisted": _commit(".mlgit/allowed_signers", ""),
    "remote dvc-remote-verify-disabled": lambda team: _config(team, "    verify = True\n", ""),
    "remote credentials-committed": lambda team: _config(
        team, "url = ../../storage", f"url = ssh://127.0.0.1:9/kept\n    password = {SECRET}"
    ),
    "attributes gitattributes-missing": _commit(".gitattributes", "*.yaml text eol=lf\n"),
    "ledger ledger-missing": lambda team: team.ana.git("branch", "-D", "mlgit-ledger"),
    "project project-invalid": lambda team: team.ana.commit("Break", {"models/late/model.yaml": "kind: modle\n"}),
    "owners codeowners-syntax-error": _commit(".github/CODEOWNERS", "* @grase\n/mlgit.yaml risk\n/policies/\n"),
    "owners codeowners-owner-missing": lambda team: None,
    "owners codeowners-owner-unknown": lambda team: None,
    "evidence evidence-not-required": lambda team: team.ana.edit(
        "policies/production.yaml", "evidence: signed", "evidence: none"
    ),
    "workflow-safety workflow-trigger-unsafe": _flow("one", "on: [push, pull_request_target]\njobs: {}"),
    "workflow-safety workflow-unpinned": _flow("two", "on: push\njobs: {a: {steps: [{uses: actions/checkout@v4}]}}"),
    "workflow-safety workflow-unreadable": _flow("three", "on: &a push\njobs: *a"),
}
"""By check and finding, what breaks it; all of it is broken at once, for no fault may hide another."""


@pytest.mark.tier("fast")
def test_each_of_many_faults_is_found_by_the_check_that_is_for_it(running: Team) -> None:
    for do in MANY.values():
        do(running)
    answer = running.ana("doctor --json")
    found = {f"{one['check']} {finding['id']}" for one in answer.json["checks"] for finding in one["findings"]}
    assert found >= set(MANY), found
    assert answer.code == 1
    assert SECRET not in answer.text
    assert all(finding["fix"] for one in answer.json["checks"] for finding in one["findings"])
    shown = running.ana("doctor")
    assert set(shown.ids) >= {both.split()[1] for both in MANY}
    assert SECRET not in shown.text


@pytest.mark.parametrize(
    ("id_", "code", "do"),
    [
        ("allowed-signers-line-invalid", 1, _commit(".mlgit/allowed_signers", "ana@acme.example\n")),
        ("dvc-remote-unknown", 1, lambda team: _config(team, 'remote "storage"', 'remote "other"')),
        ("dvc-remote-unreachable", 3, lambda team: _blocked(team.folder / "storage")),
    ],
)
def test_what_stops_one_check_stops_no_other(running: Team, id_: str, code: int, do: Callable[[Team], object]) -> None:
    do(running)
    answer = running.ana("doctor")
    assert answer.code == code, answer.text
    # What cannot be read is found by `validate` as well.
    is_valid = not id_.startswith("allowed-signers")
    assert set(answer.ids) == ({id_} if is_valid else {id_, "project-invalid"})
    assert f"{'ok' if is_valid else 'error':8}  project" in answer.out


def test_a_remote_whose_folder_is_not_there_is_told_and_not_made(running: Team) -> None:
    shutil.rmtree(running.folder / "storage")
    answer = running.ana.does("doctor")
    assert "warning[dvc-remote-folder-missing]" in answer.text
    assert not (running.folder / "storage").exists()


def test_who_has_no_key_is_told_and_it_is_no_failure(running: Team) -> None:
    answer = running.ana.using(user_signingkey="/no/key").does("doctor")
    assert answer.ids == ["signing-key-missing"]


def test_what_is_safe_is_mended_and_only_when_it_is_asked_for(running: Team) -> None:
    ana = running.ana
    ana.commit("Have it our way", {".gitattributes": "*.txt -text\n"})
    _config(running, "verify = True", "verify = False")
    before = ana.everything()
    dry = ana.does("doctor --fix --dry-run")
    assert "Would fix: dvc remote modify storage verify true" in dry.out
    assert ana.everything() == before
    mended = ana.does("doctor --fix --json").json
    assert len(mended["fixed"]) == 2
    assert states(ana)["remote"] == states(ana)["attributes"] == "ok"
    assert ana.read(".gitattributes").startswith("*.txt -text\n")
    assert "*.skops" in ana.read(".gitattributes")
    assert "verify = true" in ana.read(".dvc/config").lower()
    assert ana.does("doctor --fix --json").json["fixed"] == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("*.json text eol=crlf", "eol=crlf"),
        ("*.json filter=lfs diff=lfs merge=lfs -text", "filter=lfs"),
        ("*.md ident", "ident"),
        ("*.yaml working-tree-encoding=UTF-16", "working-tree-encoding=UTF-16"),
        ("*.csv text", "text=set"),
    ],
)
def test_an_attribute_by_which_git_changes_bytes_is_found_wherever_it_stands(
    running: Team, line: str, why: str
) -> None:
    ana = running.ana
    (ana.root / "models/.gitattributes").write_text(f"{line}\n")
    (ana.root / "datasets/.gitattributes").write_text(f"{line}\n")
    (found,) = [one for one in ana("doctor --json").json["checks"] if one["check"] == "attributes"]
    assert [finding["id"] for finding in found["findings"]] == ["gitattributes-override"]
    assert f"by {why};" in found["findings"][0]["why"]


def test_own_lines_for_the_same_bytes_are_fine(running: Team) -> None:
    ana = running.ana
    ana.commit("Have it our way", {".gitattributes": "* text eol=lf\n*.csv -text\n"})
    assert states(ana)["attributes"] == "ok"


def test_a_dry_run_of_nothing_is_misuse(running: Team) -> None:
    assert running.ana.refused("doctor --dry-run", code=2) == ["dry-run-without-fix"]


def test_a_ledger_that_was_not_pushed_is_told_and_pushed(proposed: Team) -> None:
    ana = proposed.ana
    ana.clone("origin.git", "--bare")
    ana.git("remote", "add", "origin", (proposed.folder / "origin.git").as_uri())
    ana.at(proposed.folder / "origin.git").git("update-ref", "refs/heads/mlgit-ledger", "mlgit-ledger~1")
    ana.git("fetch", "--quiet", "origin")
    assert "ledger-unpushed" in ana.does("doctor").ids
    ana.does("doctor --fix")
    assert ana.at(proposed.folder / "origin.git").head("mlgit-ledger") == ana.head("mlgit-ledger")
    assert ana.does("doctor").ids == []


def test_a_shallow_clone_lacks_history(running: Team) -> None:
    shallow = running.ana.clone("shallow", "--depth=1")
    assert "history-shallow" in shallow("doctor").ids


def test_a_bare_repository_needs_the_hook_and_no_data(running: Team) -> None:
    bare = running.ana.clone("server.git", "--bare").at(running.folder / "server.git")
    assert bare("doctor").ids == ["hook-missing"]
    bare.does("verify-push --install")
    answer = bare.does("doctor --json")
    assert {"remote", "signing-key"}.isdisjoint(one["check"] for one in answer.json["checks"])


@pytest.mark.parametrize(("words", "branch"), [("", "main"), ("ledger", "mlgit-ledger")])
def test_the_rules_to_ask_for_are_printed_as_github_takes_them(registered: Team, words: str, branch: str) -> None:
    document = json.loads(registered.ana.does(f"doctor --print-ruleset {words}").out)
    assert document["conditions"]["ref_name"]["include"] == [f"refs/heads/{branch}"]
    assert {"deletion", "non_fast_forward"} <= {rule["type"] for rule in document["rules"]}


def test_a_folder_without_a_project_is_refused(tmp_path: Path, running: Team) -> None:
    running.ana.git("init", "--quiet", str(tmp_path / "empty"))
    assert running.ana.at(tmp_path / "empty")("doctor").ids == ["repository-empty"]
