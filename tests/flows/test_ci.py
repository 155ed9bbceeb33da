"""What `mlgit ci` says of the events that a forge starts workflows with, in clones like those of a workflow."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlgit.cli.main import run
from tests.flows.builder import MODEL
from tests.flows.people import Answer, Desk, Team, _Said
from tests.flows.test_approvals_flow import POLICY, on_branch
from tests.flows.test_promotion_races import shared
from tests.forge.fake import BOT, FakeForge

WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"
MANIFEST = f"environments/{WHERE}.yaml"
NONE = "0" * 40
REPOSITORY = {"repository": {"default_branch": "main"}}


class Hosted:
    """A team with a bare `origin`, and what its workflows see."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.ana, self.ben = shared(team)
        self.server = self.ana.at(team.folder / "origin.git")

    def runner(self, *options: str) -> Desk:
        """A new clone, of somebody who is nobody here."""
        return self.team.mallory.using(user_name="", user_email="").clone(
            f"runner-{len(list(self.team.folder.iterdir()))}", *options, source=self.team.folder / "origin.git"
        )

    def said(
        self,
        name: str,
        event: Mapping[str, Any],
        *words: str,
        at: Desk | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Answer:
        """Start a workflow with an event; return what `mlgit ci` says."""
        desk = at or self.runner()
        files = {one: self.team.folder / f"{one.lower()}" for one in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        (self.team.folder / "event.json").write_text(json.dumps({**REPOSITORY, **event}))
        for file in files.values():
            file.write_text("")
        out, err = _Said(), _Said()
        with desk.present(), pytest.MonkeyPatch.context() as patch:
            for one, file in {**files, "GITHUB_EVENT_PATH": self.team.folder / "event.json"}.items():
                patch.setenv(one, str(file))
            patch.setenv("GITHUB_EVENT_NAME", name)
            for one, value in (environment or {}).items():
                patch.setenv(one, value)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(["-C", str(desk.root), "ci", *(words or ("verdict",))])
        return Answer(code, out.text(), err.text())

    def proposes(self, branch: str, *words: str, base: str = "main") -> Answer:
        """Open a pull request from a branch."""
        return self.said("pull_request", pull_request(self.server, branch, base), *words)

    def summary(self) -> str:
        return (self.team.folder / "github_step_summary").read_text()

    def outputs(self) -> str:
        return (self.team.folder / "github_output").read_text()

    def brings(self, branch: str, files: Mapping[str, str | bytes], *, message: str = "Change it") -> None:
        """Push a branch with some files to the server."""
        self.ana.git("switch", "--quiet", "-c", branch, "main")
        self.ana.commit(message, files)
        self.ana.git("push", "--quiet", "origin", branch)
        self.ana.git("switch", "--quiet", "main")


def pull_request(server: Desk, branch: str, base: str = "main") -> dict[str, Any]:
    ends = {end: {"sha": server.head(name), "ref": name} for end, name in (("head", branch), ("base", base))}
    return {"action": "opened", "number": 7, "pull_request": {"number": 7, "title": "A title", **ends}}


def found(answer: Answer) -> list[str]:
    """The ids of the findings, as annotations say them."""
    return [line.partition("title=")[2].partition(",")[0].partition("::")[0] for line in annotated(answer)]


def annotated(answer: Answer) -> list[str]:
    return [line for line in answer.out.splitlines() if line.startswith("::")]


@pytest.mark.tier("fast")
def test_a_pull_request_waits_for_approvals_and_then_holds(proposed: Team) -> None:
    hosted = Hosted(proposed)
    waiting = hosted.proposes(BRANCH)
    assert (waiting.code, found(waiting)) == (1, ["approvals-missing"]), waiting.text
    assert "1 more approval" in hosted.summary()
    assert "let this check run again" in waiting.out
    hosted.ben.does("approve")
    agreed = hosted.proposes(BRANCH, "verdict", "--json")
    assert agreed.code == 0, agreed.text
    assert agreed.json["findings"] == []
    assert len(agreed.json["promotions"]) == 1
    assert "no problems found" in hosted.summary()
    assert agreed.json["promotions"][0] in hosted.outputs()


def test_a_review_asks_the_same_as_the_pull_request(proposed: Team) -> None:
    hosted = Hosted(proposed)
    reviewed = hosted.said("pull_request_review", pull_request(hosted.server, BRANCH))
    assert found(reviewed) == ["approvals-missing"]


def test_a_pull_request_is_judged_by_the_base_branch_whichever_branch_it_names(proposed: Team) -> None:
    """A branch with lax rules as its base would make the same commit green for the base branch."""
    hosted = Hosted(proposed)
    hosted.brings("lax", {POLICY: hosted.ana.read(POLICY).replace("min: 1", "min: 0")})
    assert found(hosted.proposes(BRANCH, base="lax")) == ["approvals-missing"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"README.md": "# Malignancy\n"}, []),
        ({"policies/production.yaml": "kind: policy\nschema: 1\nname: production\nkind: policy\n"}, ["key-duplicate"]),
        ({"mlgit.yaml": None}, ["base-branch-changed"]),
        ({MANIFEST: None}, ["promotion-stale"]),
    ],
)
def test_what_a_pull_request_brings(proposed: Team, files: dict[str, str | None], expected: list[str]) -> None:
    hosted = Hosted(proposed)
    texts = {
        "mlgit.yaml": hosted.ana.read("mlgit.yaml").replace('base: "main"', 'base: "elsewhere"'),
        MANIFEST: hosted.ana.read(MANIFEST) + "\nreason: it has to go out today\n",
    }
    hosted.brings("change", {path: text or texts[path] for path, text in files.items()})
    said = hosted.proposes("change")
    assert said.code == (1 if expected else 0), said.text
    assert set(expected) <= set(found(said)) if expected else found(said) == []


