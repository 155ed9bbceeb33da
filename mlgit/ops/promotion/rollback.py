"""Propose to go back to the last slots that were verified, and hold the version that is replaced."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.merge_rules import holds
from mlgit.domain.records import Hold, Version
from mlgit.domain.rules.versions import stored_files
from mlgit.errors import usage_error
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.promotion import drafting, publish, pull_request
from mlgit.ops.promotion.drafting import label
from mlgit.ops.promotion.proposed import Proposed
from mlgit.ops.promotion.rollback_target import find_rollback_target, version_in


def run(
    workspace: Workspace,
    environment: str,
    model: str | None = None,
    *,
    to: int | None = None,
    reason: str,
    hold: bool = True,
    render_brief: pull_request.BriefRenderer | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Proposed:
    """Propose to go back, on the promotion branch of the environment and model, in place of what is open there.

    Gates are not evaluated, since the version was verified there before. Approvals follow the policy's rule for `rollback`.

    Args:
        workspace: where.
        environment: the environment.
        model: the model; the only one that runs there, if None.
        to: number of the champion to go back to. If None, it is that of the last verified slots that replace a version, be it
            the champion or one beside it, and whose champion is not held or retired.
        reason: why; it goes into the manifest and the hold.
        hold: whether to hold the version that is replaced, so that it is not promoted again by mistake.
        render_brief: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.
        on_step: called with a description of each slow step.

    Raises:
        MlgitError: nothing runs there (`champion-missing`), nothing else that may return was verified there
            (`rollback-version-missing`), or the remote lacks its files (`data-missing`). Nothing was changed.
    """
    snapshot = take_snapshot(workspace)
    base, at = snapshot.state, snapshot.at
    base.environment(environment)
    model = model or _only_model(base, environment)
    before, champion = drafting.running(base, environment, model)
    target = find_rollback_target(snapshot, before, champion, to)
    hold_name = _find_hold(base, environment, target.replaced, at)
    plan = replace(
        drafting.new_plan(base, "rollback", environment, model, label(target.champion)),
        beside=slots.versions_beside_in(model, target.slots),
        replaced=label(target.replaced),
        verified_at=target.at,
        hold=hold_name,
    )

    command = f"mlgit rollback {environment}/{model}"
    opened = publish.find_open(
        workspace,
        snapshot,
        (environment, model),
        "rollback",
        target.slots,
        replace_open=True,  # whoever goes back does not wait for what is proposed
        on_step=on_step,
    )
    if opened.proposal is not None and opened.verification is not None:
        plan = replace(plan, hold=_find_hold(opened.proposal.after, environment, target.replaced, at))
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

    for slot in slots.filled(target.slots).values():
        version = version_in(base, model, slot)
        drafting.check_stored(workspace, base, version, stored_files(version), on_step)
    manifest = drafting.draft_manifest(snapshot, "rollback", environment, model, target.slots, reason=reason)
    other_files = {}
    if hold and hold_name is None:
        hold_name = layout.version_hold_name(environment, model, target.replaced.version)
        path = layout.hold(hold_name)
        record = _new_hold(environment, target.replaced, reason, by=workspace.repository.identity()[1])
        other_files[path] = workspace.formats.yaml(path, record)
    return publish.propose(
        workspace,
        snapshot,
        replace(plan, hold=hold_name),
        manifest,
        None,
        message=f"Roll back {environment} to {plan.candidate}\n\n{reason}",
        command=command,
        render_brief=render_brief,
        dry_run=dry_run,
        other_files=other_files,
    )


def _only_model(base: Lifecycle, environment: str) -> str:
    models = [model for name, model in base.promotions() if name == environment]
    if len(models) == 1:
        return models[0]
    raise usage_error(
        "model-ambiguous",
        f"{environment} runs {len(models)} models" if models else f"{environment} runs no model",
        why=", ".join(models),
        fix="name one of them" if models else "`mlgit status` shows what runs where",
    )


def _find_hold(state: Lifecycle, environment: str, version: Version, at: datetime) -> str | None:
    """Return the name of a hold on a version that is in force; None if there is none."""
    for name, hold in state.holds().items():
        in_force = holds.blocking_holds(
            [hold], environment=environment, model=version.model, digests=[version.digest], change="rollback", at=at
        )
        if hold.scope == "version" and in_force:
            return name
    return None


def _new_hold(environment: str, version: Version, reason: str, *, by: str) -> Hold:
    return Hold(
        schema=1,
        scope="version",
        environment=environment,
        model=version.model,
        version=version.version,
        digest=version.digest,
        reason=f"rolled back: {reason}",
        by=by,
    )
