"""Propose re-approval of what runs: the same versions in the same slots, with the gates evaluated again."""

from collections.abc import Callable

from msgspec.structs import replace

from mlgit.domain.merge_rules import recertify as rules
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel.manifest_history import manifest_history
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.promotion import drafting, publish, pull_request
from mlgit.ops.promotion.drafting import label
from mlgit.ops.promotion.proposed import Proposed


def run(
    workspace: Workspace,
    environment: str,
    model: str,
    *,
    reason: str | None = None,
    replace_open: bool = False,
    render_brief: pull_request.BriefRenderer | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Proposed:
    """Propose re-approval of what runs, due or not, on the promotion branch of the environment and model.

    Args:
        workspace: where.
        environment: the environment.
        model: the model.
        reason: why now; it goes into the manifest.
        replace_open: whether to replace another change of the model that is open there.
        render_brief: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.
        on_step: called with a description of each slow step.

    Raises:
        MlgitError: nothing runs there (`champion-missing`), another change is open (`promotion-open`), it is held or frozen, the
            clone is shallow (`history-shallow`), or the remote lacks data (`data-missing`).
    """
    snapshot = take_snapshot(workspace)
    base = snapshot.state
    policy = base.policy(base.environment(environment).policy)
    before, champion = drafting.running(base, environment, model)
    baseline = rules.baseline_when_promoted(champion.digest, manifest_history(workspace, base, environment, model))
    age = rules.approval_age(policy, before, snapshot.at)
    plan = replace(
        drafting.new_plan(base, "recertify", environment, model, label(champion)),
        compared_with=None if baseline is None else str(VersionRef(model, baseline.version)),
        approval_due=None if age is None else age.until,
        approval_age=None if age is None else age.state,
    )

    command = f"mlgit recertify {environment}/{model}"
    opened = publish.find_open(
        workspace,
        snapshot,
        (environment, model),
        "recertify",
        before.slots,
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

    drafting.check_not_blocked(base, environment, champion, before.slots, at=snapshot.at)
    manifest = drafting.draft_manifest(snapshot, "recertify", environment, model, before.slots, reason=reason)
    manifest = replace(manifest, baseline=baseline)
    manifest, report = drafting.evaluate_gates(workspace, snapshot, champion, manifest, on_step=on_step)
    return publish.propose(
        workspace,
        snapshot,
        plan,
        manifest,
        report,
        message=f"Recertify {plan.champion} in {environment}",
        command=command,
        render_brief=render_brief,
        dry_run=dry_run,
    )
