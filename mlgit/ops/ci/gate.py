"""Judge again the gates of every promotion that a change brings, and try its policies on the past, where the data can be read."""

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.errors import Exit, Finding, Inconclusive, Location, MlgitError, Severity
from mlgit.ops.ci.event import Event
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


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """How the gate report of one promotion stands to what the gates answer now."""

    promotion: str
    environment: str
    candidate: str
    answer: Literal["same", "differs", "unjudged"]
    findings: list[Finding] = []


class Regated(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-gate.v1"):
    """Every promotion that a change brings, with its gates judged again; every policy that it changes, tried on the past."""

    results: list[Again]
    replayed: list[PolicyReplay] = []

    @property
    def findings(self) -> list[Finding]:
        """All findings; what a policy would have said of the past is a note, and no reason to refuse it."""
        return [*(finding for one in self.results for finding in one.findings), *map(_note, self.replayed)]

    @property
    def exit(self) -> Exit:
        """No where an answer differs; not judged where something is missing."""
        answers = {one.answer for one in self.results}
        return Exit.NO if "differs" in answers else Exit.UNJUDGED if "unjudged" in answers else Exit.YES


def run(workspace: Workspace, event: Event, *, on_step: Callable[[str], None] = lambda _: None) -> Regated:
    """Judge the gates of the promotions in a change once more, by the rules of the state before each.

    Reads data and runs what the policy of the base branch asks for, a team's own gates and pipeline among it: not for strangers'
    changes. A policy that the change brings is tried on the past only where it runs nothing.

    Raises:
        Misuse: the event is about no change (`event-unfit`).
        MlgitError: the clone lacks a part of the history (`history-shallow`), or a record cannot be read.
    """
    workspace.repository.require_full_history()
    with workspace.trial() as trial:
        update = change_of(trial, event).update
        results = []
        for proposal in () if update is None else _proposals(trial, update):
            on_step(f"judging the gates of {proposal.environment}/{proposal.model} again")
            results.append(_again(trial, proposal))
        replayed = _replayed(trial, update, on_step)
    return Regated(results=results, replayed=replayed)


def _replayed(workspace: Workspace, update: RefUpdate | None, on_step: Callable[[str], None]) -> list[PolicyReplay]:
    if update is None or update.old is None or update.new is None:
        return []
    on_step("trying changed policies on the promotions of the past")
    return impact.run(workspace, update.old, update.new, runs_code=False)


def _note(found: PolicyReplay) -> Finding:
    path = layout.policy(found.tried)
    passed = f", and let through {found.let_through_and_rolled_back} that was later rolled back"
    return Finding(
        "policy-replayed",
        f"{path} would have blocked {found.blocked} of the last {len(found.judged)} that were promoted under {found.policy}"
        + (passed if found.let_through_and_rolled_back else ""),
        why=f"{found.unjudged} cannot be judged: evidence is gone" if found.unjudged else "",
        fix=f"`mlgit policy replay {found.policy} --with {path}` tells which, and why",
        at=Location(path, path="gates"),
        severity=Severity.NOTE,
    )


def _proposals(workspace: Workspace, update: RefUpdate) -> Iterator[Proposal]:
    """Yield every promotion that an update brings, held against the commit before it."""
    repository, reader = workspace.repository, workspace.formats.record
    span = update.new if update.old is None else f"{update.old}..{update.new}"
    for commit, changes in reversed(list(repository.commits(span or ""))):
        for change in changes if commit.parents else ():
            place = layout.parse_path(change.path)
            if place is None or place.kind != "promotion" or change.status == "D":
                continue
            before, after = (Lifecycle(repository.tree(one), reader) for one in (commit.parents[0], commit.id))
            yield Proposal(place.fields["environment"], place.fields["model"], before, after, commit.id, ())


def _again(workspace: Workspace, proposal: Proposal) -> Again:
    manifest = proposal.manifest
    said = Again(
        promotion=manifest.promotion,
        environment=proposal.environment,
        candidate=proposal.subject,
        answer="same",
    )
    try:
        PromotionVerifier(workspace, ledger_of(workspace), workspace.clock.now()).require_same_gates(proposal)
    except Inconclusive as error:
        return msgspec.structs.replace(said, answer="unjudged", findings=list(error.findings))
    except MlgitError as error:
        return msgspec.structs.replace(said, answer="differs", findings=list(error.findings))
    return said
