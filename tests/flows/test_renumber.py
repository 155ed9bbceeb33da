"""Two branches that both made version 4: one of them becomes version 5, and stays what it was."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlgit.domain import layout
from tests.conftest import BuildOnce
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team

FOLDER = f"models/{MODEL}/versions"


def trained(desk: Desk, fit: str) -> str:
    """Train and register what is fitted in another way."""
    last = desk.read("params.yaml").split("fit: ")[1].strip()
    desk.edit("params.yaml", last, fit)
    desk.does(f"train {MODEL}")
    return str(desk.does(f"register {MODEL} --json").json["version"])


@pytest.fixture(scope="module")
def built(scenes: Path, build_once: BuildOnce) -> Path:
    """A scene, built once: version 4 of one kind is on the base branch, that of another kind on the branch `work`."""

    def build(folder: Path) -> None:
        shutil.copytree(scenes / "registered", folder, symlinks=True)
        with Team.at(folder, keys=scenes / "keys") as team:
            ana, ben = team.ana, team.ben
            ben.git("switch", "--quiet", "--create", "work")
            assert trained(ben, "better") == f"{MODEL}@4"
            ana.git("switch", "--quiet", "main")
            assert trained(ana, "plain") == f"{MODEL}@4"
            ben.git("switch", "--quiet", "work")
            team.leave()

    return build_once("renumber", build)


@pytest.fixture
def twice(built: Path, scenes: Path, tmp_path: Path) -> Iterator[Team]:
    """A copy of that scene; the branch `work` is checked out."""
    shutil.copytree(built, tmp_path / "twice", symlinks=True)
    with Team.at(tmp_path / "twice", keys=scenes / "keys") as team:
        yield team


def record(desk: Desk, number: int, revision: str = "HEAD") -> Any:
    return json.loads(desk.show(revision, layout.version(MODEL, number)))


def test_the_folder_moves_and_the_digest_stays(twice: Team) -> None:
    ben = twice.ben
    before = record(ben, 4)
    files = [path for path in ben.files("HEAD") if path.startswith(f"{FOLDER}/v4/")]
    answer = ben.does(f"renumber {MODEL}@4 --json").json
    after = record(ben, 5)
    assert (answer["before"], answer["after"], answer["digest"]) == (f"{MODEL}@4", f"{MODEL}@5", before["digest"])
    assert after == before | {"version": 5}
    assert sorted(answer["files"]) == files
    assert sorted(answer["files"].values()) == [path.replace("/v4/", "/v5/") for path in files]
    assert not [path for path in ben.files("HEAD") if path.startswith(f"{FOLDER}/v4/")]
    assert ben.git("status", "--porcelain") == ""
    assert ben.head() == answer["commit"]


def test_then_the_branches_merge_and_both_versions_are_sound(twice: Team) -> None:
    ana, ben = twice.ana, twice.ben
    with ana.session().repository as repository:
        assert repository.merge_tree(ana.head("main"), ana.head("work")) is None
    ben.does(f"renumber {MODEL}@4")
    ana.git("switch", "--quiet", "main")
    ana.git(
        "merge", "--quiet", "--no-ff", "-X", "ours", "-m", "Merge it", "work"
    )  # params.yaml and dvc.lock differ too
    assert ana.does("validate --base main~1").code == 0
    assert [record(ana, number)["version"] for number in (4, 5)] == [4, 5]


def test_what_else_is_in_the_work_tree_stays(twice: Team) -> None:
    ben = twice.ben
    (ben.root / "notes.md").write_text("a note\n")
    (ben.root / "README.md").write_text("changed\n")
    ben.git("add", "README.md")
    before = ben.git("status", "--porcelain")
    ben.does(f"renumber {MODEL}@4")
    assert ben.git("status", "--porcelain") == before


def test_a_dry_run_changes_nothing_and_says_what_it_would(twice: Team) -> None:
    before = twice.ben.everything()
    answer = twice.ben.does(f"renumber {MODEL}@4 {MODEL}@12 --dry-run")
    assert twice.ben.everything() == before
    assert f"{MODEL}@4 would become {MODEL}@12" in answer.out


def test_the_next_label_is_one_that_neither_branch_has(twice: Team) -> None:
    twice.ana.git("switch", "--quiet", "main")
    trained(twice.ana, "worse")
    twice.ben.git("switch", "--quiet", "work")
    assert twice.ben.refused(f"renumber {MODEL}@4 {MODEL}@5") == ["version-exists"]
    assert twice.ben.refused(f"renumber {MODEL}@4 {MODEL}@2") == ["version-exists"]
    assert twice.ben.does(f"renumber {MODEL}@4 --json").json["after"] == f"{MODEL}@6"


@pytest.mark.parametrize("name", [f"{MODEL}@1", f"{MODEL}@3"])
def test_what_is_on_the_base_branch_keeps_its_label(twice: Team, name: str) -> None:
    assert twice.ben.refused(f"renumber {name}") == ["version-on-base-branch"]


def test_so_does_what_the_base_branch_has_at_the_remote_alone(twice: Team) -> None:
    ben = twice.ben
    ben.git("update-ref", "refs/remotes/origin/main", "work")
    assert ben.refused(f"renumber {MODEL}@4") == ["version-on-base-branch"]


def test_what_is_not_there_cannot_be_renumbered(twice: Team) -> None:
    assert twice.ben.refused(f"renumber {MODEL}@9") == ["version-unknown"]


@pytest.mark.parametrize(
    "path",
    [
        f"{FOLDER}/v4/gates/01KJW6PM400000000000000000.json",
        f"environments/staging/{MODEL}.yaml",
        f"retirements/{MODEL}/v4.yaml",
    ],
)
def test_what_something_names_keeps_its_label(twice: Team, path: str) -> None:
    ben = twice.ben
    ben.commit("Name it", {path: json.dumps({"digest": record(ben, 4)["digest"]})})
    assert ben.refused(f"renumber {MODEL}@4") == ["version-in-use"]


def test_what_a_later_version_corrects_keeps_its_label(twice: Team) -> None:
    ben = twice.ben
    ben.edit("params.yaml", "better", "worse")
    ben.does(f"train {MODEL}")
    ben.does(f"register {MODEL} --supersedes {MODEL}@4")
    assert ben.refused(f"renumber {MODEL}@4") == ["version-in-use"]
    assert ben.does(f"renumber {MODEL}@5 --json").json["after"] == f"{MODEL}@6"


def test_in_the_middle_of_a_merge_it_says_how_to_begin_again(twice: Team) -> None:
    ben = twice.ben
    with pytest.raises(AssertionError):
        ben.git("merge", "main")
    before = ben.git("status", "--porcelain")
    answer = ben(f"renumber {MODEL}@4")
    assert (answer.code, answer.ids) == (1, ["work-tree-dirty"])
    assert "git merge --abort" in answer.err
    assert ben.git("status", "--porcelain") == before
    ben.git("merge", "--abort")
    ben.does(f"renumber {MODEL}@4")


def test_a_file_of_the_version_that_was_changed_is_not_lost(twice: Team) -> None:
    (twice.root / FOLDER / "v4/card.md").write_text("changed\n")
    assert twice.ben.refused(f"renumber {MODEL}@4") == ["work-tree-dirty"]
