"""`mlgit verify-push`: a bare repository with the hook on a plain Git server, and people who push to it."""

import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlgit.domain import layout
from tests.flows.builder import MODEL, OTHER
from tests.flows.people import Desk, Team, signer
from tests.flows.test_approvals_flow import POLICY, on_branch, on_ledger
from tests.flows.test_promotion_races import follow, shared

WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"
MANIFEST = f"environments/{WHERE}.yaml"
_CLOCK = """\
import os
from datetime import UTC, datetime

if "GIT_COMMITTER_DATE" in os.environ:
    from mlgit.edges.clock import SystemClock

    stamp = int(os.environ["GIT_COMMITTER_DATE"].split()[0].removeprefix("@"))
    SystemClock.now = lambda _: datetime.fromtimestamp(stamp, UTC)
"""


@pytest.fixture(autouse=True)
def _the_server_has_the_time_of_the_team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook is a process of its own, which takes the time from whoever pushes."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock/sitecustomize.py").write_text(_CLOCK)
    path = [str(tmp_path / "clock"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))


def hosted(team: Team) -> tuple[Desk, Desk, Desk]:
    """Give the team a guarded server; return Ana, Ben in a clone of his own, and the server."""
    ana, bens = shared(team)
    server = ana.at(team.folder / "origin.git")
    server.does("verify-push --install")
    return ana, bens, server


def pushed(desk: Desk, *words: str) -> subprocess.CompletedProcess[str]:
    with desk.present():
        command = ["git", "push", "--porcelain", "origin", *words]
        return subprocess.run(command, cwd=desk.root, capture_output=True, text=True, check=False)


def refused(desk: Desk, server: Desk, *words: str) -> str:
    """Push what must be refused, by the hook and with nothing taken; return what the pusher reads."""
    before = server.refs()
    done = pushed(desk, *words)
    assert done.returncode != 0, done.stdout + done.stderr
    assert "pre-receive hook declined" in done.stdout + done.stderr
    assert server.refs() == before
    return done.stderr


