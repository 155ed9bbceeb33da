"""Propose a version for an environment: judge it, and put manifest and gate report on a branch of their own."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from mlgit.domain import layout, rules
from mlgit.domain.codec import digest, to_json
from mlgit.domain.conditions import holds, overrides
from mlgit.domain.conditions.manifest import check_earlier
from mlgit.domain.conditions.ramp import check_plan
from mlgit.domain.names import VersionRef, new_promotion_id
from mlgit.domain.policy import rule_for
from mlgit.domain.records import GateReport, Policy, Promotion, Version
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import PolicyRef, PromotionRef, Ramp, ReportRef, Slot, Slots, VersionPin
from mlgit.domain.records.version import Stored
from mlgit.errors import Exit, MlgitError, refused
from mlgit.ops import branch, gate, proposal, waivers
from mlgit.ops.examination import examine
from mlgit.ops.load import Lifecycle
from mlgit.ops.outcome import Outcome
from mlgit.ops.ports import Workspace


class Promoted(Outcome, frozen=True, kw_only=True, tag="mlgit/promote.v1"):
    """What was proposed, how the gates judged it, and where it waits."""

    candidate: str
    environment: str
    champion: str | None
    state: Literal["proposed", "proposed-already", "runs-already", "refused", "planned"]
    promotion: str | None = None
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    files: dict[str, Literal["+", "~"]] = {}
    policy: str | None = None
    ramp: Ramp | None = None
    gates: list[GateVerdict] = []
    approvals_needed: int = 0
    approvals_missing: list[str] = []
    may_approve: list[str] = []

    @property
    def exit(self) -> Exit:
        """No where a gate refused."""
        return Exit.NO if self.state == "refused" else Exit.YES


def run(
    workspace: Workspace,
    ref: VersionRef,
    environment: str,
    *,
    reason: str | None = None,
    ticket: str | None = None,
    ramp: Ramp | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Promoted:
    """Propose `ref` as champion of an environment, at once or, with `ramp`, step by step.

    The work tree and the index are not touched: the commit is made beside them, on `mlgit/promote/<environment>/<model>`.

    Raises:
        MlgitError: the version is not on the base branch, an environment is skipped, content is missing from the remote, or
            the branch carries a person's own commits.
    """
    _, base = proposal.base_of(workspace)
    base.environment(environment)
    version = base.version(ref)
    _check_order(base, environment, version)
    champion = base.champion(environment, ref.model)
    policy = base.policy(base.environment(environment).policy)
    plan = Promoted(
        candidate=str(ref),
        environment=environment,
        champion=None if champion is None else f"{ref.model}@{champion.version}",
        state="planned",
        policy=policy.name,
        ramp=ramp,
        approvals_needed=rule_for(policy.approvals, "promote").min,
    )
    if champion is not None and champion.digest == version.digest:
        return replace(plan, state="runs-already")
    at = workspace.clock.now()
    check_free(base, version, environment, at=at)
    if (known := _standing(workspace, version, environment, ramp)) is not None:
        return _proposed(workspace, known, plan, dry_run=dry_run)
    check_stored(workspace, base, version, [*rules.stored_files(version), *version.inputs.data.values()], on_step)
    on_step(f"judging {ref} by the gates of {environment}")
    promotion = new_promotion_id(at)
    waived = waivers.waivers(workspace, base, version, environment, at=at)
    report = gate.report(workspace, base, version, environment, promotion, at=at, waivers=waived)
    manifest = replace(
        _manifest(base, version, environment, report, reason=reason, ticket=ticket),
        ramp=ramp,
        ledger=proposal.ledger_tip(workspace),
    )
    if unfit := list(check_plan(manifest)):
        raise MlgitError(*unfit)
    files = {
        layout.gate_report(ref.model, ref.number, promotion): to_json(report),
        layout.promotion(environment, ref.model): workspace.formats.yaml(
            layout.promotion(environment, ref.model), manifest
        ),
    }
    changed: dict[str, Literal["+", "~"]] = {
        path: "~" if base.tree.read(path) is not None else "+" for path in sorted(files)
    }
    plan = replace(plan, files=changed, gates=report.results)
    if report.outcome != "pass":
        return replace(plan, state="refused")
    if dry_run:
        return plan
    message = f"Promote {ref} to {environment}\n\nMlgit-Promotion: {promotion}\n"
    command = f"mlgit promote {ref} --to {environment}"
    commit, pushed = branch.put(workspace, base, drafted(environment, ref.model, files, message, command))
    waiting = proposal.load(workspace, environment, ref.model)
    tally = examine(workspace, waiting, at=at).tally
    return replace(
        plan,
        state="proposed",
        promotion=promotion,
        branch=layout.promotion_branch(environment, ref.model),
        commit=commit,
        pushed=pushed,
        approvals_missing=tally.missing,
        may_approve=tally.may,
    )


def _check_order(base: Lifecycle, environment: str, version: Version) -> None:
    skipped = [
        finding
        for earlier in base.environment(environment).after
        for finding in check_earlier(version, environment, earlier, base.champion(earlier, version.model))
    ]
    if skipped:
        raise MlgitError(*skipped)


def _standing(workspace: Workspace, version: Version, environment: str, ramp: Ramp | None) -> proposal.Proposal | None:
    """Return the open proposal of just this change, if it was made on what the base branch says today."""
    if (environment, version.model) not in proposal.open_proposals(workspace):
        return None
    known = proposal.load(workspace, environment, version.model)
    slot = known.manifest.slots.champion
    same = (
        slot is not None
        and slot.digest == version.digest
        and (known.manifest.change, known.manifest.ramp) == ("promote", ramp)
    )
    problems = examine(workspace, known, at=workspace.clock.now()).problems if same else []
    return known if same and not problems else None


def _proposed(workspace: Workspace, known: proposal.Proposal, plan: Promoted, *, dry_run: bool) -> Promoted:
    examination = examine(workspace, known, at=workspace.clock.now())
    return replace(
        plan,
        state="proposed-already",
        promotion=known.manifest.promotion,
        branch=layout.promotion_branch(known.environment, known.model),
        commit=known.head,
        pushed=not dry_run
        and branch.push(workspace, layout.promotion_branch(known.environment, known.model), known.head),
        gates=known.report.results if known.report else [],
        approvals_missing=examination.tally.missing,
        may_approve=examination.tally.may,
    )


def check_free(base: Lifecycle, version: Version, environment: str, *, at: datetime) -> None:
    """Refuse to propose what is held or frozen, or while an override there has waited too long for its review.

    Raises:
        MlgitError: with each reason (`version-held`, `change-frozen`, `override-unreviewed`).
    """
    model, name = version.model, f"{version.model}@{version.version}"
    found = [
        *holds.check_change(
            base.holds(),
            environment=environment,
            model=model,
            versions={version.digest: name},
            change="promote",
            at=at,
        ),
        *overrides.check_looked_back(base.overrides(), environment, "promote", at),
    ]
    if found:
        raise MlgitError(*found)


def check_stored(
    workspace: Workspace, base: Lifecycle, version: Version, files: Sequence[Stored], on_step: Callable[[str], None]
) -> None:
    """Refuse unless the remote has files of a version (`data-missing`)."""
    remote = base.project().remote
    on_step(f"looking for {len(files)} files in remote {remote}")
    missing = workspace.store(remote).missing(files)
    if missing:
        listed = ", ".join(f"{stored.path} (md5 {stored.md5[:8]})" for stored in missing)
        raise refused(
            "data-missing",
            f"{version.model}@{version.version} is not whole in remote {remote}",
            why=f"missing: {listed}",
            fix="where the version was trained, run `dvc push`",
        )


def _manifest(
    base: Lifecycle, version: Version, environment: str, report: GateReport, *, reason: str | None, ticket: str | None
) -> Promotion:
    before = base.promotion(environment, version.model)
    policy: Policy = base.policy(base.environment(environment).policy)
    return Promotion(
        schema=1,
        promotion=report.promotion,
        environment=environment,
        model=version.model,
        change="promote",
        slots=Slots(champion=Slot(version=version.version, digest=version.digest)),
        replaces=None if before is None else PromotionRef(promotion=before.promotion, digest=digest(before)),
        baseline=None
        if report.champion is None
        else VersionPin(version=report.champion.version, digest=report.champion.digest),
        gates=ReportRef(
            report=layout.gate_report(version.model, version.version, report.promotion), digest=digest(report)
        ),
        policy=PolicyRef(name=policy.name, digest=digest(policy)),
        reason=reason,
        ticket=ticket,
    )


def drafted(environment: str, model: str, files: Mapping[str, bytes], message: str, command: str) -> branch.Draft:
    """Return a change for the one branch of an environment and model, which promotions and rollbacks share."""
    manifest = layout.promotion(environment, model)

    def owns(path: str) -> bool:
        return path == manifest or "/gates/" in path or layout.is_version_hold(path, environment, model)

    return branch.Draft(
        branch=layout.promotion_branch(environment, model),
        files=files,
        message=message,
        owns=owns,
        verbs=("Promote", "Roll"),
        command=command,
    )
