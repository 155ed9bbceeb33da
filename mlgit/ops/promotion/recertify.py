"""Propose that what runs is agreed to again: the same versions in the same slots, judged anew."""

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.approvals import people_needed
from mlgit.domain.merge_rules import recertify as conditions
from mlgit.domain.names import VersionRef, new_promotion_id
from mlgit.domain.policy import approval_rule
from mlgit.domain.records import Promotion, Version
from mlgit.errors import refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.manifest_history import manifest_history
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot
from mlgit.ops.promotion import promote, publish, pull_request
from mlgit.ops.promotion.proposed import Proposed
from mlgit.ops.review.proposals import OpenProposals, Proposal
from mlgit.ops.review.verification import PromotionVerifier


def run(
    workspace: Workspace,
    environment: str,
    model: str,
    *,
    reason: str | None = None,
    body: pull_request.BriefRenderer | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Proposed:
    """Propose to agree again to what runs, on the promotion branch of the environment and model; due or not.

    Args:
        workspace: where.
        environment: the environment.
        model: the model.
        reason: why now; it goes into the manifest.
        body: writes what the pull request says, where the project has a forge; without it, none is opened.
        dry_run: whether only to say what would be done.
        on_step: is told what is being done.

    Raises:
        MlgitError: nothing runs there (`recertification-champion-missing`), something else is proposed there
            (`recertification-conflict`), it is held or frozen, the clone is shallow (`history-shallow`), or the remote
            lacks data (`data-missing`).
    """
    snapshot = take_snapshot(workspace)
    base, at = snapshot.state, snapshot.at
    where = base.environment(environment)
    before, champion = _running(base, environment, base.model(model).name)
    policy = base.policy(where.policy)
    due = conditions.approval_age(policy, before, at)
    manifest = replace(
        promote.draft_manifest(base, before, model, environment, new_promotion_id(at), reason=reason, ticket=None),
        change="recertify",
        slots=before.slots,
        baseline=conditions.baseline_when_promoted(
            champion.digest, manifest_history(workspace, base, environment, model)
        ),
        ledger=snapshot.ledger.commit,
    )
    running = str(VersionRef(model, champion.version))
    plan = Proposed(
        change="recertify",
        environment=environment,
        model=model,
        candidate=running,
        champion=running,
        compared_with=None if manifest.baseline is None else str(VersionRef(model, manifest.baseline.version)),
        approval_due=None if due is None else due.until,
        approval_age=None if due is None else due.state,
        state="planned",
        policy=policy.name,
        approvals_needed=people_needed(approval_rule(policy.approvals, "recertify"), base.problem_of(model).risk),
        evidence=policy.evidence,
    )
    command = f"mlgit recertify {environment}/{model}"
    if (same := _open(workspace, snapshot, before)) is not None:
        plan = replace(plan, state="proposed-already", gates=same.report.results if same.report else [])
        return publish.publish_promotion(workspace, snapshot, plan, same, body, again=command, dry_run=dry_run)
    promote.check_free(base, champion, environment, before.slots, at=at)
    report = promote.judge_candidate(workspace, snapshot, champion, manifest, on_step=on_step)
    manifest = replace(manifest, gates=promote.report_ref(report))
    files = promote.promotion_files(workspace, manifest, report)
    marks: dict[str, Literal["+", "~"]] = {path: "+" if base.tree.read(path) is None else "~" for path in sorted(files)}
    plan = replace(plan, gates=report.results, files=marks)
    if report.outcome != "pass":
        return replace(plan, state="refused")
    if dry_run:
        return plan
    message = f"Recertify {plan.champion} in {environment}\n\nMlgit-Promotion: {manifest.promotion}\n"
    draft = promote.promotion_draft(environment, model, files, message, command)
    return publish.propose_promotion(workspace, snapshot, plan, draft, body)


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


def _open(workspace: Workspace, snapshot: Snapshot, before: Promotion) -> Proposal | None:
    """Return the re-approval that is open already, if nothing in it is out of date; None where nothing is open.

    Raises:
        MlgitError: it is something else that is open (`recertification-conflict`).
    """
    key = (before.environment, before.model)
    open_proposals = OpenProposals(workspace, snapshot.state)
    if key not in open_proposals:
        return None
    proposal = open_proposals.load(*key)
    if proposal.manifest.change != "recertify":
        raise refused(
            "recertification-conflict",
            f"{proposal.subject} is proposed for {before.environment} already, as {proposal.manifest.promotion}",
            why=f"it waits on {layout.promotion_branch(*key)}, and would be lost",
            fix="merge that, which is an approval of its own; or delete the branch and run this again",
        )
    verifier = PromotionVerifier(workspace, snapshot.ledger, snapshot.at)
    return None if verifier.verify(proposal).problems else proposal
