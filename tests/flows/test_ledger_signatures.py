"""Entries of the ledger are signed by an applier; whoever else writes one proves nothing with it."""

import json
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.codec import digest, to_json
from mlgit.domain.namespaces import LEDGER
from mlgit.domain.records import DecisionRecord, Deployment, GateReport
from mlgit.domain.records.promotion import ReportRef
from mlgit.edges.formats.records import read_record
from mlgit.edges.ssh.signing import SshSignatures
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_audit_abuse import (
    BRANCH,
    MANIFEST,
    last,
    manifest,
    merge_with_git,
    on_branch,
    on_ledger,
)


def forge_entries(team: Team, by: Desk | None = None) -> None:
    """Write by hand what `apply` would have recorded of the last merge to production; signed by a person, if one is given."""
    mallory = team.mallory
    named = manifest(team, "main")
    change = mallory("audit --json").json["changes"][-1]
    log = layout.deployments("production", MODEL)
    numbers = [name for name in mallory.files("mlgit-ledger") if name.startswith(f"{log}/") and name.endswith(".json")]
    before = read_record(numbers[-1], mallory.show("mlgit-ledger", numbers[-1]).encode() + b"\n")
    assert isinstance(before, Deployment)
    slot = named.slots.champion
    assert slot is not None
    version = json.loads(mallory.show("main", layout.version(MODEL, slot.version)))
    entry = Deployment(
        schema=1,
        environment="production",
        model=MODEL,
        seq=before.seq + 1,
        promotion=named.promotion,
        status="verified",
        version=slot.version,
        digest=slot.digest,
        artifact=version["artifact"]["sha256"],
        target={},
        commit=mallory.head("main"),
        at=team.now.moment,
        previous=digest(before),
    )
    decision = DecisionRecord(
        schema=1,
        promotion=named.promotion,
        environment="production",
        model=MODEL,
        decision=change["decision"],
        reads=change["evidence"]["reads"],
        approvals=change["approvals"],
        commit=mallory.head("main"),
        at=team.now.moment,
    )
    files: dict[str, str | bytes] = {
        layout.decision(named.promotion): to_json(decision),
        layout.deployment("production", MODEL, entry.seq): to_json(entry),
    }
    if by is not None:
        with by.present():
            signatures = SshSignatures(lambda _: None, team.keys / by.name)
            files |= {
                layout.signature(path): signatures.sign(content, LEDGER)
                for path, content in files.items()
                if isinstance(content, bytes)
            }
    on_ledger(mallory, lambda desk: desk.commit("Deploy it", files))


def merge_forged_report(team: Team) -> None:
    """Merge a promotion whose report states what the gates do not say; its approver signed it, but `apply` evaluates again."""
    named = manifest(team)
    assert named.gates is not None
    report = read_record(named.gates.report, team.ana.show(BRANCH, named.gates.report).encode() + b"\n")
    assert isinstance(report, GateReport)
    skipped = [replace(one, outcome="skip") if one.gate == "latency" else one for one in report.results]
    made = replace(report, results=skipped)
    reference = ReportRef(report=named.gates.report, digest=digest(made))
    signing = team.ana.using(commit_gpgsign="true")
    on_branch(signing, {named.gates.report: to_json(made), MANIFEST: to_json(replace(named, gates=reference))})
    team.ben.does("approve")
    merge_with_git(team.mallory)


def entries(desk: Desk, environment: str = "production") -> list[str]:
    folder = layout.deployments(environment, MODEL)
    return [path for path in desk.files("mlgit-ledger") if path.startswith(folder)]


def change(desk: Desk, options: str = "") -> dict[str, Any]:
    found = desk(f"audit --json {options}").json["changes"][-1]
    assert isinstance(found, dict)
    return found


def test_apply_signs_the_entry_and_the_decision(proposed: Team) -> None:
    ana = proposed.ana
    proposed.ben.does("approve")
    ana.does("merge")
    ana.does("apply production")
    path = layout.decision(manifest(proposed, "main").promotion)
    assert {path, layout.signature(path)} <= {*ana.files("mlgit-ledger")}
    assert [one for one in entries(ana) if one.endswith("/2.json.sig")]
    assert last(ana) == ("PROVEN", [])