def test_a_promotion_that_loosens_its_own_policy_is_refused(proposed: Team) -> None:
    hosted = Hosted(proposed)
    on_branch(hosted.ana, {POLICY: hosted.ana.read(POLICY).replace("min: 1", "min: 0")})
    hosted.ana.git("push", "--quiet", "origin", BRANCH)
    assert "promotion-with-other-changes" in found(hosted.proposes(BRANCH))


def test_what_does_not_merge_is_no(proposed: Team) -> None:
    hosted = Hosted(proposed)
    hosted.brings("theirs", {"README.md": "theirs\n"})
    hosted.ana.commit("Ours", {"README.md": "ours\n"})
    hosted.ana.git("push", "--quiet", "origin", "main")
    said = hosted.proposes("theirs")
    assert (said.code, found(said)) == (1, ["merge-conflict"])


def test_a_merge_queue_and_the_push_that_follows_are_held_against_what_was_before(proposed: Team) -> None:
    hosted = Hosted(proposed)
    before = hosted.server.head("main")
    hosted.ana.git("switch", "--quiet", "-c", "queue")
    hosted.ana.git("merge", "--quiet", "--no-ff", "-m", "Merge pull request #7", BRANCH)
    hosted.ana.git("push", "--quiet", "origin", "queue")
    after = hosted.server.head("queue")
    group = {"merge_group": {"base_ref": "refs/heads/main", "base_sha": before, "head_sha": after}}
    push = {"ref": "refs/heads/main", "before": before, "after": after, "forced": False}
    assert found(hosted.said("merge_group", group)) == ["approvals-missing"]
    assert found(hosted.said("push", push)) == ["approvals-missing"]
    hosted.ben.does("approve")
    assert hosted.said("merge_group", group).code == 0
    assert hosted.said("push", push).code == 0


def test_the_first_push_is_checked_as_a_whole(running: Team) -> None:
    hosted = Hosted(running)
    push = {"ref": "refs/heads/main", "before": NONE, "after": hosted.server.head("main"), "created": True}
    assert hosted.said("push", push).code == 0


def test_a_push_by_force_is_said_even_though_what_was_there_is_gone(running: Team) -> None:
    hosted = Hosted(running)
    push = {"ref": "refs/heads/main", "before": "4be1" * 10, "after": hosted.server.head("main"), "forced": True}
    assert found(hosted.said("push", push)) == ["push-non-fast-forward"]


def test_a_shallow_clone_is_refused(proposed: Team) -> None:
    hosted = Hosted(proposed)
    said = hosted.said(
        "pull_request", pull_request(hosted.server, BRANCH), at=hosted.runner("--depth", "1", "--no-single-branch")
    )
    assert (said.code, said.ids) == (1, ["history-shallow"])


