"""A version whose life has ended does not come back."""

from collections.abc import Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.governance import Retirement
from mlgit.domain.records.version import Version
from mlgit.errors import Finding, Location


def check_retirements(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """No version in a slot is retired on the day of the moment."""
    for number, version in case.slots.items():
        yield from check_not_retired(version, case.retirements.get(number), at)


def check_not_retired(version: Version, retirement: Retirement | None, at: datetime) -> Iterator[Finding]:
    """The life of a version has not ended by the day of a moment.

    Args:
        version: the version.
        retirement: the record that ends its life, if there is one.
        at: the moment.
    """
    if retirement is None or retirement.since > at.date():
        return
    yield Finding(
        "version-retired",
        f"{version.model}@{version.version} is retired since {retirement.since}",
        why=f"{retirement.by}: {retirement.reason}",
        fix="promote another version",
        at=Location(layout.retirement(version.model, version.version)),
    )
