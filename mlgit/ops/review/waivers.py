"""Which gates the overrides of a state waive for a version."""

from collections.abc import Mapping
from datetime import datetime

from mlgit.domain.merge_rules import overrides
from mlgit.domain.records import Version
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review.signatures import signature_times


def waivers(
    workspace: Workspace,
    state: Lifecycle,
    version: Version,
    environment: str,
    *,
    at: datetime,
    ledger: Ledger,
) -> Mapping[str, str]:
    """Return the gates that overrides of a state waive for a version at a time, each with who waived it and why.

    Args:
        workspace: where.
        state: the state whose overrides count: for a promotion that of the base before it, so that no promotion adds its own.
        version: the version.
        environment: where it is to run.
        at: the time.
        ledger: where the signatures are.
    """
    key = (environment, version.model, version.digest)
    records = [
        override
        for override in state.overrides().values()
        if (override.environment, override.model, override.digest) == key
    ]
    policy = state.policy(state.environment(environment).policy)
    signatures = signature_times(workspace, state, records, ledger)
    return overrides.waivers(
        records, signatures, policy, environment=environment, model=version.model, digest=version.digest, at=at
    )
