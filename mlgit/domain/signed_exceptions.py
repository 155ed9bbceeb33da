"""Signed exceptions (overrides and standing approvals): in force once all their people have signed, until they expire."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from mlgit.domain.codec import digest, override_digest
from mlgit.domain.names import Digest, proposed_at
from mlgit.domain.records.governance import Override, StandingApproval

SignatureTimes = Mapping[str, Mapping[str, datetime]]
"""When each person signed each exception, by the exception's id."""

ExceptionState = Literal["in-force", "unsigned", "expired"]

MAX_TERM: Final = timedelta(days=366)
"""The longest time for which a standing approval is in force: a year."""

_MIN_SIGNERS_OF_OVERRIDE = 2


class SignedException(msgspec.Struct, frozen=True):
    """An override or a standing approval, and when each person signed it."""

    record: Override | StandingApproval
    signed: Mapping[str, datetime]

    @property
    def until(self) -> datetime:
        """The time at which it expires."""
        return expiry(self.record)

    def missing(self, at: datetime) -> list[str]:
        """Return who has not signed it by a time; `a second person` where an override names one alone."""
        people = self.record.people
        missing = [person for person in people if person not in self.signed or self.signed[person] > at]
        alone = isinstance(self.record, Override) and len(set(people)) < _MIN_SIGNERS_OF_OVERRIDE
        return [*missing, "a second person"] if alone else missing

    def state(self, at: datetime) -> ExceptionState:
        """Return whether it is in force at a time, or what prevents it."""
        if at >= self.until:
            return "expired"
        return "unsigned" if self.missing(at) else "in-force"


def signed_exception(record: Override | StandingApproval, signatures: SignatureTimes) -> SignedException:
    """Return a record with its signatures."""
    return SignedException(record, signatures.get(record.id, {}))


def signed_digest(record: Override | StandingApproval) -> Digest:
    """Return the digest that people sign: over all of a standing approval, or an override without its post-incident review."""
    return override_digest(record) if isinstance(record, Override) else digest(record)


def expiry(record: Override | StandingApproval) -> datetime:
    """Return when a record expires; a standing approval at the latest a year after it was made, whatever it states."""
    if isinstance(record, Override):
        return record.until
    created = proposed_at(record.id)
    return record.until if record.until - created <= MAX_TERM else created + MAX_TERM
