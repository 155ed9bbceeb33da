"""How the answer ends that proposes a promotion: what is said of approvals is true, before and after anybody could agree."""

from typing import Any

import click
import pytest

from mlgit.cli.pull_requests import ending
from mlgit.ops.promotion.proposed import Proposed

MISSING = "1 more approval (0 of 1 so far; ben may)"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": "planned", "approvals_needed": 0}, "pass    approvals: 0 needed"),
        ({"state": "planned", "approvals_needed": 2}, "wait    approvals: 2 needed"),
        ({"state": "proposed", "approvals_needed": 1, "approvals_missing": [MISSING]}, f"wait    approvals: {MISSING}"),
        ({"state": "proposed-already", "approvals_needed": 1}, "pass    approvals: 1 needed"),
    ],
)
def test_what_is_planned_waits_for_whoever_has_to_agree(fields: dict[str, Any], said: str) -> None:
    found = Proposed(
        change="promote",
        model="churn",
        candidate="churn@2",
        environment="production",
        champion="churn@1",
        policy="production",
        evidence="signed",
        **fields,
    )
    shown = ending(found, "production/churn", what="churn@2", act="", enough=f"{found.approvals_needed} needed")
    assert click.unstyle(shown).splitlines()[0] == f"  {said}"
