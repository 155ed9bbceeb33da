"""`mlgit brief`: what a reviewer reads of a promotion, on real histories; reading changes nothing."""

import re
from typing import Any

import pytest

from mlgit.domain.brief import BEGIN, END
from mlgit.ops.policies import impact
from mlgit.ops.promotion import brief
from mlgit.ops.promotion.brief_result import Brief
from mlgit.pages.brief import pull_request_page
from mlgit.pages.markdown import forge_body
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_gates_flow import STAGING, policy

WHERE = f"production/{MODEL}"


def body(found: Brief) -> str:
    return forge_body(pull_request_page(found))


def told(desk: Desk, line: str = "brief") -> Any:
    """The document of a brief, which must change nothing."""
    before = desk.everything()
    answer = desk.does(f"{line} --json")
    assert desk.everything() == before
    assert answer.json["schema"] == "mlgit/brief.v1"
    return answer.json


@pytest.mark.tier("fast")
def test_the_brief_of_an_open_promotion(proposed: Team) -> None:
    ana = proposed.ana
    found = told(ana)
    assert (found["state"], found["readiness"], found["slot"]) == ("open", "needs-approval", "champion")
    assert (found["candidate"], found["champion"], found["primary_metric"]) == (f"{MODEL}@2", f"{MODEL}@1", "roc_auc")
    judged = {one["metric"]: one for one in found["metrics"]}["roc_auc"]
    facts = {one["gate"]: one["facts"] for one in found["gates"] if "facts" in one}["beats-champion"]
    assert {name: judged[name] for name in ("gain", "low", "high")} == {
        name: facts[name] for name in ("gain", "low", "high")
    }
    assert [one["which"] for one in found["slices"]] == ["best", "worst", "least-gain"]
    changes = found["changes_since_champion"]
    assert (changes["code"]["files"], changes["code"]["commits"], changes["code"]["authors"]) == (
        {"params.yaml": "changed"},
        1,
        ["ana"],
    )
    assert changes["params"] == [{"field": "params.train.fit", "before": "plain", "after": "better"}]
    (data,) = changes["data"]
    assert (data["rows_before"], data["rows_after"], data["contract"]) == (569, 569, [])
    assert changes["training_rows_after"] > 0
    assert found["approvals"]["missing"] == ["1 more approval (0 of 1 so far; ben, cara may)"]
    assert found["decision"] == ana("approvals --json").json["decision"]
    assert found["effect"]["slots"] == [{"slot": "champion", "version": f"{MODEL}@2", "traffic": 100}]
    assert found["effect"]["stops_running"] == [f"{MODEL}@1"]
    assert set(found["effect"]["files"].values()) == {"changed", "added"}
    assert found["rollback"]["version"] == f"{MODEL}@1"
    assert found["next"] == f"mlgit approve {WHERE}"


@pytest.mark.parametrize("form", ["text", "md", "json"])
def test_each_format_shows_the_same_promotion(proposed: Team, form: str) -> None:
    answer = proposed.ana.does(f"brief {WHERE} --format {form}")
    assert f"{MODEL}@2" in answer.out
    assert answer.err == ""
    assert (BEGIN in answer.out, END in answer.out) == ((form == "md"),) * 2
    assert answer.out.startswith('{\n  "schema": "mlgit/brief.v1",\n') == (form == "json")


def test_a_promotion_is_found_by_id_and_model_and_an_unknown_one_is_refused(proposed: Team) -> None:
    ana = proposed.ana
    id_ = told(ana)["promotion"]
    for name in (id_, WHERE, f"mlgit/promote/{WHERE}"):
        assert told(ana, f"brief {name}")["promotion"] == id_
    assert ana.refused("brief nothing") == ["promotion-unknown"]


