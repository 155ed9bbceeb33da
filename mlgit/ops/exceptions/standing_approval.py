"""Agree to promotions in advance: draft a standing approval, sign it, and list those that there are."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.merge_rules import standing as conditions
from mlgit.domain.names import new_promotion_id, proposed_at
from mlgit.domain.records import StandingApproval
from mlgit.errors import Finding, refused
from mlgit.ops.exceptions import signed
from mlgit.ops.kernel import manifest_history, snapshot, times
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion import proposal_branch, publish, pull_request


class StandingDrafted(Outcome, frozen=True, kw_only=True, tag="mlgit/standing-new.v1"):
    """A standing approval that was drafted, and where it waits."""

    name: str
    file: str
    environment: str
    model: str
    people: list[str]
    until: datetime
    most: int | None
    auto_promote: bool
    """Whether the environment lets promotions rest on it."""
    state: Literal["proposed", "planned"]
    base: str
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    must_sign: list[str] = []
    pull_request: str | None = None
    warnings: list[Finding] = []


class StandingSigned(Outcome, frozen=True, kw_only=True, tag="mlgit/standing-approve.v1"):
    """Whose word on a standing approval was added, and whose is still missing."""

    name: str
    environment: str
    model: str
    until: datetime
    most: int | None
    reason: str
    person: str
    digest: str
    state: Literal["added", "there-already", "planned"]
    missing: list[str]
    on_base: bool
    base: str
    branch: str


class StandingShown(msgspec.Struct, frozen=True, kw_only=True):
    """One standing approval and how it stands. `state` is what keeps it from carrying a promotion, or `in-force`.

    `until` is when it really ends, which is a year after it was made at the latest. `used` is how many promotions rest on it.
    """

    name: str
    environment: str
    model: str
    people: list[str]
    missing: list[str]
    until: datetime
    most: int | None
    used: int
    reason: str
    state: conditions.State
    auto_promote: bool


class StandingApprovals(Outcome, frozen=True, kw_only=True, tag="mlgit/standing.v1"):
    """Every standing approval of the base branch, or of a commit."""

    standing: list[StandingShown]


def new(
    workspace: Workspace,
    environment: str,
    model: str,
    *,
    people: Sequence[str],
    until: datetime | timedelta,
    most: int | None,
    reason: str,
    say: pull_request.Say | None = None,
    dry_run: bool = False,
) -> StandingDrafted:
    """Draft a standing approval, on a branch of its own; one that waits on its branch already is put there again as it is.

    Args:
        workspace: where.
        environment: where versions may be promoted to on it.
        model: the model.
        people: who agrees, by their names in the roles file.
        until: when it stops to hold, or in how long.
        most: how many promotions may rest on it; any number, if None.
        reason: why they need not be agreed to one by one.
        say: writes the body of the pull request, where the project has a forge; without it, none is opened.
        dry_run: whether only to say what would be done.

    Raises:
        MlgitError: it would break a rule: people who are fewer, or others, than the policy asks for (`standing-people`), more
            than a year (`standing-term`). Nothing was changed.
        Misuse: it would end before it begins (`moment-past`).
    """
    base_name, base = snapshot.base_of(workspace)
    now = workspace.clock.now()
    where = base.environment(environment)
    base.model(model)
    standing = StandingApproval(
        schema=1,
        standing=new_promotion_id(now),
        environment=environment,
        model=model,
        people=list(dict.fromkeys(people)),
        until=times.future_time(until, now),
        most=most,
        reason=reason,
    )
    name, waiting = signed.place(
        workspace, base, KIND, f"{environment}/{model}", lambda waiting: _is_again(waiting, standing, until)
    )
    standing = waiting or standing  # what was signed of it counts on
    plan = StandingDrafted(
        name=name,
        file=layout.standing(name),
        environment=environment,
        model=model,
        people=standing.people,
        until=standing.until,
        most=standing.most,
        auto_promote=where.auto_promote,
        state="planned",
        base=base_name,
        must_sign=[] if base.policy(where.policy).evidence == "none" else standing.people,
    )
    draft = proposal_branch.BranchDraft(
        branch=layout.standing_branch(name),
        files={plan.file: workspace.formats.yaml(plan.file, standing)},
        message=f"Agree in advance to promotions of {model} to {environment}\n\n{reason}: {_words(standing)}\n",
        owns=lambda path: path == plan.file,
        verbs=("Agree",),
        command=f"mlgit standing-approval add {environment}/{model}",
    )
    return publish.publish_change(workspace, base, plan, draft, say, dry_run=dry_run)


def approve(workspace: Workspace, name: str, *, comment: str | None = None, dry_run: bool = False) -> StandingSigned:
    """Sign a standing approval as the person that Git knows here; the signature goes onto the ledger.

    Args:
        workspace: where.
        name: its name, on the base branch or on its own.
        comment: what the person adds; it is signed too.
        dry_run: whether only to say what would be done.

    Raises:
        MlgitError: there is no such standing approval (`standing-unknown`), it does not name the person (`standing-people`), or
            there is no key to sign with.
    """
    word = signed.approve(workspace, KIND, name, comment=comment, dry_run=dry_run)
    standing = word.record
    return StandingSigned(
        name=name,
        environment=standing.environment,
        model=standing.model,
        until=conditions.end(standing),
        most=standing.most,
        reason=standing.reason,
        person=word.person,
        digest=word.digest,
        state="there-already" if word.already else "planned" if dry_run else "added",
        missing=conditions.lacking(standing, word.agreed, workspace.clock.now()),
        on_base=word.on_base,
        base=word.base,
        branch=layout.standing_branch(name),
    )


def listed(workspace: Workspace, *, at: str | None = None) -> StandingApprovals:
    """Return every standing approval that the base branch, or a commit, has, and how it stands at that moment.

    Raises:
        MlgitError: there is one, and the clone is shallow, so that what rests on it cannot be counted (`history-shallow`).
    """
    moment = snapshot.take_snapshot(workspace, at)
    there = moment.state.standing_approvals()
    agreed = signed.agreed(workspace, moment.state, there.values())
    shown = []
    for name, one in there.items():
        before = manifest_history.manifest_history(workspace, moment.state, one.environment, one.model)
        shown.append(
            StandingShown(
                name=name,
                environment=one.environment,
                model=one.model,
                people=one.people,
                missing=conditions.lacking(one, agreed, moment.at),
                until=conditions.end(one),
                most=one.most,
                used=conditions.used(one, before),
                reason=one.reason,
                state=conditions.state(one, agreed, before, moment.at),
                auto_promote=moment.state.environment(one.environment).auto_promote,
            )
        )
    return StandingApprovals(standing=shown)


def _words(standing: StandingApproval) -> str:
    """Return what a standing approval is about, for its commit and its pull request."""
    carries = "any number of them" if standing.most is None else f"{standing.most} at most"
    until = f"{conditions.end(standing).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{carries}, until {until}, on the word of {' and '.join(standing.people)}"


def _is_again(waiting: StandingApproval, standing: StandingApproval, until: datetime | timedelta) -> bool:
    """Tell whether what waits was asked for in the same words, and still holds."""
    now, then = proposed_at(standing.standing), proposed_at(waiting.standing)
    return (
        replace(waiting, standing=standing.standing, until=standing.until) == standing
        and waiting.until > now
        and waiting.until == times.future_time(until, min(now, then))
    )


KIND: Final = signed.Kind(
    noun="standing approval",
    record=StandingApproval,
    path=layout.standing,
    branch=layout.standing_branch,
    there=Lifecycle.standing_approvals,
    refuses=lambda message, why: refused(
        "standing-people", message, why=why, fix="one of them runs `mlgit standing-approval approve`"
    ),
    unknown=lambda message, why: refused(
        "standing-unknown",
        message,
        why=why,
        fix="`mlgit standing-approval list` shows what there is; `mlgit standing-approval add` drafts one",
    ),
)
