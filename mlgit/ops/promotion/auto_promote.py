"""Promote without being asked for: what passes every gate, where people agreed to that in advance."""

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


class AutoPromoted(Outcome, frozen=True, kw_only=True, tag="mlgit/advance.v1"):
    """What became of each model, in each environment that lets versions in without being asked for."""

    base: str
    environments: list[str]
    results: list[AutoPromotionResult]

    @property
    def exit(self) -> Exit:
        """Not judged where something could not be; otherwise yes: to find nothing to promote is nothing wrong."""
        return Exit.UNJUDGED if any(one.state == "failed" for one in self.results) else Exit.YES


def run(
    workspace: Workspace,
    environment: str | None = None,
    model: str | None = None,
    *,
    merge_too: bool = False,
    body: pull_request.Body | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> AutoPromoted:
    """Propose, for each model, the newest version that may come in; what stands against one stops no other.

    Args:
        workspace: where.
        environment: the environment; each that has `auto_promote: true`, in the order of the project, if None.
        model: the model; all of them, if None.
        merge_too: whether to merge at once what holds.
        body: writes what a pull request says, where the project has a forge; without it, none is opened.
        dry_run: whether only to say what would be done.
        on_step: is told what is being done.

    Raises:
        MlgitError: the environment has no `auto_promote: true` (`auto-promote-off`), or the clone is shallow
            (`history-shallow`).
    """
    workspace.repository.require_full_history()
    name, base = snapshot.base_of(workspace)
    wanted = [environment] if environment is not None else base.environments()
    models = base.models() if model is None else [base.model(model).name]
    chosen = [one for one in wanted if base.environment(one).auto_promote]
    if environment is not None and not chosen:
        raise refused(
            "auto-promote-off",
            f"nothing is promoted to {environment} without being asked for",
            why=f"{layout.environment(environment)} has no auto_promote: true",
            fix=f"`mlgit promote MODEL@N --to {environment}` proposes a version",
        )
    results = [
        _advance(workspace, one, each, merge_too=merge_too, body=body, dry_run=dry_run, on_step=on_step)
        for one in chosen
        for each in models
    ]
    return AutoPromoted(base=name, environments=chosen, results=results)


def _advance(
    workspace: Workspace,
    environment: str,
    model: str,
    *,
    merge_too: bool,
    body: pull_request.Body | None,
    dry_run: bool,
    on_step: Callable[[str], None],
) -> AutoPromotionResult:
    """Return what became of one model in one environment, of which the base is read anew: another may have been merged."""
    _, base = snapshot.base_of(workspace)
    found = AutoPromotionResult(environment=environment, model=model, champion=None, state="failed")
    try:
        found = AutoPromotion(workspace, base, environment, model, on_step).propose(dry_run=dry_run)
    except Inconclusive as error:
        return replace(found, findings=list(error.findings))
    except MlgitError as error:
        return replace(found, state="refused", findings=list(error.findings))
    if merge_too and not dry_run and found.state in {"proposed", "proposed-already"}:
        found = _merged(workspace, found, on_step)
    return found if body is None else _opened(workspace, found, body)


def _merged(workspace: Workspace, found: AutoPromotionResult, on_step: Callable[[str], None]) -> AutoPromotionResult:
    """Merge what was proposed, if all of it holds now; else it stays proposed, with what it has to wait for."""
    try:
        done = merge.run(workspace, f"{found.environment}/{found.model}", on_step=on_step)
    except Inconclusive as error:
        return replace(found, state="failed", findings=[*found.findings, *error.findings])
    except MlgitError as error:
        return replace(found, findings=list(error.findings))
    return replace(found, state="merged", commit=done.commit, pushed=done.pushed, findings=[])


def _opened(workspace: Workspace, found: AutoPromotionResult, body: pull_request.Body) -> AutoPromotionResult:
    """Open the pull request of what was pushed and waits, or bring the one that there is up to date."""
    if found.state == "merged" or not found.pushed:
        return found
    waiting = proposals.load_proposal(workspace, found.environment, found.model)
    opened = pull_request.propose(workspace, waiting, body, again=f"mlgit auto-promote {found.environment}")
    return replace(found, pull_request=opened.url, warnings=opened.warnings)
