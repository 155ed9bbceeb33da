"""Races: two people or two machines act at the same time. One wins, the other gets a clear error, and nothing is half done."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlgit.domain.codec import digest
from mlgit.domain.records import Deployment
from mlgit.edges.formats.records import read_record
from mlgit.errors import MlgitError
from mlgit.ops.delivery import apply
from mlgit.ops.promotion import merge
from tests.flows.builder import MODEL, OTHER
from tests.flows.people import Desk, Team

WHERE = f"production/{MODEL}"


def shared(team: Team) -> tuple[Desk, Desk]:
    """Give the team a bare `origin`, and a second clone to Ben."""
    team.ana.clone("origin.git", "--bare")
    team.ana.git("remote", "add", "origin", (team.folder / "origin.git").as_uri())
    team.ana.git("fetch", "--quiet", "origin")
    return team.ana, team.ben.clone("bens", source=team.folder / "origin.git")


def follow(desk: Desk) -> None:
    """Bring the base branch up to what the remote has."""
    desk.git("pull", "--quiet", "--ff-only", "origin", "main")


def chain(desk: Desk, where: str) -> list[Deployment]:
    """The deployments on the ledger, by their numbers."""
    folder = f"deployments/{where}/"
    paths = [path for path in desk.files("mlgit-ledger") if path.startswith(folder) and path.endswith(".json")]
    paths.sort(key=lambda path: int(path.removeprefix(folder).removesuffix(".json")))
    found = [read_record(path, desk.show("mlgit-ledger", path).encode()) for path in paths]
    return [entry for entry in found if isinstance(entry, Deployment)]


@pytest.mark.tier("fast")
def test_of_two_promotions_of_one_model_one_is_merged_and_the_other_becomes_stale(running: Team) -> None:
    """In a team without a shared branch for it: each has a proposal of their own, made on the same base."""
    ana, bens = shared(running)
    ana.does(f"promote {MODEL}@2 --to staging")
    ana.git(
        "push", "--quiet", "origin", ":refs/heads/mlgit/promote/staging/malignancy"
    )  # so that neither sees the other
    bens.does(f"promote {MODEL}@2 --to staging --reason 'I was here as well'")
    ana.does("merge")
    before = bens.head("main")
    assert set(bens("merge").ids) == {"promotion-stale"}
    assert bens.head("main") == before
    assert "is champion of staging already" in bens.does(f"promote {MODEL}@2 --to staging").out
    follow(bens)
    assert bens.head("main") == ana.head("main")


def test_the_loser_of_a_race_can_promote_again_and_win(registered: Team) -> None:
    ana, bens = shared(registered)
    ana.does(f"promote {MODEL}@1 --to staging")
    ana.git("push", "--quiet", "origin", ":refs/heads/mlgit/promote/staging/malignancy")
    bens.does(f"promote {MODEL}@2 --to staging")
    ana.does("merge")
    assert "promotion-stale" in bens("merge").ids
    plan = bens.does(f"promote {MODEL}@2 --to staging").out
    assert f"{MODEL}@2 becomes champion of staging (now {MODEL}@1)" in plan
    bens.does("merge")
    follow(ana)
    (row,) = ana.does("status --json").json["rows"]
    assert row["champion"] == f"{MODEL}@2"


def test_a_proposal_that_somebody_else_pushed_is_not_overwritten(registered: Team) -> None:
    ana, bens = shared(registered)
    ana.does(f"promote {MODEL}@1 --to staging")
    before = bens.everything()
    answer = bens(f"promote {MODEL}@2 --to staging")
    assert (answer.code, answer.ids) == (1, ["push-rejected"])
    assert bens.everything() == before
    bens.git("fetch", "--quiet", "origin")
    (waiting,) = bens.does("status --json").json["open"]
    assert waiting["candidate"] == f"{MODEL}@1"
    assert bens.refused(f"promote {MODEL}@2 --to staging") == ["promotion-open"]
    bens.does(f"promote {MODEL}@2 --to staging --replace")
    ana.git("fetch", "--quiet", "origin")
    (waiting,) = ana.does("status --json").json["open"]
    assert waiting["candidate"] == f"{MODEL}@2"


def test_promotions_of_two_models_are_both_merged(registered: Team) -> None:
    ana, bens = shared(registered)
    ana.does(f"promote {MODEL}@1 --to staging")
    bens.does(f"promote {OTHER}@1 --to staging")
    ana.does("merge staging/malignancy")
    merged = bens.does("merge staging/triage")
    assert "pushed to origin" in merged.out
    follow(ana)
    rows = ana.does("status --json").json["rows"]
    assert [row["champion"] for row in rows] == [f"{MODEL}@1", f"{OTHER}@1"]


def test_two_edits_of_one_manifest_cannot_be_merged_by_git_either(registered: Team) -> None:
    """Each manifest has an id of its own, so the two are in each other's way whatever they say."""
    ana = registered.ana
    ana.does(f"promote {MODEL}@1 --to staging")
    first = ana.head("mlgit/promote/staging/malignancy")
    ana.edit("policies/staging.yaml", "margin: -0.02", "margin: -0.03")
    ana.does(f"promote {MODEL}@1 --to staging")
    second = ana.head("mlgit/promote/staging/malignancy")
    assert first != second
    ana.git("merge", "--quiet", first)
    with ana.session().repository as repository:
        assert repository.merge_tree(ana.head("main"), second) is None


