"""Security rules for a workflow of GitHub Actions, or of Gitea's, which reads the same files. Pure.

Sources: GitHub's pages "Security hardening for GitHub Actions" and "Workflow syntax". `pull_request_target` gives secrets to a
run on a stranger's pull request; a tag or a branch of an action can be moved to other code, a commit id cannot.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PINNED = re.compile(r"[^@]+@[0-9a-f]{40}|docker://[^@]+@sha256:[0-9a-f]{64}|\./.*")

_SECRET = re.compile(r"\bsecrets\.(?!GITHUB_TOKEN\b)")
_MATRIX = re.compile(r"\$\{\{ *matrix\.(?P<key>\w+) *\}\}")
_INSTALLS = re.compile(r"\bpip[0-9.]*\"? .*\binstall\b.*(\bmlgit\b|requirements)")


def triggers(workflow: Mapping[str, Any]) -> list[str]:
    """Return the events that start a workflow: `on` is a name, a list of names, or a mapping."""
    on = workflow.get("on")
    names = [on] if isinstance(on, str) else on if isinstance(on, list | Mapping) else []
    return [name for name in names if isinstance(name, str)]


def job_names(workflow: Mapping[str, Any]) -> list[str]:
    """Return the names under which the jobs of a workflow post their results."""
    return [str(job.get("name", job_id)) for job_id, job in _jobs(workflow)]


def unpinned_actions(workflow: Mapping[str, Any]) -> list[str]:
    """Return the actions and called workflows that are not pinned to a commit id or an image digest."""
    return [action for action in _actions(workflow) if not _PINNED.fullmatch(action)]


def environments_with_secrets(workflow: Mapping[str, Any]) -> list[str]:
    """Return the environments whose secrets a workflow uses and that can be limited to the base branch.

    They cannot where a pull request starts the workflow, since it does not run for the base branch then.
    """
    if any(event.startswith("pull_request") for event in triggers(workflow)):
        return []
    names: dict[str, None] = {}
    for _, job in _jobs(workflow):
        environment = job.get("environment")
        name = environment.get("name") if isinstance(environment, Mapping) else environment
        if isinstance(name, str) and _SECRET.search(str(job)):
            names |= dict.fromkeys(_expanded(name, job))
    return list(names)


def _expanded(name: str, job: Mapping[str, Any]) -> list[str]:
    """Return the names that an environment has for each job of a matrix; none where an expression says it otherwise."""
    if "${{" not in name:
        return [name]
    match = _MATRIX.fullmatch(name)
    strategy = job.get("strategy")
    matrix = strategy.get("matrix") if isinstance(strategy, Mapping) else None
    values = matrix.get(match["key"]) if match is not None and isinstance(matrix, Mapping) else None
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def unlocked_installs(workflow: Mapping[str, Any]) -> list[str]:
    """Return the commands of a workflow that install mlgit, or a file of requirements, without the hash of every package."""
    scripts = (step["run"] for step in _steps(workflow) if isinstance(step.get("run"), str))
    lines = (line.strip() for script in scripts for line in script.replace("\\\n", " ").splitlines())
    return [line for line in lines if _INSTALLS.search(line) and "--require-hashes" not in line]


def _steps(workflow: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for _, job in _jobs(workflow):
        steps = job.get("steps")
        yield from (step for step in (steps if isinstance(steps, list) else ()) if isinstance(step, Mapping))


def _jobs(workflow: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    jobs = workflow.get("jobs")
    for job_id, job in jobs.items() if isinstance(jobs, Mapping) else ():
        if isinstance(job, Mapping):
            yield str(job_id), job


def _actions(workflow: Mapping[str, Any]) -> Iterator[str]:
    parts = (*(job for _, job in _jobs(workflow)), *_steps(workflow))
    yield from (part["uses"] for part in parts if isinstance(part.get("uses"), str))
