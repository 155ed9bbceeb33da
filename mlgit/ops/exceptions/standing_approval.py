"""Standing approvals: signed exceptions that approve promotions of a model in advance, for a limited time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.merge_rules import standing_approvals as rules
from mlgit.domain.names import new_promotion_id
from mlgit.domain.records import StandingApproval
from mlgit.domain.signed_exceptions import SignatureTimes
from mlgit.errors import refused
from mlgit.ops.exceptions import signed
from mlgit.ops.exceptions.signed import SignedExceptionDraft, SignedExceptionStatus
from mlgit.ops.kernel import times
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.manifest_history import manifest_history
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, base_of
from mlgit.ops.promotion import pull_request


def add(
    workspace: Workspace,
    environment: str,
    model: str,
    *,
    people: Sequence[str],
    until: datetime | timedelta,
    max_promotions: int | None,
    reason: str,
    render_body: pull_request.BodyRenderer | None = None,
    dry_run: bool = False,
) -> SignedExceptionDraft:
    """Draft a standing approval on a branch of its own; if the same was drafted before, propose that one again.

    Args:
        workspace: where.
        environment: the environment that versions may be promoted to.
        model: the model.
        people: who has to sign it, by their names in the roles file.
        until: when it expires, or in how long.
        max_promotions: how many promotions may use it; any number, if None.
        reason: why they need not be approved one by one.
        render_body: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.

    Raises:
        MlgitError: it breaks a rule: its people do not meet the policy (`standing-approval-people-invalid`), or it is for more
            than a year (`standing-approval-too-long`). Nothing was changed.
        UsageError: `until` is in the past (`time-in-past`).
    """
    base_name, base = base_of(workspace)
    now = workspace.clock.now()
    base.environment(environment)
    base.model(model)
    record = StandingApproval(
        schema=1,
        id=new_promotion_id(now),
        environment=environment,
        model=model,
        people=list(dict.fromkeys(people)),
        until=times.future_time(until, now),
        max_promotions=max_promotions,
        reason=reason,
    )
    return signed.draft(workspace, KIND, base_name, base, record, until=until, render_body=render_body, dry_run=dry_run)


def _details(
    workspace: Workspace, snapshot: Snapshot, status: SignedExceptionStatus, signatures: SignatureTimes
) -> SignedExceptionStatus:
    standing = status.record
    assert isinstance(standing, StandingApproval)  # noqa: S101 - of this kind
    earlier = manifest_history(workspace, snapshot.state, standing.environment, standing.model)
    return replace(
        status,
        state=rules.state_of(standing, signatures, earlier, snapshot.at),
        used=rules.count_uses(standing, earlier),
        auto_promote=snapshot.state.environment(standing.environment).auto_promote,
    )


def _effect(standing: StandingApproval) -> str:
    limit = standing.max_promotions
    promotions = "promotions" if limit is None else f"up to {limit} promotion{'s' if limit > 1 else ''}"
    return f"{promotions} of {standing.model} to {standing.environment} approved in advance"


KIND: Final = signed.ExceptionKind(
    name="standing-approval",
    noun="standing approval",
    record=StandingApproval,
    path=layout.standing_approval,
    branch=layout.standing_approval_branch,
    load_all=Lifecycle.standing_approvals,
    target=lambda standing: standing.model,
    subject=lambda standing: f"Approve promotions of {standing.model} to {standing.environment} in advance",
    effect=_effect,
    reason=lambda standing: standing.reason,
    details=_details,
    not_a_signer=lambda message, why: refused(
        "standing-approval-people-invalid", message, why=why, fix="one of them runs `mlgit standing-approval approve`"
    ),
    unknown=lambda message, why: refused(
        "standing-approval-unknown",
        message,
        why=why,
        fix="`mlgit standing-approval list` shows those of the base branch; `mlgit standing-approval add` drafts one",
    ),
)
