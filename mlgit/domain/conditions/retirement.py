"""A version whose life has ended does not come back."""

from collections.abc import Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.case import Case
from mlgit.errors import Finding, Location


def check_retired(case: Case, at: datetime) -> Iterator[Finding]:
    """The version is not retired on the day of the moment."""
    version, retirement = case.version, case.retirement
    if version is None or retirement is None or retirement.on > at.date():
        return
    yield Finding(
        "version-retired",
        f"{version.model}@{version.version} is retired since {retirement.on}",
        why=f"{retirement.by}: {retirement.reason}",
        fix="promote another version",
        at=Location(layout.retirement(version.model, version.version)),
    )