def accepted(desk: Desk, *words: str) -> str:
    done = pushed(desk, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


# The base branch


@pytest.mark.tier("fast")
def test_a_merge_by_mlgit_is_accepted_and_applied(proposed: Team) -> None:
    ana, bens, server = hosted(proposed)
    bens.does("approve")
    merged = ana.does("merge --json").json
    assert (merged["pushed"], server.head("main")) == (True, merged["commit"])
    assert [one["state"] for one in ana.does("apply production --json").json["results"]] == ["applied"]


def test_a_promotion_without_approvals_is_refused_with_who_may_approve(proposed: Team) -> None:
    """Mallory merges by hand."""
    _, bens, server = hosted(proposed)
    bens.git("merge", "--quiet", "--no-ff", "-m", "Merge it", f"origin/{BRANCH}")
    said = refused(bens, server, "main")
    assert "error[approvals-missing]" in said
    assert f"remote: error[approvals-missing]: {WHERE} lacks 1 more approval (0 of 1 so far; ben, cara may)" in said


def test_a_key_for_two_people_is_refused(proposed: Team) -> None:
    ana, _, server = hosted(proposed)
    line = signer("ben", proposed.keys)
    ana.commit(
        "Let Cara use Ben's key", {layout.SIGNERS: ana.read(layout.SIGNERS).replace(line, f"cara@acme.example,{line}")}
    )
    assert "error[allowed-signers-key-shared]" in refused(ana, server, "main")


def test_the_author_cannot_approve_and_push(proposed: Team) -> None:
    """Ana signs an approval of her own promotion past mlgit, and merges by hand."""
    ana, bens, server = hosted(proposed)
    folder = f"approvals/{bens.does('approve --json').json['promotion']}/"
    (theirs,) = [one for one in server.files("mlgit-ledger") if one.startswith(folder) and one.endswith(".json")]
    word = json.loads(server.show("mlgit-ledger", theirs)) | {"by": "ana@acme.example"}
    content = json.dumps(word).encode()
    with ana.present():
        signature = ana.session().signatures.sign(content)
    own = theirs.replace("/ben-", "/ana-")
    server.git("update-ref", "refs/heads/mlgit-ledger", "mlgit-ledger~1")  # as if Ben had said nothing
    on_ledger(ana, {own: content, f"{own}.sig": signature})
    accepted(ana, "mlgit-ledger")
    ana.git("merge", "--quiet", "--no-ff", "-m", "Merge it", BRANCH)
    said = refused(ana, server, "main")
    assert "error[approvals-missing]" in said
    assert "not counted: ana: author of the promotion" in said


def test_a_manifest_edited_and_pushed_directly_is_refused(proposed: Team) -> None:
    ana, _, server = hosted(proposed)
    ana.commit("Just this once", {MANIFEST: f"{ana.read(MANIFEST)}\nreason: it has to go out today\n"})
    said = refused(ana, server, "main")
    assert "promotion-stale" in said


def test_an_ordinary_change_passes(proposed: Team) -> None:
    ana, bens, server = hosted(proposed)
    ana.commit("Say more", {"README.md": "# Malignancy\n"})
    ana.commit("Write more", {"src/more.py": "pass\n"})
    assert "remote: main: 2 commits verified" in accepted(ana, "main")
    assert server.head("main") == ana.head("main")
    bens.git("fetch", "--quiet", "origin")


CHANGES: list[tuple[str, dict[str, str], str]] = [
    ("a record that is none", {POLICY: "kind: policy\n"}, "key-missing"),
    ("a version", {f"models/{MODEL}/versions/v1/card.md": "changed\n"}, "immutable-file-changed"),
    (
        "no project",
        {"mlgit.yaml": "kind: project\nschema: 1\nname: team\nenvironments: [staging]\nbase: x\n"},
        "base-branch-changed",
    ),
]


@pytest.mark.parametrize(("files", "finding"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_an_invalid_change_is_refused(proposed: Team, files: dict[str, str], finding: str) -> None:
    ana, _, server = hosted(proposed)
    ana.commit("Change it", files)
    assert f"error[{finding}]" in refused(ana, server, "main")


def test_a_deleted_manifest_is_refused(proposed: Team) -> None:
    ana, _, server = hosted(proposed)
    ana.git("rm", "--quiet", MANIFEST)
    ana.git("commit", "--quiet", "-m", "Take it away")
    assert "manifest-deleted" in refused(ana, server, "main")


def test_a_promotion_that_changes_a_policy_is_refused(proposed: Team) -> None:
    ana, _, server = hosted(proposed)
    on_branch(ana, {POLICY: ana.read(POLICY).replace("promote: {min: 1}", "promote: {min: 0}")})
    ana.git("merge", "--quiet", "--no-ff", "-m", "Merge it", BRANCH)
    assert "policy-changed-with-promotion" in refused(ana, server, "main")


def test_each_commit_of_a_push_is_verified_by_the_state_before_it(proposed: Team) -> None:
    """The first commit is fine, the second is not, the third takes it back: the push is refused all the same."""
    ana, _, server = hosted(proposed)
    path = f"models/{MODEL}/versions/v1/card.md"
    card = ana.read(path)
    ana.commit("Say more", {"README.md": "# Malignancy\n"})
    ana.commit("Change a version", {path: "changed\n"})
    ana.commit("Take it back", {path: card})
    assert "immutable-file-changed" in refused(ana, server, "main")


def test_two_promotions_in_one_push_are_verified_in_order(registered: Team) -> None:
    ana, _, server = hosted(registered)
    for model in (MODEL, OTHER):
        ana.does(f"promote {model}@1 --to staging")
        ana.git("merge", "--quiet", "--no-ff", "-m", "Merge it", f"mlgit/promote/staging/{model}")
    assert "main: 2 commits verified, with 2 promotions" in accepted(ana, "main")
    assert server.head("main") == ana.head("main")


def test_a_forced_push_is_refused(proposed: Team) -> None:
    ana, bens, server = hosted(proposed)
    ana.commit("Say more", {"README.md": "# Malignancy\n"})
    accepted(ana, "main")
    bens.commit("Say it otherwise", {"README.md": "# Otherwise\n"})
    said = refused(bens, server, "--force", "main")
    assert "error[push-non-fast-forward]" in said
    assert "git fetch origin" in said


def test_the_second_of_two_pushes_has_to_fetch_first(proposed: Team) -> None:
    ana, bens, _ = hosted(proposed)
    ana.commit("Say more", {"README.md": "# Malignancy\n"})
    accepted(ana, "main")
    bens.commit("Say it otherwise", {"LICENSE": "# Otherwise\n"})
    done = pushed(bens, "main")
    assert done.returncode != 0
    assert "fetch first" in done.stdout
    bens.git("pull", "--quiet", "--rebase", "origin", "main")
    accepted(bens, "main")


def test_the_first_parent_line_of_the_base_cannot_change(proposed: Team) -> None:
    """What `git pull` does on a base branch with commits of one's own."""
    ana, bens, server = hosted(proposed)
    ana.commit("Say more", {"README.md": "# Malignancy\n"})
    accepted(ana, "main")
    bens.commit("Say it elsewhere", {"notes.md": "a note\n"})
    bens.git("pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main")
    assert "error[push-first-parent-changed]" in refused(bens, server, "main")


@pytest.mark.parametrize("branch", ["main", "mlgit-ledger"])
def test_the_base_branch_and_the_ledger_cannot_be_deleted(proposed: Team, branch: str) -> None:
    ana, _, server = hosted(proposed)
    server.git("config", "receive.denyDeleteCurrent", "ignore")
    assert "error[push-deletes-branch]" in refused(ana, server, f":{branch}")


def test_of_two_concurrent_merges_one_is_accepted_and_the_other_refused(registered: Team) -> None:
    """Both are good, and Git takes one of them first."""
    ana, bens, server = hosted(registered)
    ana.does(f"promote {MODEL}@1 --to staging")
    bens.does(f"promote {OTHER}@1 --to staging")
    for desk, model in ((ana, MODEL), (bens, OTHER)):
        desk.git("merge", "--quiet", "--no-ff", "-m", "Merge it", f"mlgit/promote/staging/{model}")
    with ana.present(), ThreadPoolExecutor(2) as pool:
        command = ["git", "push", "--quiet", "origin", "main"]
        done = list(
            pool.map(lambda one: subprocess.run(command, cwd=one.root, capture_output=True, check=False), (ana, bens))
        )
    assert sorted(one.returncode for one in done) == [0, 1]
    won, lost = (ana, bens) if done[0].returncode == 0 else (bens, ana)
    assert server.head("main") == won.head("main")
    lost.git("reset", "--quiet", "--hard", "origin/main")
    lost.does(f"merge staging/{OTHER if lost is bens else MODEL}")
    follow(won)
    assert [row["champion"] for row in won.does("status --json").json["rows"]] == [f"{MODEL}@1", f"{OTHER}@1"]


# The ledger


def test_the_ledger_cannot_be_rewritten(proposed: Team) -> None:
    ana, _, server = hosted(proposed)
    ana.git("update-ref", "refs/heads/mlgit-ledger", "mlgit-ledger~1")
    assert "error[push-non-fast-forward]" in refused(ana, server, "--force", "mlgit-ledger")


def test_an_entry_of_the_ledger_cannot_be_edited(proposed: Team) -> None:
    ana, _, server = hosted(proposed)
    path = f"deployments/{WHERE}/1.json"
    entry = json.loads(ana.show("mlgit-ledger", path))
    on_ledger(ana, {path: json.dumps(entry | {"status": "blocked"})})
    said = refused(ana, server, "mlgit-ledger")
    assert "error[ledger-entry-changed]" in said
    assert f"at   {path}" in said


CHAINS: list[tuple[str, dict[str, object], str]] = [
    ("does not name the one before", {"previous": "sha256:" + "0" * 64}, "ledger-chain-broken"),
    ("leaves one out", {"seq": 3}, "ledger-entry-missing"),
]


@pytest.mark.parametrize(("change", "finding"), [case[1:] for case in CHAINS], ids=[case[0] for case in CHAINS])
def test_an_entry_has_to_follow_from_the_one_before(proposed: Team, change: dict[str, object], finding: str) -> None:
    ana, _, server = hosted(proposed)
    entry = json.loads(ana.show("mlgit-ledger", f"deployments/{WHERE}/1.json")) | {"seq": 2} | change
    on_ledger(ana, {f"deployments/{WHERE}/{entry['seq']}.json": json.dumps(entry)})
    assert f"error[{finding}]" in refused(ana, server, "mlgit-ledger")


def test_a_file_that_is_no_record_is_refused_on_the_ledger(proposed: Team) -> None:
    """It would keep everybody from counting approvals."""
    ana, _, server = hosted(proposed)
    on_ledger(ana, {"approvals/01KJW6PM400000000000000000/x.json": "{}"})
    assert "error[key-missing]" in refused(ana, server, "mlgit-ledger")


def test_approvals_and_deployments_are_accepted_on_the_ledger(proposed: Team) -> None:
    ana, bens, server = hosted(proposed)
    before = server.head("mlgit-ledger")
    bens.does("approve")
    ana.does("merge")
    ana.does("apply production")
    assert int(server.git("rev-list", "--count", f"{before}..mlgit-ledger")) == 2


# Other branches, the first push, and the hook itself


def test_other_branches_and_tags_are_accepted(proposed: Team) -> None:
    ana, _, server = hosted(proposed)
    ana.git("tag", "v1")
    accepted(ana, f"{BRANCH}:refs/heads/work", "v1")
    ana.git("commit", "--quiet", "--amend", "-m", "Otherwise")
    accepted(ana, "--force", "HEAD:refs/heads/work")
    assert server.head("work") == ana.head()


def test_a_proposal_that_cannot_be_read_is_refused(proposed: Team) -> None:
    """It would keep everybody from seeing what else is open."""
    ana, _, server = hosted(proposed)
    branch = f"mlgit/promote/staging/{OTHER}"
    ana.git("switch", "--quiet", "--create", branch)
    ana.commit("Break it", {f"environments/staging/{OTHER}.yaml": "kind: promotion\n"})
    assert "error[key-missing]" in refused(ana, server, branch)


def test_one_refused_ref_refuses_the_whole_push(proposed: Team) -> None:
    ana, _, server = hosted(proposed)
    ana.git("update-ref", "refs/heads/mlgit-ledger", "mlgit-ledger~1")
    refused(ana, server, "--force", "main:refs/heads/work", "mlgit-ledger")


def test_an_empty_server_takes_the_first_push(proposed: Team) -> None:
    ana = proposed.ana
    place = proposed.folder / "empty.git"
    ana.git("init", "--quiet", "--bare", "--initial-branch=main", str(place))
    server = ana.at(place)
    server.does("verify-push --install")
    ana.git("remote", "add", "origin", place.as_uri())
    accepted(ana, "main", "mlgit-ledger")
    assert server.head("main") == ana.head("main")
    ana.commit("Change a version", {f"models/{MODEL}/versions/v1/card.md": "changed\n"})
    refused(ana, server, "main")


def test_a_first_push_without_a_readable_project_is_refused(proposed: Team) -> None:
    ana = proposed.ana
    place = proposed.folder / "empty.git"
    ana.git("init", "--quiet", "--bare", "--initial-branch=main", str(place))
    server = ana.at(place)
    server.does("verify-push --install")
    ana.git("remote", "add", "origin", place.as_uri())
    ana.commit("Break it", {"mlgit.yaml": "kind: project\n"})
    assert "error[key-missing]" in refused(ana, server, "main")


def test_installing_the_hook_twice_changes_nothing_and_no_other_hook_is_replaced(proposed: Team) -> None:
    ana, _, server = hosted(proposed)
    hook = server.root / "hooks/pre-receive"
    ours = hook.read_bytes()
    assert os.access(hook, os.X_OK)
    assert "is there already" in server.does("verify-push --install").out
    hook.write_text("#!/bin/sh\nexit 0\n")
    assert server.refused("verify-push --install") == ["hook-exists"]
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"
    hook.unlink()
    server.does("verify-push --install --dry-run")
    assert not hook.exists()
    server.does("verify-push --install")
    assert hook.read_bytes() == ours
    assert ana.refused("verify-push --install") == ["repository-not-bare"]


def test_the_hook_is_installed_at_core_hookspath(proposed: Team) -> None:
    ana, _ = shared(proposed)
    server = ana.at(proposed.folder / "origin.git")
    server.git("config", "core.hooksPath", "guards")
    server.does("verify-push --install")
    assert (server.root / "guards/pre-receive").is_file()
    ana.commit("Change a version", {f"models/{MODEL}/versions/v1/card.md": "changed\n"})
    refused(ana, server, "main")


def test_without_mlgit_every_push_is_refused(proposed: Team) -> None:
    """A guard that cannot be asked says no."""
    ana, _, server = hosted(proposed)
    hook = server.root / "hooks/pre-receive"
    hook.write_text(hook.read_text().replace("-m mlgit", "-m mlgit_is_not_here"))
    ana.commit("Say more", {"README.md": "# Malignancy\n"})
    refused(ana, server, "main")


@pytest.mark.parametrize("line", ["x", "a b", "  "])
def test_invalid_standard_input_is_a_usage_error(proposed: Team, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line.encode())))
    answer = proposed.ana("verify-push")
    assert (answer.code, answer.ids) == (2, ["push-input-invalid"])


def test_json_has_a_verdict_for_each_ref(proposed: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    ana = proposed.ana
    line = f"{ana.head('main~1')} {ana.head('main')} refs/heads/main\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line.encode())))
    found = ana.does("verify-push --json").json
    assert found["schema"] == "mlgit/verify-push.v1"
    (one,) = found["refs"]
    assert (one["role"], one["commits"], len(one["promotions"])) == ("base", 1, 1)
