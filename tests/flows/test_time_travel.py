"""Asking a project about its past: why something runs, where it comes from, what it was then, and since when it is worse."""

import json
import subprocess
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.flows.builder import MODEL, OTHER
from tests.flows.people import Desk, Team

PRODUCTION = f"why production/{MODEL}"
DECISION = "decisions/{}.json"


def fingerprint(team: Team, name: str) -> str:
    """The fingerprint of a person's key, as ssh-keygen tells it."""
    key = team.keys / f"{name}.pub"
    return subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, text=True, check=True).stdout.split()[1]


def moved_on(team: Team) -> str:
    """Let the second version run in production too; return the id of its promotion."""
    team.ben.does("approve --comment", "saw the slices")
    team.ana.does("merge")
    team.ana.does("apply")
    found = team.ana.does(f"{PRODUCTION} --json").json
    assert found["observed"]["version"] == f"{MODEL}@2"
    promotion = found["promotion"]["id"]
    assert isinstance(promotion, str)
    return promotion


def on_ledger(desk: Desk, path: str, change: Callable[[Any], None]) -> None:
    """Change a record on the ledger by hand, as nobody should."""
    desk.git("switch", "--quiet", "mlgit-ledger")
    record = json.loads(desk.read(path))
    change(record)
    desk.commit("Change the past", {path: json.dumps(record)})
    desk.git("switch", "--quiet", "main")


def forget(team: Team, version: str) -> None:
    """Lose the predictions of a version, in the remote and in the cache."""
    label = version.partition("@")[2]
    record = json.loads(team.ana.read(f"models/{MODEL}/versions/v{label}/version.json"))
    md5 = record["evaluation"]["predictions"]["md5"]
    for place in (team.folder / "storage", team.root / ".dvc/cache"):
        for objects in ("files/md5", "mlgit/md5"):
            (place / objects / md5[:2] / md5[2:]).unlink(missing_ok=True)


# Why


@pytest.mark.tier("fast")
def test_what_runs_is_explained_by_who_agreed_and_on_which_evidence(proposed: Team) -> None:
    promotion = moved_on(proposed)
    found = proposed.ana.does(f"{PRODUCTION} --json").json
    assert (found["desired"], found["observed"]["version"], found["observed"]["status"]) == (f"{MODEL}@2",) * 2 + (
        "verified",
    )
    promoted = found["promotion"]
    assert (promoted["proposed_by"], promoted["merged_by"]) == (["ana"], "ana")
    assert promoted["commit"] == proposed.ana.head("main")
    assert promoted["base"] == proposed.ana.head("main^1")
    assert promoted["replaced"] == f"{MODEL}@1"
    assert promoted["proposed_at"] < promoted["merged_at"] < found["observed"]["since"]
    (vote,) = found["approvals"]["counted"]
    assert (vote["person"], vote["roles"], vote["comment"]) == ("ben", ["reviewer", "applier"], "saw the slices")
    assert vote["key"] == fingerprint(proposed, "ben")
    assert vote["recorded"]
    assert found["recorded_decision"] == found["decision"]
    report = found["gate_report"]
    assert report["path"] == f"models/{MODEL}/versions/v2/gates/{promotion}.json"
    assert report["matches_manifest"]
    assert {verdict["gate"]: verdict["outcome"] for verdict in report["results"]}["beats-champion"] == "pass"
    version = json.loads(proposed.ana.read(f"models/{MODEL}/versions/v2/version.json"))
    assert found["made_from"]["data"] == version["inputs"]["data"]
    assert found["made_from"]["commit"] == version["inputs"]["commit"]
    assert found["findings"] == []