def test_nothing_is_written_into_the_clone(proposed: Team) -> None:
    hosted = Hosted(proposed)
    runner = hosted.runner()
    before = runner.everything()
    hosted.said("pull_request", pull_request(hosted.server, BRANCH), at=runner)
    assert runner.everything() == before
    assert runner.git("count-objects").startswith("0 ")


def test_the_gates_of_a_promotion_are_judged_again(proposed: Team) -> None:
    hosted = Hosted(proposed)
    same = hosted.said("pull_request", pull_request(hosted.server, BRANCH), "gate", at=hosted.ana)
    assert (same.code, found(same)) == (0, []), same.text
    assert f"{MODEL}@2 for production: same as its report" in same.out
    (proposed.folder / "storage").rename(proposed.folder / "elsewhere")
    lost = hosted.said("pull_request", pull_request(hosted.server, BRANCH), "gate")
    assert (lost.code, found(lost)) == (3, ["gates-inconclusive"]), lost.text


def test_a_change_without_a_promotion_has_no_gates(running: Team) -> None:
    hosted = Hosted(running)
    hosted.brings("readme", {"README.md": "# Malignancy\n"})
    said = hosted.said("pull_request", pull_request(hosted.server, "readme"), "gate", at=hosted.ana)
    assert (said.code, said.out) == (0, "The change brings no promotion.\n")


def test_a_changed_policy_is_tried_on_the_promotions_of_the_past(running: Team) -> None:
    hosted = Hosted(running)
    stricter = (
        (running.root / POLICY)
        .read_text()
        .replace("gates:\n", "gates:\n  - {id: threshold, metric: roc_auc, min: 0.9999}\n")
    )
    hosted.brings("stricter", {POLICY: stricter})
    said = hosted.said("pull_request", pull_request(hosted.server, "stricter"), "gate", at=hosted.ana)
    assert (said.code, found(said)) == (0, ["policy-replayed"]), said.text
    assert "policies/production.yaml would have blocked 1 of the last 1 promoted under production" in said.out
    assert "blocked 1 of the last" in hosted.summary()
    running_code = stricter.replace("gates:\n", "gates:\n  - {id: exec, name: own, command: [touch, ran]}\n")
    hosted.brings("code", {POLICY: running_code})
    said = hosted.said("pull_request", pull_request(hosted.server, "code"), "gate", at=hosted.ana)
    assert (said.code, said.out) == (0, "The change brings no promotion.\n")


HOSTILE = "::set-env name=PATH::/tmp\n##[error]no\n`````\n@everyone closes #1 <img src=x> \x1b[31m"


