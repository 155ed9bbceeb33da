"""Run the gates of the promotions in a change again, and replay changed policies, where the data can be read."""

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.errors import Exit, Finding, Inconclusive, Location, MlgitError, Severity
from mlgit.ops.ci.event import WorkflowEvent
from mlgit.ops.ci.verdict import change_of
from mlgit.ops.guard.push import RefUpdate
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import ledger_of
from mlgit.ops.policies import impact
from mlgit.ops.policies.replay import PolicyReplay
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import PromotionVerifier


class GateRerun(msgspec.Struct, frozen=True, kw_only=True):
    """The gates of one promotion, compared with its gate report."""

    promotion: str
    environment: str
    candidate: str
    result: Literal["same", "differs", "inconclusive"]
    findings: list[Finding] = []


class GateReruns(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-gate.v1"):
    """Every promotion in a change, with its gates run again; every policy that it changes, replayed on past promotions."""

    results: list[GateRerun]
    replayed: list[PolicyReplay] = []

    @property
    def findings(self) -> list[Finding]:
        """All findings; the replay of a policy is a note, and no reason to refuse it."""
        return [*(finding for result in self.results for finding in result.findings), *map(_note, self.replayed)]

    @property
    def exit(self) -> Exit:
        """No where a result differs from its report; inconclusive where something is missing."""
        results = {rerun.result for rerun in self.results}
        return Exit.NO if "differs" in results else Exit.INCONCLUSIVE if "inconclusive" in results else Exit.YES


def run(workspace: Workspace, event: WorkflowEvent, *, on_step: Callable[[str], None] = lambda _: None) -> GateReruns:
    """Run the gates of the promotions in a change again, by the rules of the state before each.

    Reads data and runs what the policy of the base branch asks for, such as a team's own gates and the pipeline: not for
    changes of strangers. A policy that the change brings is replayed only where it runs no code.

    Raises:
        UsageError: the event is about no change (`ci-event-unsupported`).
        MlgitError: the clone is shallow (`history-shallow`), or a record cannot be read.
    """
    workspace.repository.require_full_history()
    with workspace.scratch() as scratch:
        update = change_of(scratch, event).update
        results = []
        for proposal in () if update is None else _promotions(scratch, update):
            on_step(f"running the gates of {proposal.environment}/{proposal.model} again")
            results.append(_rerun(scratch, proposal))
        replayed = _replay_policies(scratch, update, on_step)
    return GateReruns(results=results, replayed=replayed)


def _replay_policies(
    workspace: Workspace, update: RefUpdate | None, on_step: Callable[[str], None]
) -> list[PolicyReplay]:
    if update is None or update.old is None or update.new is None:
        return []
    on_step("replaying changed policies on past promotions")
    return impact.run(workspace, update.old, update.new, runs_code=False)


def _note(replayed: PolicyReplay) -> Finding:
    path = layout.policy(replayed.tried_policy)
    rolled_back = replayed.passed_but_rolled_back
    passed = f", and let through {rolled_back} that were later rolled back" if rolled_back else ""
    count = len(replayed.promotions)
    return Finding(
        "policy-replayed",
        f"{path} would have blocked {replayed.blocked} of the last {count} promoted under {replayed.policy}{passed}",
        why=f"{replayed.inconclusive} are inconclusive: evidence is gone" if replayed.inconclusive else "",
        fix=f"`mlgit policy replay {replayed.policy} --with {path}` shows which, and why",
        at=Location(path, path="gates"),
        severity=Severity.NOTE,
    )


def _promotions(workspace: Workspace, update: RefUpdate) -> Iterator[Proposal]:
    """Yield every promotion in a push, each against the commit before it."""
    repository, reader = workspace.repository, workspace.formats.record
    span = update.new if update.old is None else f"{update.old}..{update.new}"
    for commit, changes in reversed(list(repository.commits(span or ""))):
        for change in changes if commit.parents else ():
            place = layout.parse_path(change.path)
            if place is None or place.kind != "promotion" or change.status == "D":
                continue
            before, after = (Lifecycle(repository.tree(one), reader) for one in (commit.parents[0], commit.id))
            yield Proposal(place.fields["environment"], place.fields["model"], before, after, commit.id, ())


def _rerun(workspace: Workspace, proposal: Proposal) -> GateRerun:
    same = GateRerun(
        promotion=proposal.manifest.promotion,
        environment=proposal.environment,
        candidate=proposal.subject,
        result="same",
    )
    try:
        PromotionVerifier(workspace, ledger_of(workspace), workspace.clock.now()).require_same_gates(proposal)
    except Inconclusive as error:
        return msgspec.structs.replace(same, result="inconclusive", findings=list(error.findings))
    except MlgitError as error:
        return msgspec.structs.replace(same, result="differs", findings=list(error.findings))
    return same
