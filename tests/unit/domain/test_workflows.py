"""Workflows: triggers, pinned actions and job names."""

from typing import Any

import pytest

from mlgit.domain import workflows

PIN = "3d3c42e5aac5ba805825da76410c181273ba90b1"


@pytest.mark.parametrize(
    ("on", "names"),
    [
        ("push", ["push"]),
        (["push", "pull_request_target"], ["push", "pull_request_target"]),
        ({"pull_request_target": {"types": ["opened"]}}, ["pull_request_target"]),
        (None, []),
        (7, []),
    ],
)
def test_events_are_found_in_every_form(on: Any, names: list[str]) -> None:
    assert workflows.triggers({"on": on}) == names


@pytest.mark.parametrize(
    ("uses", "pinned"),
    [
        (f"actions/checkout@{PIN}", True),
        (f"acme/flows/.github/workflows/a.yaml@{PIN}", True),
        ("./.github/actions/own", True),
        (f"docker://alpine@sha256:{PIN}{PIN[:24]}", True),
        ("actions/checkout@v4", False),
        ("actions/checkout", False),
        (f"actions/checkout@{PIN[:12]}", False),
        (f"actions/checkout@{PIN}0", False),
        ("docker://alpine:3", False),
    ],
)
def test_only_a_commit_or_a_digest_is_pinned(uses: str, pinned: bool) -> None:
    step = {"jobs": {"one": {"steps": [{"run": "true"}, {"uses": uses}]}}}
    called = {"jobs": {"one": {"uses": uses}}}
    for workflow in (step, called):
        assert workflows.unpinned_actions(workflow) == ([] if pinned else [uses])


@pytest.mark.parametrize("jobs", [None, [], {"one": None}, {"one": {"steps": "no"}}, {"one": {"steps": [None, 3]}}])
def test_malformed_jobs_have_no_actions(jobs: Any) -> None:
    assert workflows.unpinned_actions({"jobs": jobs}) == []


def test_a_job_is_named_by_its_name_or_its_id() -> None:
    assert workflows.job_names({"jobs": {"verdict": {"name": "mlgit/verdict"}, "test": {}}}) == [
        "mlgit/verdict",
        "test",
    ]
