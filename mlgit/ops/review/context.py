"""Every record that a promotion is judged on, read from the state before it, the change and the ledger."""

from collections.abc import Sequence

from mlgit.domain import layout, slots
from mlgit.domain.names import VersionRef
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import Deployment, Environment, Retirement
from mlgit.domain.records.environment import NoTargetSpec
from mlgit.errors import Location
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import approval_count
from mlgit.ops.review.proposals import Proposal


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
        slot_versions={
            slot.version: proposal.after.version(VersionRef(proposal.model, slot.version), at=at) for slot in named
        },
        report=proposal.report,
        previous=before.promotion(proposal.environment, proposal.model),
        champion=before.champion(proposal.environment, proposal.model),
        policy=proposal.policy,
        environment=environment,
        problem=before.problem(model.problem),
        model=model,
        contracts={name: before.dataset(name) for name in model.datasets},
        upstream_champions={name: before.champion(name, proposal.model) for name in environment.after},
        retirements={
            slot.version: ended
            for slot in named
            if (ended := before.find(Retirement, layout.retirement(proposal.model, slot.version))) is not None
        },
        holds=before.holds(),
        overrides=before.overrides(),
        standing_approval=approval_count.standing_approval_of(proposal),
        deployments={} if ledger is None else deployments_of(ledger, before, environment, proposal.model),
    )


def deployments_of(
    ledger: Ledger, before: Lifecycle, environment: Environment, model: str
) -> dict[str, list[Deployment]]:
    """Return what the ledger has seen of a model in an environment, and in those before it that have a target."""
    earlier = dict.fromkeys([*environment.after, *([environment.soak.in_] if environment.soak else [])])
    watched = [name for name in earlier if not isinstance(before.environment(name).target, NoTargetSpec)]
    keys = [(name, model) for name in (environment.name, *watched)]
    return {name: entries for (name, _), entries in ledger.deployments_of(keys).items()}


def verified_deployments(
    workspace: Workspace, proposal: Proposal, context: PromotionContext
) -> dict[str, Sequence[Deployment]]:
    """Return what the ledger has seen of the versions that a rollback names, as far as the base branch bears it out.

    Many may write to the ledger. An entry counts where a commit of the base branch wanted what it says was seen.
    """
    repository, onto = workspace.repository, proposal.before.tree.commit
    assert onto is not None  # noqa: S101 - the base is a commit
    wanted = {version.digest for version in context.slot_versions.values()}

    def is_borne_out(entry: Deployment) -> bool:
        if entry.digest not in wanted or repository.resolve(entry.commit) is None:
            return False
        then = Lifecycle(repository.tree(entry.commit), workspace.formats.record)
        manifest = then.promotion(entry.environment, entry.model)
        slot = None if manifest is None else manifest.slots.champion
        if manifest is None or slot is None or (manifest.promotion, slot.digest) != (entry.promotion, entry.digest):
            return False
        beside = {
            name: (one.digest, slots.traffic_share(name, one))
            for name, one in slots.slots_beside(manifest.slots).items()
        }
        if {name: (one.digest, one.traffic) for name, one in slots.observed_beside(entry).items()} != beside:
            return False
        return remote.contains(repository, onto, entry.commit)

    seen = context.deployments.get(proposal.environment, ())
    return {**context.deployments, proposal.environment: [entry for entry in seen if is_borne_out(entry)]}