def test_whoever_is_no_applier_deploys_nothing(proposed: Team) -> None:
    """Cara has a key and is in the roles file, but is no applier."""
    proposed.ben.does("approve")
    proposed.ana.does("merge")
    before = entries(proposed.ana)
    answer = proposed.cara("apply production")
    assert (answer.code, answer.ids) == (3, ["ledger-signature-missing"])
    assert "does not have the role `applier`" in answer.text
    assert entries(proposed.ana) == before
    assert "would be applied" in proposed.cara("apply production --dry-run").out


def test_where_no_evidence_is_asked_for_it_is_a_warning_and_counts_for_nothing_later(running: Team) -> None:
    ana, ben, cara = running.ana, running.ben, running.cara
    ana.does(f"promote {MODEL}@2 --to staging")
    ana.does("merge")
    answer = cara.does("apply staging")
    assert answer.ids == ["ledger-signature-missing"]
    ana.does(f"promote {MODEL}@2 --to production --json")
    ben.does("approve")
    refused = ana("merge")
    assert (refused.code, refused.ids) == (1, ["upstream-environment-unverified"])
    assert "nobody signed it" in refused.text
    ana.does("apply staging")
    ana.does("merge")


def test_a_forged_decision_after_a_refusal_is_never_proven(proposed: Team) -> None:
    """Nobody signed the decision, or somebody who is no applier, even with a listed key."""
    merge_forged_report(proposed)
    assert proposed.ana("apply production").code == 1
    forge_entries(proposed)
    verdict, ids = last(proposed.ana)
    assert verdict == "UNPROVEN"
    assert {"ledger-entry-unsigned", "apply-rejected"} <= {*ids}


def test_a_forged_decision_signed_by_no_applier_is_not_proven(proposed: Team) -> None:
    merge_forged_report(proposed)
    assert proposed.ana("apply production").code == 1
    forge_entries(proposed, by=proposed.cara)
    verdict, ids = last(proposed.ana)
    assert verdict == "UNPROVEN"
    assert {"ledger-entry-unsigned", "apply-rejected"} <= {*ids}


def test_a_forged_decision_without_a_refusal_is_not_proven(proposed: Team) -> None:
    merge_forged_report(proposed)
    forge_entries(proposed)
    verdict, ids = last(proposed.ana)
    assert (verdict, "ledger-entry-unsigned" in ids) == ("UNPROVEN", True)


def refused_then_applied(team: Team, between: str = "log") -> None:
    """Merge a promotion that a freeze stops at first; then the freeze is lifted."""
    ana = team.ana
    team.ben.does("approve")
    ana.does("merge")
    hold = "kind: hold\nschema: 1\nscope: environment\nenvironment: production\nreason: incident\nby: ana\n"
    ana.commit("Freeze production", {"holds/production.yaml": hold})
    assert ana("apply production").code == 1
    ana(between)
    ana.git("rm", "--quiet", "holds/production.yaml")
    ana.git("commit", "--quiet", "-m", "Lift the freeze")
    ana.does("apply production")


def test_a_signed_success_after_a_refusal_shows_both(proposed: Team) -> None:
    refused_then_applied(proposed)
    assert last(proposed.ana) == ("PROVEN", ["apply-rejected-once"])
    assert "frozen" in change(proposed.ana)["findings"][0]["why"]


def test_a_refusal_before_a_checkpoint_is_not_lost(proposed: Team) -> None:
    refused_then_applied(proposed, between="audit")
    assert proposed.ana("audit --json").out == proposed.ana("audit --json --no-cache").out


def test_a_forged_observation_does_not_count(proposed: Team) -> None:
    """After the version degraded in staging, Mallory writes that it runs well again."""
    ana, mallory = proposed.ana, proposed.mallory
    newest = [one for one in entries(ana, "staging") if one.endswith(".json")][-1]
    real = read_record(newest, ana.show("mlgit-ledger", newest).encode() + b"\n")
    assert isinstance(real, Deployment)
    at = proposed.now.moment
    bad = replace(real, seq=real.seq + 1, previous=digest(real), status="degraded", version=None, at=at)
    good = replace(real, seq=bad.seq + 1, previous=digest(bad), at=at + timedelta(minutes=1))
    paths = {layout.deployment("staging", MODEL, one.seq): to_json(one) for one in (bad, good)}
    on_ledger(mallory, lambda desk: desk.commit("Observe it", dict(paths)))
    proposed.ben.does("approve")
    answer = ana("merge")
    assert (answer.code, answer.ids) == (1, ["upstream-environment-unverified"])
    assert "nobody signed it" in answer.text
