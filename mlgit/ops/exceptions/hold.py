"""Hold a version, or freeze a model, an environment or the project; list and lift holds."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.merge_rules.holds import is_active
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Hold
from mlgit.errors import Finding, refused
from mlgit.ops.kernel import times
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import base_of, take_snapshot
from mlgit.ops.promotion import proposal_branch, publish, pull_request

EVERYWHERE = "everywhere"
"""The folder of holds that apply to every environment."""


class HoldChange(Outcome, frozen=True, kw_only=True, tag="mlgit/hold-change.v1"):
    """The proposal to add or lift a hold, and its branch."""

    name: str
    file: str
    action: Literal["add", "lift"]
    target: str
    state: Literal["proposed", "planned", "there-already"]
    base: str
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    pull_request: str | None = None
    warnings: list[Finding] = []


class HoldStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One hold, and whether it is in force."""

    name: str
    scope: str
    target: str
    reason: str
    by: str
    until: datetime | None
    in_force: bool


class Holds(Outcome, frozen=True, kw_only=True, tag="mlgit/holds.v1"):
    """Every hold of the base branch, or of a commit."""

    holds: list[HoldStatus]


def add(
    workspace: Workspace,
    environment: str | None,
    model: str | None = None,
    version: int | None = None,
    *,
    reason: str,
    until: datetime | timedelta | None = None,
    render_body: pull_request.BodyRenderer | None = None,
    dry_run: bool = False,
) -> HoldChange:
    """Propose a hold, on a branch of its own.

    Args:
        workspace: where.
        environment: the environment; every one, if None.
        model: the model; every one in the environment is frozen, if None.
        version: number of the version that may not be promoted; the whole model is frozen, if None.
        reason: why.
        until: when it ends, or in how long; never, if None.
        render_body: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.

    Raises:
        MlgitError: the environment, model or version does not exist, or another hold has the name already (`hold-exists`).
        UsageError: `until` is in the past (`time-in-past`).
    """
    base_name, base = base_of(workspace)
    until = None if until is None else times.future_time(until, workspace.clock.now())
    hold = _hold(workspace, base, environment, model, version, reason=reason, until=until)
    name = _name(hold)
    path = layout.hold(name)
    plan = HoldChange(name=name, file=path, action="add", target=_target(hold), state="planned", base=base_name)
    merged = base.find(Hold, path)
    if merged is not None and is_active(merged, workspace.clock.now()):
        if msgspec.structs.replace(merged, reason=reason, by=hold.by) == hold:
            return msgspec.structs.replace(plan, state="there-already")
        raise refused(
            "hold-exists",
            f"{_target(merged)} is held already, by {path}",
            why=f"{merged.by}: {merged.reason}",
            fix=f"to replace it, lift it first: `mlgit hold lift {name} --reason ...`",
        )
    content = workspace.formats.yaml(path, hold)
    return _propose(workspace, base, plan, content, f"Hold {_target(hold)}\n\n{reason}\n", render_body, dry_run=dry_run)


def lift(
    workspace: Workspace,
    name: str,
    *,
    reason: str,
    render_body: pull_request.BodyRenderer | None = None,
    dry_run: bool = False,
) -> HoldChange:
    """Propose to remove a hold, on a branch of its own.

    Args:
        workspace: where.
        name: the name of the hold, or the environment that is frozen.
        reason: why; it goes into the message of the commit.
        render_body: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.

    Raises:
        MlgitError: there is no such hold (`hold-unknown`).
    """
    base_name, base = base_of(workspace)
    holds = base.holds()
    # People also name a hold by its file, or by what they held: `production` is a freeze of all of its models.
    name = name.removeprefix("holds/").removesuffix(".yaml")
    if name not in holds and _name_of_freeze(name) in holds:
        name = _name_of_freeze(name)
    if name not in holds:
        raise refused(
            "hold-unknown",
            f"there is no hold {name}",
            why=f"the base branch has {', '.join(holds)}" if holds else "nothing is held",
            fix="`mlgit hold list` shows every hold",
        )
    target = _target(holds[name])
    plan = HoldChange(name=name, file=layout.hold(name), action="lift", target=target, state="planned", base=base_name)
    return _propose(workspace, base, plan, None, f"Lift hold on {target}\n\n{reason}\n", render_body, dry_run=dry_run)


def list_all(workspace: Workspace, *, at: str | None = None) -> Holds:
    """Return every hold that the base branch, or a commit, has."""
    snapshot = take_snapshot(workspace, at)
    return Holds(
        holds=[
            HoldStatus(
                name=name,
                scope=hold.scope,
                target=_target(hold),
                reason=hold.reason,
                by=hold.by,
                until=hold.until,
                in_force=is_active(hold, snapshot.at),
            )
            for name, hold in snapshot.state.holds().items()
        ]
    )


def _hold(
    workspace: Workspace,
    base: Lifecycle,
    environment: str | None,
    model: str | None,
    version: int | None,
    *,
    reason: str,
    until: datetime | None,
) -> Hold:
    if environment is not None:
        base.environment(environment)
    if model is not None:
        base.model(model)
    digest = None if model is None or version is None else base.version(VersionRef(model, version)).digest
    scope: Literal["project", "environment", "model", "version"] = "project"
    if environment is not None:
        scope = "environment"
    if model is not None:
        scope = "model" if version is None else "version"
    return Hold(
        schema=1,
        scope=scope,
        environment=environment,
        model=model,
        version=version,
        digest=digest,
        reason=reason,
        by=workspace.repository.identity()[1],
        until=until,
    )


def _name(hold: Hold) -> str:
    """Return the name of a hold. No model can be called `environment`, which is the name for a freeze of all models."""
    where = hold.environment or EVERYWHERE
    if hold.model is not None and hold.version is not None:
        return layout.version_hold_name(where, hold.model, hold.version)
    return _name_of_freeze(where) if hold.model is None else f"{where}/{hold.model}"


def _name_of_freeze(where: str) -> str:
    return f"{where}/environment"


def _target(hold: Hold) -> str:
    where = f" in {hold.environment}" if hold.environment else " everywhere"
    if hold.scope == "version":
        return f"{hold.model}@{hold.version}{where}"
    return (hold.model or "everything") + where


def _propose(
    workspace: Workspace,
    base: Lifecycle,
    plan: HoldChange,
    content: bytes | None,
    message: str,
    render_body: pull_request.BodyRenderer | None,
    *,
    dry_run: bool,
) -> HoldChange:
    draft = proposal_branch.BranchDraft(
        branch=layout.hold_branch(plan.name),
        files={plan.file: content},
        message=message,
        owns=lambda path: path == plan.file,
        command=f"mlgit hold {plan.action} {plan.name}",
    )
    return publish.publish_change(workspace, base, plan, draft, render_body, dry_run=dry_run)
