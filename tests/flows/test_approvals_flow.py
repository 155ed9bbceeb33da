"""Who may approve what, and for how long: every attempt to merge a version that nobody approved is refused."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.codec import digest, to_json
from mlgit.domain.records import GateReport, Promotion, Version
from mlgit.domain.records.promotion import ReportRef, SlotAssignment, SlotAssignments, VersionPin
from mlgit.edges.formats.records import read_record
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team, signer

WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"
MANIFEST = f"environments/{WHERE}.yaml"
POLICY = "policies/production.yaml"


def on_branch(
    desk: Desk, files: Mapping[str, str | bytes], *, message: str = "Promote it a little differently"
) -> None:
    """Add a commit to the promotion branch, as any writer can."""
    desk.git("switch", "--quiet", BRANCH)
    desk.commit(message, files)
    desk.git("switch", "--quiet", "main")


def on_ledger(desk: Desk, files: Mapping[str, str | bytes]) -> None:
    """Add a commit to the ledger, as any writer can."""
    place = desk.root.parent / "ledger"
    desk.git("worktree", "add", "--quiet", str(place), "mlgit-ledger")
    desk.at(place).commit("Add to the ledger", files)
    desk.git("worktree", "remove", "--force", str(place))


def manifest(team: Team, revision: str = BRANCH) -> Promotion:
    record = read_record(MANIFEST, team.ana.show(revision, MANIFEST).encode() + b"\n")
    assert isinstance(record, Promotion)
    return record


def report(team: Team, path: str, revision: str = BRANCH) -> GateReport:
    record = read_record(path, team.ana.show(revision, path).encode() + b"\n")
    assert isinstance(record, GateReport)
    return record


def approvals(team: Team) -> dict[str, dict[str, Any]]:
    """The approvals of the open promotion on the ledger, by path."""
    folder = layout.approvals(manifest(team).promotion)
    paths = [path for path in team.ana.files("mlgit-ledger") if path.startswith(folder) and path.endswith(".json")]
    return {path: json.loads(team.ana.show("mlgit-ledger", path)) for path in paths}


def why(desk: Desk, line: str = "merge") -> str:
    """What a refused merge says of who was counted and who was not."""
    answer = desk(line)
    assert (answer.code, "approvals-missing" in answer.ids) == (1, True), answer.text
    return answer.err


# Who


@pytest.mark.tier("fast")
def test_authors_cannot_approve_their_own_promotion(proposed: Team) -> None:
    assert proposed.ana.refused("approve") == ["approver-excluded"]
    assert "ana: author of the promotion" in proposed.ana("approve").err


@pytest.mark.tier("fast")
def test_a_promotion_without_approvals_is_not_merged(proposed: Team) -> None:
    assert proposed.ana.refused("merge") == ["approvals-missing"]
    said = why(proposed.ana)
    assert "1 more approval (0 of 1 so far" in said
    assert "mlgit approve" in said


def test_people_without_an_allowed_key_cannot_approve(proposed: Team) -> None:
    assert proposed.mallory.refused("approve") == ["signature-key-unknown"]


def test_an_approval_in_the_name_of_another_needs_their_key(proposed: Team) -> None:
    pretender = proposed.mallory.using(user_email="ben@acme.example", user_name="Ben")
    assert pretender.refused("approve") == ["signature-key-unknown"]
    borrowed = proposed.cara.using(user_email="ben@acme.example")
    assert borrowed.refused("approve") == ["signature-principal-mismatch"]


def test_a_bot_cannot_approve(proposed: Team) -> None:
    robot = proposed.ben.using(user_email="robot@acme.example")
    assert robot.refused("approve") == ["approver-excluded"]


def test_a_key_added_on_the_promotion_branch_does_not_count(proposed: Team) -> None:
    signers = proposed.ana.read(layout.SIGNERS) + signer("mallory", proposed.keys)
    on_branch(proposed.ana, {layout.SIGNERS: signers})
    assert proposed.mallory.refused("approve") == ["signature-key-unknown"]


def test_people_who_commit_to_the_promotion_are_authors_of_it(proposed: Team) -> None:
    text = proposed.ana.show(BRANCH, MANIFEST)
    on_branch(proposed.ben, {MANIFEST: f"{text}\nreason: it has to go out today\n"})
    assert proposed.ben.refused("approve") == ["approver-excluded"]
    proposed.cara.does("approve")
    proposed.cara.does("merge")
    assert proposed.ana.git("rev-parse", f"main:{MANIFEST}")


def test_two_addresses_of_one_person_are_one_person(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ana.commit(
        "Let Ben sign from home",
        {layout.SIGNERS: ana.read(layout.SIGNERS) + signer("mallory", proposed.keys, "ben@home.example")},
    )
    ana.edit(POLICY, "promote: {min: 1}", "promote: {min: 2}")
    ana.does(f"promote {MODEL}@2 --to production")
    ben.does("approve")
    proposed.mallory.using(user_email="ben@home.example").does("approve")
    assert len(approvals(proposed)) >= 1
    said = why(ana)
    assert "lacks 1 more approval (1 of 2 so far" in said
    assert "approved by ben" in said
    proposed.cara.does("approve")
    assert "approved   ben, cara" in ana.does("merge").out


NEEDS = "promote: {min: 1, roles: {risk: {min: 1, when: {risk: high}}}}"


def test_a_high_risk_needs_the_role_that_the_policy_names(proposed: Team) -> None:
    ana = proposed.ana
    ana.edit(POLICY, "promote: {min: 1}", NEEDS)
    ana.does(f"promote {MODEL}@2 --to production")
    assert "1 more approval as risk (0 of 1 so far; cara may)" in proposed.ben.does("approve").out
    assert "1 more approval as risk (0 of 1 so far; cara may)" in why(ana)
    proposed.cara.does("approve")
    ana.does("merge")


def test_a_lower_risk_needs_no_such_role(proposed: Team) -> None:
    ana = proposed.ana
    ana.edit(POLICY, "promote: {min: 1}", NEEDS)
    ana.edit(f"problems/{MODEL}.yaml", "risk: high ", "risk: low ")
    ana.does(f"promote {MODEL}@2 --to production")
    proposed.ben.does("approve")
    ana.does("merge")


def test_a_role_given_on_the_promotion_branch_does_not_count(proposed: Team) -> None:
    ana = proposed.ana
    ana.edit(POLICY, "promote: {min: 1}", "promote: {min: 1, roles: {risk: 1}}")
    ana.does(f"promote {MODEL}@2 --to production")
    on_branch(
        proposed.ana,
        {layout.ROLES: ana.read(layout.ROLES).replace("roles: [reviewer, applier]}", "roles: [reviewer, risk]}")},
    )
    proposed.ben.does("approve")
    assert "1 more approval as risk (0 of 1 so far; cara may)" in why(ana)


# What was said


def test_a_rejection_counts_until_that_person_approves(proposed: Team) -> None:
    proposed.cara.does("approve --reject --comment 'recall of ragged outlines'")
    proposed.ben.does("approve")
    assert "the approval of cara, who rejected it" in why(proposed.ana)
    proposed.cara.does("approve")
    assert "approved   cara, ben" in proposed.ana.does("merge").out


def test_an_approver_can_reject_later(proposed: Team) -> None:
    proposed.ben.does("approve")
    answer = proposed.ben.does("approve --reject")
    assert "counted    nobody yet" in answer.out
    assert "the approval of ben, who rejected it" in why(proposed.ana)


def test_the_merged_content_is_what_was_approved(proposed: Team) -> None:
    """The manifest is edited after the approval, which then is of another decision."""
    text = proposed.ana.show(BRANCH, MANIFEST)
    proposed.ben.does("approve")
    on_branch(proposed.ana, {MANIFEST: f"{text}\nreason: quarterly\n"})
    assert "ben: stale: what was approved has changed since" in why(proposed.ana)
    proposed.ben.does("approve")
    proposed.ana.does("merge")


REST: list[tuple[str, str, str]] = [
    (f"problems/{MODEL}.yaml", "risk: high ", "risk: medium "),
    ("datasets/biopsies/dataset.yaml", "rows: {min: 500}", "rows: {min: 400}"),
    (f"models/{MODEL}/model.yaml", "p95_ms: 100", "p95_ms: 90"),
    ("environments/production/environment.yaml", "path: deployed/production", "path: deployed/elsewhere"),
]


@pytest.mark.parametrize(("path", "before", "after"), REST, ids=[case[0] for case in REST])
def test_an_approval_becomes_stale_when_a_part_of_the_decision_changes(
    proposed: Team, path: str, before: str, after: str
) -> None:
    proposed.ben.does("approve")
    proposed.ana.edit(path, before, after)
    assert "ben: stale" in why(proposed.ana)
    again = proposed.ana.does(f"promote {MODEL}@2 --to production --json").json
    assert again["state"] == ("proposed-already" if path.startswith("environments") else "proposed"), "no gate reads it"
    proposed.ben.does("approve")
    proposed.ana.does("merge")


def test_an_approval_survives_unrelated_changes(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ana.commit("Say more", {"README.md": "# Malignancy\n"})
    proposed.ana.edit("policies/staging.yaml", "margin: -0.02", "margin: -0.03")
    proposed.ana.does("merge")


def test_a_signature_of_another_file_does_not_count(proposed: Team) -> None:
    proposed.ben.does("approve")
    ((path, said),) = approvals(proposed).items()
    signature = proposed.ana.show("mlgit-ledger", f"{path}.sig") + "\n"
    ana = proposed.ana
    ana.edit(POLICY, "promote: {min: 1}", "promote: {min: 2}")
    ana.does(f"promote {MODEL}@2 --to production")
    proposed.ben.does("approve")
    forged = path.replace("ben-", "cara-").replace(path.split("/")[1], manifest(proposed).promotion)
    word = said | {"by": "cara@acme.example", "promotion": manifest(proposed).promotion}
    on_ledger(proposed.mallory, {forged: json.dumps(word), f"{forged}.sig": signature})
    said_of_it = why(ana)
    assert "lacks 1 more approval (1 of 2 so far" in said_of_it
    assert "cara: the signature is not over this content" in said_of_it


def test_an_approval_without_a_signature_does_not_count(proposed: Team) -> None:
    proposed.ben.does("approve")
    ((path, said),) = approvals(proposed).items()
    on_ledger(proposed.mallory, {path.replace("ben-", "cara-"): json.dumps(said | {"by": "cara@acme.example"})})
    answer = proposed.ana.does("merge")
    assert "approved   ben\n" in answer.out


def test_a_file_that_is_no_approval_blocks_nothing(proposed: Team) -> None:
    proposed.ben.does("approve")
    on_ledger(proposed.mallory, {f"{layout.approvals(manifest(proposed).promotion)}/x.json": "{}"})
    (row,) = proposed.ana.does("status --json").json["open"]
    assert (row["approvals"], row["ready"]) == ("1 of 1", True)
    proposed.ana.does("merge")


def test_an_old_approval_does_not_count_for_a_new_promotion(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ana.edit(POLICY, "min_rows: 50", "min_rows: 40")
    proposed.ana.does(f"promote {MODEL}@2 --to production")
    assert "approved by nobody" in why(proposed.ana)


# The rules


def test_a_promotion_branch_cannot_loosen_its_policy(proposed: Team) -> None:
    on_branch(proposed.ana, {POLICY: proposed.ana.read(POLICY).replace("promote: {min: 1}", "promote: {min: 0}")})
    assert "1 more approval (0 of 1 so far" in why(proposed.ana)
    proposed.ben.does("approve")
    answer = proposed.ana("merge")
    assert (answer.code, "policy-changed-with-promotion" in answer.ids) == (1, True), answer.text
    assert "min: 1" in proposed.ana.show("main", POLICY)


def test_a_promotion_is_stale_after_a_change_of_policy(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    ana.edit(POLICY, "margin: 0.0", "margin: 0.001")
    before = manifest(proposed).promotion
    assert ana.refused("merge") == ["promotion-stale", "approvals-missing"]
    assert ben.refused("approve") == ["promotion-stale"]
    ana.does(f"promote {MODEL}@2 --to production")
    assert manifest(proposed).promotion != before
    ben.does("approve")
    ana.does("merge")


def test_a_stricter_policy_refuses_what_was_proposed_before(proposed: Team) -> None:
    proposed.ana.edit(POLICY, "margin: 0.0", "margin: 0.5")
    assert "promotion-stale" in proposed.ana("merge").ids
    answer = proposed.ana(f"promote {MODEL}@2 --to production --json")
    assert (answer.code, answer.json["state"]) == (1, "refused")


def test_a_gate_report_expires(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.now.wait(timedelta(days=13, hours=22))
    proposed.ana.does("merge --dry-run")
    proposed.now.wait(timedelta(hours=2))
    assert proposed.ana.refused("merge") == ["gate-report-expired"]
    assert proposed.ben.refused("approve --comment again") == ["gate-report-expired"]
    proposed.ana.does(f"promote {MODEL}@2 --to production")
    proposed.ben.does("approve")
    proposed.ana.does("merge")


# Forgeries: a branch that somebody wrote by hand, with every digest right


def forged(team: Team, number: int, *, change: Callable[[GateReport], GateReport] = lambda one: one) -> None:
    """Rewrite the open promotion so that it promotes another version, and its report so that all gates pass."""
    path = layout.version(MODEL, number)
    version = read_record(path, team.ana.read(path).encode())
    assert isinstance(version, Version)
    named = manifest(team)
    assert named.gates is not None
    theirs = report(team, named.gates.report)
    pin = VersionPin(version=number, digest=version.digest)
    passed = [replace(one, outcome="pass") for one in theirs.results]
    made = change(replace(theirs, candidate=pin, results=passed, outcome="pass"))
    place = layout.gate_report(MODEL, number, named.promotion)
    champion = SlotAssignment(version=number, digest=version.digest)
    written = replace(
        named, slots=SlotAssignments(champion=champion), gates=ReportRef(report=place, digest=digest(made))
    )
    on_branch(team.ana, {place: to_json(made), MANIFEST: to_json(written)})


def test_a_forged_gate_report_is_refused_at_the_merge(proposed: Team) -> None:
    """Version 3 fails its gates; the report says that it passes them, and even a reviewer believes it."""
    ana = proposed.ana
    ana.edit("environments/production/environment.yaml", "after: [staging]", "after: []")
    ana.does(f"promote {MODEL}@2 --to production")
    forged(proposed, 3)
    proposed.ben.does("approve")
    before = ana.everything()
    answer = ana("merge")
    assert (answer.code, "gate-report-mismatch" in answer.ids) == (1, True), answer.text
    assert ana.everything() == before


def test_a_forged_gate_report_is_refused_at_apply(proposed: Team) -> None:
    """Somebody who may push to the base branch merges the forgery themselves."""
    ana = proposed.ana
    ana.edit("environments/production/environment.yaml", "after: [staging]", "after: []")
    ana.does(f"promote {MODEL}@2 --to production")
    forged(proposed, 3)
    proposed.ben.does("approve")
    proposed.mallory.git("merge", "--quiet", "--no-ff", "-m", "Merge it", BRANCH)
    answer = ana("apply production --json")
    (result,) = answer.json["results"]
    assert (answer.code, result["state"]) == (1, "blocked")
    record = proposed.root / "deployed/production" / MODEL / "current/version.json"
    assert json.loads(record.read_text())["version"] == 1


def test_an_edited_gate_report_does_not_have_the_named_digest(proposed: Team) -> None:
    path = manifest(proposed).gates
    assert path is not None
    theirs = report(proposed, path.report)
    on_branch(proposed.mallory, {path.report: to_json(replace(theirs, tool="mlgit 9"))})
    assert proposed.ben.refused("approve") == ["gate-report-mismatch"]
    assert "gate-report-mismatch" in proposed.ana.refused("merge")


def test_the_gate_report_of_another_promotion_is_refused(proposed: Team) -> None:
    """The version passed the gates of staging, and that report is put in the place of production's."""
    folder = f"models/{MODEL}/versions/v2/gates/"
    (other,) = [path for path in proposed.ana.files("main") if path.startswith(folder)]
    named = replace(manifest(proposed), gates=ReportRef(report=other, digest=digest(report(proposed, other, "main"))))
    on_branch(proposed.mallory, {MANIFEST: to_json(named)})
    assert "gate-report-mismatch" in proposed.ben("approve").ids
    assert "gate-report-mismatch" in proposed.ana("merge").ids


