"""Checks of the workflows: the shipped ones are there and as they are shipped, and none opens a door."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mlgit.domain import workflows
from mlgit.domain.ruleset import VERDICT
from mlgit.errors import Finding, Location, MlgitError, Severity
from mlgit.ops.doctor.subject import Said, Subject

_FOLDERS: Final = (".github/workflows", ".gitea/workflows")


def shipped(subject: Subject) -> Said:
    """The workflows that `init` writes are there, as it writes them."""
    if subject.project.forge == "none":
        return Said("mlgit.yaml names no forge, so no workflow is needed")
    ours = {path: content for path, content in subject.shipped.items() if path.startswith(_FOLDERS)}
    there = dict(subject.state.tree.read_many(ours))
    differing = sorted(path for path, content in ours.items() if there[path] != content)
    findings = [
        Finding(
            "workflow-differs",
            f"{path} {'is not there' if there[path] is None else 'is not as this mlgit writes it'}",
            why="it may be of another version of mlgit, or somebody changed it",
            fix="compare it with that of a new project (`mlgit init`), and take over what is missing",
            at=Location(path),
            severity=Severity.WARNING if there[path] is None else Severity.NOTE,
        )
        for path in differing
    ]
    return Said(f"{len(ours) - len(differing)} of {len(ours)} workflows are as mlgit writes them", findings)


def safe(subject: Subject) -> Said:
    """Every workflow can be read, runs nothing of strangers with secrets, and names what it uses by commit."""
    found, findings = _read(subject)
    for path, workflow in found.items():
        findings += _doors(path, workflow)
    if subject.project.forge != "none" and not any(VERDICT in workflows.job_names(one) for one in found.values()):
        findings.append(
            Finding(
                "verdict-missing",
                f"no workflow has a job called {VERDICT}",
                why="the check that the base branch is to require is never posted, so nothing, or everything, gets through",
                fix="take the workflow mlgit-validate.yaml of a new project (`mlgit init`)",
                at=Location(_FOLDERS[0]),
            )
        )
    return Said(f"{len(found)} workflows" if found else "there is no workflow", findings)


def _read(subject: Subject) -> tuple[dict[str, Mapping[str, Any]], list[Finding]]:
    tree = subject.state.tree
    paths = [entry.path for entry in tree.entries(_FOLDERS) if entry.path.endswith((".yaml", ".yml"))]
    found: dict[str, Mapping[str, Any]] = {}
    findings: list[Finding] = []
    for path, content in tree.read_many(paths):
        try:
            found[path] = subject.workspace.formats.params(path, content or b"")
        except MlgitError as error:
            findings.append(
                Finding(
                    "workflow-unreadable",
                    f"{path} cannot be looked into",
                    why=error.findings[0].message,
                    fix="write it in plain YAML, without anchors; or look yourself for what it uses and what starts it",
                    at=Location(path),
                    severity=Severity.WARNING,
                )
            )
    return found, findings


def _doors(path: str, workflow: Mapping[str, Any]) -> Iterator[Finding]:
    if "pull_request_target" in workflows.triggers(workflow):
        yield Finding(
            "workflow-trigger",
            f"{path} is started by pull_request_target",
            why="it runs with the secrets of the repository, and a stranger's pull request can reach it",
            fix="use pull_request; what needs to write belongs into a second workflow, started by workflow_run",
            at=Location(path, path="on"),
        )
    for uses in workflows.unpinned(workflow):
        yield Finding(
            "workflow-unpinned",
            f"{path} uses {uses}, which can change",
            why="a tag or a branch can be moved to other code, which then runs with what the job may do",
            fix="name the 40 characters of a commit, with the version as a comment behind it",
            at=Location(path),
            severity=Severity.WARNING,
        )