@pytest.mark.parametrize("way", ["merge --quiet --no-edit", "merge --quiet --squash", "cherry-pick"])
def test_two_racing_proposals_are_never_both_merged(way: str, registered: Team) -> None:
    """As a forge does it, with a merge commit, a squash or a rebase; each was fine by itself, on the same base."""
    ana, bens = shared(registered)
    ana.does(f"promote {MODEL}@1 --to staging")
    ana.git("push", "--quiet", "origin", ":refs/heads/mlgit/promote/staging/malignancy")
    bens.does(f"promote {MODEL}@2 --to staging")
    ana.git("fetch", "--quiet", "origin", "mlgit/promote/staging/malignancy")
    ana.commit("Say more", {"README.md": "# Malignancy\n"})  # so that nothing is fast-forwarded
    ana.git(*way.split(), "mlgit/promote/staging/malignancy")
    ana.git("commit", "--quiet", "--allow-empty", "-m", "Promote it")
    landed = ana.head("main")
    with pytest.raises(AssertionError):
        ana.git(*way.split(), "FETCH_HEAD")
    assert ana.git("diff", "--name-only", "--diff-filter=U") == f"environments/staging/{MODEL}.yaml"
    ana.git("reset", "--quiet", "--hard", landed)
    ana.git("push", "--quiet", "origin", "main")
    ana.does("apply staging")
    changes = ana.does("audit --json").json["changes"]
    assert [(one["after"], one["verdict"]) for one in changes] == [(f"{MODEL}@1", "UNAPPROVED")]  # staging asks nobody


def applied(team: Team, desks: list[Desk], environment: str) -> None:
    """Let several apply at the same moment."""
    with team.ana.present(), ThreadPoolExecutor(len(desks)) as pool:
        sessions = [desk.session() for desk in desks]
        for done in pool.map(lambda session: apply.run(session, environment), sessions):
            assert {one.state for one in done.results} <= {"applied", "recorded", "up-to-date"}, done
        for session in sessions:
            session.repository.close()


def consistent(entries: list[Deployment]) -> None:
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.previous for entry in entries] == [None, *map(digest, entries[:-1])]


def at_step(start: str, action: Callable[[], object]) -> Callable[[str], None]:
    """Return what calls an action once, at the first step whose description starts like this."""
    steps: list[str] = []

    def on_step(step: str) -> None:
        if step.startswith(start) and not any(one.startswith(start) for one in steps):
            action()
        steps.append(step)

    return on_step


