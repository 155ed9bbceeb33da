"""Every way to bypass the rules with Git alone, and the verdict of an audit on it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.codec import digest, to_json
from mlgit.domain.records import Approval, GateReport, Promotion
from mlgit.domain.records.promotion import ReportRef
from mlgit.edges.formats.records import read_record
from mlgit.edges.ssh.signing import SshSignatures
from mlgit.ops.guard import verify_push
from mlgit.ops.guard.push import RefUpdate
from tests.flows.builder import MODEL, OTHER
from tests.flows.people import Answer, Desk, Team, signer

WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"
MANIFEST = f"environments/{WHERE}.yaml"
STAGED = f"environments/staging/{MODEL}.yaml"
POLICY = "policies/production.yaml"
RECORD = layout.version(MODEL, 1)


def audited(desk: Desk, options: str = "--no-cache") -> Answer:
    answer = desk(f"audit --json {options}")
    assert answer.code in {0, 1}, answer.text
    return answer


def last(desk: Desk) -> tuple[str, list[str]]:
    """Return the verdict on the newest change and the ids of its findings, and check the exit code."""
    answer = audited(desk)
    change = answer.json["changes"][-1]
    verdicts = {one["verdict"] for one in (*answer.json["changes"], *answer.json["rules"])}
    assert (answer.code == 0) == verdicts.isdisjoint({"UNPROVEN", "VIOLATION"})
    return change["verdict"], [finding["id"] for finding in change.get("findings", [])]


def history_findings(answer: Answer) -> list[str]:
    return [finding["id"] for finding in answer.json["findings"]]


def on_branch(desk: Desk, files: dict[str, str | bytes]) -> None:
    desk.git("switch", "--quiet", BRANCH)
    desk.commit("Promote it a little differently", files)
    desk.git("switch", "--quiet", "main")


def on_ledger(desk: Desk, change: Callable[[Desk], Any]) -> None:
    """Change the ledger in a worktree, as everybody with write access can."""
    place = desk.root.parent / "ledger"
    desk.git("worktree", "add", "--quiet", str(place), "mlgit-ledger")
    change(desk.at(place))
    desk.git("worktree", "remove", "--force", str(place))


def merge_with_git(desk: Desk) -> None:
    desk.git("merge", "--quiet", "--no-ff", "-m", "Merge it", BRANCH)


def manifest(team: Team, revision: str = BRANCH) -> Promotion:
    record = read_record(MANIFEST, team.ana.show(revision, MANIFEST).encode() + b"\n")
    assert isinstance(record, Promotion)
    return record


def approve(team: Team, key: Desk, email: str) -> None:
    """Add an approval to the ledger by hand, which `mlgit approve` would refuse."""
    (waiting,) = team.ana.does("status --json").json["open"]
    decision = team.ben.does(f"approve {WHERE} --dry-run --json").json["decision"]
    assert waiting["environment"] == "production"
    name = email.partition("@")[0]
    with key.present():
        approval = Approval(
            schema=1,
            promotion=manifest(team).promotion,
            decision=decision,
            environment="production",
            model=MODEL,
            verdict="approve",
            by=email,
            at=team.now.moment,
        )
        content = to_json(approval)
        signature = SshSignatures(lambda _: None, team.keys / key.name).sign(content)
    path = f"{layout.approvals(approval.promotion)}/{name}-approve.json"
    on_ledger(key, lambda desk: desk.commit("Approve", {path: content, f"{path}.sig": signature}))


# Valid promotions, however they were merged


def test_a_valid_promotion_is_proven(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ana.does("merge")
    assert last(proposed.ana) == ("PROVEN", [])


def test_a_squash_is_proven(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ana.git("merge", "--quiet", "--squash", BRANCH)
    proposed.ana.git("commit", "--quiet", "-m", "Promote it (#12)")
    assert last(proposed.ana) == ("PROVEN", [])


def test_a_rebase_is_proven(proposed: Team) -> None:
    ana = proposed.ana
    proposed.ben.does("approve")
    ana.commit("Say more", {"README.md": "# Malignancy\n"})
    ana.git("switch", "--quiet", BRANCH)
    ana.git("rebase", "--quiet", "main")
    ana.git("switch", "--quiet", "main")
    ana.git("merge", "--quiet", "--ff-only", BRANCH)
    assert last(ana) == ("PROVEN", [])


# Without evidence


@pytest.mark.tier("fast")
def test_a_merge_by_hand_without_approvals_is_unproven(proposed: Team) -> None:
    merge_with_git(proposed.mallory)
    assert last(proposed.ana) == ("UNPROVEN", ["approvals-not-on-ledger"])


def test_a_clone_without_the_ledger_proves_little(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ana.does("merge")
    clone = proposed.ana.clone("alone", "--single-branch", "--branch", "main")
    answer = audited(clone)
    assert [one["verdict"] for one in answer.json["changes"]] == ["UNAPPROVED", "UNPROVEN", "UNAPPROVED", "UNPROVEN"]
    assert answer.json["not_checked"][0].startswith("There is no ledger here")


def test_a_report_that_is_gone_is_a_gap(proposed: Team) -> None:
    named = manifest(proposed).gates
    assert named is not None
    proposed.ben.does("approve")
    proposed.mallory.git("switch", "--quiet", BRANCH)
    proposed.mallory.git("rm", "--quiet", named.report)
    proposed.mallory.git("commit", "--quiet", "--amend", "--no-edit")
    proposed.mallory.git("switch", "--quiet", "main")
    merge_with_git(proposed.mallory)
    found = last(proposed.ana)
    assert "gate-report-missing" in found[1]


def test_who_approves_after_the_merge_is_told(proposed: Team) -> None:
    desk = proposed.ben.clone("his")
    desk.git("branch", "--quiet", BRANCH, f"origin/{BRANCH}")
    desk.git("branch", "--quiet", "mlgit-ledger", "origin/mlgit-ledger")
    merge_with_git(proposed.mallory)
    proposed.now.wait(timedelta(hours=1))
    desk.git("remote", "remove", "origin")
    desk.does(f"approve {WHERE}")
    proposed.ana.git("fetch", "--quiet", str(desk.root), "mlgit-ledger:mlgit-ledger")
    assert last(proposed.ana) == ("PROVEN", ["approvals-after-merge"])


# Contradictions


def test_a_manifest_that_is_edited_on_the_base_is_a_violation(running: Team) -> None:
    record = running.ana.read(layout.version(MODEL, 2))
    other = record.split('"digest": "')[1].split('"')[0]
    text = running.ana.read(MANIFEST)
    old = text.split("champion:")[1].split("digest: ")[1].split("\n")[0].split(",")[0].rstrip("}")
    running.mallory.commit("Tidy up", {MANIFEST: text.replace("version: 1", "version: 2", 1).replace(old, other, 1)})
    verdict, ids = last(running.ana)
    assert verdict == "VIOLATION"
    assert {"manifest-changed", "gate-report-mismatch"} <= {*ids}


def test_a_manifest_that_is_deleted_is_a_violation(running: Team) -> None:
    running.mallory.git("rm", "--quiet", MANIFEST)
    running.mallory.git("commit", "--quiet", "-m", "Tidy up")
    assert last(running.ana) == ("VIOLATION", ["manifest-deleted"])


def test_a_manifest_that_becomes_a_link_is_a_violation(running: Team) -> None:
    path = running.root / MANIFEST
    path.unlink()
    path.symlink_to("../staging/malignancy.yaml")
    running.mallory.git("commit", "--quiet", "-a", "-m", "Tidy up")
    verdict, ids = last(running.ana)
    assert (verdict, ids[0]) == ("VIOLATION", "path-is-link")


def test_a_policy_that_is_loosened_by_the_promotion_is_a_violation(proposed: Team) -> None:
    ana = proposed.ana
    on_branch(ana, {POLICY: ana.read(POLICY).replace("promote: {min: 1}", "promote: {min: 0}")})
    merge_with_git(proposed.mallory)
    verdict, ids = last(ana)
    assert verdict == "VIOLATION"
    assert {"policy-changed-with-promotion", "promotion-with-other-changes", "approvals-not-on-ledger"} <= {*ids}


def test_a_record_that_is_edited_later_is_found(running: Team) -> None:
    running.mallory.edit(RECORD, '"seed": 7', '"seed": 8')
    answer = audited(running.ana)
    assert (answer.code, history_findings(answer)) == (1, ["immutable-file-changed"])
    assert {one["verdict"] for one in answer.json["changes"]} == {"UNAPPROVED", "PROVEN"}


def test_a_version_that_is_deleted_is_found_in_the_history(running: Team) -> None:
    running.mallory.git("rm", "--quiet", "-r", f"models/{OTHER}/versions/v1")
    running.mallory.git("commit", "--quiet", "-m", "Tidy up")
    answer = audited(running.ana)
    assert (answer.code, {*history_findings(answer)}) == (1, {"immutable-file-deleted"})


def test_a_record_that_was_edited_before_it_is_promoted_is_another_version(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.mallory.edit(layout.version(MODEL, 2), '"seed": 7', '"seed": 8')
    merge_with_git(proposed.mallory)
    verdict, ids = last(proposed.ana)
    assert verdict == "VIOLATION"
    assert {"version-tampered", "approvals-missing"} <= {*ids}


def test_a_card_that_was_edited_before_is_not_the_one_that_was_registered(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.mallory.edit(layout.card(MODEL, 2), "Written by the team.", "Fit for everybody.")
    merge_with_git(proposed.mallory)
    assert last(proposed.ana) == ("VIOLATION", ["version-file-mismatch"])


def test_an_approval_by_an_unknown_key_is_a_violation(proposed: Team) -> None:
    approve(proposed, proposed.mallory, "ben@acme.example")
    merge_with_git(proposed.mallory)
    assert last(proposed.ana) == ("VIOLATION", ["approvals-missing"])


def test_an_approval_by_the_author_is_a_violation(proposed: Team) -> None:
    approve(proposed, proposed.ana, "ana@acme.example")
    merge_with_git(proposed.ana)
    assert last(proposed.ana) == ("VIOLATION", ["approvals-missing"])


def test_an_approval_by_a_signer_that_the_change_adds_is_a_violation(proposed: Team) -> None:
    ana = proposed.ana
    on_branch(proposed.ana, {layout.SIGNERS: ana.read(layout.SIGNERS) + signer("mallory", proposed.keys)})
    approve(proposed, proposed.mallory, "mallory@acme.example")
    merge_with_git(proposed.ana)
    verdict, ids = last(ana)
    assert verdict == "VIOLATION"
    assert {"policy-changed-with-promotion", "approvals-missing"} <= {*ids}


def test_a_report_that_was_edited_is_a_violation(proposed: Team) -> None:
    named = manifest(proposed).gates
    assert named is not None
    proposed.ben.does("approve")
    text = proposed.ana.show(BRANCH, named.report)
    on_branch(proposed.mallory, {named.report: text.replace("mlgit 0", "mlgit 9")})
    merge_with_git(proposed.mallory)
    verdict, ids = last(proposed.ana)
    assert verdict == "VIOLATION"
    assert "gate-report-mismatch" in ids


def test_a_merge_with_content_of_its_own_is_a_violation(proposed: Team) -> None:
    mallory = proposed.mallory
    proposed.ben.does("approve")
    mallory.git("merge", "--quiet", "--no-ff", "--no-commit", BRANCH)
    path = proposed.root / MANIFEST
    path.write_text(f"{path.read_text()}\nreason: nobody saw this\n")
    mallory.git("commit", "--quiet", "-a", "-m", "Merge it")
    verdict, ids = last(proposed.ana)
    assert verdict == "VIOLATION"
    assert {"merge-content-unreviewed", "approvals-missing"} <= {*ids}


def test_a_restored_manifest_is_a_violation(running: Team) -> None:
    running.promote(f"{MODEL}@2", "staging")
    running.mallory.git("revert", "--no-edit", "-m", "1", "HEAD")
    verdict, ids = last(running.ana)
    assert verdict == "VIOLATION"
    assert {"promotion-replayed", "promotion-stale"} <= {*ids}


def test_a_manifest_that_is_restored_after_a_checkpoint_has_the_verdict_of_a_full_audit(running: Team) -> None:
    running.promote(f"{MODEL}@2", "staging")
    running.ana.does("audit")
    running.mallory.git("revert", "--no-edit", "-m", "1", "HEAD")
    assert audited(running.ana, "").out == audited(running.ana, "--no-cache").out


def test_a_backdated_commit_is_a_warning(running: Team) -> None:
    running.ana.does("audit")
    running.now.wait(timedelta(days=-1))
    running.mallory.commit("Yesterday's work", {"README.md": "# Malignancy\n"})
    answer = audited(running.ana, "")
    assert (answer.code, history_findings(answer)) == (0, ["commit-time-backwards"])
    assert answer.out == audited(running.ana, "--no-cache").out


def test_a_promotion_that_apply_refuses_is_not_proven(proposed: Team) -> None:
    """A merge with Git, which `apply` refuses because nobody approved it."""
    merge_with_git(proposed.mallory)
    assert proposed.ana("apply production").code == 1
    assert last(proposed.ana) == ("UNPROVEN", ["approvals-not-on-ledger", "apply-rejected"])


def test_a_waiver_without_an_override_is_a_violation(proposed: Team) -> None:
    named = manifest(proposed)
    assert named.gates is not None
    report = read_record(named.gates.report, proposed.ana.show(BRANCH, named.gates.report).encode() + b"\n")
    assert isinstance(report, GateReport)
    waived = [replace(one, outcome="waived") if one.gate == "latency" else one for one in report.results]
    made = replace(report, results=waived)
    reference = ReportRef(report=named.gates.report, digest=digest(made))
    on_branch(proposed.mallory, {named.gates.report: to_json(made), MANIFEST: to_json(replace(named, gates=reference))})
    merge_with_git(proposed.mallory)
    verdict, ids = last(proposed.ana)
    assert (verdict, "waiver-without-override" in ids) == ("VIOLATION", True)


def test_rules_that_change_later_change_no_verdict(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ana.does("merge")
    before = audited(proposed.ana).json["changes"]
    ana = proposed.ana
    ana.edit(POLICY, "promote: {min: 1}", "promote: {min: 2}")
    ana.commit("Let Ben go", {layout.SIGNERS: signer("ana", proposed.keys) + signer("cara", proposed.keys)})
    assert audited(ana).json["changes"] == before


# The ledger


def test_an_entry_that_is_edited_is_found(running: Team) -> None:
    path = f"{layout.deployments('production', MODEL)}/1.json"
    on_ledger(running.mallory, lambda desk: desk.edit(path, '"seq": 1', '"seq":  1'))
    answer = audited(running.ana)
    assert (answer.code, history_findings(answer)) == (1, ["ledger-entry-changed"])


def test_a_decision_that_is_edited_from_the_start_is_found(running: Team) -> None:
    """The whole ledger is written anew, with another decision in it."""
    (path,) = [
        one
        for one in running.ana.files("mlgit-ledger")
        if one.startswith("decisions/") and '"production"' in running.ana.show("mlgit-ledger", one)
    ]

    def anew(desk: Desk) -> None:
        text = desk.read(path)
        decided = text.split('"decision": "')[1].split('"')[0]
        desk.edit(path, decided, "sha256:" + "0" * 64)
        desk.git("reset", "--quiet", "--soft", desk.git("rev-list", "--max-parents=0", "HEAD"))
        desk.git("commit", "--quiet", "--amend", "-m", "Begin the ledger")

    on_ledger(running.mallory, anew)
    verdict, ids = last(running.ana)
    assert (verdict, "decision-mismatch" in ids) == ("VIOLATION", True)


def test_an_entry_that_was_left_out_is_found(running: Team) -> None:
    running.promote(f"{MODEL}@2", "staging")

    def shorter(desk: Desk) -> None:
        desk.git("rm", "--quiet", f"{layout.deployments('staging', MODEL)}/1.json")
        desk.git("reset", "--quiet", "--soft", desk.git("rev-list", "--max-parents=0", "HEAD"))
        desk.git("commit", "--quiet", "--amend", "-m", "Begin the ledger")

    on_ledger(running.mallory, shorter)
    answer = audited(running.ana)
    assert (answer.code, "ledger-entry-missing" in history_findings(answer)) == (1, True)


@pytest.mark.parametrize("branch", ["main", "mlgit-ledger"])
def test_a_branch_that_lost_a_commit_of_an_earlier_audit_is_found(running: Team, branch: str) -> None:
    running.ana.does("audit")
    on = running.mallory
    if branch == "main":
        on.git("reset", "--quiet", "--hard", "HEAD~1")
    else:
        on.git("branch", "--force", "--quiet", branch, f"{branch}~1")
    for _ in range(2):  # and it stays found
        answer = audited(running.ana, "")
        assert (answer.code, "history-rewritten" in history_findings(answer)) == (1, True)
    checkpoint = running.folder / "checkpoint.json"
    audited(running.ana, f"--write-checkpoint {checkpoint}")
    assert not checkpoint.exists()
    assert "history-rewritten" not in history_findings(audited(running.ana, "--no-cache"))


def test_a_deployment_of_what_was_never_merged_is_found(running: Team) -> None:
    running.mallory.git("reset", "--quiet", "--hard", "HEAD~1")
    answer = audited(running.ana)
    assert answer.code == 1
    assert {"promotion-unmerged", "base-commit-missing"} <= {*history_findings(answer)}


def test_a_path_that_is_not_utf8_does_not_stop_an_audit(running: Team) -> None:
    mallory = running.mallory
    blob = mallory.git("hash-object", "-w", "--stdin", stdin=b"x")
    mallory.git("update-index", "--add", "--cacheinfo", f"100644,{blob},models/{MODEL}/versions/v1/a\udcff")
    mallory.git("commit", "--quiet", "-m", "Add it")
    mallory.git("rm", "--quiet", "--cached", "-r", f"models/{MODEL}/versions/v1")
    mallory.git("commit", "--quiet", "-m", "Take it away")
    answer = audited(running.ana)
    assert (answer.code, {*history_findings(answer)}) == (1, {"immutable-file-deleted"})


def test_hostile_text_is_escaped_in_reports(proposed: Team) -> None:
    words = "<script>alert(1)</script> [x](http://evil.example) @everyone |"
    on_branch(proposed.mallory, {MANIFEST: to_json(replace(manifest(proposed), reason=words))})
    merge_with_git(proposed.mallory)
    page = proposed.ana("audit --format html").out
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "default-src &#x27;none&#x27;" in page
    report = proposed.ana("audit --format md").out
    assert "](http" not in report
    assert "@everyone" not in report


# What is read by id although it is no file


def put_at_manifest(desk: Desk, mode: str, target: str) -> None:
    desk.git("update-index", "--add", "--cacheinfo", f"{mode},{target},{MANIFEST}")
    desk.git("commit", "--quiet", "-m", "Put something else there")
    desk.git("reset", "--quiet", "--hard")


@pytest.mark.parametrize(("mode", "names"), [("160000", "HEAD"), ("120000", f"HEAD:{MANIFEST}")])
def test_a_submodule_or_a_link_in_place_of_a_manifest_is_a_violation_and_no_more(
    running: Team, mode: str, names: str
) -> None:
    """The link points to the text of the manifest itself, which would be a valid manifest if it were read."""
    ana = running.ana
    put_at_manifest(ana, mode, ana.head(names))
    verdict, findings = last(ana)
    assert (verdict, findings[0]) == ("VIOLATION", "path-is-link")
    ana.git("revert", "--no-edit", "HEAD")
    assert audited(ana).json["changes"][-1]["verdict"] == "VIOLATION", "it came back without a promotion"
    assert "1 error" not in ana("validate").text
    assert ana.does("log --json").json["events"][0]["approved_by"] == []
    assert ana("why production/malignancy --json").code in {0, 1}
    assert ana(f"recertify {WHERE} --dry-run").code in {0, 1}
    assert ana("gate --verify --all").code in {0, 3}


def test_a_submodule_is_refused_by_the_server_in_words(running: Team) -> None:
    ana = running.ana
    ana.clone("origin.git", "--bare")
    before = ana.head()
    put_at_manifest(ana, "160000", before)
    ana.git("push", "--quiet", str(running.folder / "origin.git"), "main:refs/heads/incoming")
    server = ana.at(running.folder / "origin.git")
    update = f"{before} {ana.head()} refs/heads/main\n"
    with server.present():
        verdict = verify_push.run(server.session(), [RefUpdate.parse(update.strip())])
    assert {finding.id for finding in verdict.findings} == {"path-is-link"}


def test_grafts_show_no_other_history(proposed: Team) -> None:
    """A graft lets the unapproved merge have the approved one as its parent."""
    merge_with_git(proposed.mallory)
    ana = proposed.ana
    before = audited(ana).json["changes"]
    git_dir = ana.root / ".git"
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info/grafts").write_text(f"{ana.head()} {ana.head('HEAD~2')}\n")
    assert audited(ana).json["changes"] == before


# One id, other content


def test_a_manifest_that_was_edited_under_its_id_is_nobodys_approval(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    ana.does("merge")
    ana.does("apply")
    record = json.loads(ana.show("main", layout.version(MODEL, 3)))
    text = ana.read(MANIFEST)
    now = json.loads(ana.show("main", layout.version(MODEL, 2)))["digest"]
    proposed.mallory.commit(
        "Nothing to see", {MANIFEST: text.replace("version: 2", "version: 3").replace(now, record["digest"])}
    )
    edited, *_ = ana.does("log --json").json["events"]
    assert (edited["kind"], edited["after"]) == ("edited", f"{MODEL}@3")
    assert (edited["approved_by"], edited["decision"], edited["committed_by"]) == ([], None, "mallory@acme.example")
    rows = {row["environment"]: row for row in ana.does("status --json").json["rows"]}
    assert rows["production"]["deployed"] == "no", "the ledger has another version under this id"
    assert last(ana)[0] == "VIOLATION"
    ana.git("revert", "--no-edit", "HEAD")
    ana.git("revert", "--no-edit", "-m", "1", "HEAD~2")
    restored, back, *_ = ana.does("log --json").json["events"]
    assert (restored["kind"], restored["after"], restored["approved_by"]) == ("restored", f"{MODEL}@1", [])
    assert (back["kind"], back["approved_by"]) == ("edited", [])
    ana.git("rm", "--quiet", MANIFEST)
    ana.git("commit", "--quiet", "-m", "Away with it")
    assert ana.does("log --json").json["events"][0]["kind"] == "removed"
