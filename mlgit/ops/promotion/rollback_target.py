"""Choose what a rollback returns to: the last slots that the ledger has verified in the environment."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from mlgit.domain import layout, slots
from mlgit.domain.merge_rules import holds, retirement
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Deployment, Promotion, Retirement, Version
from mlgit.domain.records.promotion import SlotAssignment, SlotAssignments
from mlgit.errors import Finding, MlgitError, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.promotion.drafting import label


class VerifiedSlots(msgspec.Struct, frozen=True):
    """The slots to return to, their champion, the version that is replaced, and when the slots were last verified."""

    slots: SlotAssignments
    champion: Version
    replaced: Version
    at: datetime


def find_rollback_target(snapshot: Snapshot, before: Promotion, champion: Version, number: int | None) -> VerifiedSlots:
    """Return the slots that were verified last, out of those that replace a version that runs now.

    Args:
        snapshot: the state of the base branch, and the ledger.
        before: the manifest of what runs now.
        champion: the version that runs now.
        number: the champion to return to; None for the last one that is neither held nor retired.

    Raises:
        MlgitError: nothing else that may return was verified there (`rollback-version-missing`), or the champion that is asked
            for is held or retired.
    """
    base, at = snapshot.state, snapshot.at
    verified = [
        entry
        for entry in reversed(snapshot.ledger.deployments(before.environment, before.model))
        if entry.status == "verified" and entry.version is not None and entry.traffic is None and entry.at <= at
    ]
    for entry in verified:
        if number not in {None, entry.version}:
            continue
        restored = _restored_slots(base, before, entry, at)
        leaving = slots.leaving(restored, before.slots)
        if not leaving:
            continue
        target = version_in(base, before.model, restored.champion)
        blocks = _check_allowed(base, before.environment, target, at)
        if not blocks:
            return VerifiedSlots(restored, target, version_in(base, before.model, leaving[0]), entry.at)
        if number is not None:
            raise MlgitError(*blocks)
    others = dict.fromkeys(
        entry.version for entry in verified if entry.version is not None and entry.digest != champion.digest
    )
    raise _no_target(base, before, champion, list(others), number)


def version_in(base: Lifecycle, model: str, slot: SlotAssignment | None) -> Version:
    """Return the version of a slot that is not empty."""
    assert slot is not None  # noqa: S101 - slots to return to have a champion
    return base.version(VersionRef(model, slot.version))


def _restored_slots(base: Lifecycle, before: Promotion, entry: Deployment, at: datetime) -> SlotAssignments:
    """Return the slots as an entry has them, except for versions beside the champion that may not run there now.

    Those are the version that is rolled back, and versions that are held or retired. The champion answers their requests.
    """
    current = before.slots.champion
    beside = {
        name: SlotAssignment(
            version=version.version, digest=version.digest, traffic=version.traffic or slots.FULL_TRAFFIC
        )
        for name, version in slots.observed_beside(entry).items()
        if (current is None or current.digest != version.digest)
        and not _check_allowed(base, before.environment, base.version(VersionRef(before.model, version.version)), at)
    }
    answered = sum(slots.traffic_share(name, slot) for name, slot in beside.items())
    assert entry.version is not None  # noqa: S101 - entries without a version were left out
    assert entry.digest is not None  # noqa: S101 - it has a version
    champion = SlotAssignment(version=entry.version, digest=entry.digest, traffic=slots.FULL_TRAFFIC - answered)
    return SlotAssignments(champion=champion, challenger=beside.get("challenger"), shadow=beside.get("shadow"))


def _check_allowed(base: Lifecycle, environment: str, version: Version, at: datetime) -> list[Finding]:
    """A version is neither held nor retired."""
    record = base.find(Retirement, layout.retirement(version.model, version.version))
    return [
        *holds.check_holds_on_change(
            base.holds(),
            environment=environment,
            model=version.model,
            versions={version.digest: label(version)},
            change="rollback",
            at=at,
        ),
        *retirement.check_not_retired(version, record, at),
    ]


def _no_target(
    base: Lifecycle, before: Promotion, champion: Version, verified: Sequence[int], number: int | None
) -> MlgitError:
    environment, model = before.environment, before.model
    if number is None:
        message = f"there is no version of {model} to go back to in {environment}"
    else:
        base.version(VersionRef(model, number))  # refused, if there is no such version at all
        runs = number == champion.version
        message = (
            f"{environment} runs {model}@{number} already" if runs else f"{environment} has not run {model}@{number}"
        )
    listed = ", ".join(f"{model}@{other}" for other in verified)
    why = f"the ledger has verified {listed} there" if listed else "the ledger has verified no other version there"
    if listed and number is None:
        why += "; each of them is held or retired"
    return refused(
        "rollback-version-missing",
        message,
        why=why,
        fix=f"promote a version that is good: `mlgit promote {model}@N --to {environment}`",
    )
