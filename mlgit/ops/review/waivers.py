"""The gates that the overrides of a state waive."""

from collections.abc import Mapping
from datetime import datetime

from mlgit.domain.merge_rules import overrides
from mlgit.domain.records import Version
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import signed_exceptions


def waivers(
    workspace: Workspace,
    state: Lifecycle,
    version: Version,
    environment: str,
    *,
    at: datetime,
    ledger: Ledger,
) -> Mapping[str, str]:
    """Return the gates that overrides of a state waive for a version at a moment, each with who waived it and why.

    Args:
        workspace: where.
        state: the state that judges, never one that brings the override along with what it is for.
        version: the version.
        environment: where it is to run.
        at: the moment.
        ledger: where the words of people are.
    """
    key = (environment, version.model, version.digest)
    meant = [one for one in state.overrides().values() if (one.environment, one.model, one.digest) == key]
    policy = state.policy(state.environment(environment).policy)
    agreed_to = signed_exceptions.agreed(workspace, state, meant, ledger)
    return overrides.waivers(
        meant, agreed_to, policy, environment=environment, model=version.model, digest=version.digest, at=at
    )
