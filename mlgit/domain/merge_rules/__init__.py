"""The rules that a promotion has to meet to be merged, besides approvals. Pure: a context and a time in, findings out."""

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

_RULES: tuple[MergeRule, ...] = (
    lambda context, _: check_enforced(context.policy, context.manifest),
    check_holds,
    check_retirements,
    check_manifest,
    check_slot_changes,
    lambda context, _: check_order(context),
    check_rollback,
    check_recertify,
    check_ramp,
    check_report,
    check_waivers,
    check_override_reviews,
    check_standing,
)
"""In the order in which their findings are reported."""
_WAITING_RULES: tuple[MergeRule, ...] = (check_upstream, check_soak, check_windows)
"""Rules that are met after some time, or after an earlier environment was applied, without a new promotion or new approvals."""


def check(context: PromotionContext, at: datetime) -> list[Finding]:
    """Return every problem of a promotion as of the time of its merge that only a change can fix."""
    return [finding for rule in _RULES for finding in rule(context, at)]


def check_waiting(context: PromotionContext, at: datetime) -> list[Finding]:
    """Return everything that a promotion has to wait for as of a time."""
    return [finding for rule in _WAITING_RULES for finding in rule(context, at)]


def check_at_apply(manifest: Promotion, holds: Mapping[str, Hold], at: datetime) -> list[Finding]:
    """Return every problem of a merged promotion as of the time at which it is applied.

    Only holds are checked again: they can be added after the merge, and must stop a version that is not yet deployed.

    Args:
        manifest: the merged manifest.
        holds: every hold of the current base branch, by its name.
        at: the current time.
    """
    return list(check_holds_on_manifest(holds, manifest, at))
