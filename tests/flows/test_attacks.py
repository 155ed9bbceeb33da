"""Ways to get round the rules that need nothing but write access to the repository and a key of one's own."""

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.codec import to_json, version_digest
from mlgit.domain.records import Version
from mlgit.edges.ssh.signing import SshSignatures
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_approvals_shown import left_out
from tests.flows.test_audit_abuse import (
    MANIFEST,
    POLICY,
    WHERE,
    audited,
    history_findings,
    last,
    manifest,
    merge_with_git,
    on_ledger,
)
from tests.flows.test_promotion_races import shared
from tests.flows.test_rule_changes import proposes

UNUSED = "policies/next.yaml"


def proposes_file(desk: Desk, branch: str, files: dict[str, str | bytes]) -> None:
    desk.git("switch", "--quiet", "--create", branch, "main")
    desk.commit("Add a draft", files)
    desk.git("switch", "--quiet", "main")


def foxtrot(desk: Desk, branch: str, tip: str) -> None:
    """Put a branch on top of another history, its old tip as the second parent: a fast-forward that loses what it had."""
    old = desk.head(branch)
    merge = desk.git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-p", old, "-m", "Merge")
    desk.git("update-ref", f"refs/heads/{branch}", merge, old)


# Rules


def test_a_policy_is_not_loosened_between_its_approval_and_its_use(running: Team) -> None:
    """People approve that an environment takes another policy; what that policy says is changed before the merge."""
    ana, ben = running.ana, running.ben
    strict = ana.read(POLICY).replace("name: production", "name: next")
    proposes_file(ana, "draft", {UNUSED: strict})
    ben.does("approve draft")
    ana.does("merge draft")
    proposes(ana, "switch", "environments/production/environment.yaml", ("policy: production", "policy: next"))
    ben.does("approve switch")
    proposes(ana, "loosen", UNUSED, ("promote: {min: 1}", "promote: {min: 0}"))
    assert ana.refused("merge loosen") == ["rule-approvals-missing"]


# Branches that are merged into another history


def test_a_refusal_is_not_lost_by_a_merge_of_the_ledger(proposed: Team) -> None:
    ana, mallory = proposed.ana, proposed.mallory
    past = ana.head("mlgit-ledger")
    merge_with_git(mallory)
    assert ana("apply production").code == 1
    assert ana.head("mlgit-ledger") != past
    verdict = last(ana)
    assert "apply-rejected" in verdict[1]
    foxtrot(mallory, "mlgit-ledger", past)
    assert last(ana) == verdict
    assert "ledger-entry-changed" in history_findings(audited(ana))


def test_a_merge_of_the_ledger_that_loses_entries_is_not_fetched(proposed: Team) -> None:
    ana, bens = shared(proposed)
    past = ana.head("mlgit-ledger")
    bens("approve --reject")
    ana.does("status")
    ana.git("fetch", "--quiet")
    mallory = proposed.mallory.at(bens.root)
    foxtrot(mallory, "mlgit-ledger", past)
    mallory.git("push", "--quiet", "origin", "mlgit-ledger")  # a fast-forward
    assert ana("apply production").ids == ["ledger-rewritten"]


def test_a_rejection_that_is_deleted_from_the_ledger_still_counts(proposed: Team) -> None:
    ana, ben, cara = proposed.ana, proposed.ben, proposed.cara
    ben.does("approve")
    cara.does("approve --reject")

    def without_rejection(desk: Desk) -> None:
        files = [path for path in desk.files("HEAD") if "cara" in path]
        desk.git("rm", "--quiet", *files)
        desk.git("commit", "--quiet", "-m", "Tidy up")

    on_ledger(proposed.mallory, without_rejection)
    assert "cara, who rejected it" in ana(f"merge {WHERE}").err


def test_another_history_under_the_base_branch_is_not_applied(running: Team) -> None:
    """In it nobody had to approve anything, and the true one is its second parent."""
    ana, mallory = running.ana, running.mallory
    ana.does("audit")
    (start,) = ana.git("rev-list", "--max-parents=0", "main").splitlines()
    tree, manifest = ana.head("HEAD^{tree}"), ana.show("main", MANIFEST)
    (ana.root / MANIFEST).unlink()
    ana.git("add", "--all")
    before = ana.git("commit-tree", ana.git("write-tree"), "-p", start, "-m", "Everything but the manifest")
    tip = mallory.git("commit-tree", tree, "-p", before, "-m", "Promote it")
    ana.git("reset", "--quiet", "--hard")
    foxtrot(mallory, "main", tip)
    assert ana.show("main", MANIFEST) == manifest
    (ana.root / "deployed/production").rename(ana.root / "gone")
    answer = ana("apply production")
    assert (answer.code, answer.ids) == (1, ["base-commit-missing"])
    assert "history-rewritten" in history_findings(audited(ana, ""))
    assert "base-commit-missing" in history_findings(audited(ana))


