"""Security rules for a workflow of GitHub Actions, or of Gitea's, which reads the same files. Pure.

Sources: GitHub's pages "Security hardening for GitHub Actions" and "Workflow syntax". `pull_request_target` gives secrets to a
run on a stranger's pull request; a tag or a branch of an action can be moved to other code, a commit id cannot.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PINNED = re.compile(r"[^@]+@[0-9a-f]{40}|docker://[^@]+@sha256:[0-9a-f]{64}|\./.*")

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
