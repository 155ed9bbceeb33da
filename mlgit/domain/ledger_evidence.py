"""Which entries of a deployment log are evidence: those that an applier signed, and every entry that contradicts."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from mlgit.domain.records.ledger import Deployment

APPLIER: Final = "applier"
"""The role in `.mlgit/roles.yaml` of people and programs who sign what they apply and observe."""
_SAME: Final = ("promotion", "digest", "traffic", "beside")
"""Fields in which an entry has to differ from the one before for it to claim a change of what runs."""


def proven_entries(entries: Sequence[Deployment], problem: Callable[[Deployment], str | None]) -> list[Deployment]:
    """Return a deployment log as far as it is evidence.

    A `verified` entry without a valid signature proves nothing. If it repeats the entry before, it is left out; else something
    may have changed that nobody vouches for, and it counts as `degraded`. An entry that contradicts counts unsigned too: nobody
    gains from writing one that is wrong, and a true one must not be erased for lack of a key.

    Args:
        entries: the log, oldest entry first.
        problem: returns why the signature of an entry does not count; None if it does.
    """
    proven: list[Deployment] = []
    for entry in entries:
        reason = problem(entry) if entry.status == "verified" else None
        if reason is None:
            proven.append(entry)
        elif not (proven and proven[-1].status == "verified" and _claims_the_same(proven[-1], entry)):
            proven.append(replace(entry, status="degraded", message=reason))
    return proven


def _claims_the_same(before: Deployment, entry: Deployment) -> bool:
    return all(getattr(before, name) == getattr(entry, name) for name in _SAME)