def test_a_commit_that_is_made_while_a_merge_is_verified_is_not_lost(proposed: Team) -> None:
    ana, cara = proposed.ana, proposed.cara
    proposed.ben.does("approve")
    on_step = at_step("evaluating", lambda: cara.commit("Take a note", {"notes.md": "look at the ragged ones\n"}))
    with ana.present(), pytest.raises(MlgitError) as raised:
        merge.run(ana.session(), None, on_step=on_step)
    assert [finding.id for finding in raised.value.findings] == ["ref-update-conflict"]
    assert "notes.md" in ana.files("main")
    assert (ana.root / "notes.md").exists()
    ana.does("merge")
    assert "notes.md" in ana.files("main")


def test_a_rejection_while_the_gates_are_evaluated_stops_the_merge(proposed: Team) -> None:
    ana = proposed.ana
    proposed.ben.does("approve")
    before = ana.head("main")
    on_step = at_step("evaluating", lambda: proposed.ben.does("approve --reject"))
    with ana.present(), pytest.raises(MlgitError) as raised:
        merge.run(ana.session(), None, on_step=on_step)
    assert [finding.id for finding in raised.value.findings] == ["approvals-missing"]
    assert ana.head("main") == before


def test_a_rejection_while_it_is_verified_stops_the_deployment(proposed: Team) -> None:
    """Ben still has the proposal open in his clone."""
    ana, bens = shared(proposed)
    ana.git("push", "--quiet", "origin", "mlgit/promote/production/malignancy")
    bens.git("fetch", "--quiet", "origin")
    bens.does("approve")
    ana.does("merge")

    def reject() -> None:
        bens.does("approve --reject")
        ana.git("fetch", "--quiet", "origin", "refs/heads/mlgit-ledger:refs/remotes/origin/mlgit-ledger")

    with ana.present():
        applied = apply.run(ana.session(), "production", on_step=at_step("verifying", reject))
    (result,) = applied.results
    assert (result.state, [finding.id for finding in result.findings]) == ("blocked", ["approvals-missing"])


def test_concurrent_applies_write_one_deployment_log(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    applied(proposed, [proposed.ana] * 4, "production")
    entries = chain(proposed.ana, WHERE)
    consistent(entries)
    assert 2 <= len(entries) <= 5
    assert {entry.version for entry in entries[1:]} == {2}
    current = proposed.root / "deployed/production" / MODEL / "current"
    assert json.loads((current / "version.json").read_text())["version"] == 2
    assert proposed.ana.does("apply").out.count("nothing to do") == 2


def test_concurrent_applies_of_two_clones_write_one_deployment_log(proposed: Team) -> None:
    ana, bens = shared(proposed)
    target = str(proposed.folder / "served")
    ana.edit("environments/production/environment.yaml", "path: deployed/production", f"path: {target}")
    ana.git("push", "--quiet", "origin", "main")
    proposed.ben.does("approve")
    proposed.ben.does("merge")
    bens.git("fetch", "--quiet", "origin")
    applied(proposed, [ana, bens], "production")
    origin = ana.at(proposed.folder / "origin.git")
    entries = chain(origin, WHERE)
    consistent(entries)
    assert 2 <= len(entries) <= 3
    assert (Path(target) / MODEL / "current/model.skops").is_file()


def test_concurrent_approvals_are_both_recorded(proposed: Team) -> None:
    ana, bens = shared(proposed)
    ana.git("push", "--quiet", "origin", "mlgit/promote/production/malignancy")
    bens.git("fetch", "--quiet", "origin")
    proposed.cara.does("approve")
    bens.does("approve")
    ana.git("fetch", "--quiet", "origin")
    merged = ana.does("merge")
    assert "approved   cara, ben" in merged.out


def test_log_entries_written_by_two_processes_are_complete(running: Team) -> None:
    """The machine's own clock and processes, as it is in earnest."""
    running.ana.git("update-ref", "refs/heads/mlgit-ledger", "mlgit-ledger~1")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(running.ana.apart, ["apply production --json"] * 2))
    assert [(answer.code, answer.err) for answer in answers] == [(0, ""), (0, "")]
    assert {answer.json["results"][0]["state"] for answer in answers} <= {"recorded", "up-to-date"}
    consistent(chain(running.ana, WHERE))


