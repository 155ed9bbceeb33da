"""Propose the last version that was seen to run well, and hold the one that it replaces."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from mlgit.domain import layout, rules
from mlgit.domain.codec import digest
from mlgit.domain.conditions import holds, retirement
from mlgit.domain.conditions.rollback import last_verified
from mlgit.domain.names import VersionRef, new_promotion_id
from mlgit.domain.policy import rule_for
from mlgit.domain.records import Deployment, Hold, Promotion, Retirement, Version
from mlgit.domain.records.promotion import PolicyRef, PromotionRef, Slot, Slots, VersionPin
from mlgit.errors import Finding, MlgitError, misuse, refused
from mlgit.ops import branch, promote, proposal
from mlgit.ops.examination import examine
from mlgit.ops.load import Lifecycle
from mlgit.ops.outcome import Outcome
from mlgit.ops.ports import Workspace


class RolledBack(Outcome, frozen=True, kw_only=True, tag="mlgit/rollback.v1"):
    """What was proposed in the place of what, and where it waits."""

    environment: str
    model: str
    champion: str
    back_to: str
    verified_at: datetime
    state: Literal["proposed", "proposed-already", "planned"]
    files: dict[str, Literal["+", "~"]]
    hold: str | None
    """Name of the hold on the version that is replaced: one that comes along, or that is there already."""
    promotion: str | None = None
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    approvals_needed: int = 0
    approvals_missing: list[str] = []
    may_approve: list[str] = []


def run(
    workspace: Workspace,
    environment: str,
    model: str | None = None,
    *,
    to: int | None = None,
    reason: str,
    hold: bool = True,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> RolledBack:
    """Propose to go back, on the promotion branch of the environment and model.

    Gates are not judged: the version was seen to run well here before. The policy's rule for `rollback` says who has to agree.

    Args:
        workspace: where.
        environment: the environment to mend.
        model: the model; the only one that runs there, if None.
        to: the version to go back to; if None, the last verified one other than the champion that is not held or retired.
        reason: why; it goes into the manifest and the hold.
        hold: whether the champion is held, so that nothing brings it back unasked.
        dry_run: whether only to say what would be done.
        on_step: is told what is being done.

    Raises:
        MlgitError: nothing runs there (`rollback-nothing`), nothing else that may come back was ever seen to run well there
            (`rollback-nowhere`), or the remote no longer has it (`data-missing`). Nothing was changed.
    """
    _, base = proposal.base_of(workspace)
    base.environment(environment)
    model = model or _only_model(base, environment)
    before, champion = _running(base, environment, model)
    at = workspace.clock.now()
    target, seen = _last_good(workspace, base, before, champion, to, at)
    held = _hold_on(base, environment, champion, at)
    plan = RolledBack(
        environment=environment,
        model=model,
        champion=_called(champion),
        back_to=_called(target),
        verified_at=seen.at,
        state="planned",
        files={},
        hold=held,
        approvals_needed=rule_for(base.policy(base.environment(environment).policy).approvals, "rollback").min,
    )
    if (known := _standing(workspace, target, environment, at)) is not None:
        plan = replace(plan, state="proposed-already", hold=_hold_on(known.after, environment, champion, at))
        return _told(workspace, plan, known, at, dry_run=dry_run)
    promote.check_stored(workspace, base, target, rules.stored_files(target), on_step)
    manifest = replace(
        _manifest(base, before, champion, target, new_promotion_id(at), reason),
        ledger=proposal.ledger_tip(workspace),
    )
    records: dict[str, Promotion | Hold] = {layout.promotion(environment, model): manifest}
    if hold and held is None:
        held = layout.version_hold(environment, model, champion.version)
        records[layout.hold(held)] = _hold(environment, champion, reason, by=workspace.repository.identity()[1])
    files = {path: workspace.formats.yaml(path, record) for path, record in records.items()}
    marks: dict[str, Literal["+", "~"]] = {path: "+" if base.tree.read(path) is None else "~" for path in sorted(files)}
    plan = replace(plan, files=marks, hold=held)
    if dry_run:
        return plan
    message = f"Roll back {environment} to {_called(target)}\n\n{reason}\n\nMlgit-Promotion: {manifest.promotion}\n"
    command = f"mlgit rollback {environment} {model}"
    branch.put(workspace, base, promote.drafted(environment, model, files, message, command))
    waiting = proposal.load(workspace, environment, model)
    return _told(workspace, replace(plan, state="proposed"), waiting, at, dry_run=False)


def _told(
    workspace: Workspace, plan: RolledBack, waiting: proposal.Proposal, at: datetime, *, dry_run: bool
) -> RolledBack:
    """Return what waits now, pushed to the remote if there is one."""
    tally = examine(workspace, waiting, at=at).tally
    name = layout.promotion_branch(waiting.environment, waiting.model)
    return replace(
        plan,
        promotion=waiting.manifest.promotion,
        branch=name,
        commit=waiting.head,
        pushed=not dry_run and branch.push(workspace, name, waiting.head),
        approvals_missing=tally.missing,
        may_approve=tally.may,
    )


def _only_model(base: Lifecycle, environment: str) -> str:
    models = [model for where, model in base.promotions() if where == environment]
    if len(models) == 1:
        return models[0]
    raise misuse(
        "model-ambiguous",
        f"{environment} runs {len(models)} models" if models else f"{environment} runs no model",
        why=", ".join(models),
        fix="name one of them" if models else "`mlgit status` shows what runs where",
    )


def _running(base: Lifecycle, environment: str, model: str) -> tuple[Promotion, Version]:
    before, champion = base.promotion(environment, base.model(model).name), base.champion(environment, model)
    if before is None or champion is None:
        raise refused(
            "rollback-nothing",
            f"{environment} runs no version of {model}",
            why=f"{layout.promotion(environment, model)} does not name one",
            fix="`mlgit status` shows what runs where",
        )
    return before, champion


def _last_good(
    workspace: Workspace, base: Lifecycle, before: Promotion, champion: Version, to: int | None, at: datetime
) -> tuple[Version, Deployment]:
    """Return the version to go back to, and when it was last seen to run well.

    Of several it is the one that was seen last; what is held or retired is passed over, or refused where it was asked for.
    """
    environment, model = before.environment, before.model
    entries = proposal.ledger_of(workspace).deployments(environment, model)
    numbers = dict.fromkeys(
        entry.version
        for entry in reversed(entries)
        if entry.status == "verified" and entry.version is not None and entry.digest != champion.digest
    )
    for number in numbers if to is None else [to] if to in numbers else []:
        version = base.version(VersionRef(model, number))
        seen = last_verified(entries, environment, model, version.digest, at)
        against = _against(base, version, environment, at)
        if seen is not None and not against:
            return version, seen
        if to is not None and against:
            raise MlgitError(*against)
    raise _nowhere(base, before, champion, list(numbers), to)


def _against(base: Lifecycle, version: Version, environment: str, at: datetime) -> list[Finding]:
    """Return what keeps a version from coming back."""
    ended = base.find(Retirement, layout.retirement(version.model, version.version))
    return [
        *holds.check_change(
            base.holds(),
            environment=environment,
            model=version.model,
            versions={version.digest: _called(version)},
            change="rollback",
            at=at,
        ),
        *retirement.check_ended(version, ended, at),
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
        "rollback-nowhere",
        f"{environment} runs {model}@{to} already"
        if to == champion.version
        else f"{environment} has not run {model}@{to}"
        if to is not None
        else f"there is no version of {model} to go back to in {environment}",
        why=said + ("; each of them is held or retired" if listed and to is None else ""),
        fix=f"promote a version that is good: `mlgit promote {model}@N --to {environment}`",
    )


def _hold_on(base: Lifecycle, environment: str, champion: Version, at: datetime) -> str | None:
    """Return the name of a hold that keeps the champion out already."""
    there = base.holds()
    for name, hold in there.items():
        own = hold.scope == "version" and holds.in_force(
            [hold], environment=environment, model=champion.model, digests=[champion.digest], change="rollback", at=at
        )
        if own:
            return name
    return None


def _standing(workspace: Workspace, target: Version, environment: str, at: datetime) -> proposal.Proposal | None:
    """Return the open proposal of just this way back, if it was made on what the base branch says today."""
    if (environment, target.model) not in proposal.open_proposals(workspace):
        return None
    known = proposal.load(workspace, environment, target.model)
    slot = known.manifest.slots.champion
    same = known.manifest.change == "rollback" and slot is not None and slot.digest == target.digest
    return known if same and not examine(workspace, known, at=at).problems else None


def _manifest(
    base: Lifecycle, before: Promotion, champion: Version, target: Version, promotion: str, reason: str
) -> Promotion:
    policy = base.policy(base.environment(before.environment).policy)
    return Promotion(
        schema=1,
        promotion=promotion,
        environment=before.environment,
        model=before.model,
        change="rollback",
        slots=Slots(champion=Slot(version=target.version, digest=target.digest)),
        replaces=PromotionRef(promotion=before.promotion, digest=digest(before)),
        baseline=VersionPin(version=champion.version, digest=champion.digest),
        gates=None,
        policy=PolicyRef(name=policy.name, digest=digest(policy)),
        reason=reason,
    )


def _hold(environment: str, champion: Version, reason: str, *, by: str) -> Hold:
    return Hold(
        schema=1,
        scope="version",
        environment=environment,
        model=champion.model,
        version=champion.version,
        digest=champion.digest,
        reason=f"rolled back: {reason}",
        by=by,
    )


def _called(version: Version) -> str:
    return f"{version.model}@{version.version}"
