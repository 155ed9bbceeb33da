"""What must hold for a promotion to be merged and applied, beside the approvals. Pure: a case and a moment in, findings out."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from mlgit.domain.case import Case
from mlgit.domain.conditions.gates import check_report
from mlgit.domain.conditions.holds import check_held, check_holds
from mlgit.domain.conditions.manifest import check_manifest, check_order
from mlgit.domain.conditions.overrides import check_reviewed, check_waivers
from mlgit.domain.conditions.ramp import check_ramp
from mlgit.domain.conditions.recertify import check_recertify
from mlgit.domain.conditions.retirement import check_retired
from mlgit.domain.conditions.rollback import check_rollback
from mlgit.domain.conditions.slots import check_places
from mlgit.domain.conditions.soak import check_soak, check_upstream
from mlgit.domain.conditions.standing import check_standing
from mlgit.domain.conditions.windows import check_windows
from mlgit.domain.records.governance import Hold
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.rules.written import check_enforced
from mlgit.errors import Finding

Condition = Callable[[Case, datetime], Iterator[Finding]]

_ALL: tuple[Condition, ...] = (
    lambda case, _: check_enforced(case.policy, case.manifest),
    check_holds,
    check_retired,
    check_manifest,
    check_places,
    lambda case, _: check_order(case),
    check_rollback,
    check_recertify,
    check_ramp,
    check_report,
    check_waivers,
    check_reviewed,
    check_standing,
)
"""In the order in which people want to hear of them."""
_NOT_YET: tuple[Condition, ...] = (check_upstream, check_soak, check_windows)
"""What passes by itself, or when something is done elsewhere: no reason to propose anew, or to agree later."""


def check(case: Case, at: datetime) -> list[Finding]:
    """Return everything that stands against a promotion at the moment at which it is merged, or was."""
    return [finding for condition in _ALL for finding in condition(case, at)]


def check_not_yet(case: Case, at: datetime) -> list[Finding]:
    """Return what a promotion that may be right as it is has to wait for at a moment."""
    return [finding for condition in _NOT_YET for finding in condition(case, at)]


def check_now(manifest: Promotion, holds: Mapping[str, Hold], at: datetime) -> list[Finding]:
    """Return everything that stands against a merged promotion at the moment at which it is to be applied.

    Args:
        manifest: what was merged.
        holds: every hold of today's base branch, by its name.
        at: now.
    """
    return list(check_held(holds, manifest, at))
