"""Propose the last slots that were seen to run well, and hold the version that they take out."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.approvals import people_needed
from mlgit.domain.codec import digest
from mlgit.domain.merge_rules import holds, retirement
from mlgit.domain.names import VersionRef, new_promotion_id
from mlgit.domain.policy import approval_rule
from mlgit.domain.records import Deployment, Hold, Promotion, Retirement, Version
from mlgit.domain.records.promotion import PolicyRef, PromotionRef, SlotAssignment, SlotAssignments, VersionPin
from mlgit.domain.rules.versions import stored_files
from mlgit.errors import Finding, MlgitError, refused, usage_error
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot
from mlgit.ops.promotion import promote, publish, pull_request
from mlgit.ops.promotion.proposed import Proposed


def run(
    workspace: Workspace,
    environment: str,
    model: str | None = None,
    *,
    to: int | None = None,
    reason: str,
    hold: bool = True,
    body: pull_request.BriefRenderer | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Proposed:
    """Propose to go back, on the promotion branch of the environment and model.

    Gates are not judged: the version was seen to run well here before. The policy's rule for `rollback` says who has to agree.

    Args:
        workspace: where.
        environment: the environment to mend.
        model: the model; the only one that runs there, if None.
        to: the champion to go back to. If None, it is that of the last verified slots that take a version out, be it the
            champion or one beside it, and whose champion is not held or retired.
        reason: why; it goes into the manifest and the hold.
        hold: whether the version that is taken out is held, so that nothing brings it back unasked.
        body: writes what the pull request says, where the project has a forge; without it, none is opened.
        dry_run: whether only to say what would be done.
        on_step: is told what is being done.

    Raises:
        MlgitError: nothing runs there (`rollback-champion-missing`), nothing else that may come back was ever seen to
            run well there (`rollback-version-missing`), or the remote no longer has it (`data-missing`). Nothing was
            changed.
    """
    snapshot = take_snapshot(workspace)
    base, at = snapshot.state, snapshot.at
    base.environment(environment)
    model = model or _only_model(base, environment)
    before, champion = _running(base, environment, model)
    wanted, seen = _last_good(snapshot, before, champion, to)
    target = _version(base, model, wanted.champion)
    replaced = _version(base, model, slots.leaving(wanted, before.slots)[0])
    held = _hold_on(base, environment, replaced, at)
    policy = base.policy(base.environment(environment).policy)
    plan = Proposed(
        change="rollback",
        environment=environment,
        model=model,
        candidate=_called(target),
        champion=_called(champion),
        beside=slots.versions_beside_in(model, wanted),
        replaced=_called(replaced),
        verified_at=seen.at,
        state="planned",
        policy=policy.name,
        hold=held,
        approvals_needed=people_needed(approval_rule(policy.approvals, "rollback"), base.problem_of(model).risk),
        evidence=policy.evidence,
    )
    command = f"mlgit rollback {environment}/{model}"
    if (same := promote.open_already(workspace, snapshot, environment, model, "rollback", wanted)) is not None:
        plan = replace(plan, state="proposed-already", hold=_hold_on(same.after, environment, replaced, at))
        return publish.publish_promotion(workspace, snapshot, plan, same, body, again=command, dry_run=dry_run)
    for slot in slots.filled(wanted).values():
        version = _version(base, model, slot)
        promote.check_stored(workspace, base, version, stored_files(version), on_step)
    manifest = replace(
        _manifest(base, before, champion, wanted, new_promotion_id(at), reason),
        ledger=snapshot.ledger.commit,
    )
    records: dict[str, Promotion | Hold] = {layout.promotion(environment, model): manifest}
    if hold and held is None:
        held = layout.version_hold_name(environment, model, replaced.version)
        records[layout.hold(held)] = _hold(environment, replaced, reason, by=workspace.repository.identity()[1])
    files = {path: workspace.formats.yaml(path, record) for path, record in records.items()}
    marks: dict[str, Literal["+", "~"]] = {path: "+" if base.tree.read(path) is None else "~" for path in sorted(files)}
    plan = replace(plan, files=marks, hold=held)
    if dry_run:
        return plan
    message = f"Roll back {environment} to {_called(target)}\n\n{reason}\n\nMlgit-Promotion: {manifest.promotion}\n"
    draft = promote.promotion_draft(environment, model, files, message, command)
    return publish.propose_promotion(workspace, snapshot, plan, draft, body)


def _only_model(base: Lifecycle, environment: str) -> str:
    models = [model for where, model in base.promotions() if where == environment]
    if len(models) == 1:
        return models[0]
    raise usage_error(
        "model-ambiguous",
        f"{environment} runs {len(models)} models" if models else f"{environment} runs no model",
        why=", ".join(models),
        fix="name one of them" if models else "`mlgit status` shows what runs where",
    )


def _running(base: Lifecycle, environment: str, model: str) -> tuple[Promotion, Version]:
    before, champion = base.promotion(environment, base.model(model).name), base.champion(environment, model)
    if before is None or champion is None:
        raise refused(
            "rollback-champion-missing",
            f"{environment} runs no version of {model}",
            why=f"{layout.promotion(environment, model)} does not name one",
            fix="`mlgit status` shows what runs where",
        )
    return before, champion


def _last_good(
    snapshot: Snapshot, before: Promotion, champion: Version, to: int | None
) -> tuple[SlotAssignments, Deployment]:
    """Return the slots to go back to, and when they were last seen to run well.

    Of several it is those that were seen last. A champion that is held or retired is passed over, or refused where it was
    asked for.
    """
    environment, model, base, at = before.environment, before.model, snapshot.state, snapshot.at
    entries = snapshot.ledger.deployments(environment, model)
    well = [
        entry
        for entry in reversed(entries)
        if entry.status == "verified" and entry.version is not None and entry.traffic is None and entry.at <= at
    ]
    for entry in well:
        if to not in {None, entry.version} or not slots.leaving(
            wanted := _restored(base, before, entry, at), before.slots
        ):
            continue
        against = _against(base, _version(base, model, wanted.champion), environment, at)
        if not against:
            return wanted, entry
        if to is not None:
            raise MlgitError(*against)
    others = dict.fromkeys(
        entry.version for entry in well if entry.version is not None and entry.digest != champion.digest
    )
    raise _nowhere(base, before, champion, list(others), to)


def _restored(base: Lifecycle, before: Promotion, entry: Deployment, at: datetime) -> SlotAssignments:
    """Return the slots as an entry saw them. Beside the champion, what it replaces, and what is held or retired, stays out."""
    was = before.slots.champion
    beside = {
        name: SlotAssignment(version=one.version, digest=one.digest, traffic=one.traffic or slots.FULL_TRAFFIC)
        for name, one in slots.observed_beside(entry).items()
        if (was is None or was.digest != one.digest)
        and not _against(base, base.version(VersionRef(before.model, one.version)), before.environment, at)
    }
    answered = sum(slots.traffic_share(name, slot) for name, slot in beside.items())
    assert entry.version is not None  # noqa: S101 - only such are looked at
    assert entry.digest is not None  # noqa: S101 - it has a version
    champion = SlotAssignment(version=entry.version, digest=entry.digest, traffic=slots.FULL_TRAFFIC - answered)
    return SlotAssignments(champion=champion, challenger=beside.get("challenger"), shadow=beside.get("shadow"))


def _version(base: Lifecycle, model: str, slot: SlotAssignment | None) -> Version:
    assert slot is not None  # noqa: S101 - slots to go back to have a champion
    return base.version(VersionRef(model, slot.version))


def _against(base: Lifecycle, version: Version, environment: str, at: datetime) -> list[Finding]:
    """Return what keeps a version from coming back."""
    ended = base.find(Retirement, layout.retirement(version.model, version.version))
    return [
        *holds.check_holds_on_change(
            base.holds(),
            environment=environment,
            model=version.model,
            versions={version.digest: _called(version)},
            change="rollback",
            at=at,
        ),
        *retirement.check_not_retired(version, ended, at),
    ]


def _nowhere(base: Lifecycle, before: Promotion, champion: Version, ran: Sequence[int], to: int | None) -> MlgitError:
    environment, model = before.environment, before.model
    if to is not None:
        base.version(VersionRef(model, to))
    listed = ", ".join(f"{model}@{number}" for number in ran)
    said = (
        f"the ledger has seen {listed} run well there" if listed else "the ledger has seen nothing else run well there"
    )
    return refused(
        "rollback-version-missing",
        f"{environment} runs {model}@{to} already"
        if to == champion.version
        else f"{environment} has not run {model}@{to}"
        if to is not None
        else f"there is no version of {model} to go back to in {environment}",
        why=said + ("; each of them is held or retired" if listed and to is None else ""),
        fix=f"promote a version that is good: `mlgit promote {model}@N --to {environment}`",
    )


def _hold_on(base: Lifecycle, environment: str, replaced: Version, at: datetime) -> str | None:
    """Return the name of a hold that keeps a version out already."""
    there = base.holds()
    for name, hold in there.items():
        own = hold.scope == "version" and holds.blocking_holds(
            [hold], environment=environment, model=replaced.model, digests=[replaced.digest], change="rollback", at=at
        )
        if own:
            return name
    return None


def _manifest(
    base: Lifecycle, before: Promotion, champion: Version, wanted: SlotAssignments, promotion: str, reason: str
) -> Promotion:
    policy = base.policy(base.environment(before.environment).policy)
    return Promotion(
        schema=1,
        promotion=promotion,
        environment=before.environment,
        model=before.model,
        change="rollback",
        slots=wanted,
        replaces=PromotionRef(promotion=before.promotion, digest=digest(before)),
        baseline=VersionPin(version=champion.version, digest=champion.digest),
        gates=None,
        policy=PolicyRef(name=policy.name, digest=digest(policy)),
        reason=reason,
    )


def _hold(environment: str, replaced: Version, reason: str, *, by: str) -> Hold:
    return Hold(
        schema=1,
        scope="version",
        environment=environment,
        model=replaced.model,
        version=replaced.version,
        digest=replaced.digest,
        reason=f"rolled back: {reason}",
        by=by,
    )


def _called(version: Version) -> str:
    return f"{version.model}@{version.version}"
