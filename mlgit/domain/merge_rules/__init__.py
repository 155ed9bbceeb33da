"""What must hold for a promotion to be merged and applied, beside the approvals. Pure: a case and a moment in, findings out."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from mlgit.domain.merge_rules.gates import check_report
from mlgit.domain.merge_rules.holds import check_holds, check_holds_on_manifest
from mlgit.domain.merge_rules.manifest import check_manifest, check_order
from mlgit.domain.merge_rules.overrides import check_override_reviews, check_waivers
from mlgit.domain.merge_rules.ramp import check_ramp
from mlgit.domain.merge_rules.recertify import check_recertify
from mlgit.domain.merge_rules.retirement import check_retirements
from mlgit.domain.merge_rules.rollback import check_rollback
from mlgit.domain.merge_rules.slots import check_slot_changes
from mlgit.domain.merge_rules.soak import check_soak, check_upstream
from mlgit.domain.merge_rules.standing_approvals import check_standing
from mlgit.domain.merge_rules.windows import check_windows
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.governance import Hold
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.rules.configuration import check_enforced
from mlgit.errors import Finding

MergeRule = Callable[[PromotionContext, datetime], Iterator[Finding]]

_ALL: tuple[MergeRule, ...] = (
    lambda case, _: check_enforced(case.policy, case.manifest),
    check_holds,
    check_retirements,
    check_manifest,
    check_slot_changes,
    lambda case, _: check_order(case),
    check_rollback,
    check_recertify,
    check_ramp,
    check_report,
    check_waivers,
    check_override_reviews,
    check_standing,
)
"""In the order in which people want to hear of them."""
_NOT_YET: tuple[MergeRule, ...] = (check_upstream, check_soak, check_windows)
"""What passes by itself, or when something is done elsewhere: no reason to propose anew, or to agree later."""


def check(case: PromotionContext, at: datetime) -> list[Finding]:
    """Return everything that stands against a promotion at the moment at which it is merged, or was."""
    return [finding for condition in _ALL for finding in condition(case, at)]


def check_waiting(case: PromotionContext, at: datetime) -> list[Finding]:
    """Return what a promotion that may be right as it is has to wait for at a moment."""
    return [finding for condition in _NOT_YET for finding in condition(case, at)]


def check_at_apply(manifest: Promotion, holds: Mapping[str, Hold], at: datetime) -> list[Finding]:
    """Return everything that stands against a merged promotion at the moment at which it is to be applied.

    Args:
        manifest: what was merged.
        holds: every hold of today's base branch, by its name.
        at: now.
    """
    return list(check_holds_on_manifest(holds, manifest, at))