def test_no_text_of_a_change_becomes_a_command_or_markup(proposed: Team) -> None:
    hosted = Hosted(proposed)
    policy = hosted.ana.read(POLICY) + f"{json.dumps(HOSTILE)}: 1\n"
    hosted.brings("hostile", {POLICY: policy, "policies/::set-output name=x::y.yaml": "a\n"}, message=HOSTILE)
    said = hosted.proposes("hostile")
    assert said.code == 1
    commands = [line for line in said.out.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    assert all(line.startswith(("::error title=", "::warning title=")) for line in commands)
    assert "\x1b" not in said.out
    summary = hosted.summary()
    fences = [line for line in summary.splitlines() if line.startswith("```")]
    assert len(fences) == 2
    outside = summary.partition(fences[0])[0] + summary.rpartition(fences[1])[2]
    assert not any(mark in outside for mark in ("@everyone", "<img", "closes #1"))
    assert "set-env" not in hosted.outputs()


@pytest.mark.parametrize(
    ("name", "event", "expected"),
    [
        ("schedule", {}, "ci-event-unsupported"),
        (
            "pull_request_target",
            {"pull_request": {"number": 1, "base": {"sha": NONE}, "head": {"sha": NONE}}},
            "ci-event-unsupported",
        ),
        (
            "pull_request",
            {"pull_request": {"number": 1, "base": {"sha": "main"}, "head": {"sha": NONE}}},
            "ci-event-invalid",
        ),
        ("push", {"ref": "refs/heads/main", "before": f"{NONE}\n", "after": NONE}, "ci-event-invalid"),
        ("push", {"repository": None}, "ci-event-invalid"),
    ],
)
def test_an_event_that_is_none_is_misuse(running: Team, name: str, event: dict[str, Any], expected: str) -> None:
    said = Hosted(running).said(name, event, at=running.ana)
    assert (said.code, said.ids) == (2, [expected])


def test_outside_a_workflow_there_is_nothing_to_judge(running: Team) -> None:
    assert running.ana.refused("ci verdict", code=2) == ["ci-event-missing"]


def test_the_report_is_the_verdict(proposed: Team, tmp_path: Path) -> None:
    hosted = Hosted(proposed)
    said = hosted.proposes(BRANCH, "verdict", "--json", "--report", str(tmp_path / "out/verdict.json"))
    assert json.loads((tmp_path / "out/verdict.json").read_bytes()) == said.json
    assert said.json["pull_request"] == 7
    assert said.json["head"] == hosted.server.head(BRANCH)


def test_an_issue_is_kept_while_something_does_not_run_as_it_was_given(running: Team) -> None:
    running.ana.edit("mlgit.yaml", "forge: none", "forge: github")
    hosted = Hosted(running)
    with FakeForge(running.folder / "origin.git", people={"ana": "write"}) as forge:
        environment = forge.environment(BOT)

        def observed(code: int) -> dict[str, Any]:
            said = hosted.said("schedule", {}, "observe", "--json", at=running.ana, environment=environment)
            assert said.code == code, said.text
            return {key: said.json[key] for key in ("issue", "state")}

        assert observed(0) == {"issue": None, "state": "none"}
        (altered,) = [one for one in running.folder.rglob("model.skops") if "production" in one.parts]
        altered.chmod(0o644)
        content = altered.read_bytes()
        altered.write_bytes(content + b"!")
        opened = observed(1)
        assert opened["state"] == "opened"
        assert observed(1) == {**opened, "state": "none"}
        altered.write_bytes(content)
        assert observed(0) == {**opened, "state": "closed"}
        (issue,) = forge.issues.values()
        assert "files were altered: model.skops" in issue.body
        assert forge.issues.keys() == {opened["issue"]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"not JSON", "ci-report-invalid"),
        (b"[" * 100_000, "ci-report-invalid"),
        (b'{"schema": "mlgit/ci-verdict.v1", "event": "push", "pull_request": 7, "head": "main"}', "ci-report-invalid"),
        (b" " * (2 << 20), "ci-report-invalid"),
        (None, "disk-io-failed"),
    ],
)
def test_what_another_run_left_is_hostile(running: Team, tmp_path: Path, content: bytes | None, expected: str) -> None:
    place = tmp_path / "verdict.json"
    if content is None:
        place.symlink_to("/etc/passwd")
    else:
        place.write_bytes(content)
    said = running.ana("ci report --input", str(place))
    assert said.ids == [expected]


def test_reviews_at_the_forge_make_the_verdict_green(proposed: Team) -> None:
    ana = proposed.ana
    ana.edit("mlgit.yaml", "forge: none", "forge: github")
    ana.edit(".mlgit/roles.yaml", "ben: {emails", "ben: {logins: [ben], emails")
    ana.edit(POLICY, "evidence: signed", "evidence: forge")
    ana.does(f"promote {MODEL}@2 --to production --no-pull-request")  # the policy is another one, so it is judged again
    hosted = Hosted(proposed)
    with FakeForge(proposed.folder / "origin.git", people={"ana": "write", "ben": "write"}) as forge:
        forge.open("ana", BRANCH, "main", "Promote it")
        asked = pull_request(hosted.server, BRANCH)
        environment = forge.environment(BOT)
        waiting = hosted.said("pull_request", asked, environment=environment)
        assert found(waiting) == ["approvals-missing"], waiting.text
        forge.review("ben", 1)
        agreed = hosted.said("pull_request_review", asked, environment=environment)
        assert agreed.code == 0, agreed.text
        forge.fault(401, times=20)
        unknown = hosted.said("pull_request_review", asked, environment=environment)
        assert unknown.code == 3, unknown.text
        assert "inconclusive" in hosted.summary()
