"""Checks of the workflows: the shipped ones are there and unchanged, and none is unsafe."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mlgit.domain import layout, requirements_lock, workflows
from mlgit.domain.branch_protection import VERDICT_CHECK
from mlgit.domain.formatting import first_names
from mlgit.errors import Finding, Location, MlgitError, Severity
from mlgit.ops.doctor.context import CheckResult, DoctorContext
from mlgit.ops.project.upgrade import REQUIREMENTS

_FOLDERS: Final = (".github/workflows", ".gitea/workflows")


def shipped(context: DoctorContext) -> CheckResult:
    """The workflows that `init` writes are there, unchanged."""
    if context.project.forge == "none":
        return CheckResult("mlgit.yaml names no forge, so no workflow is needed")
    expected = {path: content for path, content in context.shipped.items() if path.startswith(_FOLDERS)}
    actual = dict(context.state.tree.read_many(expected))
    differing = sorted(path for path, content in expected.items() if actual[path] != content)
    findings = [
        Finding(
            "workflow-mismatch",
            f"{path} {'does not exist' if actual[path] is None else 'is not as this mlgit writes it'}",
            why="it may be of another version of mlgit, or somebody changed it",
            fix="compare it with that of a new project (`mlgit init`), and add what is missing",
            at=Location(path),
            severity=Severity.WARNING if actual[path] is None else Severity.NOTE,
        )
        for path in differing
    ]
    unchanged = len(expected) - len(differing)
    return CheckResult(f"{unchanged} of {len(expected)} workflows are as mlgit writes them", findings)


def lock(context: DoctorContext) -> CheckResult:
    """The workflows install mlgit from a lock that has a hash of every package."""
    tree = context.state.tree
    parsed, _ = parse_workflows(context)
    findings = [
        Finding(
            "workflow-install-unlocked",
            f"{path} installs packages without their hashes",
            why=f"`{line[:120]}` takes whatever an index has under that name, and runs it beside the secrets of the job",
            fix=f"install with `--require-hashes -r {layout.REQUIREMENTS_LOCK}`, as the workflows of a new project do",
            at=Location(path),
        )
        for path, workflow in parsed.items()
        for line in workflows.unlocked_installs(workflow)
    ]
    content = tree.read(layout.REQUIREMENTS_LOCK)
    if content is None:
        missing = Finding(
            "requirements-lock-missing",
            f"there is no {layout.REQUIREMENTS_LOCK}",
            why="the workflows install mlgit from it, so they fail without it",
            fix="`mlgit upgrade` writes it; `--from` says where mlgit comes from",
            at=Location(layout.REQUIREMENTS_LOCK),
            severity=Severity.WARNING,
        )
        is_needed = context.project.forge != "none"
        return CheckResult("there is no lock", [*findings, missing] if is_needed else findings)
    text = content.decode(errors="replace")
    findings += requirements_lock.check_lock(text)
    requirements = (tree.read(REQUIREMENTS) or b"").decode(errors="replace")
    if differing := requirements_lock.differing_pins(text, requirements):
        findings.append(
            Finding(
                "requirements-lock-stale",
                f"the lock does not have {first_names(differing)}, which {REQUIREMENTS} pins",
                why="the workflows would train with other packages than the record of a version says",
                fix="run `mlgit upgrade` again",
                at=Location(REQUIREMENTS),
                severity=Severity.WARNING,
            )
        )
    return CheckResult(f"{len(requirements_lock.parse(text))} packages are locked", findings)


def safe(context: DoctorContext) -> CheckResult:
    """Every workflow can be parsed, gives no secrets to pull requests of strangers, and pins its actions to commits."""
    parsed, findings = parse_workflows(context)
    for path, workflow in parsed.items():
        findings += _unsafe(path, workflow)
    has_verdict = any(VERDICT_CHECK in workflows.job_names(workflow) for workflow in parsed.values())
    if context.project.forge != "none" and not has_verdict:
        findings.append(
            Finding(
                "verdict-job-missing",
                f"no workflow has a job called {VERDICT_CHECK}",
                why="the check that the base branch should require is never posted, so nothing, or everything, can be merged",
                fix="take the workflow mlgit-validate.yaml of a new project (`mlgit init`)",
                at=Location(_FOLDERS[0]),
            )
        )
    return CheckResult(f"{len(parsed)} workflows" if parsed else "there is no workflow", findings)


def parse_workflows(context: DoctorContext) -> tuple[dict[str, Mapping[str, Any]], list[Finding]]:
    """Return the workflows of the project by path, and a finding for each that cannot be read."""
    tree = context.state.tree
    paths = [entry.path for entry in tree.entries(_FOLDERS) if entry.path.endswith((".yaml", ".yml"))]
    parsed: dict[str, Mapping[str, Any]] = {}
    findings: list[Finding] = []
    for path, content in tree.read_many(paths):
        try:
            parsed[path] = context.workspace.formats.params(path, content or b"")
        except MlgitError as error:
            findings.append(
                Finding(
                    "workflow-unreadable",
                    f"{path} cannot be checked",
                    why=error.findings[0].message,
                    fix="write it in plain YAML, without anchors; or check yourself which actions it uses and what starts it",
                    at=Location(path),
                    severity=Severity.WARNING,
                )
            )
    return parsed, findings


def _unsafe(path: str, workflow: Mapping[str, Any]) -> Iterator[Finding]:
    if "pull_request_target" in workflows.triggers(workflow):
        yield Finding(
            "workflow-trigger-unsafe",
            f"{path} is started by pull_request_target",
            why="it runs with the secrets of the repository, and a stranger's pull request can start it",
            fix="use pull_request; move what needs write access into a second workflow, started by workflow_run",
            at=Location(path, path="on"),
        )
    for action in workflows.unpinned_actions(workflow):
        yield Finding(
            "workflow-unpinned",
            f"{path} uses {action}, which can change",
            why="a tag or a branch can be moved to other code, which then runs with the permissions of the job",
            fix="name the 40 characters of a commit, with the version as a comment behind it",
            at=Location(path),
            severity=Severity.WARNING,
        )
