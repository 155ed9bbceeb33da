"""Propose that what runs is agreed to again: the same versions in the same slots, judged anew."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.approval_age import ApprovalAgeState
from mlgit.domain.approvals import people_needed
from mlgit.domain.merge_rules import recertify as conditions
from mlgit.domain.names import VersionRef, new_promotion_id
from mlgit.domain.policy import rule_for
from mlgit.domain.records import Promotion, Version
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.errors import Exit, Finding, refused
from mlgit.ops.kernel import manifest_history, snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion import promote, proposal_branch, publish, pull_request
from mlgit.ops.review import proposals
from mlgit.ops.review.verification import verify


class Recertified(Outcome, frozen=True, kw_only=True, tag="mlgit/recertify.v1"):
    """What was proposed to be agreed to again, how the gates judged it, and where it waits.

    `until` is when that is due by the policy, None where it sets no limit. `against` is what the gates compared with: the
    version that the champion was compared with when it was promoted.
    """

    environment: str
    model: str
    champion: str
    against: str | None
    until: datetime | None
    due: ApprovalAgeState | None
    state: Literal["proposed", "proposed-already", "refused", "planned"]
    policy: str
    files: dict[str, Literal["+", "~"]] = {}
    gates: list[GateVerdict] = []
    promotion: str | None = None
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    approvals_needed: int = 0
    approvals_missing: list[str] = []
    may_approve: list[str] = []
    evidence: str | None = None
    pull_request: str | None = None
    warnings: list[Finding] = []

    @property
    def exit(self) -> Exit:
        """No where a gate refused."""
        return Exit.NO if self.state == "refused" else Exit.YES


def run(
    workspace: Workspace,
    environment: str,
    model: str,
    *,
    reason: str | None = None,
    body: pull_request.BriefRenderer | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Recertified:
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
        MlgitError: nothing runs there (`recertify-nothing`), something else is proposed there (`recertify-occupied`), it is held
            or frozen, the clone is shallow (`history-shallow`), or the remote lacks data (`data-missing`).
    """
    _, base = snapshot.base_of(workspace)
    where = base.environment(environment)
    before, champion = _running(base, environment, base.model(model).name)
    policy = base.policy(where.policy)
    at = workspace.clock.now()
    due = conditions.approval_age(policy, before, at)
    manifest = replace(
        promote.draft_manifest(base, before, model, environment, new_promotion_id(at), reason=reason, ticket=None),
        change="recertify",
        slots=before.slots,
        baseline=conditions.baseline_of(
            champion.digest, manifest_history.manifest_history(workspace, base, environment, model)
        ),
        ledger=snapshot.ledger_tip(workspace),
    )
    plan = Recertified(
        environment=environment,
        model=model,
        champion=str(VersionRef(model, champion.version)),
        against=None if manifest.baseline is None else str(VersionRef(model, manifest.baseline.version)),
        until=None if due is None else due.until,
        due=None if due is None else due.state,
        state="planned",
        policy=policy.name,
        approvals_needed=people_needed(rule_for(policy.approvals, "recertify"), base.problem_of(model).risk),
        evidence=policy.evidence,
    )
    command = f"mlgit recertify {environment}/{model}"
    if (known := _open(workspace, before, at)) is not None:
        plan = replace(plan, state="proposed-already", gates=known.report.results if known.report else [])
        return publish.publish_promotion(workspace, plan, known, body, at, again=command, dry_run=dry_run)
    promote.check_free(base, champion, environment, before.slots, at=at)
    report = promote.judge_candidate(workspace, base, champion, manifest, at=at, on_step=on_step)
    manifest = replace(manifest, gates=promote.report_ref(report))
    files = promote.promotion_files(workspace, manifest, report)
    marks: dict[str, Literal["+", "~"]] = {path: "+" if base.tree.read(path) is None else "~" for path in sorted(files)}
    plan = replace(plan, gates=report.results, files=marks)
    if report.outcome != "pass":
        return replace(plan, state="refused")
    if dry_run:
        return plan
    message = f"Recertify {plan.champion} in {environment}\n\nMlgit-Promotion: {manifest.promotion}\n"
    proposal_branch.put_on_branch(workspace, base, promote.promotion_draft(environment, model, files, message, command))
    plan = replace(plan, state="proposed")
    waiting = proposals.load_proposal(workspace, environment, model)
    return publish.publish_promotion(workspace, plan, waiting, body, at, again=command, dry_run=False)


def _running(base: Lifecycle, environment: str, model: str) -> tuple[Promotion, Version]:
    before, champion = base.promotion(environment, model), base.champion(environment, model)
    if before is None or champion is None:
        raise refused(
            "recertify-nothing",
            f"{environment} runs no version of {model}",
            why=f"{layout.promotion(environment, model)} does not name one",
            fix="`mlgit status` shows what runs where",
        )
    return before, champion


def _open(workspace: Workspace, before: Promotion, at: datetime) -> proposals.Proposal | None:
    """Return the recertification that is open already, if nothing stands against it; None where nothing is open, or it is stale.

    Raises:
        MlgitError: it is something else that is open (`recertify-occupied`).
    """
    key = (before.environment, before.model)
    if key not in proposals.open_proposals(workspace):
        return None
    known = proposals.load_proposal(workspace, *key)
    if known.manifest.change != "recertify":
        raise refused(
            "recertify-occupied",
            f"{known.subject} is proposed for {before.environment} already, as {known.manifest.promotion}",
            why=f"it waits on {layout.promotion_branch(*key)}, and would be lost",
            fix="merge that, which is an agreement of its own; or delete the branch and run this again",
        )
    return known if not verify(workspace, known, at=at).problems else None