def test_the_brief_after_approval_merge_and_rollback(proposed: Team) -> None:
    ana = proposed.ana
    proposed.ben.does("approve --comment 'looked at @everybody'")
    found = told(ana)
    assert (found["readiness"], found["timing"]["mergeable_from"], found["next"]) == (
        "ready",
        found["as_of"],
        f"mlgit merge {WHERE}",
    )
    assert "looked at @&#8203;everybody" in ana.does("brief --format md").out
    ana.does("merge")
    ana.does("apply")
    merged = told(ana, f"brief {WHERE}")
    assert (merged["state"], merged["readiness"], merged["decision"]) == ("merged", "ready", found["decision"])
    assert [one["person"] for one in merged["approvals"]["counted"]] == ["ben"]
    kept = ("metrics", "slices", "gates", "changes_since_champion", "effect", "proposed_by")
    assert {name: merged[name] for name in kept} == {name: found[name] for name in kept}
    before = told(ana, f"brief {WHERE} --at HEAD~1")
    assert (before["candidate"], before["champion"], before["changes_since_champion"]) == (f"{MODEL}@1", None, None)
    ana.does(f"rollback production/{MODEL} --reason INC-7")
    back = told(ana)
    assert (back["change"], back["candidate"], back["rollback"], back["gates"]) == ("rollback", f"{MODEL}@1", None, [])
    assert back["effect"]["hold_file"] == f"holds/{WHERE}@2.yaml"
    assert back["changes_since_champion"]["code"]["commits"] == 0


def test_each_problem_has_a_fix(proposed: Team) -> None:
    ana = proposed.ana
    ana.edit("policies/production.yaml", "margin: 0.0", "margin: 0.001")
    ana.commit(
        "Ask for patience",
        {
            "environments/production/environment.yaml": ana.read("environments/production/environment.yaml")
            + "soak: {in: staging, for: 72h}\n"
        },
    )
    found = told(ana)
    assert found["readiness"] == "blocked"
    assert "promotion-stale" in [one["id"] for one in found["problems"]]
    assert [one["id"] for one in found["timing"]["waiting_for"]] == ["soak-too-short"]
    assert found["timing"]["mergeable_from"] == found["timing"]["soak_complete_at"] > found["as_of"]
    assert found["next"] == f"mlgit explain {found['problems'][0]['id']}"
    ana.does(f"hold add production/{MODEL}@2 --reason 'INC-7 | #1'")
    ana.git("merge", "--quiet", "mlgit/hold/production/" + f"{MODEL}@2")
    found = told(ana)
    assert [(one["blocks"], one["reason"]) for one in found["holds"]] == [(True, "INC-7 | #1")]
    shown = ana.does("brief --format md").out
    assert "INC-7 &#124; &#35;&#8203;1" in shown


def test_the_briefs_of_a_challenger_and_of_a_recertification(running: Team) -> None:
    ana = running.ana
    ana.does(f"promote {MODEL}@2 --to staging --as challenger --traffic 10")
    found = told(ana)
    assert (found["candidate"], found["slot"], found["champion"]) == (f"{MODEL}@2", "challenger", f"{MODEL}@1")
    assert [(one["slot"], one["traffic"]) for one in found["effect"]["slots"]] == [("champion", 90), ("challenger", 10)]
    assert found["effect"]["stops_running"] == []
    assert f"Promote {MODEL}@2 to staging, as challenger" in ana.does("brief").out
    ana.does("merge")
    ana.does("apply staging")
    ana.does(f"recertify {WHERE}")
    found = told(ana)
    assert (found["candidate"], found["champion"], found["changes_since_champion"], found["rollback"]) == (
        f"{MODEL}@1",
        None,
        None,
        None,
    )
    assert f"Re-approve {MODEL}@1 in production" in ana.does("brief").out


def test_the_contract_is_compared_with_that_of_the_champion(proposed: Team) -> None:
    ana = proposed.ana
    contract = "datasets/biopsies/dataset.yaml"
    ana.edit(contract, "rows: {min: 500}", "rows: {min: 501}")
    (data,) = told(ana)["changes_since_champion"]["data"]
    assert data["contract"] == [{"field": "rows.min", "before": 500, "after": 501}]