def test_a_version_that_never_ran_in_staging_is_refused_for_production(proposed: Team) -> None:
    forged(proposed, 3)
    assert "environment-skipped" in proposed.ana("merge").ids


def test_a_version_record_that_was_swapped_is_refused(proposed: Team) -> None:
    """The label and the digest in the manifest have to be of one version."""
    named = manifest(proposed)
    assert named.slots.champion is not None
    swapped = replace(named, slots=SlotAssignments(champion=replace(named.slots.champion, version=3)))
    on_branch(proposed.mallory, {MANIFEST: to_json(swapped)})
    assert "slot-digest-mismatch" in proposed.ana.refused("merge")


def test_a_promotion_with_other_changes_is_refused(proposed: Team) -> None:
    on_branch(proposed.ana, {"src/put.py": "raise SystemExit(0)\n"})
    proposed.ben.does("approve")
    assert proposed.ana.refused("merge") == ["promotion-with-other-changes"]
    assert "raise SystemExit" not in proposed.ana.show("main", "src/put.py")


@pytest.mark.parametrize("options", ["--amend --no-edit", "--amend --no-edit --reset-author", "--fixup amend:HEAD"])
def test_a_persons_change_of_the_proposed_commit_is_not_overwritten(proposed: Team, options: str) -> None:
    """The commit still has the trailer of mlgit, but other content."""
    mallory = proposed.mallory.using(core_editor="true")
    mallory.git("switch", "--quiet", BRANCH)
    (mallory.root / MANIFEST).write_text("# by hand\n" + mallory.read(MANIFEST))
    mallory.git("commit", "--quiet", "--all", *options.split())
    assert "Mlgit-Digest: sha256:" in mallory.git("log", "-1", "--format=%B")
    mallory.git("switch", "--quiet", "main")
    proposed.ana.edit(POLICY, "min_rows: 50", "min_rows: 40")
    assert proposed.ana.refused(f"promote {MODEL}@2 --to production") == ["branch-foreign-commit"]


def test_a_persons_message_is_not_overwritten(proposed: Team) -> None:
    mallory = proposed.mallory
    mallory.git("switch", "--quiet", BRANCH)
    message = mallory.git("log", "-1", "--format=%B")
    mallory.git("commit", "--quiet", "--amend", "-m", message.replace("Promote", "Please keep", 1))
    mallory.git("switch", "--quiet", "main")
    proposed.ana.edit(POLICY, "min_rows: 50", "min_rows: 40")
    assert proposed.ana.refused(f"promote {MODEL}@2 --to production") == ["branch-foreign-commit"]


def test_a_persons_commit_on_the_promotion_branch_is_not_overwritten(proposed: Team) -> None:
    on_branch(proposed.ana, {"notes.md": "look at the ragged ones\n"}, message="Take a note")
    proposed.ana.edit(POLICY, "min_rows: 50", "min_rows: 40")
    assert proposed.ana.refused(f"promote {MODEL}@2 --to production") == ["branch-foreign-commit"]
