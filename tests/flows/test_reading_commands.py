"""Commands where they are not at home: in sub-folders, linked worktrees, on no branch, in bare and shallow clones, at a date."""

import json
import shutil
from pathlib import Path

import pytest

from mlgit.cli.main import run
from tests.flows.builder import MODEL, OTHER
from tests.flows.people import Desk, Team, contents

WHERE = f"production/{MODEL}"
MANIFEST = f"environments/{WHERE}.yaml"


def champions(desk: Desk, line: str = "status") -> dict[str, str]:
    return {row["environment"]: row["champion"] for row in desk.does(f"{line} --json").json["rows"]}


NOW = {"staging": f"{MODEL}@2", "production": f"{MODEL}@1"}
READING = ("status", "log", f"show {MODEL}", f"show {MODEL}@2", f"diff {MODEL}@1 {MODEL}@2")


@pytest.mark.parametrize("folder", ["src/fits", "environments/production", ".mlgit"])
def test_every_folder_of_the_project_will_do(proposed: Team, folder: str) -> None:
    here = proposed.ana.at(proposed.root / folder)
    for line in (*READING, "validate"):
        assert here.does(line).out == proposed.ana.does(line).out
    proposed.ben.at(proposed.root / folder).does("approve")
    here.does("merge")
    here.does("apply")
    assert champions(here)["production"] == f"{MODEL}@2"
    assert (proposed.root / "deployed/production" / MODEL / "current").is_symlink()


