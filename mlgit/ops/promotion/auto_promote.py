"""`mlgit auto-promote`: promote what passes every gate, on approvals that people gave in advance."""

from collections.abc import Callable

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.errors import Exit, Inconclusive, MlgitError, refused
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion import merge, pull_request
from mlgit.ops.promotion.auto_promotion import AutoPromotion, AutoPromotionResult
from mlgit.ops.review import proposals


class AutoPromotions(Outcome, frozen=True, kw_only=True, tag="mlgit/auto-promote.v1"):
    """The result of auto-promotion for each model, in each environment that has it."""

    base: str
    environments: list[str]
    results: list[AutoPromotionResult]

    @property
    def exit(self) -> Exit:
        """Inconclusive where one result is; otherwise yes: to find nothing to promote is not a failure."""
        return Exit.INCONCLUSIVE if any(result.state == "inconclusive" for result in self.results) else Exit.YES


def run(
    workspace: Workspace,
    environment: str | None = None,
    model: str | None = None,
    *,
    merge_too: bool = False,
    body: pull_request.BriefRenderer | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> AutoPromotions:
    """Propose, for each model, the newest version that may be promoted; what prevents one promotion stops no other.

    Args:
        workspace: where.
        environment: the environment; each that has `auto_promote: true`, in the order of the project, if None.
        model: the model; all of them, if None.
        merge_too: whether to merge at once what may be merged.
        body: writes the body of a pull request, where the project has a forge; without it, none is opened.
        dry_run: whether only to report what would be done.
        on_step: is called with what is being done.

    Raises:
        MlgitError: the environment has no `auto_promote: true` (`auto-promotion-disabled`), or the clone is shallow
            (`history-shallow`).
    """
    workspace.repository.require_full_history()
    name, base = snapshot.base_of(workspace)
    wanted = [environment] if environment is not None else base.environments()
    models = base.models() if model is None else [base.model(model).name]
    environments = [target for target in wanted if base.environment(target).auto_promote]
    if environment is not None and not environments:
        raise refused(
            "auto-promotion-disabled",
            f"{environment} has no auto-promotion",
            why=f"{layout.environment(environment)} has no auto_promote: true",
            fix=f"`mlgit promote MODEL@N --to {environment}` proposes a version",
        )
    results = [
        _auto_promote(workspace, target, name, merge_too=merge_too, body=body, dry_run=dry_run, on_step=on_step)
        for target in environments
        for name in models
    ]
    return AutoPromotions(base=name, environments=environments, results=results)


def _auto_promote(
    workspace: Workspace,
    environment: str,
    model: str,
    *,
    merge_too: bool,
    body: pull_request.BriefRenderer | None,
    dry_run: bool,
    on_step: Callable[[str], None],
) -> AutoPromotionResult:
    """Return the result for one model in one environment; the base is read again, for another may have been merged."""
    result = AutoPromotionResult(environment=environment, model=model, champion=None, state="inconclusive")
    try:
        result = AutoPromotion(workspace, snapshot.take_snapshot(workspace), environment, model, on_step).propose(
            dry_run=dry_run
        )
    except Inconclusive as error:
        return replace(result, findings=list(error.findings))
    except MlgitError as error:
        return replace(result, state="refused", findings=list(error.findings))
    if merge_too and not dry_run and result.state in {"proposed", "proposed-already"}:
        result = _merge(workspace, result, on_step)
    return result if body is None else _open_pull_request(workspace, result, body)


def _merge(workspace: Workspace, result: AutoPromotionResult, on_step: Callable[[str], None]) -> AutoPromotionResult:
    """Merge what was proposed, if it may be merged now; otherwise it stays proposed, with what it has to wait for."""
    try:
        merged = merge.run(workspace, f"{result.environment}/{result.model}", on_step=on_step)
    except Inconclusive as error:
        return replace(result, state="inconclusive", findings=[*result.findings, *error.findings])
    except MlgitError as error:
        return replace(result, findings=list(error.findings))
    return replace(result, state="merged", commit=merged.commit, pushed=merged.pushed, findings=[])


def _open_pull_request(
    workspace: Workspace, result: AutoPromotionResult, body: pull_request.BriefRenderer
) -> AutoPromotionResult:
    """Open the pull request of what was pushed and is not merged, or update the open one."""
    if result.state == "merged" or not result.pushed:
        return result
    waiting = proposals.OpenProposals(workspace, snapshot.base_of(workspace)[1]).load(result.environment, result.model)
    opened = pull_request.open_for_promotion(
        workspace, waiting, body, retry_command=f"mlgit auto-promote {result.environment}/{result.model}"
    )
    return replace(result, pull_request=opened.url, warnings=opened.warnings)
