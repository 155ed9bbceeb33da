"""Everything that stands for and against a proposal at a moment, and the refusal where something does."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout, merge_rules, slots
from mlgit.domain.approvals import ApprovalResult
from mlgit.domain.decision import ReadSet, decision
from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import Deployment, Environment, Override, Retirement, StandingApproval
from mlgit.domain.records.environment import NoTarget
from mlgit.errors import Finding, Location, MlgitError
from mlgit.ops.exceptions.signatures import signature_times
from mlgit.ops.kernel import manifest_history, remote
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import ledger_of
from mlgit.ops.review import approval_count
from mlgit.ops.review.proposals import Proposal


class Verification(msgspec.Struct, frozen=True):
    """What was found when a proposal was examined: the decision, who agreed, and all that stands against it."""

    reads: ReadSet
    decision: Digest
    tally: ApprovalResult
    problems: list[Finding]
    waits: list[Finding]
    """What it has to wait for: healthy time elsewhere, an open window."""

    @property
    def holds(self) -> bool:
        """Whether nothing stands against it."""
        return not self.problems and not self.waits and self.tally.complete


def verify(workspace: Workspace, proposal: Proposal, *, at: datetime, ledger: Ledger | None = None) -> Verification:
    """Examine a proposal as of a moment, by the rules of the state before it. Judges; changes nothing.

    Args:
        workspace: where.
        proposal: the proposal.
        at: the moment.
        ledger: what was seen to happen; today's ledger, if None.
    """
    ledger = ledger or ledger_of(workspace)
    case = context_of(proposal, ledger)
    exceptions: list[Override | StandingApproval] = [*case.overrides_of_version().values()]
    exceptions += [case.standing] if case.standing is not None else []
    if exceptions:
        case = replace(case, signatures=signature_times(workspace, proposal.before, exceptions, ledger))
    if case.manifest.standing_approval is not None or case.manifest.change == "recertify":
        past = manifest_history.manifest_history(workspace, proposal.before, proposal.environment, proposal.model)
        case = replace(case, past=past)
    if case.manifest.change == "rollback":
        case = replace(case, deployments=_witnessed(workspace, proposal, case))
    reads = case.reads()
    decided = decision(reads)
    problems = merge_rules.check(case, at)
    waits = merge_rules.check_waiting(case, at)
    counted = approval_count.count_approvals(workspace, proposal, decided, ledger=ledger)
    return Verification(reads, decided, counted, problems, waits)


def context_of(proposal: Proposal, ledger: Ledger | None = None) -> PromotionContext:
    """Put together all that a proposal is judged on.

    Args:
        proposal: the proposal.
        ledger: what was seen to happen; without it nothing was, which is enough for the decision's own digest.

    Raises:
        MlgitError: one of the records is not there, or cannot be read.
    """
    manifest, version, before = proposal.manifest, proposal.version, proposal.before
    model, environment = before.model(proposal.model), before.environment(proposal.environment)
    at = Location(layout.promotion(proposal.environment, proposal.model))
    named = slots.filled(manifest.slots).values()
    return PromotionContext(
        manifest=manifest,
        version=version,
        slots={slot.version: proposal.after.version(VersionRef(proposal.model, slot.version), at=at) for slot in named},
        report=proposal.report,
        before=before.promotion(proposal.environment, proposal.model),
        champion=before.champion(proposal.environment, proposal.model),
        policy=proposal.policy,
        environment=environment,
        problem=before.problem(model.problem),
        model=model,
        contracts={name: before.dataset(name) for name in model.datasets},
        earlier={name: before.champion(name, proposal.model) for name in environment.after},
        retirements={
            slot.version: ended
            for slot in named
            if (ended := before.find(Retirement, layout.retirement(proposal.model, slot.version))) is not None
        },
        holds=before.holds(),
        overrides=before.overrides(),
        standing=approval_count.standing_approval_of(proposal),
        deployments={} if ledger is None else deployments_of(ledger, before, environment, proposal.model),
    )


def deployments_of(
    ledger: Ledger, before: Lifecycle, environment: Environment, model: str
) -> dict[str, list[Deployment]]:
    """Return what the ledger has seen of a model in an environment, and in those before it that have a target."""
    earlier = dict.fromkeys([*environment.after, *([environment.soak.in_] if environment.soak else [])])
    watched = [name for name in earlier if not isinstance(before.environment(name).target, NoTarget)]
    keys = [(name, model) for name in (environment.name, *watched)]
    return {name: entries for (name, _), entries in ledger.deployments_of(keys).items()}


def _witnessed(workspace: Workspace, proposal: Proposal, case: PromotionContext) -> dict[str, Sequence[Deployment]]:
    """Return what the ledger has seen of the versions that a rollback names, as far as the base branch bears it out.

    Many may write to the ledger. An entry counts where a commit of the base branch wanted what it says was seen.
    """
    repository, onto = workspace.repository, proposal.before.tree.commit
    assert onto is not None  # noqa: S101 - the base is a commit
    wanted = {version.digest for version in case.slots.values()}

    def is_borne_out(entry: Deployment) -> bool:
        if entry.digest not in wanted or repository.resolve(entry.commit) is None:
            return False
        then = Lifecycle(repository.tree(entry.commit), workspace.formats.record)
        manifest = then.promotion(entry.environment, entry.model)
        slot = None if manifest is None else manifest.slots.champion
        if manifest is None or slot is None or (manifest.promotion, slot.digest) != (entry.promotion, entry.digest):
            return False
        beside = {name: (one.digest, slots.answers(name, one)) for name, one in slots.others(manifest.slots).items()}
        if {name: (one.digest, one.traffic) for name, one in slots.seen(entry).items()} != beside:
            return False
        return remote.contains(repository, onto, entry.commit)

    seen = case.deployments.get(proposal.environment, ())
    return {**case.deployments, proposal.environment: [entry for entry in seen if is_borne_out(entry)]}


def require_verified(
    examination: Verification, what: str, *, fix: str = "somebody who may, runs `mlgit approve`"
) -> None:
    """Refuse unless nothing stands against a proposal.

    Args:
        examination: what was found.
        what: the proposal, for messages.
        fix: the way out where approvals are missing.

    Raises:
        MlgitError: with every problem and everything that is missing, and who can supply it.
    """
    findings = [*examination.problems, *examination.waits]
    if not examination.tally.complete:
        findings.append(
            Finding(
                "approvals-missing",
                f"{what} lacks {'; '.join(examination.tally.missing)}",
                why=_counted(examination.tally),
                fix=fix,
            )
        )
    if findings:
        raise MlgitError(*findings)


def _counted(counted: ApprovalResult) -> str:
    names = ", ".join(approval.person for approval in counted.counted) or "nobody"
    others = "; ".join(f"{one.person}: {one.reason}" for one in counted.uncounted)
    return f"approved by {names}" + (f"; not counted: {others}" if others else "")
