"""Read every record that the merge rules need for a promotion."""

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
from mlgit.ops.kernel.model_inputs import contracts_of
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of
from mlgit.ops.review import approval_count
from mlgit.ops.review.proposals import Proposal


def context_of(proposal: Proposal, ledger: Ledger | None = None) -> PromotionContext:
    """Return every record that the merge rules need for a proposal.

    Args:
        proposal: the proposal.
        ledger: where the deployments are; without it there are none, which is enough for the digest of the decision.

    Raises:
        MlgitError: one of the records is missing, or cannot be read.
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
        contracts=contracts_of(before, model, version),
        upstream_champions={name: before.champion(name, proposal.model) for name in environment.after},
        retirements={
            slot.version: record
            for slot in named
            if (record := before.find(Retirement, layout.retirement(proposal.model, slot.version))) is not None
        },
        holds=before.holds(),
        overrides=before.overrides(),
        standing_approval=approval_count.standing_approval_of(proposal),
        deployments={} if ledger is None else deployments_of(ledger, before, environment, proposal.model),
    )


def deployments_of(
    ledger: Ledger, before: Lifecycle, environment: Environment, model: str
) -> dict[str, list[Deployment]]:
    """Return the deployment logs of a model in an environment, and in the earlier environments that have a target."""
    earlier = dict.fromkeys([*environment.after, *([environment.soak.in_] if environment.soak else [])])
    with_target = [name for name in earlier if not isinstance(before.environment(name).target, NoTargetSpec)]
    keys = [(name, model) for name in (environment.name, *with_target)]
    return {name: entries for (name, _), entries in ledger.deployments_of(keys).items()}


def verified_deployments(
    workspace: Workspace, proposal: Proposal, context: PromotionContext
) -> dict[str, Sequence[Deployment]]:
    """Return the deployments of the versions that a rollback names, without entries that the base branch contradicts.

    Everybody who runs `mlgit apply` can write to the ledger, and gates do not run for a rollback. So an entry counts only if the
    commit that it names is on the base branch, and the manifest there asked for what the entry says was observed.
    """
    repository, base = workspace.repository, commit_of(proposal.before)
    digests = {version.digest for version in context.slot_versions.values()}

    def is_confirmed(entry: Deployment) -> bool:
        if entry.digest not in digests or repository.resolve(entry.commit) is None:
            return False
        state = Lifecycle(repository.tree(entry.commit), workspace.formats.record)
        manifest = state.promotion(entry.environment, entry.model)
        slot = None if manifest is None else manifest.slots.champion
        if manifest is None or slot is None or (manifest.promotion, slot.digest) != (entry.promotion, entry.digest):
            return False
        expected = {
            name: (slot.digest, slots.traffic_share(name, slot))
            for name, slot in slots.slots_beside(manifest.slots).items()
        }
        observed = {name: (version.digest, version.traffic) for name, version in slots.observed_beside(entry).items()}
        return observed == expected and remote.contains(repository, base, entry.commit)

    entries = context.deployments.get(proposal.environment, ())
    return {**context.deployments, proposal.environment: [entry for entry in entries if is_confirmed(entry)]}
