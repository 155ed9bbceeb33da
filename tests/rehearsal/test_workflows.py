"""The workflows that `mlgit init` writes, run as GitHub runs them: secrets, permissions and hostile text."""

from pathlib import Path

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Team
from tests.rehearsal.conftest import Hosted, at_forge
from tests.rehearsal.node import Expression, Node

trains = pytest.mark.tier("thorough")
"""It trains, or reads models."""
WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"
SECRETS = ("secret-of-the-repository", "['remote")
# What Git allows in the name of a branch, and a shell would take for more than a name.
HOSTILE_BRANCH = 'x";touch${IFS}pwned;#$(touch${IFS}pwned)`touch${IFS}pwned`'
HOSTILE_TEXT = (
    '"; touch pwned; $(touch pwned) `touch pwned` ${{ github.token }}\n::set-env name=PATH::/tmp\n##[error]no'
)


def leaked(hosted: Hosted) -> list[Path]:
    return list(hosted.team.folder.rglob("pwned"))


@pytest.mark.tier("fast")
def test_a_promotion_gets_a_verdict_that_is_uploaded_for_the_comment(hosted: Hosted, workflows: dict[str, str]) -> None:
    event = hosted.github.pull_request(7, BRANCH)
    verdict = hosted.github.run(workflows["validate"], event)["verdict"]
    assert verdict.result == "failure"
    assert "::error title=approvals-missing" in verdict.log
    assert "approvals-missing" in verdict.summary
    assert verdict.rights == {"contents": "read", "pull-requests": "read"}
    assert list((hosted.github.artifacts / "mlgit-verdict").iterdir())
    (asked,) = (hosted.github.folder / "pip").read_text().splitlines()
    assert "--require-hashes --only-binary=:all: -r /" in asked
    assert asked.endswith("/.mlgit/requirements.lock")
    hosted.team.ben.does("approve")
    hosted.ana.git("push", "--quiet", "origin", "mlgit-ledger")
    reviewed = hosted.github.pull_request(7, BRANCH, name="pull_request_review")
    assert hosted.github.run(workflows["validate"], reviewed)["verdict"].result == "success"


