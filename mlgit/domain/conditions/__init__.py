"""What must hold for a promotion to be merged and applied, beside the approvals. Pure: a case and a moment in, findings out."""

from collections.abc import Callable, Iterator
from datetime import datetime

from mlgit.domain import rules
from mlgit.domain.case import Case
from mlgit.domain.conditions.gates import check_report
from mlgit.domain.conditions.manifest import check_manifest, check_order
from mlgit.domain.conditions.retirement import check_retired
from mlgit.errors import Finding

Condition = Callable[[Case, datetime], Iterator[Finding]]

_ALL: tuple[Condition, ...] = (
    lambda case, _: rules.check_enforced(case.environment, case.policy, case.manifest),
    check_retired,
    check_manifest,
    lambda case, _: check_order(case),
    check_report,
)
"""In the order in which people want to hear of them."""


def check(case: Case, at: datetime) -> list[Finding]:
    """Return everything that stands against a promotion at the moment at which it is merged, or was."""
    return [finding for condition in _ALL for finding in condition(case, at)]
