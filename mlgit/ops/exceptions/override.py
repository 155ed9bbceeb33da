"""Waive gates once, in the open: draft an override, sign it, and list those that there are."""

from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.merge_rules.overrides import lacking
from mlgit.domain.names import VersionRef, new_promotion_id, proposed_at
from mlgit.domain.records import Override
from mlgit.errors import Finding, refused
from mlgit.ops.exceptions import signed
from mlgit.ops.kernel import snapshot, times
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion import proposal_branch, publish, pull_request


class OverrideDrafted(Outcome, frozen=True, kw_only=True, tag="mlgit/override-add.v1"):
    """An override that was drafted, and where it waits."""

    name: str
    file: str
    candidate: str
    environment: str
    waives: list[str]
    people: list[str]
    expires: datetime
    state: Literal["proposed", "planned"]
    base: str
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    must_sign: list[str] = []
    pull_request: str | None = None
    warnings: list[Finding] = []


class OverrideApproved(Outcome, frozen=True, kw_only=True, tag="mlgit/override-approve.v1"):
    """Whose word on an override was added, and whose is still missing."""

    name: str
    candidate: str
    environment: str
    waives: list[str]
    incident: str
    expires: datetime
    person: str
    digest: str
    state: Literal["added", "there-already", "planned"]
    missing: list[str]
    on_base: bool
    base: str
    branch: str


class OverrideShown(msgspec.Struct, frozen=True, kw_only=True):
    """One override and how it stands. `state` is what keeps it from waiving anything, or `in-force`."""

    name: str
    candidate: str
    environment: str
    waives: list[str]
    incident: str
    people: list[str]
    missing: list[str]
    expires: datetime
    review_by: date
    reviewed: bool
    state: Literal["in-force", "unsigned", "expired"]
    review_due: bool


class Overrides(Outcome, frozen=True, kw_only=True, tag="mlgit/overrides.v1"):
    """Every override of the base branch, or of a commit."""

    overrides: list[OverrideShown]


def add(
    workspace: Workspace,
    environment: str,
    ref: VersionRef,
    *,
    waives: list[str],
    incident: str,
    others: list[str],
    expires: datetime | timedelta,
    review_by: date,
    say: pull_request.Say | None = None,
    dry_run: bool = False,
) -> OverrideDrafted:
    """Draft an override, on a branch of its own; one that waits on its branch already is put there again as it is.

    Args:
        workspace: where.
        environment: where the version is to run.
        ref: the version.
        waives: ids of the gates to waive.
        incident: what makes it necessary.
        others: who decides it beside the person who runs this, by their names in the roles file.
        expires: when it stops to hold, or in how long.
        review_by: until when it must have been looked back upon.
        say: writes the body of the pull request, where the project has a forge; without it, none is opened.
        dry_run: whether only to say what would be done.

    Raises:
        MlgitError: it would break a rule: a gate that nobody may waive, people who are not two (`waiver-forbidden`,
            `override-people` and others). Nothing was changed.
        Misuse: it would end before it begins (`moment-past`).
    """
    base_name, base = snapshot.base_of(workspace)
    now = workspace.clock.now()
    policy = base.policy(base.environment(environment).policy)
    version = base.version(ref)
    people = _people(base, workspace.repository.identity()[1], others)
    override = Override(
        schema=1,
        override=new_promotion_id(now),
        environment=environment,
        model=ref.model,
        version=ref.number,
        digest=version.digest,
        waives=list(dict.fromkeys(waives)),
        incident=incident,
        people=people,
        expires=times.future_time(expires, now),
        review_by=review_by,
    )
    first = f"{environment}/{ref}"
    name, waiting = signed.place(workspace, base, KIND, first, lambda waiting: _is_again(waiting, override, expires))
    override = waiting or override  # what was signed of it counts on
    plan = OverrideDrafted(
        name=name,
        file=layout.override(name),
        candidate=str(ref),
        environment=environment,
        waives=list(override.waives),
        people=override.people,
        expires=override.expires,
        state="planned",
        base=base_name,
        must_sign=[] if policy.evidence == "none" else override.people,
    )
    draft = proposal_branch.BranchDraft(
        branch=layout.override_branch(name),
        files={plan.file: workspace.formats.yaml(plan.file, override)},
        message=f"Override gates of {ref} in {environment}\n\n{incident}: {_words(override)}\n",
        owns=lambda path: path == plan.file,
        verbs=("Override",),
        command=f"mlgit override add {environment}/{ref}",
    )
    return publish.publish_change(workspace, base, plan, draft, say, dry_run=dry_run)