def test_a_branch_with_an_invalid_manifest_does_not_block_others(proposed: Team) -> None:
    bad = {f"environments/staging/{OTHER}.yaml": b"promotion: [\n"}
    with proposed.mallory.present(), proposed.mallory.session().repository as repository:
        commit = repository.commit(bad, parents=[proposed.mallory.head()], message="Promote triage@1 to staging")
    proposed.mallory.git("branch", f"mlgit/promote/staging/{OTHER}", commit)
    assert [one["candidate"] for one in proposed.ana.does("status --json").json["open"]] == [f"{MODEL}@2"]
    proposed.ben.does("approve")
    proposed.ana.does("merge")


def test_what_the_remote_does_not_have_is_not_applied(proposed: Team) -> None:
    ana, _ = shared(proposed)
    proposed.ben.does("approve")
    ana.does("merge")
    ana.commit("Not pushed", {"notes.md": "here alone\n"})
    before = ana.refs()
    answer = ana("apply production")
    assert answer.code == 1
    assert answer.ids == ["base-branch-unpushed"]
    assert ana.refs() == before
    ana.git("push", "--quiet", "origin", "main")
    ana.does("apply production")


# A merge that is killed


def killed(desk: Desk, *, pushed: bool) -> tuple[str, str]:
    """Merge, and set everything back to what a kill after the push, or just before it, leaves behind."""
    before = desk.head("main")
    merged = desk.does("merge --json").json["commit"]
    desk.git("update-ref", "refs/heads/main", before)
    desk.git("update-ref", "refs/mlgit/merge", merged)
    if not pushed:
        desk.at(desk.root.parent / "origin.git").git("update-ref", "refs/heads/main", before)
        desk.git("update-ref", "refs/remotes/origin/main", before)
    assert desk.git("status", "--short") != "", "the work tree is ahead of the branch"
    return before, merged


@pytest.mark.parametrize("line", ["merge", "apply", f"promote {OTHER}@1 --to staging"])
def test_a_merge_that_was_killed_after_the_push_is_finished_by_the_next_command(registered: Team, line: str) -> None:
    ana, _ = shared(registered)
    ana.does(f"promote {MODEL}@1 --to staging")
    _, merged = killed(ana, pushed=True)
    ana.does(line)
    assert ana.head("main") == merged
    assert ana.git("status", "--short", "--untracked-files=no") == ""
    assert "refs/mlgit/merge" not in ana.refs()


def test_a_merge_that_was_killed_before_the_push_is_made_again(registered: Team) -> None:
    ana, _ = shared(registered)
    ana.does(f"promote {MODEL}@1 --to staging")
    before, merged = killed(ana, pushed=False)
    again = ana.does(f"promote {MODEL}@1 --to staging --json").json
    assert again["state"] == "proposed"
    now = ana.does("merge --json").json["commit"]
    assert now != merged
    assert ana.head("main~1") == before
    assert (ana.head("main"), ana.git("status", "--short")) == (now, "")
    assert "refs/mlgit/merge" not in ana.refs()


def test_a_dry_run_of_a_merge_answers_as_the_merge_does(registered: Team) -> None:
    ana = registered.ana
    ana.does(f"promote {MODEL}@1 --to staging")
    place = ana.root / f"environments/staging/{MODEL}.yaml"
    place.write_text("mine: yes\n")
    assert ana("merge --dry-run").ids == ana("merge").ids == ["work-tree-dirty"]
    place.unlink()
    nobody = ana.using(user_email="")
    assert nobody("merge --dry-run").ids == ["git-identity-missing"]
    ana.does("merge --dry-run")
    ana.does("merge")
