"""What may not be in a workflow of GitHub Actions (or of Gitea's, which reads the same files). Pure.

Sources: GitHub's pages "Security hardening for GitHub Actions" and "Workflow syntax". `pull_request_target` runs with secrets
on what a stranger wrote, and a tag or a branch of an action can be moved to other code, which a commit id cannot.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PINNED = re.compile(r"[^@]+@[0-9a-f]{40}|docker://[^@]+@sha256:[0-9a-f]{64}|\./.*")


def triggers(workflow: Mapping[str, Any]) -> list[str]:
    """Return the events that start a workflow: `on` is a name, a list of names, or a mapping."""
    on = workflow.get("on")
    names = [on] if isinstance(on, str) else on if isinstance(on, list | Mapping) else []
    return [name for name in names if isinstance(name, str)]


def job_names(workflow: Mapping[str, Any]) -> list[str]:
    """Return the names under which the jobs of a workflow post their results."""
    return [str(job.get("name", id_)) for id_, job in _jobs(workflow)]


def unpinned(workflow: Mapping[str, Any]) -> list[str]:
    """Return every action, or called workflow, that is not named by the id of a commit or the digest of an image."""
    return [uses for uses in _uses(workflow) if not _PINNED.fullmatch(uses)]


def _jobs(workflow: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    jobs = workflow.get("jobs")
    for id_, job in jobs.items() if isinstance(jobs, Mapping) else ():
        if isinstance(job, Mapping):
            yield str(id_), job


def _uses(workflow: Mapping[str, Any]) -> Iterator[str]:
    for _, job in _jobs(workflow):
        steps = job.get("steps")
        for part in (job, *(steps if isinstance(steps, list) else ())):
            if isinstance(part, Mapping) and isinstance(part.get("uses"), str):
                yield part["uses"]
