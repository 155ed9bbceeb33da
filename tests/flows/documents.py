"""What a `--json` answer is checked against: the JSON Schema of its type, and the values that matter in it.

The keys and types of all documents are listed in docs/reference/json.md, which a test compares with the code: a key that is
renamed or removed shows there. Here, an answer has to have exactly these keys.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator

from tests.flows.builder import MODEL, OTHER
from tools.reference import outcomes

WHERE = f"production/{MODEL}"
V1, V2, V3 = (f"{MODEL}@{number}" for number in (1, 2, 3))


def check_document(text: str, expected: Mapping[str, Any]) -> None:
    """Check that a document is exactly one of its type, and has the values that are expected.

    Args:
        text: What a command prints with `--json`.
        expected: The type as `schema`, and values by key. Mappings in it may leave keys out, lists may not leave out items.
    """
    document = json.loads(text)
    assert document["schema"] == expected["schema"], document["schema"]
    problems = [f"{error.json_path}: {error.message}" for error in _validator(document["schema"]).iter_errors(document)]
    assert problems == [], problems
    kind = outcomes()[document["schema"]]
    # A key that a type always writes is there: writing the document again adds none.
    assert json.loads(msgspec.json.encode(msgspec.json.decode(text, type=kind))) == document
    differences = list(_differences(document, expected, "$"))
    assert differences == [], differences


@cache
def _validator(tag: str) -> Draft202012Validator:
    schema = msgspec.json.schema(outcomes()[tag])
    for part in schema["$defs"].values():
        if "properties" in part:
            part["additionalProperties"] = False
    return Draft202012Validator(schema)


def _differences(found: Any, expected: Any, where: str) -> Iterator[str]:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            if key in found:
                yield from _differences(found[key], value, f"{where}.{key}")
            else:
                yield f"{where}.{key} is missing"
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (item, value) in enumerate(zip(found, expected, strict=True)):
            yield from _differences(item, value, f"{where}[{index}]")
    elif found != expected:
        yield f"{where} is {found!r}, not {expected!r}"


def _error(finding: str, **more: Any) -> dict[str, Any]:
    return {"schema": "mlgit/error.v1", "exit": 1, "findings": [{"id": finding, **more}]}


def _applied(staging: str, version: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "schema": "mlgit/apply.v1",
        "results": [
            {"environment": "staging", "version": staging, "state": "up-to-date", "traffic": 100, "findings": []},
            {"environment": "production", "version": version, "state": state, "traffic": 100, **more},
        ],
    }


def _status(staging: str, production: str, *, deployed: str = "yes", **more: Any) -> dict[str, Any]:
    return {
        "schema": "mlgit/status.v1",
        "project": "team",
        "branch": "main",
        "rows": [
            {"model": MODEL, "environment": "staging", "champion": staging, "deployed": "yes"},
            {"model": MODEL, "environment": "production", "champion": production, "deployed": deployed},
        ],
        "candidates": [{"version": V3, "metric": "roc_auc"}, {"version": f"{OTHER}@1", "champion": None, "gain": None}],
        "models": 2,
        **more,
    }


_STAGING = (
    "model-safe",
    "integrity",
    "immutability",
    "data-contract",
    "beats-baseline",
    "beats-champion",
    "size",
    "latency",
)
_PRODUCTION = (*_STAGING[:6], "slice-harm", "card-complete", *_STAGING[6:])


def _judged(gates: Sequence[str], *failed: str) -> list[dict[str, str]]:
    return [{"gate": gate, "outcome": "fail" if gate in failed else "pass"} for gate in gates]


_PROPOSED = {"base": "main", "state": "proposed", "pushed": False, "warnings": []}
_APPROVED = {
    "schema": "mlgit/approve.v1",
    "environment": "production",
    "candidate": V2,
    "person": "ben",
    "verdict": "approve",
    "counted": ["ben"],
    "missing": [],
}
_MERGED = {
    "schema": "mlgit/merge.v1",
    "change": "promote",
    "environment": "production",
    "candidate": V2,
    "base": "main",
}
_PROMOTED = {
    "schema": "mlgit/proposed.v1",
    "change": "promote",
    "environment": "staging",
    "champion": V1,
    "slot": "champion",
    "pushed": False,
}
_LACKS = f"{WHERE} lacks 1 more approval (0 of 1 so far; ben, cara may)"

EXPECTED: dict[str, dict[str, Any]] = {
    "status-nothing-yet": {
        "schema": "mlgit/status.v1",
        "rows": [],
        "open": [],
        "candidates": [{"version": V3}, {"version": f"{OTHER}@1"}],
        "next": f"mlgit promote {V3} --to staging",
    },
    "status-at": _status(V1, V1, deployed="no", branch="HEAD~1", open=[], next=None),
    "status-approved": _status(
        V2,
        V1,
        open=[
            {"environment": "production", "candidate": V2, "gates": "10 of 10", "approvals": "1 of 1", "ready": True},
        ],
        next=f"mlgit merge {WHERE}",
    ),
    "status-merged": _status(V2, V2, deployed="no", open=[], next="mlgit apply"),
    "at": _status(V1, V1, deployed="no", branch="HEAD~1", open=[], next=None),
    "log": {
        "schema": "mlgit/log.v1",
        "events": [
            {"kind": "deployed", "environment": "staging", "model": MODEL, "after": V2, "committed_by": "ana"},
            {
                "kind": "promoted",
                "environment": "staging",
                "model": MODEL,
                "before": V1,
                "after": V2,
                "committed_by": "ana",
            },
            {"kind": "deployed", "environment": "production", "after": V1},
            {"kind": "promoted", "environment": "production", "before": None, "after": V1},
            {"kind": "deployed", "environment": "staging", "after": V1},
            {"kind": "promoted", "environment": "staging", "before": None, "after": V1},
        ],
        "has_more": False,
    },
    "log-of-one": {
        "schema": "mlgit/log.v1",
        "events": [
            {"kind": "deployed", "environment": "production", "model": MODEL, "after": V1, "committed_by": "ana"}
        ],
        "has_more": True,
    },
    "show-model": {
        "schema": "mlgit/model.v1",
        "model": MODEL,
        "problem": MODEL,
        "owner": "@acme/pathology",
        "risk": "high",
        "primary_metric": "roc_auc",
        "datasets": ["biopsies"],
        "total": 3,
        "versions": [
            {"version": V3, "trained_by": "Ana", "champion_of": []},
            {"version": V2, "champion_of": ["staging"]},
            {"version": V1, "champion_of": ["production"]},
        ],
    },
    "show-version": {
        "schema": "mlgit/version.v1",
        "version": V2,
        "problem": MODEL,
        "artifact": {"path": "model.skops", "format": "skops"},
        "types": [],
        "params": {"seed": 7, "train": {"fit": "better"}},
        "seed": 7,
        "primary_metric": "roc_auc",
        "rows": 284,
        "weakest_slices": [{"column": "outline", "value": "ragged", "rows": 124}, {"value": "smooth", "rows": 160}],
        "champion_of": ["staging"],
        "card_sections": 6,
        "card_sections_written": 6,
        "findings": [],
    },
    "diff": {"schema": "mlgit/diff.v1", "before": V1, "after": V2, "same_split": True},
    "gate": {
        "schema": "mlgit/gate.v1",
        "candidate": V2,
        "champion": V1,
        "environment": "production",
        "policy": "production",
        "outcome": "pass",
        "results": _judged(_PRODUCTION),
    },
    "gate-refused": {
        "schema": "mlgit/gate.v1",
        "candidate": V3,
        "outcome": "fail",
        "results": _judged(_PRODUCTION, "beats-baseline", "beats-champion", "slice-harm"),
    },
    "gate-verify": {
        "schema": "mlgit/gate-verify.v1",
        "reports": [
            {"result": "same", "candidate": V1, "environment": "staging", "details": []},
            {"result": "same", "candidate": V1, "environment": "production", "details": []},
            {"result": "same", "candidate": V2, "environment": "staging", "details": []},
        ],
    },
    "validate": {
        "schema": "mlgit/validate.v1",
        "tree": "the work tree",
        "records_checked": 19,
        "paths_changed": 0,
        "findings": [],
    },
    "validate-refused": {
        "schema": "mlgit/validate.v1",
        "records_checked": 14,
        "findings": [{"id": "version-tampered", "at": {"file": f"models/{MODEL}/versions/v1/version.json"}}],
    },
    "data-check": {
        "schema": "mlgit/data-check.v1",
        "checks": [
            {
                "dataset": "biopsies",
                "file": "datasets/biopsies/biopsies.csv",
                "state": "unchanged",
                "rows": 569,
                "violations": [],
            }
        ],
    },
    "register-again": {
        "schema": "mlgit/register.v1",
        "version": V3,
        "state": "there-already",
        "folder": f"models/{MODEL}/versions/v3",
        "format": "skops",
        "types": [],
        "primary_metric": "roc_auc",
        "next_environment": "staging",
        "findings": [],
    },
    "register-refused": _error("inputs-uncommitted", why="src/put.py", at={"file": "src/put.py"}),
    "promote-dry": {**_PROMOTED, "candidate": V2, "state": "planned", "gates": _judged(_STAGING)},
    "promote-again": {
        "schema": "mlgit/proposed.v1",
        "change": "promote",
        "candidate": V2,
        "environment": "production",
        "champion": V1,
        "state": "proposed-already",
        "gates": _judged(_PRODUCTION),
        "approvals_needed": 1,
    },
    "promote-runs-already": {**_PROMOTED, "candidate": V2, "champion": V2, "state": "runs-already", "gates": []},
    "promote-refused": {
        **_PROMOTED,
        "candidate": V3,
        "state": "refused",
        "branch": None,
        "gates": _judged(_STAGING, "beats-baseline", "beats-champion"),
    },
    "promote-skipped": _error(
        "environment-skipped", message=f"{OTHER}@1 has to be promoted to staging before production"
    ),
    "approve": {**_APPROVED, "state": "added"},
    "approve-again": {**_APPROVED, "state": "there-already"},
    "approve-reject": {
        **_APPROVED,
        "verdict": "reject",
        "state": "added",
        "counted": [],
        "missing": [
            "the approval of ben, who rejected it (they can approve it later, or a new promotion is made)",
            "1 more approval (0 of 1 so far; ben, cara may)",
        ],
    },
    "approve-refused": _error("approver-excluded", message="an approval by ana does not count"),
    "merge": {**_MERGED, "state": "merged", "signed": True, "approved_by": ["ben"], "needed": 1},
    "merge-dry": {**_MERGED, "state": "planned", "signed": True, "approved_by": ["ben"], "needed": 1},
    "merge-refused": _error("approvals-missing", message=_LACKS, why="approved by nobody"),
    "merge-again": {**_MERGED, "state": "merged-already", "signed": False, "approved_by": [], "needed": 0},
    "apply": _applied(V2, V2, "applied", approved_by=["ben"], findings=[]),
    "apply-dry": _applied(V2, V2, "planned", approved_by=["ben"], findings=[]),
    "apply-again": _applied(V1, V1, "up-to-date", decision=None, approved_by=[], findings=[]),
    "apply-blocked": _applied(
        V2,
        V2,
        "blocked",
        decision=None,
        approved_by=[],
        findings=[{"id": "approvals-missing", "message": _LACKS, "why": "approved by nobody"}],
    ),
    "observe": {
        "schema": "mlgit/observe.v1",
        "results": [
            {"environment": name, "model": MODEL, "version": V1, "health": "verified", "message": "", "findings": []}
            for name in ("staging", "production")
        ],
    },
    "approvals": {
        "schema": "mlgit/approvals.v1",
        "environment": "production",
        "candidate": V2,
        "state": "open",
        "policy": "production",
        "approvals": {
            "evidence": "signed",
            "excludes": ["author", "committers", "trainer", "bots"],
            "needed": 1,
            "requirements": [{"role": None, "needed": 1, "counted": ["ben"], "may_approve": ["cara"]}],
            "counted": [
                {"person": "ben", "by": "ben@acme.example", "verdict": "approve", "roles": ["reviewer", "applier"]}
            ],
            "uncounted": [],
            "missing": [],
            "may_approve": ["cara"],
        },
    },
    "brief": {
        "schema": "mlgit/brief.v1",
        "environment": "production",
        "change": "promote",
        "state": "open",
        "candidate": V2,
        "champion": V1,
        "primary_metric": "roc_auc",
        "test_rows": 284,
        "same_test_rows": True,
        "policy": "production",
        "overrides": [],
        "holds": [],
        "next": f"mlgit approve {WHERE}",
    },
    "brief-md": {"schema": "mlgit/brief.v1", "change": "promote", "state": "merged", "candidate": V2, "champion": V1},
    "withdraw": {
        "schema": "mlgit/withdraw.v1",
        "branch": f"mlgit/promote/{WHERE}",
        "candidate": V2,
        "state": "withdrawn",
        "at_remote": False,
        "pull_request": None,
        "warnings": [],
    },
    "queue": {
        "schema": "mlgit/queue.v1",
        "base": "main",
        "waiting": [
            {
                "environment": "production",
                "candidate": V2,
                "findings": [{"id": "approvals-missing", "message": _LACKS}],
                "conflicts": [],
                "stale_after": [],
            }
        ],
        "next": f"mlgit approve {WHERE}",
    },
    "policy-replay": {
        "schema": "mlgit/policy-replay.v1",
        "policy": "production",
        "tried_policy": "staging",
        "promotions": [
            {
                "environment": "production",
                "candidate": V1,
                "original_outcome": "pass",
                "outcome": "pass",
                "blocked_by": [],
            }
        ],
        "blocked": 0,
    },
    "rollback": {
        "schema": "mlgit/proposed.v1",
        "change": "rollback",
        "environment": "staging",
        "champion": V2,
        "candidate": V1,
        "replaced": V2,
        "state": "proposed",
        "files": {f"environments/staging/{MODEL}.yaml": "~", f"holds/staging/{V2}.yaml": "+"},
        "hold": f"staging/{V2}",
        "branch": f"mlgit/promote/staging/{MODEL}",
        "approvals_needed": 0,
    },
    "rollback-version-missing": _error("rollback-version-missing"),
    "hold-add": {
        "schema": "mlgit/hold-change.v1",
        "name": f"production/{V2}",
        "file": f"holds/production/{V2}.yaml",
        "branch": f"mlgit/hold/production/{V2}",
        **_PROPOSED,
    },
    "hold-list": {"schema": "mlgit/holds.v1", "holds": []},
    "override-add": {
        "schema": "mlgit/signed-exception-draft.v1",
        "kind": "override",
        "name": f"production/{V3}",
        "file": f"overrides/production/{V3}.yaml",
        "record": {
            "environment": "production",
            "model": MODEL,
            "version": 3,
            "waives": ["slice-harm"],
            "people": ["ana", "ben"],
        },
        "must_sign": ["ana", "ben"],
        **_PROPOSED,
    },
    "override-list": {"schema": "mlgit/signed-exceptions.v1", "kind": "override", "exceptions": []},
    "standing-approval-add": {
        "schema": "mlgit/signed-exception-draft.v1",
        "kind": "standing-approval",
        "name": WHERE,
        "record": {"environment": "production", "model": MODEL, "people": ["ben"]},
        "auto_promote": False,
        "must_sign": ["ben"],
        **_PROPOSED,
    },
    "standing-approval-list": {
        "schema": "mlgit/signed-exceptions.v1",
        "kind": "standing-approval",
        "exceptions": [{"name": WHERE, "missing": [], "used": 0, "state": "in-force", "record": {"people": ["ben"]}}],
    },
    "auto-promote": {
        "schema": "mlgit/auto-promote.v1",
        "base": "main",
        "environments": ["staging"],
        "results": [
            {
                "environment": "staging",
                "champion": V1,
                "state": "proposed",
                "proposed": {"candidate": V2, "gates": _judged(_STAGING)},
            },
            {"environment": "staging", "champion": None, "state": "proposed", "proposed": {"candidate": f"{OTHER}@1"}},
        ],
    },
    "auto-promote-dry": {
        "schema": "mlgit/auto-promote.v1",
        "environments": ["staging"],
        "results": [
            {
                "environment": "staging",
                "champion": V2,
                "state": "refused",
                "proposed": {"candidate": V3, "gates": _judged(_STAGING, "beats-baseline", "beats-champion")},
            },
            {"environment": "staging", "champion": None, "state": "planned", "proposed": {"candidate": f"{OTHER}@1"}},
        ],
    },
    "recertify": {
        "schema": "mlgit/proposed.v1",
        "change": "recertify",
        "environment": "production",
        "champion": V1,
        "state": "proposed",
        "policy": "production",
        "branch": f"mlgit/promote/{WHERE}",
        "approvals_needed": 1,
        "evidence": "signed",
        "warnings": [],
    },
    "recertify-dry": {
        "schema": "mlgit/proposed.v1",
        "change": "recertify",
        "environment": "production",
        "champion": V1,
        "state": "planned",
    },
    "renumber-refused": _error(
        "version-on-base-branch", message=f"{V1} is on the base branch, where version numbers do not change"
    ),
    "verify-push-not-bare": _error("repository-not-bare"),
    "why": {
        "schema": "mlgit/why.v1",
        "environment": "production",
        "model": MODEL,
        "at": "main",
        "desired": V1,
        "approvals": {"needed": 1, "uncounted": []},
        "findings": [],
        "next": f"mlgit lineage {V1}",
    },
    "lineage": {
        "schema": "mlgit/lineage.v1",
        "query": V2,
        "revision": "main",
        "roots": [f"version:{V2}"],
        "versions": [V2],
        "records_read": 1,
        "findings": [],
        "unreadable": [],
    },
    "lineage-data": {
        "schema": "mlgit/lineage.v1",
        "query": "data biopsies",
        "versions": [V1, V2, V3, f"{OTHER}@1"],
        "records_read": 4,
        "findings": [],
    },
    "bisect": {
        "schema": "mlgit/bisect.v1",
        "model": MODEL,
        "metric": "roc_auc",
        "method": "scan",
        "total": 3,
        "measured": [{"version": V1, "bad": None}, {"version": V2, "bad": False}, {"version": V3, "bad": True}],
        "first": V3,
        "predecessor": V2,
        "unmeasured_between": [],
        "difference": {"before": V2, "after": V3, "same_split": True},
    },
    "audit-violation": {
        "schema": "mlgit/audit.v1",
        "ledger": None,
        "counts": {"PROVEN": 0, "OVERRIDDEN": 0, "UNAPPROVED": 0, "UNPROVEN": 0, "VIOLATION": 0},
        "changes": [],
        "findings": [{"id": "immutable-file-changed", "at": {"file": f"models/{MODEL}/versions/v1/version.json"}}],
        "deployments": [],
    },
}
"""For each question of `test_what_is_said` whose document is not kept whole, what must be in it."""
