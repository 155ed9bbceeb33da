"""Propose a version for an environment: evaluate its gates, and commit manifest and gate report to a branch of their own."""

from collections.abc import Callable, Collection

from msgspec.structs import replace

from mlgit.domain import slots
from mlgit.domain.merge_rules.manifest import check_champion_upstream
from mlgit.domain.merge_rules.ramp import check_ramp_plan
from mlgit.domain.merge_rules.slots import check_slot_layout, no_champion_finding
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Version
from mlgit.domain.records.promotion import Ramp
from mlgit.domain.slots import BesideName, SlotName
from mlgit.errors import MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.promotion import drafting, publish, pull_request
from mlgit.ops.promotion.proposed import Proposed


def run(
    workspace: Workspace,
    subject: VersionRef | str,
    environment: str,
    *,
    reason: str | None = None,
    ticket: str | None = None,
    slot: SlotName = "champion",
    traffic: int | None = None,
    clear: Collection[BesideName] = (),
    ramp: Ramp | None = None,
    replace_open: bool = False,
    render_brief: pull_request.BriefRenderer | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Proposed:
    """Propose a version as champion of an environment, at once or, with `ramp`, step by step; or for another slot.

    Neither the work tree nor the index is changed: the commit goes to the branch `mlgit/promote/ENV/MODEL`.

    Args:
        workspace: where.
        subject: the version, or a model for its newest version; to only clear slots, the champion itself.
        environment: the environment.
        reason: why now; it goes into the manifest.
        ticket: number of a ticket in another system; it goes into the manifest.
        slot: where it is to run. It leaves any other slot that it has there; other versions stay.
        traffic: per cent of the requests that it is to answer as challenger, 1 to 99.
        clear: the slots beside the champion to empty.
        ramp: the steps in which it takes over as champion.
        replace_open: whether to replace another change of the model that is open there.
        render_brief: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.
        on_step: called with a description of each slow step.

    Raises:
        MlgitError: the version is not on the base branch, an environment is skipped, it is held or frozen, the remote lacks
            content, the slots do not fit together, another change is open (`promotion-open`), or its branch has a person's own
            commits.
    """
    snapshot = take_snapshot(workspace)
    base = snapshot.state
    base.environment(environment)
    ref = base.resolve_version(subject)
    version = base.version(ref)
    if base.champion(environment, ref.model) is None and slot != "champion":
        raise MlgitError(no_champion_finding(environment, ref.model))
    before = base.promotion(environment, ref.model)
    current = None if before is None else before.slots
    desired = slots.assign(current, version, slot, traffic=traffic, clear=frozenset(clear))
    is_new = bool(slots.entering(desired, current))
    if is_new:
        _check_order(base, environment, version)

    beside = slots.versions_beside_in(ref.model, desired)
    filled = {placed.slot for placed in beside}
    plan = replace(
        drafting.new_plan(base, "promote", environment, ref.model, str(ref)),
        slot=slot,
        beside=beside,
        cleared=[placed for placed in slots.versions_beside(before) if placed.slot not in filled],
        ramp=ramp,
    )
    if desired == current:
        return replace(plan, state="runs-already")
    drafting.check_not_blocked(base, environment, version, desired, at=snapshot.at)
    command = f"mlgit promote {ref} --to {environment}"
    opened = publish.find_open(
        workspace,
        snapshot,
        (environment, ref.model),
        "promote",
        desired,
        ramp,
        replace_open=replace_open,
        on_step=on_step,
    )
    if opened.proposal is not None and opened.verification is not None:
        return publish.propose_again(
            workspace,
            plan,
            opened.proposal,
            opened.verification,
            command=command,
            render_brief=render_brief,
            dry_run=dry_run,
        )
    plan = replace(plan, replaces_open=opened.replaced)

    manifest = drafting.draft_manifest(
        snapshot, "promote", environment, ref.model, desired, reason=reason, ticket=ticket
    )
    manifest = replace(manifest, ramp=ramp)
    if findings := [*check_slot_layout(manifest), *check_ramp_plan(manifest)]:
        raise MlgitError(*findings)
    report = None
    if is_new:
        manifest, report = drafting.evaluate_gates(workspace, snapshot, version, manifest, on_step=on_step)
    return publish.propose(
        workspace,
        snapshot,
        plan,
        manifest,
        report,
        message=_subject(plan),
        command=command,
        render_brief=render_brief,
        dry_run=dry_run,
    )


def _check_order(base: Lifecycle, environment: str, version: Version) -> None:
    findings = [
        finding
        for earlier in base.environment(environment).after
        for finding in check_champion_upstream(version, environment, earlier, base.champion(earlier, version.model))
    ]
    if findings:
        raise MlgitError(*findings)


def _subject(plan: Proposed) -> str:
    """Return the subject of the commit that proposes a promotion."""
    slot = "" if plan.slot == "champion" else f" as {plan.slot}"
    cleared = "".join(
        f", without {placed.slot} {placed.version}" for placed in plan.cleared if placed.version != plan.candidate
    )
    return f"Promote {plan.candidate} to {plan.environment}{slot}{cleared}"
