"""Propose the last version that was seen to run well, and hold the one that it replaces."""

from collections.abc import Callable
from typing import Literal

from mlgit.domain import layout
from mlgit.domain.codec import digest
from mlgit.domain.names import VersionRef, new_promotion_id
from mlgit.domain.policy import rule_for
from mlgit.domain.records import Deployment, Hold, Promotion, Version
from mlgit.domain.records.promotion import PolicyRef, PromotionRef, Slot, Slots, VersionPin
from mlgit.errors import refused
from mlgit.ops import promote, proposal
from mlgit.ops.load import Lifecycle
from mlgit.ops.outcome import Outcome
from mlgit.ops.ports import Workspace


class RolledBack(Outcome, frozen=True, kw_only=True, tag="mlgit/rollback.v1"):
    """What was proposed in the place of what."""

    environment: str
    model: str
    champion: str
    back_to: str
    verified_at: str
    state: Literal["proposed", "planned"]
    promotion: str
    branch: str
    files: list[str]
    holds: str | None
    pushed: bool
    approvals_missing: list[str]


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

    Gates are not judged again: the version was verified when it ran here before. The policy's rule for `rollback` says who
    has to agree.

    Args:
        workspace: where.
        environment: the environment to mend.
        model: the model; the only one that runs there, if None.
        to: the version to go back to; the last verified other than the champion, if None.
        reason: why; it goes into the manifest and the hold.
        hold: whether the champion is held, so that nothing brings it back unasked.
        dry_run: whether only to say what would be done.
        on_step: is told what is being done.

    Raises:
        MlgitError: nothing else was ever verified there (`rollback-nowhere`), or the remote no longer has it.
    """
    _, base = proposal.base_of(workspace)
    base.environment(environment)
    model = model or _only_model(base, environment)
    before, champion = base.promotion(environment, model), base.champion(environment, model)
    if before is None or champion is None:
        raise refused(
            "rollback-nothing",
            f"{environment} runs no version of {model}",
            why=f"{layout.promotion(environment, model)} does not name one",
            fix="`mlgit status` shows what runs where",
        )
    entry = _last_good(workspace, environment, model, champion, to)
    target = base.version(VersionRef(model, entry.version or 0))
    on_step(f"looking for {model}@{target.version} in the remote")
    promote.check_stored(workspace, base, target)
    at = workspace.clock.now()
    manifest = _manifest(base, before, champion, target, new_promotion_id(at), reason)
    path = layout.promotion(environment, model)
    files = {path: workspace.formats.yaml(path, manifest)}
    held = layout.hold(environment, model, champion.version) if hold else None
    if held is not None:
        _, email = workspace.repository.identity()
        files[held] = workspace.formats.yaml(held, _hold(environment, champion, reason, email))
    ref = f"{model}@{target.version}"
    branch = layout.promotion_branch(environment, model)
    missing: list[str] = []
    pushed = False
    if not dry_run:
        message = f"Roll {environment} back to {ref}\n\n{reason}\n\nMlgit-Promotion: {manifest.promotion}\n"
        promote.put_on_branch(workspace, base, environment, model, files, message)
        pushed = promote.push_branch(workspace, environment, model)
        waiting = proposal.load(workspace, environment, model)
        missing = proposal.examine(workspace, waiting, at=at).tally.missing
    else:
        needed = rule_for(base.policy(base.environment(environment).policy).approvals, "rollback").min
        missing = [f"{needed} of {needed} approvals"] if needed else []
    return RolledBack(
        environment=environment,
        model=model,
        champion=f"{model}@{champion.version}",
        back_to=ref,
        verified_at=entry.at.isoformat(timespec="seconds"),
        state="planned" if dry_run else "proposed",
        promotion=manifest.promotion,
        branch=branch,
        files=sorted(files),
        holds=held,
        pushed=pushed,
        approvals_missing=missing,
    )


def _only_model(base: Lifecycle, environment: str) -> str:
    models = [model for where, model in base.promotions() if where == environment]
    return base.the_model(models[0] if len(models) == 1 else None)


def _last_good(workspace: Workspace, environment: str, model: str, champion: Version, to: int | None) -> Deployment:
    """Return the newest ledger entry that saw another version run well; that of version `to`, if it is given."""
    entries = proposal.ledger_of(workspace).deployments(environment, model)
    good = [
        entry
        for entry in entries
        if entry.status == "verified" and entry.version is not None and entry.digest != champion.digest and to in {None, entry.version}
    ]
    if not good:
        ran = sorted({entry.version for entry in entries if entry.status == "verified" and entry.version is not None})
        raise refused(
            "rollback-nowhere",
            f"there is no {'other version' if to is None else f'{model}@{to}'} to go back to in {environment}",
            why=f"the ledger has seen {', '.join(f'{model}@{number}' for number in ran) or 'none'} run well there",
            fix="promote a version that is good: `mlgit promote MODEL@N --to " + environment + "`",
        )
    return good[-1]


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


def _hold(environment: str, champion: Version, reason: str, by: str) -> Hold:
    return Hold(
        schema=1,
        scope="version",
        environment=environment,
        model=champion.model,
        digest=champion.digest,
        reason=f"rolled back: {reason}",
        by=by,
    )