def test_a_pull_request_of_a_stranger_gets_no_secrets_and_no_write_access(
    hosted: Hosted, workflows: dict[str, str]
) -> None:
    hosted.brings(HOSTILE_BRANCH, {"README.md": "mine\n", f"policies/{HOSTILE_BRANCH}.yaml": "a: 1\n"}, HOSTILE_TEXT)
    event = hosted.github.pull_request(8, HOSTILE_BRANCH, fork=True, title=HOSTILE_TEXT, body=HOSTILE_TEXT)
    started = [name for name, text in workflows.items() if hosted.github.starts(text, event)]
    assert sorted(started) == ["gate", "validate"]
    assert hosted.github.run(workflows["gate"], event)["gate"].result == "skipped"
    verdict = hosted.github.run(workflows["validate"], event)["verdict"]
    assert verdict.result == "failure", verdict.log
    assert set(verdict.rights.values()) == {"read"}
    assert not [step.name for step in verdict.steps for value in step.env.values() if value.startswith(SECRETS)]
    commands = [line for line in verdict.log.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    assert all(line.startswith(("::error title=", "::warning title=", "::notice title=")) for line in commands)
    assert any(line.startswith("::error title=name-invalid") for line in commands), verdict.log
    assert leaked(hosted) == []


def test_a_merge_queue_and_a_push_get_a_verdict(hosted: Hosted, workflows: dict[str, str]) -> None:
    before = hosted.github.git("rev-parse", "main")
    hosted.ana.commit("Say more", {"README.md": "# Malignancy\n"})
    hosted.ana.git("push", "--quiet", "origin", "main:refs/heads/queue")
    after = hosted.ana.head()
    group = hosted.github.run(workflows["validate"], hosted.github.merge_group(before, after))["verdict"]
    assert group.result == "success", group.log
    hosted.ana.git("push", "--quiet", "origin", "main")
    push = hosted.github.push(before, after)
    assert sorted(name for name, text in workflows.items() if hosted.github.starts(text, push)) == ["apply", "validate"]
    assert hosted.github.run(workflows["validate"], push)["verdict"].result == "success"
    assert not (hosted.github.artifacts / "mlgit-verdict").exists()


def test_the_verdict_is_commented_once_for_the_commit_of_the_run(
    node: Node, proposed: Team, workflows: dict[str, str]
) -> None:
    with at_forge(node, proposed) as (hosted, forge):
        event = hosted.github.pull_request(forge.open("ana", BRANCH, "main", "Promote it").number, BRANCH)
        hosted.github.run(workflows["validate"], event)
        ended = {"head_sha": event.payload["pull_request"]["head"]["sha"], "html_url": f"{forge.url}/run", "id": 1}
        ended |= {"event": "pull_request", "conclusion": "failure"}
        done = hosted.github.on_main("workflow_run", action="completed", workflow_run=ended)
        for _ in range(2):
            report = hosted.github.run(workflows["report"], done)["report"]
            assert report.result == "success", report.log
        (comment,) = forge.comments
        assert comment.body.startswith("<!-- mlgit:verdict -->")
        assert "approvals-missing" in comment.body
        other = hosted.github.on_main(
            "workflow_run", action="completed", workflow_run={**ended, "head_sha": "4be1" * 10}
        )
        assert "ci-report-mismatch" in hosted.github.run(workflows["report"], other)["report"].log
        push = hosted.github.on_main("workflow_run", action="completed", workflow_run={**ended, "event": "push"})
        assert hosted.github.run(workflows["report"], push)["report"].result == "skipped"
        assert forge.comments == [comment]


@trains
def test_gates_run_again_from_the_base_with_access_to_data_only(hosted: Hosted, workflows: dict[str, str]) -> None:
    gate = hosted.github.run(workflows["gate"], hosted.github.pull_request(7, BRANCH))["gate"]
    assert gate.result == "success", gate.log
    assert f"{MODEL}@2 for production: same as its report" in gate.log
    assert gate.rights == {"contents": "read"}
    holders = [step.name for step in gate.steps if any(value.startswith(SECRETS) for value in step.env.values())]
    assert holders == ["Give DVC read access to the data"]


@trains
def test_apply_records_deployments_on_the_ledger(hosted: Hosted, workflows: dict[str, str]) -> None:
    ledger = hosted.github.git("rev-parse", "mlgit-ledger")
    assert "environment: [staging, production]" in workflows["apply"]
    workflow = workflows["apply"].replace("[staging, production]", "[staging]")  # one is enough to see
    jobs = hosted.github.run(workflow, hosted.github.on_main("schedule", schedule="17 * * * *"))
    assert list(jobs) == ["apply (staging)"]
    assert jobs["apply (staging)"].result == "success", jobs["apply (staging)"].log
    assert hosted.github.git("rev-parse", "mlgit-ledger") != ledger


@trains
def test_training_runs_without_a_token_with_write_access(hosted: Hosted, workflows: dict[str, str]) -> None:
    hosted.ana.edit("params.yaml", "fit: worse", "fit: better")
    hosted.ana.git("push", "--quiet", "origin", "main")
    jobs = hosted.github.run(workflows["train"], hosted.github.on_main("workflow_dispatch", inputs={"model": MODEL}))
    assert {name: job.result for name, job in jobs.items()} == {"train": "success", "push": "success"}, jobs[
        "train"
    ].log
    assert (jobs["train"].rights, jobs["push"].rights) == ({"contents": "read"}, {"contents": "write"})
    (branch,) = hosted.github.git("for-each-ref", "--format=%(refname)", "refs/heads/mlgit/train").splitlines()
    brought = hosted.github.git("log", "--format=%an <%ae> %s", f"main..{branch}").splitlines()
    assert brought == ["ana <4711+ana@users.noreply.github.com> Register malignancy@4"]


@trains
def test_a_manual_run_proposes_a_pull_request(node: Node, running: Team, workflows: dict[str, str]) -> None:
    with at_forge(node, running) as (hosted, forge):
        asked = hosted.github.on_main("workflow_dispatch", inputs={"version": f"{MODEL}@2", "environment": "staging"})
        for _ in range(2):
            promote = hosted.github.run(workflows["promote"], asked)["promote"]
            assert promote.result == "success", promote.log
        (pull,) = forge.pulls.values()
        assert (pull.branch, pull.title) == (f"mlgit/promote/staging/{MODEL}", f"Promote {MODEL}@2 to staging")
        assert "beats-champion" in pull.body
        (author,) = hosted.github.git("log", "--format=%ae", f"main..{pull.branch}").splitlines()
        assert author == "4711+ana@users.noreply.github.com"


@trains
def test_drift_is_kept_in_one_issue(node: Node, running: Team, workflows: dict[str, str]) -> None:
    """A clean checkout has none of the folders in which the versions of a `directory` target run."""
    with at_forge(node, running) as (hosted, forge):
        ledger = hosted.github.git("rev-parse", "mlgit-ledger")
        for _ in range(2):
            tick = hosted.github.on_main("schedule", schedule="41 * * * *")
            observe = hosted.github.run(workflows["observe"], tick)["observe"]
            assert observe.rights == {"contents": "write", "issues": "write"}
        (issue,) = forge.issues.values()
        assert f"production/{MODEL}: degraded" in issue.body, observe.log
        assert hosted.github.git("rev-parse", "mlgit-ledger") != ledger


def test_an_audit_is_shown_and_uploaded(hosted: Hosted, workflows: dict[str, str]) -> None:
    audit = hosted.github.run(workflows["audit"], hosted.github.on_main("schedule", schedule="5 3 * * 1"))["audit"]
    assert audit.result == "success", audit.log
    assert "PROVEN" in audit.summary
    assert (hosted.github.artifacts / "mlgit-audit/audit.md").read_text() == audit.summary


@pytest.mark.parametrize("version", [HOSTILE_TEXT, "--help"])
def test_form_input_is_never_executed(hosted: Hosted, workflows: dict[str, str], version: str) -> None:
    event = hosted.github.on_main(
        "workflow_dispatch", inputs={"version": version, "environment": "nowhere; touch pwned"}
    )
    promote = hosted.github.run(workflows["promote"], event)["promote"]
    assert promote.result == "failure"
    assert leaked(hosted) == []


def test_every_event_starts_its_workflows(hosted: Hosted, workflows: dict[str, str]) -> None:
    main = hosted.github.on_main
    events = {
        "workflow_run": main("workflow_run", action="completed"),
        "workflow_dispatch": main("workflow_dispatch"),
        "schedule": main("schedule"),
        "pull_request_target": main("pull_request_target"),
    }
    found = {
        name: sorted(one for one, text in workflows.items() if hosted.github.starts(text, event))
        for name, event in events.items()
    }
    assert found == {
        "workflow_run": ["report"],
        "workflow_dispatch": ["apply", "audit", "observe", "promote", "train"],
        "schedule": ["apply", "audit", "observe"],
        "pull_request_target": [],
    }


def test_the_comment_follows_the_verdict(node: Node, workflows: dict[str, str]) -> None:
    followed = node.parse(workflows["report"])["on"]["workflow_run"]["workflows"]
    assert followed == [node.parse(workflows["validate"])["name"]]


def test_no_script_of_a_workflow_holds_an_expression(node: Node, workflows: dict[str, str]) -> None:
    steps = [step for text in workflows.values() for job in node.parse(text)["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if isinstance(step.get("run"), Expression)] == []
    assert sum("run" in step for step in steps) > 20