def test_markup_in_a_reason_has_no_effect(running: Team) -> None:
    """Of the whole body, nothing but mlgit's own marks, folds and commands is anything but text."""
    ana = running.ana
    reason = f"fixes #1, closes acme/churn#2 </details> @acme/ops ![x](https://evil.example/x.png)\n\n{END}\n\n# All is well\n"
    ana.does(f"promote {MODEL}@2 --to staging --ticket 'GH-7 | www.evil.example'", "--reason", reason)
    written = ana.does("brief --format md").out.rstrip("\n")
    assert (written.count(BEGIN), written.count(END), written.endswith(END)) == (1, 1, True)
    assert set(re.findall(r"<[^>]*>", written)) == {BEGIN, END, "<details>", "</details>", "<summary>", "</summary>"}
    assert not re.search(r"(?<!&)#\d|(?<!\w)@\w|://|www\.\w|GH-\d|^# ", written, re.MULTILINE)
    assert "fixes &#35;&#8203;1" in written


def test_the_body_is_the_same_until_something_changes(proposed: Team) -> None:
    with proposed.ana.present():
        one = body(brief.run(proposed.ana.session(), WHERE))
    with proposed.ana.present():  # a minute later
        assert body(brief.run(proposed.ana.session(), WHERE)) == one
    proposed.ben.does("approve")
    with proposed.ana.present():
        assert body(brief.run(proposed.ana.session(), WHERE)) != one


def test_it_works_on_a_bare_clone_and_without_an_identity(proposed: Team) -> None:
    nobody = proposed.ana.clone("bare.git", "--bare").using(user_name="", user_email="")
    assert told(nobody, f"brief {WHERE}")["candidate"] == f"{MODEL}@2"


# A change of a policy


def test_a_changed_policy_is_replayed_on_merged_promotions(registered: Team) -> None:
    ana = registered.ana
    ana.commit("Make it easy", {STAGING: policy()})
    for number in (1, 3):
        registered.promote(f"{MODEL}@{number}", "staging", apply=False)
    ana.git("switch", "--quiet", "--create", "stricter")
    ana.commit(
        "Ask more, of a policy that nothing was merged under too",
        {
            STAGING: policy("{id: beats-champion, margin: -0.02}"),
            "policies/production.yaml": ana.read("policies/production.yaml").replace("margin: 0.0", "margin: 0.1"),
            "policies/fresh.yaml": policy().replace("name: staging", "name: fresh"),
        },
    )
    with ana.present():
        (found,) = impact.run(ana.session(), "main", "stricter")
    assert (found.policy, found.blocked, [one.candidate for one in found.promotions]) == (
        "staging",
        1,
        [f"{MODEL}@3", f"{MODEL}@1"],
    )
    said = ana.does("validate --base main --json").json["findings"]
    assert [(one["id"], one["severity"], one["fix"]) for one in said] == [
        ("policy-changed", "note", f"run `mlgit policy replay {name} --with policies/{name}.yaml`")
        for name in ("production", "staging")
    ]


def test_another_policy_for_an_environment_is_a_change_but_another_description_is_not(registered: Team) -> None:
    ana = registered.ana
    ana.commit("Make it easy", {STAGING: policy()})
    registered.promote(f"{MODEL}@1", "staging", apply=False)
    ana.git("switch", "--quiet", "--create", "other")
    ana.commit("Say why", {STAGING: policy() + "# easy for a start\n"})
    assert ana.does("validate --base main --json").json["findings"] == []
    ana.commit(
        "Ask more of staging",
        {
            "policies/strict.yaml": policy("{id: threshold, metric: roc_auc, min: 0.999}").replace("staging", "strict"),
            "environments/staging/environment.yaml": ana.read("environments/staging/environment.yaml").replace(
                "policy: staging", "policy: strict"
            ),
        },
    )
    with ana.present():
        (found,) = impact.run(ana.session(), "main", "other")
    assert (found.policy, found.tried_policy, found.blocked) == ("staging", "strict", 1)
    (note,) = ana.does("validate --base main --json").json["findings"]
    assert note["fix"] == "run `mlgit policy replay staging --with policies/strict.yaml --env staging`"