def test_what_runs_is_explained_on_one_screen(running: Team) -> None:
    team = running
    team.promote(f"{MODEL}@2", "staging")
    team.ana.does(f"promote {MODEL}@2 --to production --ticket RISK-42 --reason", "quarterly retrain")
    moved_on(team)
    said = team.ana.does(PRODUCTION).out
    assert len(said.splitlines()) <= 40
    for words in (
        f"{MODEL}@2 since 2026-03-01",
        "quarterly retrain, ticket RISK-42",
        "by ana",
        "1 of 1 needed",
        fingerprint(team, "ben"),
        '"saw the slices"',
        "as named in the manifest",
        f"{MODEL}@1 (",
        "Verified again: signatures, digests and rules are in order.",
    ):
        assert words in said
    assert said.rstrip().endswith(f"Next: mlgit lineage {MODEL}@2")


def test_what_is_merged_and_not_applied_is_wanted_and_does_not_run(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ana.does("merge")
    found = proposed.ana.does(f"{PRODUCTION} --json").json
    assert (found["desired"], found["observed"]["version"]) == (f"{MODEL}@2", f"{MODEL}@1")
    assert found["recorded_decision"] is None
    assert [one["person"] for one in found["approvals"]["counted"]] == ["ben"]
    assert found["next"] == "mlgit apply"


def test_where_nothing_was_promoted_nothing_has_to_be_explained(proposed: Team) -> None:
    found = proposed.ana.does(f"why production/{OTHER} --json").json
    assert (found["desired"], found["observed"], found["promotion"]) == (None, None, None)
    assert "nothing" in proposed.ana.does(f"why production/{OTHER}").out


def test_the_past_is_explained_by_the_ledger_of_then(proposed: Team) -> None:
    moved_on(proposed)
    ana = proposed.ana
    before = ana.does(f"{PRODUCTION} --at main^1 --json").json
    assert (before["desired"], before["observed"]["version"]) == (f"{MODEL}@1", f"{MODEL}@1")
    merged = datetime.fromisoformat(ana.git("show", "-s", "--format=%cI", "main"))
    then = ana.does(f"{PRODUCTION} --at {merged:%Y-%m-%dT%H:%M}Z --json").json
    assert (then["desired"], then["observed"]["version"], then["recorded_decision"]) == (
        f"{MODEL}@2",
        f"{MODEL}@1",
        None,
    )
    day = ana.does(f"{PRODUCTION} --at {merged:%Y-%m-%d} --json").json  # to its end, when it had been applied
    assert (day["desired"], day["observed"]["version"]) == (f"{MODEL}@2", f"{MODEL}@2")


def by_hand(desk: Desk) -> None:
    """Merge what is proposed for production, without a look at who agreed."""
    desk.git("merge", "--quiet", "--no-ff", "--message", "By hand", f"mlgit/promote/production/{MODEL}")


def test_an_approval_that_came_after_the_moment_does_not_speak_for_it(proposed: Team) -> None:
    clone = proposed.ana.clone("clone")
    clone.git("branch", "--quiet", f"mlgit/promote/production/{MODEL}", f"origin/mlgit/promote/production/{MODEL}")
    by_hand(proposed.ana)
    proposed.ben.at(clone.root).does("approve")
    assert proposed.ana(f"{PRODUCTION} --at main --json").json["approvals"]["counted"] == []
    assert [one["person"] for one in proposed.ana(f"{PRODUCTION} --json").json["approvals"]["counted"]] == ["ben"]


def test_what_was_merged_without_approvals_says_so(proposed: Team) -> None:
    ana = proposed.ana
    by_hand(ana)
    answer = ana(PRODUCTION)
    assert (answer.code, answer.ids) == (1, ["approvals-missing"])
    assert "0 of 1 needed" in answer.out
    assert "merged     " in answer.out


def test_keys_are_those_that_were_listed_at_the_merge(proposed: Team) -> None:
    moved_on(proposed)
    kept = [line for line in proposed.ana.read(".mlgit/allowed_signers").splitlines() if not line.startswith("ben@")]
    proposed.ana.commit("Ben has left", {".mlgit/allowed_signers": "\n".join(kept) + "\n"})
    assert proposed.ana.does(f"{PRODUCTION} --json").json["approvals"]["counted"][0]["recorded"]


@pytest.mark.parametrize(
    ("change", "ids"),
    [
        (lambda record: record["approvals"][0].update(person="cara"), ["approval-invalid"]),
        (lambda record: record["approvals"][0].update(roles=["reviewer", "risk"]), ["approval-invalid"]),
        (lambda record: record["approvals"][0].update(key="SHA256:another"), ["approval-invalid"]),
        (lambda record: record["approvals"][0].update(approval="sha256:" + "0" * 64), ["approval-invalid"]),
        (lambda record: record.update(decision="sha256:" + "0" * 64), ["decision-mismatch"]),
        (lambda record: record["reads"].update(policy="sha256:" + "0" * 64), ["decision-mismatch"]),
    ],
    ids=["person", "roles", "key", "approval", "decision", "reads"],
)
def test_a_decision_that_was_changed_on_the_ledger_does_not_hold(
    proposed: Team, change: Callable[[Any], None], ids: list[str]
) -> None:
    promotion = moved_on(proposed)
    on_ledger(proposed.ana, DECISION.format(promotion), change)
    answer = proposed.ana(PRODUCTION)
    assert (answer.code, answer.ids) == (1, ids)


def test_what_differs_in_a_decision_is_named(proposed: Team) -> None:
    promotion = moved_on(proposed)

    def change(record: Any) -> None:
        record["decision"] = "sha256:" + "0" * 64
        record["reads"]["policy"] = "sha256:" + "0" * 64

    on_ledger(proposed.ana, DECISION.format(promotion), change)
    assert "these differ: policy" in proposed.ana(PRODUCTION).out


def test_a_signature_that_is_gone_from_the_ledger_is_missed(proposed: Team) -> None:
    promotion = moved_on(proposed)
    ana = proposed.ana
    ana.git("switch", "--quiet", "mlgit-ledger")
    ana.git("rm", "--quiet", "-r", f"approvals/{promotion}")
    ana.git("commit", "--quiet", "--message", "Lose approvals")
    ana.git("switch", "--quiet", "main")
    answer = ana(PRODUCTION)
    assert answer.code == 1
    assert set(answer.ids) == {"approval-invalid", "approvals-missing"}
    assert "0 of 1 needed" in answer.out
    for command in (PRODUCTION, f"approvals production/{MODEL}", f"brief production/{MODEL}"):
        (vote,) = ana(f"{command} --json").json["approvals"]["uncounted"]
        assert (vote["person"], vote["recorded"], vote["by"], vote["at"]) == ("ben", True, None, None)


def test_evidence_that_was_changed_after_the_merge_does_not_hold(proposed: Team) -> None:
    promotion = moved_on(proposed)
    ana = proposed.ana
    ana.edit(f"models/{MODEL}/versions/v2/gates/{promotion}.json", '"outcome": "pass"', '"outcome": "fail"')
    answer = ana(PRODUCTION)
    assert (answer.code, answer.ids) == (1, ["gate-report-mismatch"])
    assert "NOT the one named in the manifest" in answer.out
    ana.git("reset", "--quiet", "--hard", "HEAD~1")
    ana.edit(f"models/{MODEL}/versions/v2/version.json", '"email": "ana@', '"email": "eve@')
    answer = ana(PRODUCTION)
    assert (answer.code, answer.ids) == (1, ["version-tampered"])


def test_what_nobody_promoted_is_unexplained(proposed: Team) -> None:
    ana = proposed.ana
    tree = ana.head("main^{tree}")
    ana.git("update-ref", "refs/heads/other", ana.git("commit-tree", tree, "-m", "All at once"))
    answer = ana(f"{PRODUCTION} --at other")
    assert (answer.code, answer.ids) == (1, ["promotion-commit-missing"])


def test_names_that_are_not_there_are_refused(proposed: Team) -> None:
    assert proposed.ana.refused(f"why prod/{MODEL}") == ["environment-unknown"]
    assert proposed.ana.refused("why production/nothing") == ["model-unknown"]
    assert proposed.ana.refused(f"{PRODUCTION} --at nowhere") == ["revision-unknown"]


def test_what_people_wrote_cannot_act_on_a_terminal(proposed: Team) -> None:
    team = proposed
    team.ana.git("branch", "--quiet", "-D", f"mlgit/promote/production/{MODEL}")
    team.ana.does(f"promote {MODEL}@2 --to production --reason", "all\x1b[2J\u202eclear\nmerged by nobody")
    team.ben.does("approve --comment", "\x1b]0;fine\x07")
    team.ana.does("merge")
    said = team.ana.does(PRODUCTION).out
    assert not {"\x1b", "\x07", "\u202e"} & set(said)
    assert not any(line.startswith("merged by nobody") for line in said.splitlines())
    assert "clear" in said


# Lineage


def lines(desk: Desk, line: str) -> list[str]:
    return [one.strip() for one in desk.does(line).out.splitlines()]


def test_a_version_names_what_it_was_made_from_and_where_it_ran(proposed: Team) -> None:
    said = proposed.ana.does(f"lineage {MODEL}@1").out
    record = json.loads(proposed.ana.read(f"models/{MODEL}/versions/v1/version.json"))
    for words in (
        record["digest"][:19],
        record["inputs"]["data"]["biopsies"]["md5"][:12],
        f"commit {record['inputs']['commit'][:12]}  by Ana",
        '{"seed":7,"train":{"fit":"plain"}}',
        "Ana <ana@acme.example>",
        "284 rows",
    ):
        assert words in said
    ran = [one for one in lines(proposed.ana, f"lineage {MODEL}@1") if one.startswith("ran in")]
    assert [one.split()[2] for one in ran] == [f"staging/{MODEL}", f"production/{MODEL}"]
    assert "until now" not in ran[0]
    assert ran[1].endswith("until now")


def test_a_version_ran_from_when_it_was_seen_until_something_else_was(proposed: Team) -> None:
    ana = proposed.ana
    moved_on(proposed)
    graph = ana.does(f"lineage {MODEL}@1 --json").json
    spans = {edge["target"]: (edge["since"], edge["until"]) for edge in graph["edges"] if edge["role"] == "ran in"}
    stamps = {}
    for environment in ("staging", "production"):
        entries = [
            json.loads(ana.show("mlgit-ledger", f"deployments/{environment}/{MODEL}/{number}.json"))["at"]
            for number in (1, 2)
        ]
        stamps[f"environment:{environment}/{MODEL}"] = tuple(entries)
    assert spans == stamps


def test_a_version_that_never_ran_says_so(proposed: Team) -> None:
    assert "never deployed" in lines(proposed.ana, f"lineage {MODEL}@3")


def test_a_correction_is_found_from_both_ends(registered: Team) -> None:
    ana = registered.ana
    ana.edit("params.yaml", "fit: worse", "fit: plain")
    ana.does(f"train {MODEL}")
    ana.does(f"register {MODEL} --supersedes {MODEL}@3")
    team = registered
    team.promote(f"{MODEL}@4", "staging")
    (corrects,) = [one for one in lines(ana, f"lineage {MODEL}@4") if one.startswith("supersedes")]
    assert f"{MODEL}@3" in corrects
    said = lines(ana, f"lineage {MODEL}@3")
    (corrected,) = [one for one in said if one.startswith("corrected by")]
    assert f"{MODEL}@4" in corrected
    assert any(one.startswith(f"ran in        staging/{MODEL}") for one in said)


@pytest.mark.parametrize("form", ["biopsies", "biopsies@{md5}", "biopsies@{sha}", "md5:{md5}", "sha256:{sha}"])
def test_data_leads_to_every_version_and_every_environment(proposed: Team, form: str) -> None:
    record = json.loads(proposed.ana.read(f"models/{MODEL}/versions/v1/version.json"))
    stored = record["inputs"]["data"]["biopsies"]
    content = form.format(md5=stored["md5"][:8], sha=stored["sha256"][7:15])
    word = "--dataset " if form.startswith("biopsies") else ""
    found = proposed.ana.does(f"lineage {word}{content} --json").json
    assert found["versions"] == [f"{MODEL}@1", f"{MODEL}@2", f"{MODEL}@3", f"{OTHER}@1"]
    assert found["records_read"] == 4
    assert found["roots"] == [f"data:biopsies@{stored['sha256']}"]
    ran = [(edge["source"], edge["target"], edge["until"] is None) for edge in found["edges"] if edge["since"]]
    assert ran == [
        (f"version:{MODEL}@1", f"environment:staging/{MODEL}", False),
        (f"version:{MODEL}@1", f"environment:production/{MODEL}", True),
        (f"version:{MODEL}@2", f"environment:staging/{MODEL}", True),
    ]
    said = proposed.ana.does(f"lineage {word}{content}").out
    assert said.count("never deployed") == 2


def test_data_that_nothing_was_made_from_is_no_good_news(proposed: Team) -> None:
    answer = proposed.ana("lineage --dataset biopsies@00000000")
    assert answer.code == 1
    assert "None of 4 versions" in answer.out
    assert proposed.ana.refused("lineage --dataset flights") == ["dataset-unknown"]
    assert proposed.ana.refused("lineage md5:9x", code=2) == ["data-reference-invalid"]
    for line in ("lineage", f"lineage {MODEL}@1 --dataset biopsies", "lineage --dataset biopsies --code HEAD"):
        assert proposed.ana(line).code == 2


def test_a_commit_leads_to_what_was_trained_with_its_code(proposed: Team) -> None:
    ana = proposed.ana
    record = json.loads(ana.read(f"models/{MODEL}/versions/v1/version.json"))
    commit = record["inputs"]["commit"]
    for name in (commit, commit[:8]):
        # The other model was registered at the next commit, from the same code.
        assert ana.does(f"lineage --code {name} --json").json["versions"] == [f"{MODEL}@1", f"{OTHER}@1"]
    assert ana("lineage --code deadbeef").code == 1
    assert ana.refused("lineage --code nowhere") == ["revision-unknown"]


def test_a_commit_that_was_rebased_away_still_names_what_was_trained_with_it(proposed: Team) -> None:
    ana = proposed.ana
    record = json.loads(ana.read(f"models/{MODEL}/versions/v1/version.json"))
    gone = "c0ffee" + record["inputs"]["commit"][6:]
    ana.edit(f"models/{MODEL}/versions/v1/version.json", record["inputs"]["commit"], gone)
    answer = ana("lineage --code c0ffee00 --json".replace("c0ffee00", gone[:12]))
    assert f"{MODEL}@1" in answer.json["versions"]
    assert answer.ids == []
    assert [one["id"] for one in answer.json["findings"]] == ["version-tampered"]
    assert answer.code == 1
    assert "not in this repository" in ana(f"lineage {MODEL}@1").out


def test_a_record_that_cannot_be_read_leaves_the_question_open(proposed: Team) -> None:
    proposed.ana.commit("Break a record", {f"models/{OTHER}/versions/v1/version.json": "{}"})
    answer = proposed.ana("lineage --dataset biopsies --json")
    assert answer.code == 3
    assert answer.json["versions"] == [f"{MODEL}@1", f"{MODEL}@2", f"{MODEL}@3"]
    assert {one["at"]["file"] for one in answer.json["unreadable"]} == {f"models/{OTHER}/versions/v1/version.json"}


def test_a_graph_is_drawn_with_an_edge_for_each_relation(proposed: Team) -> None:
    graph = proposed.ana.does(f"lineage {MODEL}@1 --json").json
    drawn = proposed.ana.does(f"lineage {MODEL}@1 --format dot").out
    assert drawn.startswith("digraph lineage {")
    assert drawn.count(" -> ") == len(graph["edges"])
    assert drawn.count(";\n") == len(graph["edges"]) + len(graph["nodes"]) + 2


def test_lineage_is_that_of_the_moment(proposed: Team) -> None:
    ana = proposed.ana
    first = ana.git("log", "--format=%H", f"--grep=Register {MODEL}@1", "main")
    found = ana.does(f"lineage --dataset biopsies --at {first} --json").json
    assert found["versions"] == [f"{MODEL}@1"]
    assert not any(edge["since"] for edge in found["edges"])
    assert ana.refused(f"lineage {MODEL}@2 --at {first}") == ["version-unknown"]


# At another moment


@pytest.mark.parametrize(
    "line",
    [
        "status",
        f"show {MODEL}",
        f"show {MODEL}@1 --json",
        f"diff {MODEL}@1 {MODEL}@2",
        PRODUCTION,
        f"lineage {MODEL}@1",
        f"approvals production/{MODEL}",
        "log -n 3",
        "validate",
    ],
)
@pytest.mark.parametrize("at", ["HEAD~1", "2026-03-01"])
def test_a_question_about_a_moment_is_the_command_with_that_moment(proposed: Team, line: str, at: str) -> None:
    asked, said = proposed.ana(f"at {at} {line}"), proposed.ana(f"{line} --at {at}")
    assert (asked.code, asked.out) == (said.code, said.out)
    assert asked.code == 0


def test_a_card_is_printed_as_it_was(proposed: Team) -> None:
    ana = proposed.ana
    card = ana.read(f"models/{MODEL}/versions/v1/card.md")
    assert ana.does(f"at 2026-03-01 card {MODEL}@1").out.rstrip() == card.rstrip()
    assert ana.does(f"show {MODEL}@1 --card").out.rstrip() == card.rstrip()
    found = ana.does(f"at --json 2026-03-01 card {MODEL}@1").json
    assert (found["schema"], found["text"], found["findings"]) == ("mlgit/card.v1", card, [])
    assert ana(f"at HEAD card {MODEL}").ids == ["version-reference-invalid"]
    ana.edit(f"models/{MODEL}/versions/v1/card.md", "Written by the team.", "Written\x1b[2J by somebody.")
    answer = ana(f"show {MODEL}@1 --card")
    assert (answer.code, answer.ids) == (1, ["version-file-mismatch"])
    assert "\x1b" not in answer.out
    assert ana.does(f"at HEAD~1 card {MODEL}@1").out.rstrip() == card.rstrip()


def test_the_state_of_a_tag_is_that_of_its_commit(proposed: Team) -> None:
    ana = proposed.ana
    ana.git("tag", "v1.0", ana.git("log", "--format=%H", "--grep=Merge promotion", "main").split("\n")[-1])
    rows = ana.does("at v1.0 status --json").json["rows"]
    assert [(row["environment"], row["champion"]) for row in rows] == [("staging", f"{MODEL}@1")]


def test_a_date_is_that_of_the_base_branch_whatever_is_checked_out(proposed: Team) -> None:
    ana = proposed.ana
    before = ana.does("status --at 2026-12-31 --json").json
    ana.git("switch", "--quiet", "--orphan", "elsewhere")
    ana.git("checkout", "--quiet", "main", "--", "mlgit.yaml")
    ana.commit("Something else", {"notes.txt": "other work"})
    assert ana.does("status --at 2026-12-31 --json").json == before


def test_a_name_of_two_commits_is_refused(proposed: Team) -> None:
    ana = proposed.ana
    ana.git("tag", "v1", "HEAD~1")
    ana.git("branch", "v1", "HEAD")
    answer = ana("status --at v1")
    assert (answer.code, answer.ids) == (1, ["revision-ambiguous"])
    assert "write the whole name: refs/tags/v1 or refs/heads/v1" in answer.text
    assert ana.does("status --at refs/tags/v1 --json").json["commit"] == ana.head("refs/tags/v1")
    assert ana("status --at v1~1").ids == ["revision-ambiguous"]
    ana.git("branch", "--force", "v1", "refs/tags/v1^{commit}")
    ana.does("status --at v1")
    short = ana.head("HEAD~1")[:7]
    ana.git("tag", short, "HEAD")
    assert ana(f"status --at {short}").ids == ["revision-ambiguous"]
    ana.git("tag", "2026-03-02", "HEAD~2")
    assert ana("status --at 2026-03-02").ids == ["revision-ambiguous"]


@pytest.mark.parametrize("revision", ["main@{yesterday}", "main@{1}", "@{-1}", "HEAD@{0}"])
def test_what_only_the_reflog_of_a_clone_knows_is_refused(proposed: Team, revision: str) -> None:
    assert proposed.ana.refused(f"status --at '{revision}'") == ["revision-local"]


@pytest.mark.parametrize(
    "line", ["at HEAD promote x", "at HEAD nothing", "at HEAD", "at", "at HEAD status --at HEAD~1"]
)
def test_what_cannot_be_asked_about_a_moment_is_misuse(proposed: Team, line: str) -> None:
    answer = proposed.ana(line)
    assert answer.code == 2
    if line.endswith(("x", "nothing")):
        for name in ("card", "show", "status", "why"):
            assert name in answer.err


def test_a_shallow_clone_has_no_past_and_says_what_to_do(proposed: Team) -> None:
    shallow = proposed.ana.clone("shallow", "--depth", "1", "--no-single-branch")
    for line in ("at 2026-03-01 status", PRODUCTION):
        answer = shallow(line)
        assert (answer.code, answer.ids) == (1, ["history-shallow"])
        assert "git fetch --unshallow" in answer.err


# Since when it is worse


def test_the_first_worse_version_is_found_by_measuring_all(proposed: Team) -> None:
    found = proposed.ana.does(f"bisect {MODEL} --json").json
    assert (found["method"], found["metric"]) == ("scan", "roc_auc")
    assert [one["bad"] for one in found["measured"]] == [None, False, True]
    assert (found["predecessor"], found["first"]) == (f"{MODEL}@2", f"{MODEL}@3")
    recorded = [
        json.loads(proposed.ana.read(f"models/{MODEL}/versions/v{number}/version.json"))["evaluation"]["metrics"]
        for number in (1, 2, 3)
    ]
    assert [one["value"] for one in found["measured"]] == pytest.approx([one["roc_auc"] for one in recorded])
    changes = {one["field"]: (one["before"], one["after"]) for one in found["difference"]["changes"]}
    assert changes["params.train.fit"] == ("better", "worse")
    said = proposed.ana.does(f"bisect {MODEL}").out
    assert f"{MODEL}@3 is the first that is worse than the one before" in said
    assert "params.train.fit" in said
    assert f"Next: mlgit diff {MODEL}@2 {MODEL}@3" in said


@pytest.mark.parametrize(
    ("options", "code", "first", "looked"),
    [
        ("--below 0.93", 0, 3, 3),
        ("--below 0.99", 0, 1, 2),
        ("--below 0.5", 1, None, 1),
        ("--drop 0.05", 0, 3, 3),
        ("--drop 0.5", 1, None, 3),
        ("--metric log_loss", 0, 3, 3),
        ("--metric log_loss --below 1", 0, 3, 3),
        (f"--bad {MODEL}@2", 1, None, 2),
        (f"--good {MODEL}@2", 0, 3, 2),
        (f"--good {MODEL}@2 --bad {MODEL}@3", 0, 3, 2),
        (f"--good {MODEL}@2 --below 0.93", 0, 3, 2),
    ],
)
def test_a_limit_is_searched_for_and_a_drop_is_looked_for_everywhere(
    proposed: Team, options: str, code: int, first: int | None, looked: int
) -> None:
    answer = proposed.ana(f"bisect {MODEL} {options} --json")
    assert answer.code == code, answer.text
    assert answer.json["first"] == (None if first is None else f"{MODEL}@{first}")
    assert len(answer.json["measured"]) == looked
    assert proposed.ana(f"bisect {MODEL} {options}").code == code


def test_a_slice_is_measured_on_its_rows_alone(proposed: Team) -> None:
    recorded = {
        (part["value"], number): part
        for number in (1, 2, 3)
        for part in json.loads(proposed.ana.read(f"models/{MODEL}/versions/v{number}/version.json"))["evaluation"][
            "slices"
        ]
    }
    for value in ("ragged", "smooth"):
        found = proposed.ana(f"bisect {MODEL} --slice outline={value} --json").json
        for number, one in enumerate(found["measured"], 1):
            assert one["rows"] == recorded[value, number]["rows"]
            assert one["value"] == pytest.approx(recorded[value, number]["metric"])


def test_versions_without_predictions_are_named_and_passed_over(proposed: Team) -> None:
    forget(proposed, f"{MODEL}@2")
    found = proposed.ana.does(f"bisect {MODEL} --json").json
    assert (found["predecessor"], found["first"], found["unmeasured_between"]) == (
        f"{MODEL}@1",
        f"{MODEL}@3",
        [f"{MODEL}@2"],
    )
    assert found["measured"][1]["value"] is None
    said = proposed.ana.does(f"bisect {MODEL} --below 0.93").out
    assert "skipped: " in said
    assert f"it may have been one of them: {MODEL}@2" in said


def test_where_nothing_can_be_measured_nothing_is_said(proposed: Team) -> None:
    for number in (1, 2, 3):
        forget(proposed, f"{MODEL}@{number}")
    assert proposed.ana.refused(f"bisect {MODEL}", code=3) == ["metric-not-computable"]


@pytest.mark.parametrize(
    ("options", "code", "ids"),
    [
        ("--slice outline=none", 3, ["metric-not-computable"]),
        ("--slice nowhere=1", 3, ["metric-not-computable"]),
        ("--slice outline", 2, []),
        ("--metric rmse", 2, ["metric-target-mismatch"]),
        ("--metric beauty", 2, []),
        ("--below nan", 2, []),
        ("--drop -1", 2, []),
        ("--below 0.9 --drop 0.1", 2, []),
        (f"--good {MODEL}@2 --bad {MODEL}@2", 2, ["version-range-empty"]),
        (f"--good {MODEL}@3 --bad {MODEL}@1", 2, ["version-range-empty"]),
        (f"--good {MODEL}@9", 1, ["version-unknown"]),
        (f"--bad {OTHER}@1", 2, []),
    ],
)
def test_a_question_that_does_not_fit_is_refused(proposed: Team, options: str, code: int, ids: list[str]) -> None:
    assert proposed.ana.refused(f"bisect {MODEL} {options}", code=code) == ids


def test_only_versions_of_the_moment_are_measured(proposed: Team) -> None:
    second = proposed.ana.git("log", "--format=%H", f"--grep=Register {MODEL}@2", "main")
    answer = proposed.ana(f"at {second} bisect {MODEL} --json")
    assert (answer.code, answer.json["total"], answer.json["first"]) == (1, 2, None)


# Clones without files


def test_a_bare_clone_knows_the_past(proposed: Team) -> None:
    moved_on(proposed)
    bare = proposed.ana.clone("bare.git", "--bare")
    for line in (
        PRODUCTION,
        f"{PRODUCTION} --at main^1 --json",
        f"lineage {MODEL}@1",
        "lineage --dataset biopsies --json",
        f"at 2026-03-01 card {MODEL}@1",
        f"at main~2 {PRODUCTION}",
    ):
        assert bare.does(line).out == proposed.ana.does(line).out
    assert bare.refused(f"bisect {MODEL}", code=2) == ["repository-bare"]
