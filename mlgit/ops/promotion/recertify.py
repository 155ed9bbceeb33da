"""Propose re-approval of what runs: the same versions in the same slots, with the gates evaluated again."""

from collections.abc import Callable

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.merge_rules import recertify as rules
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Promotion, Version
from mlgit.errors import refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.manifest_history import manifest_history
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.promotion import drafting, publish, pull_request
from mlgit.ops.promotion.drafting import label
from mlgit.ops.promotion.proposed import Proposed
from mlgit.ops.review.proposals import OpenProposals


def run(
    workspace: Workspace,
    environment: str,
    model: str,
    *,
    reason: str | None = None,
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
        render_brief: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.
        on_step: called with a description of each slow step.

    Raises:
        MlgitError: nothing runs there (`recertification-champion-missing`), another change is open
            (`recertification-conflict`), it is held or frozen, the clone is shallow (`history-shallow`), or the remote
            lacks data (`data-missing`).
    """
    snapshot = take_snapshot(workspace)
    base = snapshot.state
    policy = base.policy(base.environment(environment).policy)
    before, champion = _running(base, environment, base.model(model).name)
    baseline = rules.baseline_when_promoted(champion.digest, manifest_history(workspace, base, environment, model))
    age = rules.approval_age(policy, before, snapshot.at)
    plan = replace(
        drafting.new_plan(base, "recertify", environment, model, label(champion)),
        compared_with=None if baseline is None else str(VersionRef(model, baseline.version)),
        approval_due=None if age is None else age.until,
        approval_age=None if age is None else age.state,
    )

    command = f"mlgit recertify {environment}/{model}"
    _require_no_other_change(OpenProposals(workspace, base), environment, model)
    same = publish.find_same_open(workspace, snapshot, environment, model, "recertify", before.slots)
    if same is not None:
        return publish.propose_again(
            workspace, snapshot, plan, same, command=command, render_brief=render_brief, dry_run=dry_run
        )

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


def _running(base: Lifecycle, environment: str, model: str) -> tuple[Promotion, Version]:
    before, champion = base.promotion(environment, model), base.champion(environment, model)
    if before is None or champion is None:
        raise refused(
            "recertification-champion-missing",
            f"{environment} runs no version of {model}",
            why=f"{layout.promotion(environment, model)} does not name one",
            fix="`mlgit status` shows what runs where",
        )
    return before, champion


def _require_no_other_change(open_proposals: OpenProposals, environment: str, model: str) -> None:
    """Refuse where another change is open, since a promotion that people are deciding on would be replaced on its branch."""
    if (environment, model) not in open_proposals:
        return
    proposal = open_proposals.load(environment, model)
    if proposal.manifest.change != "recertify":
        raise refused(
            "recertification-conflict",
            f"{proposal.subject} is proposed for {environment} already, as {proposal.manifest.promotion}",
            why=f"it is on {layout.promotion_branch(environment, model)}, and would be replaced there",
            fix="merge that one, which needs approvals of its own; or delete the branch and run this again",
        )
