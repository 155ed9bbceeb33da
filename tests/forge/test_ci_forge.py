"""What `mlgit ci` posts at the forge: deployments, and the verdict as a check."""

import json

from mlgit.domain.branch_protection import VERDICT_CHECK
from tests.flows.builder import MODEL
from tests.flows.people import Answer
from tests.forge import test_life
from tests.forge.desks import ForgeDesk
from tests.forge.fake import BOT
from tests.forge.test_life import LOGINS, PROMOTE, WHERE, AtForge

at = test_life.at

POLICY = "policies/production.yaml"


def runner(at: AtForge, login: str = BOT, **more: str) -> ForgeDesk:
    """Ana's clone as a job of a CI sees it, with the token of an app or of a person."""
    ana, folder = at.team.ana, at.team.folder
    environment = at.forge.environment(login) | {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")} | more
    return ForgeDesk(ana.name, ana.root, ana._keys, ana._now, ana._settings, environment)


def summary(at: AtForge) -> str:
    return (at.team.folder / "summary.md").read_text()


def proposes(at: AtForge, branch: str) -> dict[str, str]:
    """Write down that a pull request proposes a branch, as a webhook says it; return where."""
    ends = {end: {"sha": at.ana.head(name)} for end, name in (("base", "main"), ("head", branch))}
    event = at.team.folder / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}, "pull_request": {"number": 1, **ends}}))
    return {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event)}


def told(at: AtForge) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Every deployment at the forge: commit, environment, and each state with its description."""
    return [
        (one.commit, one.environment, [(state["state"], state["description"]) for state in one.statuses])
        for one in at.forge.deployments
    ]


def test_an_applied_version_is_reported_as_one_deployment(at: AtForge) -> None:
    promotion = at.ana.does(f"{PROMOTE} --json").json["promotion"]
    at.review("ben")
    merged = at.forge.merge(LOGINS["cara"], 1)
    at.ana.git("pull", "--quiet", "origin", "main")
    desk = runner(at)

    planned = desk.does("ci apply production --dry-run --json").json["applied"]["results"]
    assert [one["state"] for one in planned] == ["planned"]
    assert told(at) == []

    applied = desk.does("ci apply production").out
    assert "applied" in applied
    assert told(at) == [(merged, WHERE, [("success", f"{MODEL}@2: applied")])]
    version = json.loads(at.ana.read(f"models/{MODEL}/versions/v2/version.json"))
    assert at.forge.deployments[0].payload == {
        "promotion": promotion,
        "version": f"{MODEL}@2",
        "digest": version["digest"],
    }
    assert f"| {WHERE} | {MODEL}@2 | applied | decision " in summary(at).replace("&#8203;", "")

    again = desk.does("ci apply production --json").json
    assert [one["state"] for one in again["applied"]["results"]] == ["up-to-date"]
    assert len(told(at)[0][2]) == 1


def test_a_blocked_version_is_reported_and_a_refused_report_is_a_warning(at: AtForge) -> None:
    at.ana.does(PROMOTE)
    merged = at.forge.merge(LOGINS["cara"], 1)
    at.ana.git("pull", "--quiet", "origin", "main")
    desk = runner(at)

    at.forge.withheld = {"deployments"}
    answer = desk("ci apply production")
    assert answer.code == 1, answer.text
    assert "::error title=approvals-missing::" in answer.out
    assert "::warning title=forge-request-rejected::deployments were not reported to the forge" in answer.out
    assert told(at) == []

    at.forge.withheld = set()
    answer = desk("ci apply production")
    assert answer.code == 1, answer.text
    assert "forge-request-rejected" not in answer.out
    once = [(merged, WHERE, [("failure", f"{MODEL}@2: blocked (approvals-missing)")])]
    assert told(at) == once
    assert "approvals-missing" in summary(at)

    assert desk("ci apply production").code == 1
    assert told(at) == once, "every hourly run would say it again"
    at.ana.commit("Other work", {"notes.txt": "on the base branch"})
    at.ana.git("push", "--quiet", "origin", "main")
    assert desk("ci apply production").code == 1
    assert told(at) == once, "it is still the same promotion"


def test_a_verdict_is_posted_as_a_check_from_an_external_ci(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    policy = ana.read(POLICY)
    ana.git("switch", "--quiet", "-c", "change")
    ana.commit("Misspell a key", {POLICY: policy + "aprovals: {}\n"})
    ana.git("push", "--quiet", "origin", "change")
    ana.git("switch", "--quiet", "main")
    head = ana.head("change")
    forge.open(LOGINS["ana"], "change", "main", "Misspell a key")

    def judged(login: str = BOT) -> Answer:
        return runner(at, login, **proposes(at, "change"))("ci verdict --check")

    assert judged().code == 1
    (run,) = forge.runs
    assert (run.name, run.commit, run.conclusion) == (VERDICT_CHECK, head, "failure")
    assert run.output["title"] == "this change has problems"
    assert "key-unknown" in run.output["summary"]
    marked, missing = run.output["annotations"]
    assert (marked["path"], marked["title"], marked["annotation_level"]) == (POLICY, "key-unknown", "failure")
    assert (missing["path"], missing["title"]) == (POLICY, "rule-approvals-missing")
    assert marked["start_line"] == len(ana.show("change", POLICY).splitlines())

    assert judged("ben-b").code == 1
    (status,) = forge.statuses
    assert (status.context, status.commit, status.state) == (VERDICT_CHECK, head, "failure")

    forge.withheld = {"checks", "statuses"}
    refused = judged()
    assert refused.code == 1
    assert f"::warning title=forge-request-rejected::the check {VERDICT_CHECK} was not posted" in refused.out
    assert (len(forge.runs), len(forge.statuses)) == (1, 1)

    forge.withheld = set()
    ana.git("switch", "--quiet", "change")
    ana.commit("Take it back", {POLICY: policy, "notes.md": "Nothing.\n"})
    ana.git("push", "--quiet", "origin", "change")
    ana.git("switch", "--quiet", "main")
    assert judged().code == 0
    assert (forge.runs[-1].commit, forge.runs[-1].conclusion) == (ana.head("change"), "success")
    assert forge.runs[-1].output["title"] == "no problems found"
