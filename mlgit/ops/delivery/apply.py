"""Make environments run what the base branch says. Running it again changes nothing."""

import contextlib
from collections.abc import Callable

from mlgit.errors import Exit, Inconclusive, MlgitError
from mlgit.ops.delivery.deployer import Application, Deployer
from mlgit.ops.kernel import interrupted_merge, ledger_branch, remote
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.review import rule_reviews


class Applied(Outcome, frozen=True, kw_only=True, tag="mlgit/apply.v1"):
    """The result of each manifest that was to be applied, at a commit of the base branch."""

    commit: str
    results: list[Application]

    @property
    def exit(self) -> Exit:
        """No where a manifest was blocked; inconclusive where a target failed. Waiting for a window is yes."""
        states = {result.state for result in self.results}
        if "failed" in states:
            return Exit.INCONCLUSIVE
        return Exit.NO if "blocked" in states else Exit.YES


def run(
    workspace: Workspace,
    environment: str | None = None,
    model: str | None = None,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Applied:
    """Apply the manifests of one environment (or of one model in it), or all, each verified again.

    Where nothing has to change, nothing is done. A promotion with problems is recorded as blocked, and its target goes on as it
    is. Outside the windows of the environment a change waits: nothing is switched, and nothing recorded. The reviews of rule
    changes that were merged at the forge are recorded as well, since an audit needs them.

    Args:
        workspace: where.
        environment: the environment; all of them, if None.
        model: the model; all of them, if None.
        dry_run: whether only to report what would be done.
        on_step: called with a description of each slow step.

    Raises:
        MlgitError: something has to be verified, and the clone is shallow (`history-shallow`), or the ledger of the remote was
            rewritten (`ledger-rewritten`).
    """
    if not dry_run and remote.exists(workspace.repository):
        # Without an answer the ledger of this clone is used: nothing is deployed that it does not prove.
        with contextlib.suppress(Inconclusive):
            ledger_branch.fetch_ledger(workspace.repository)
    snapshot = take_snapshot(workspace)
    if not dry_run:
        with contextlib.suppress(MlgitError):  # what runs does not depend on the work tree
            interrupted_merge.finish(workspace.repository, snapshot.name, fetched=False)
        with contextlib.suppress(MlgitError):  # what runs does not depend on it; the next run records them
            rule_reviews.record_merged(workspace, snapshot)
    manifests = snapshot.state.select_promotions(environment, model)
    last_entries = snapshot.ledger.last_deployments(manifests)
    results = [
        Deployer(workspace, snapshot, manifest, last_entries.get(key), on_step).deploy(dry_run=dry_run)
        for key, manifest in manifests.items()
    ]
    return Applied(commit=snapshot.commit, results=results)
