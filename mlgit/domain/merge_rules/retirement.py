"""Rules for retirements: a retired version is not promoted again."""

from collections.abc import Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.governance import Retirement
from mlgit.domain.records.version import Version
from mlgit.errors import Finding, Location


def check_retirements(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that no version in a slot is retired on that day."""
    for number, version in context.slot_versions.items():
        yield from check_not_retired(version, context.retirements.get(number), at)


def check_not_retired(version: Version, retirement: Retirement | None, at: datetime) -> Iterator[Finding]:
    """Check that a version is not retired on the day of a time.

    Args:
        version: the version.
        retirement: its retirement, if there is one.
        at: the time.
    """
    if retirement is None or retirement.since > at.date():
        return
    yield Finding(
        "version-retired",
        f"{version.model}@{version.version} has been retired since {retirement.since}",
        why=f"{retirement.by}: {retirement.reason}",
        fix="promote another version",
        at=Location(layout.retirement(version.model, version.version)),
    )
