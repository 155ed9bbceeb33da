"""What several people agree to by signature before it holds: an override, or a standing approval."""

import msgspec

from mlgit.domain.codec import digest, override_digest
from mlgit.domain.names import Digest, PromotionId
from mlgit.domain.records.governance import Override, StandingApproval


class Accord(msgspec.Struct, frozen=True):
    """A record by what is signed of it: the id that each signature names, the digest that it is over, and who has to sign."""

    id: PromotionId
    digest: Digest
    environment: str
    model: str
    people: tuple[str, ...]


def accord(record: Override | StandingApproval) -> Accord:
    """Return what is signed of an override (all of it but what came of the look back) or a standing approval (all of it)."""
    if isinstance(record, Override):
        named, signed = record.override, override_digest(record)
    else:
        named, signed = record.standing, digest(record)
    return Accord(named, signed, record.environment, record.model, tuple(record.people))
