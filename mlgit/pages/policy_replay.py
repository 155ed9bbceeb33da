"""A replay of a policy on merged promotions as a page."""

from mlgit.domain.formatting import plural, utc_date
from mlgit.ops.policies.replay import PolicyReplay, ReplayedPromotion
from mlgit.pages.document import Block, BulletList, Page, Paragraph, Table

_ORDER = {"fail": 0, "wait": 0, "error": 1, "pass": 2}
"""Blocked first, then what is inconclusive, then what would have passed and was rolled back."""


def page(replay: PolicyReplay) -> Page:
    """Return a replay as a page: the answer, what is missing, and each promotion that deserves a look."""
    promotions = plural(len(replay.promotions), "promotion")
    blocks: list[Block] = [
        Paragraph(
            f"It would have blocked {replay.blocked} of the last {promotions} merged under policy {replay.policy}.",
            strong=True,
        )
    ]
    notes = []
    if replay.passed_but_rolled_back:
        passed = plural(replay.passed_but_rolled_back, "promotion that was", "promotions that were")
        notes.append(f"It would have passed {passed} rolled back later.")
    if replay.inconclusive:
        notes.append(f"{plural(replay.inconclusive, 'promotion is', 'promotions are')} inconclusive: evidence is gone.")
    notes += [f"Cannot be read: {path}" for path in replay.unreadable]
    if notes:
        blocks.append(BulletList(notes))
    shown = [promotion for promotion in replay.promotions if promotion.outcome != "pass" or promotion.rolled_back]
    if shown:
        header = ("Version", "Environment", "Evaluated", "Then", "Now", "Rolled back", "Why")
        blocks.append(
            Table(
                header,
                [_row(promotion) for promotion in sorted(shown, key=lambda promotion: _ORDER[promotion.outcome])],
            )
        )
    return Page(f"Replay of policy {replay.tried_policy}", blocks)


def _row(promotion: ReplayedPromotion) -> tuple[str, ...]:
    why = "; ".join(f"{blocking.gate}: {blocking.message}" for blocking in promotion.blocked_by)
    return (
        promotion.candidate,
        promotion.environment,
        utc_date(promotion.at),
        promotion.original_outcome or "-",
        promotion.outcome,
        "yes" if promotion.rolled_back else "",
        why,
    )
