"""Promote, for each model and environment, what passes every gate under a standing approval."""

from collections.abc import Callable

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.errors import Exit, Inconclusive, MlgitError, refused
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import base_of, take_snapshot
from mlgit.ops.promotion import merge, pull_request
from mlgit.ops.promotion.auto_promotion import AutoPromotion, AutoPromotionResult
from mlgit.ops.promotion.proposed import Proposed
from mlgit.ops.review.proposals import OpenProposals


class AutoPromotions(Outcome, frozen=True, kw_only=True, tag="mlgit/auto-promote.v1"):
    """The result of auto-promotion for each model, in each environment that has it."""

    base: str
    environments: list[str]
    results: list[AutoPromotionResult]

    @property
    def exit(self) -> Exit:
        """Inconclusive where one result is; otherwise yes, also where there is nothing to promote."""
        return Exit.INCONCLUSIVE if any(result.state == "inconclusive" for result in self.results) else Exit.YES


def run(
    workspace: Workspace,
    environment: str | None = None,
    model: str | None = None,
    *,
    merge_too: bool = False,
    render_brief: pull_request.BriefRenderer | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> AutoPromotions:
    """Propose, for each model, the newest version that may be promoted; what prevents one promotion stops no other.

    Args:
        workspace: where.
        environment: the environment; each that has `auto_promote: true`, in the order of the project, if None.
        model: the model; all of them, if None.
        merge_too: whether to merge at once what may be merged.
        render_brief: renders the body of a pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.
        on_step: called with a description of each slow step.

    Raises:
        MlgitError: the environment has no `auto_promote: true` (`auto-promotion-disabled`), or the clone is shallow
            (`history-shallow`).
    """
    workspace.repository.require_full_history()
    base_name, base = base_of(workspace)
    candidates = [environment] if environment is not None else base.environments()
    models = base.models() if model is None else [base.model(model).name]
    environments = [name for name in candidates if base.environment(name).auto_promote]
    if environment is not None and not environments:
        raise refused(
            "auto-promotion-disabled",
            f"{environment} has no auto-promotion",
            why=f"{layout.environment(environment)} has no auto_promote: true",
            fix=f"`mlgit promote MODEL@N --to {environment}` proposes a version",
        )
    results = [
        _auto_promote(
            workspace,
            environment_name,
            model_name,
            merge_too=merge_too,
            render_brief=render_brief,
            dry_run=dry_run,
            on_step=on_step,
        )
        for environment_name in environments
        for model_name in models
    ]
    return AutoPromotions(base=base_name, environments=environments, results=results)


def _auto_promote(
    workspace: Workspace,
    environment: str,
    model: str,
    *,
    merge_too: bool,
    render_brief: pull_request.BriefRenderer | None,
    dry_run: bool,
    on_step: Callable[[str], None],
) -> AutoPromotionResult:
    """Return the result for one model in one environment, on a new snapshot: the model before it may have been merged."""
    result = AutoPromotionResult(environment=environment, model=model, champion=None, state="inconclusive")
    try:
        promotion = AutoPromotion(workspace, take_snapshot(workspace), environment, model, on_step)
        result = promotion.propose(dry_run=dry_run)
    except Inconclusive as error:
        return replace(result, findings=list(error.findings))
    except MlgitError as error:
        return replace(result, state="refused", findings=list(error.findings))
    if merge_too and not dry_run and result.state in {"proposed", "proposed-already"}:
        result = _merge(workspace, result, on_step)
    if render_brief is None or result.proposed is None or result.state == "merged" or not result.proposed.pushed:
        return result
    return replace(result, proposed=_open_pull_request(workspace, result.proposed, render_brief))


def _merge(workspace: Workspace, result: AutoPromotionResult, on_step: Callable[[str], None]) -> AutoPromotionResult:
    """Merge what was proposed, if it may be merged now; otherwise it stays proposed, with what it has to wait for."""
    try:
        merged = merge.run(workspace, f"{result.environment}/{result.model}", on_step=on_step)
    except Inconclusive as error:
        return replace(result, state="inconclusive", findings=[*result.findings, *error.findings])
    except MlgitError as error:
        return replace(result, findings=list(error.findings))
    return replace(result, state="merged", merge_commit=merged.commit, merge_pushed=merged.pushed, findings=[])


def _open_pull_request(workspace: Workspace, proposed: Proposed, render_brief: pull_request.BriefRenderer) -> Proposed:
    """Open the pull request of a proposal that was pushed, or update the open one."""
    environment, model = proposed.environment, proposed.model
    proposal = OpenProposals(workspace, base_of(workspace)[1]).load(environment, model)
    opened = pull_request.open_for_promotion(
        workspace, proposal, render_brief, retry_command=f"mlgit auto-promote {environment}/{model}"
    )
    return replace(proposed, pull_request=opened.url, warnings=opened.warnings)
