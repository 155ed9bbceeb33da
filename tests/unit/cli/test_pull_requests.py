"""The last lines of the output for a proposal show the approvals that are needed or missing."""

from typing import Any

import click
import pytest

from mlgit.cli.pull_requests import proposal_footer
from mlgit.ops.promotion.proposed import Proposed

MISSING = "1 more approval (0 of 1 so far; ben may)"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"state": "planned", "approvals_needed": 0}, "pass    approvals: 0 needed"),
        ({"state": "planned", "approvals_needed": 2}, "wait    approvals: 2 needed"),
        ({"state": "proposed", "approvals_needed": 1, "approvals_missing": [MISSING]}, f"wait    approvals: {MISSING}"),
        ({"state": "proposed-already", "approvals_needed": 1}, "pass    approvals: 1 needed"),
    ],
)
def test_approvals_wait_while_a_proposal_is_planned_or_lacks_them(fields: dict[str, Any], line: str) -> None:
    outcome = Proposed(
        change="promote",
        model="churn",
        candidate="churn@2",
        environment="production",
        champion="churn@1",
        policy="production",
        evidence="signed",
        **fields,
    )
    none_missing = f"{outcome.approvals_needed} needed"
    shown = proposal_footer(outcome, "production/churn", what="churn@2", effect="", none_missing=none_missing)
    assert click.unstyle(shown).splitlines()[0] == f"  {line}"