# Files that stop a command


def test_a_commit_without_a_date_stops_nothing(running: Team) -> None:
    ana = running.ana
    tree, parent = ana.head("HEAD^{tree}"), ana.head()
    text = f"tree {tree}\nparent {parent}\nauthor M <m@acme.example> 1 +0000\ncommitter M <m@acme.example>\n\nNote\n"
    commit = ana.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=text.encode())
    ana.git("update-ref", "refs/heads/main", commit)
    assert ana("audit --no-cache").code == 0
    ana.does("status")
    ana.does("log")


# Versions


def test_a_champion_does_not_hide_who_made_the_next_version(registered: Team) -> None:
    """The record of the champion names a commit that has changes which only the next version is made from."""
    ana, ben = registered.ana, registered.ben
    left_out(registered)
    ben.git("switch", "--quiet", "--create", "later")
    later = ben.edit("params.yaml", "fit: worse", "fit: better")
    ben.git("switch", "--quiet", "main")
    folder, copy = layout.version_folder(MODEL, 1), layout.version_folder(MODEL, 4)
    version = msgspec.json.decode(ana.read(f"{folder}/version.json"), type=Version)
    made = replace(version, version=4, inputs=replace(version.inputs, commit=later), blobs=None)
    made = replace(made, digest=version_digest(made))
    files: dict[str, str | bytes] = {
        f"{copy}/{name}": ana.read(f"{folder}/{name}") for name in ("card.md", "profile.json")
    }
    ana.commit("Write a version by hand", {**files, f"{copy}/version.json": to_json(made)})
    registered.promote(f"{MODEL}@4", "staging")
    registered.promote(f"{MODEL}@4", "production", approve=[registered.cara])
    ben.git("merge", "--quiet", "--no-edit", "later")
    ana.does(f"train {MODEL}")
    ana.does(f"register {MODEL}")
    registered.promote(f"{MODEL}@5", "staging")
    ana.does(f"promote {MODEL}@5 --to production")
    assert ben("approve").ids == ["approver-excluded"]


# Votes


def test_nobody_blocks_a_promotion_by_a_file_that_is_no_vote(proposed: Team) -> None:
    """Whoever may push to the ledger could otherwise veto every promotion, whoever the policy names."""
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    folder = layout.approvals(manifest(proposed).promotion)
    junk: dict[str, str | bytes] = {
        f"{folder}/a.json": "{",
        f"{folder}/b.json": "{}",
        f"{folder}/b.json.sig": "nothing",
    }
    on_ledger(proposed.mallory, lambda desk: desk.commit("Approve", junk))
    ana.does(f"merge {WHERE}")
    assert last(ana) == ("PROVEN", [])


def test_a_signed_vote_that_cannot_be_read_is_not_passed_over(proposed: Team) -> None:
    """It may be a rejection, in a form that only a newer mlgit knows."""
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    folder, vote = layout.approvals(manifest(proposed).promotion), b'{"schema": 2}\n'
    with proposed.cara.present():
        signature = SshSignatures(lambda _: None, proposed.keys / "cara").sign(vote)
    files: dict[str, str | bytes] = {f"{folder}/cara.json": vote, f"{folder}/cara.json.sig": signature}
    on_ledger(proposed.cara, lambda desk: desk.commit("Reject", files))
    assert ana.refused(f"merge {WHERE}")


def test_votes_of_one_promotion_are_none_of_another(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    before = layout.approvals(manifest(proposed).promotion)
    ana.does(f"withdraw {WHERE}")
    ana.does(f"promote {MODEL}@2 --to production")
    after = layout.approvals(manifest(proposed).promotion)
    assert before != after

    def copy(desk: Desk) -> None:
        paths = [path for path in desk.files("HEAD") if path.startswith(before)]
        desk.commit("Approve", {path.replace(before, after): (desk.root / path).read_bytes() for path in paths})

    on_ledger(proposed.mallory, copy)
    assert ana.refused(f"merge {WHERE}") == ["approvals-missing"]