def approve(workspace: Workspace, name: str, *, comment: str | None = None, dry_run: bool = False) -> OverrideApproved:
    """Sign an override as the person that Git knows here; the signature goes onto the ledger.

    Args:
        workspace: where.
        name: the name of the override, on the base branch or on its own.
        comment: what the person adds; it is signed too.
        dry_run: whether only to say what would be done.

    Raises:
        MlgitError: there is no such override (`override-unknown`), it does not name the person (`override-people`), or there is
            no key to sign with.
    """
    word = signed.approve(workspace, KIND, name, comment=comment, dry_run=dry_run)
    override = word.record
    return OverrideApproved(
        name=name,
        candidate=f"{override.model}@{override.version}",
        environment=override.environment,
        waives=list(override.waives),
        incident=override.incident,
        expires=override.expires,
        person=word.person,
        digest=word.digest,
        state="there-already" if word.already else "planned" if dry_run else "added",
        missing=lacking(override, word.agreed, workspace.clock.now()),
        on_base=word.on_base,
        base=word.base,
        branch=layout.override_branch(name),
    )


def listed(workspace: Workspace, *, at: str | None = None) -> Overrides:
    """Return every override that the base branch, or a commit, has, and how it stands at that moment."""
    moment = snapshot.take_snapshot(workspace, at)
    there = moment.state.overrides()
    agreed = signed.agreed(workspace, moment.state, there.values())
    shown = []
    for name, one in there.items():
        missing = lacking(one, agreed, moment.at)
        shown.append(
            OverrideShown(
                name=name,
                candidate=f"{one.model}@{one.version}",
                environment=one.environment,
                waives=list(one.waives),
                incident=one.incident,
                people=one.people,
                missing=missing,
                expires=one.expires,
                review_by=one.review_by,
                reviewed=one.reviewed is not None,
                state="expired" if moment.at >= one.expires else "unsigned" if missing else "in-force",
                review_due=one.reviewed is None and one.review_by < moment.at.date(),
            )
        )
    return Overrides(overrides=shown)


def _people(base: Lifecycle, email: str, others: list[str]) -> list[str]:
    """Return who decides: whoever has the address, and the others; whether each is a person, the rules of the file say."""
    directory = People(base.roles())
    me = directory.person(email)
    people = list(dict.fromkeys([me, *others]))
    why = ""
    if me not in directory.people():
        why = f"{layout.ROLES} does not list {me} as a person"
    elif len(people) == 1:
        why = f"{me} would be alone"
    if why:
        raise refused(
            "override-people",
            "an override is decided by two people",
            why=why,
            fix=f"name another person of {layout.ROLES} with --approver; whoever runs this has to be listed there too",
        )
    return people


def _words(override: Override) -> str:
    """Return what an override is about, for its commit and its pull request."""
    until = f"{override.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"waives {', '.join(override.waives)} until {until}, as {' and '.join(override.people)} decide"


def _is_again(waiting: Override, override: Override, expires: datetime | timedelta) -> bool:
    """Tell whether what waits was asked for in the same words, and still holds."""
    now, then = proposed_at(override.override), proposed_at(waiting.override)
    return (
        replace(waiting, override=override.override, expires=override.expires) == override
        and waiting.expires > now
        and waiting.expires == times.future_time(expires, min(now, then))
    )


KIND: Final = signed.Kind(
    noun="override",
    record=Override,
    path=layout.override,
    branch=layout.override_branch,
    there=Lifecycle.overrides,
    refuses=lambda message, why: refused(
        "override-people", message, why=why, fix="one of them runs `mlgit override approve`"
    ),
    unknown=lambda message, why: refused(
        "override-unknown",
        message,
        why=why,
        fix="`mlgit override list` shows what there is; `mlgit override add` drafts one",
    ),
)