def test_a_folder_is_named_with_c(proposed: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(proposed.folder)
    assert proposed.ana.at(Path("team")).does("status").out == proposed.ana.does("status").out


@pytest.mark.parametrize(
    ("name", "why"), [("nowhere", "there is no such file or directory"), ("a-file", "it is a file")]
)
def test_a_folder_that_does_not_exist_is_told(
    tmp_path: Path, name: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a-file").write_text("")
    assert run(["-C", str(tmp_path / name), "status", "--json"]) == 2
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["id"], finding["why"]) == ("folder-missing", why)
    assert finding["message"] == f"{tmp_path / name} is not a folder"


def test_a_promotion_is_withdrawn_with_its_branch(proposed: Team) -> None:
    proposed.ana.git("branch", "--quiet", "-D", f"mlgit/promote/{WHERE}")
    assert proposed.ana.does("queue --json").json["waiting"] == []
    assert proposed.ana.refused("approve") == ["promotion-unknown"]
    assert proposed.ana.does("merge --json").json["state"] == "merged-already", "the newest that was merged"


# Somebody is in the middle of something else


def busy(desk: Desk) -> dict[str, object]:
    """Change, stage and add files; return what must stay as it is."""
    (desk.root / "README.md").write_text("changed\n")
    (desk.root / "params.yaml").write_text(desk.read("params.yaml") + "# staged\n")
    desk.git("add", "params.yaml")
    (desk.root / "notes.txt").write_text("not known to Git\n")
    return {
        "status": desk.git("status", "--short"),
        "files": contents(desk.root),
        "staged": desk.git("diff", "--cached"),
    }


def still(desk: Desk) -> dict[str, object]:
    return {
        "status": desk.git("status", "--short"),
        "files": contents(desk.root),
        "staged": desk.git("diff", "--cached"),
    }


def test_proposing_and_approving_leave_unfinished_work_alone(running: Team) -> None:
    before = busy(running.ana)
    running.ana.does(f"promote {MODEL}@2 --to staging")
    assert still(running.ana) == before
    running.ana.does("merge")
    assert running.ana.git("status", "--short") == before["status"]
    assert running.ana.git("diff", "--cached") == before["staged"]
    running.ana.does(f"promote {MODEL}@2 --to production --reason hurry")
    assert running.ana("promote triage@1 --to staging").code == 0
    running.ben.does(f"approve {WHERE}")
    assert running.ana.git("diff", "--cached") == before["staged"]


@pytest.mark.tier("fast")
def test_a_merge_brings_the_base_that_is_checked_out_along(proposed: Team) -> None:
    before = busy(proposed.ana)
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    assert proposed.ana.read(MANIFEST) == proposed.ana.show("main", MANIFEST) + "\n"
    assert still(proposed.ana)["status"] == before["status"]
    assert still(proposed.ana)["staged"] == before["staged"]
    assert (proposed.root / "notes.txt").read_text() == "not known to Git\n"


@pytest.mark.parametrize("detached", [False, True], ids=["branch", "detached"])
def test_a_merge_leaves_what_else_is_checked_out_alone(proposed: Team, *, detached: bool) -> None:
    ana = proposed.ana
    ana.git("switch", "--quiet", *(["--detach"] if detached else ["-c", "experiment"]))
    before = busy(ana)
    head = ana.head()
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    assert still(ana) == before
    assert (ana.head(), ana.head("main^1")) == (head, head)
    assert champions(ana)["production"] == f"{MODEL}@2"


def test_a_file_in_the_way_stops_the_merge_before_anything_is_done(proposed: Team) -> None:
    ana = proposed.ana
    proposed.ben.does("approve")
    (proposed.root / MANIFEST).write_text(ana.read(MANIFEST) + "# mine\n")
    answer = ana("merge")
    assert (answer.code, answer.ids) == (1, ["work-tree-dirty"])
    assert MANIFEST in answer.err
    assert ana.refused("merge") == ["work-tree-dirty"]
    ana.git("checkout", "--quiet", "--", MANIFEST)
    ana.does("merge")


# Linked worktrees


def linked(team: Team, branch: str) -> Desk:
    """A second work tree, with a branch checked out that is made if need be."""
    place = team.folder / "linked"
    new = [] if branch == "main" else ["-b", branch]
    team.ana.git("worktree", "add", "--quiet", *new, str(place), "main")
    return team.ana.at(place)


def test_a_linked_worktree_reads_and_proposes_like_any_other(running: Team) -> None:
    there = linked(running, "experiment")
    for line in (*READING, "validate"):
        assert there(line).code == 0
    there.does(f"promote {MODEL}@2 --to staging")
    assert "mlgit/promote/staging/malignancy" in running.ana.git("branch", "--list", "mlgit/*")
    assert there.git("status", "--short") == ""


def test_a_merge_in_a_linked_worktree_brings_its_own_files_along(proposed: Team) -> None:
    proposed.ana.git("switch", "--quiet", "-c", "experiment")
    there = linked(proposed, "main")
    proposed.ben.does("approve")
    there.does("merge")
    assert there.git("status", "--short") == ""
    assert there.read(MANIFEST) == there.show("main", MANIFEST) + "\n"
    assert proposed.ana.git("status", "--short") == ""


def test_a_merge_elsewhere_does_not_leave_a_worktree_behind(proposed: Team) -> None:
    """Were `main` moved under the worktree that has it checked out, its next commit would take the merge back."""
    there = linked(proposed, "experiment")
    proposed.ben.does("approve")
    answer = there("merge")
    assert (answer.code, answer.ids) == (1, ["base-branch-checked-out"])
    assert f"mlgit -C {proposed.root} merge {WHERE}" in answer.err
    assert proposed.ana.git("status", "--short") == ""
    proposed.ana.does("merge")


# Other moments


def test_the_state_of_a_moment_is_read_at_a_tag_a_commit_or_a_date(proposed: Team) -> None:
    ana = proposed.ana
    first = ana.git("log", "--format=%H", "--grep=Merge promotion", "main").split("\n")[-1]
    ana.git("tag", "first", first)
    date = ana.git("show", "-s", "--format=%cI", first)
    for at in ("first", first, first[:10], date.replace("+00:00", "Z")):
        assert champions(ana, f"status --at {at}") == {"staging": f"{MODEL}@1"}
    assert champions(ana, "status --at 2026-03-01") == NOW
    assert champions(ana, "status --at main") == NOW
    assert champions(ana, "status --at HEAD~1") == champions(ana, "status --at main^1")


def test_what_ran_at_a_moment_is_read_from_the_ledger_of_that_moment(proposed: Team) -> None:
    ana = proposed.ana
    first = ana.git("log", "--format=%H", "--grep=Merge promotion", "main").split("\n")[-1]
    (row,) = ana.does(f"status --at {first} --json").json["rows"]
    assert row["deployed"] == "no"  # it had been merged, and was applied a minute later


def test_versions_are_shown_as_they_were_known(proposed: Team) -> None:
    ana = proposed.ana
    first = ana.git("log", "--format=%H", f"--grep=Register {MODEL}@1", "main")
    assert ana.does(f"show {MODEL} --at {first} --json").json["total"] == 1
    assert ana(f"show {MODEL}@2 --at {first}").ids == ["version-unknown"]
    assert (
        ana.does(f"validate --at {first}").out.startswith("9 records")
        or "0 errors" in ana.does(f"validate --at {first}").out
    )


@pytest.mark.parametrize("at", ["2020-01-01", "nowhere", "--all", "main:README.md", "main..mlgit-ledger"])
def test_what_is_no_moment_of_the_project_is_refused(proposed: Team, at: str) -> None:
    answer = proposed.ana("status", f"--at={at}")
    assert (answer.code, answer.ids) == (1, ["revision-unknown"])


# Clones without files, and clones without history


def test_a_bare_clone_is_enough_to_read(proposed: Team) -> None:
    bare = proposed.ana.clone("bare.git", "--bare")
    for line in READING:
        assert bare.does(line).out == proposed.ana.does(line).out
    assert champions(bare) == NOW
    bare.does("validate --at main")


@pytest.mark.parametrize("line", ["train", "register", "apply", "data check", f"promote {MODEL}@1 --to staging"])
def test_what_needs_files_says_so_in_a_bare_clone(proposed: Team, line: str) -> None:
    bare = proposed.ana.clone("bare.git", "--bare")
    before = bare.git("for-each-ref", "refs/heads")
    answer = bare(line)
    assert answer.code in {1, 2}, answer.text
    assert answer.ids in (["repository-bare"], ["dvc-missing"]), answer.text
    assert bare.git("for-each-ref", "refs/heads") == before


def test_a_reviewer_can_approve_in_a_bare_clone(proposed: Team) -> None:
    bare = proposed.ana.clone("bare.git", "--bare")
    proposed.ben.at(bare.root).does("approve")


def test_a_shallow_clone_shows_the_state_but_tells_no_history(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    shallow = proposed.ana.clone("shallow", "--depth", "1", "--no-single-branch")
    assert champions(shallow) == {"staging": f"{MODEL}@2", "production": f"{MODEL}@2"}
    shallow.does(f"show {MODEL}@2")
    said = shallow("log")
    assert (said.code, said.ids) == (1, ["history-shallow"])
    assert "git fetch --unshallow" in said.err
    answer = shallow("apply")
    assert (answer.code, answer.ids) == (1, ["history-shallow"])
    assert "git fetch --unshallow" in answer.err
    assert not (shallow.root / "deployed").exists()
    shallow.git("fetch", "--quiet", "--unshallow")
    shallow.does("apply")
    assert (
        json.loads((shallow.root / "deployed/production" / MODEL / "current/version.json").read_text())["version"] == 2
    )


def test_a_shallow_clone_writes_nothing_onto_the_ledger(proposed: Team) -> None:
    """What it cannot see it cannot judge, and that is no fact about the environment."""
    shallow = proposed.ana.clone("shallow", "--depth", "1", "--no-single-branch")
    before = proposed.ana.head("mlgit-ledger")
    shallow("apply")
    assert proposed.ana.head("mlgit-ledger") == before


# Where there is nothing


def test_there_is_no_project_everywhere(proposed: Team) -> None:
    outside = proposed.folder / "elsewhere"
    outside.mkdir()
    desk = proposed.ana.at(outside)
    assert desk("status").ids == ["not-a-repository"]
    desk.git("init", "--quiet")
    assert desk("status").code == 1
    desk.commit("Begin", {"README.md": "nothing yet\n"})
    assert desk("status").ids == ["not-a-project"]
    shutil.rmtree(outside)


def test_a_project_in_which_nothing_happened_says_what_is_next(registered: Team) -> None:
    said = registered.ana.does("status").out
    assert "Nothing has been promoted yet." in said
    assert "Next: mlgit promote" in said
    assert registered.ana.does("log --json").json["events"] == []
    assert "Nothing has been promoted yet" in registered.ana.does("apply").out


@pytest.mark.parametrize(
    ("words", "id"),
    [
        ("--env nope", "environment-unknown"),
        ("--model nope", "model-unknown"),
        (f"--env nope --model {MODEL}", "environment-unknown"),
    ],
)
def test_the_history_of_what_does_not_exist_is_an_error(proposed: Team, words: str, id: str) -> None:  # noqa: A002
    assert proposed.ana.refused(f"log {words}") == [id]


def test_the_history_of_what_is_gone_is_shown(proposed: Team) -> None:
    ana = proposed.ana
    before = ana.does("log --env staging").out
    ana.git("rm", "--quiet", "-r", "environments/staging")
    ana.git("commit", "--quiet", "--message", "Remove staging")
    assert before.splitlines()[1] in ana.does("log --env staging").out


def test_a_model_that_was_never_promoted_has_no_history(proposed: Team) -> None:
    said = proposed.ana.does(f"log --env production --model {OTHER}").out
    assert f"{OTHER} has never been promoted in production." in said


def test_the_history_names_who_agreed_and_what_ran(proposed: Team) -> None:
    events = proposed.ana.does("log --json").json["events"]
    assert [(one["kind"], one["environment"], one["after"]) for one in events] == [
        ("deployed", "staging", f"{MODEL}@2"),
        ("promoted", "staging", f"{MODEL}@2"),
        ("deployed", "production", f"{MODEL}@1"),
        ("promoted", "production", f"{MODEL}@1"),
        ("deployed", "staging", f"{MODEL}@1"),
        ("promoted", "staging", f"{MODEL}@1"),
    ]
    assert events[3]["approved_by"] == ["ben"]
