"""What must hold in the files of holds, overrides and standing approvals; each rule yields findings. Pure: no file is read."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta

from mlgit.domain import layout
from mlgit.domain.codec import override_digest
from mlgit.domain.formatting import utc_date
from mlgit.domain.merge_rules.standing import LONGEST
from mlgit.domain.names import Digest, proposed_at
from mlgit.domain.records.governance import Hold, Override, RoleHolder, StandingApproval
from mlgit.domain.records.policy import ApprovalRule, Policy, RoleRequirement
from mlgit.domain.records.problem import Risk
from mlgit.errors import Finding, Location

_FIELDS = {
    "project": ((), ("environment", "model", "version", "digest")),
    "environment": (("environment",), ("model", "version", "digest")),
    "model": (("model",), ("version", "digest")),
    "version": (("model", "version", "digest"), ()),
}
"""What a hold of a scope has to name, and what it may not."""
_WHO = {
    "override-people": "an override is decided by two people at least, each of them an entry of the roles file",
    "standing-people": "who agrees in advance is an entry of the roles file, as who approves a promotion is",
}


def check_hold(
    name: str, hold: Hold, *, environments: Collection[str], models: Collection[str], digest: Digest | None
) -> Iterator[Finding]:
    """The scope of a hold agrees with what it names, and what it names is there.

    Args:
        name: the name of the hold.
        hold: the hold.
        environments: those that there are.
        models: those that there are.
        digest: the digest of the version that it names; None if that version is not there.
    """
    file = layout.hold(name)
    needed, refused = _FIELDS[hold.scope]
    for field in (*needed, *refused):
        if (getattr(hold, field) is None) == (field in needed):
            yield Finding(
                "hold-scope",
                f"hold {name} is on {_a(hold.scope)} and {'lacks' if field in needed else 'names'} {field}",
                why=f"a hold on {_a(hold.scope)} names {' and '.join(needed) or 'nothing else'}",
                fix="`mlgit hold add` writes holds whose fields agree",
                at=Location(file, path=field if field in refused else "scope"),
            )
    if hold.environment is not None:
        yield from _check_there("environment", hold.environment, environments, file)
    if hold.model is not None:
        yield from _check_there("model", hold.model, models, file)
    if hold.model is not None and hold.model in models and hold.version is not None:
        yield from _check_version(hold.model, hold.version, hold.digest, digest, file)


def check_override(
    name: str,
    override: Override,
    *,
    environments: Collection[str],
    policy: Policy | None,
    models: Collection[str],
    digest: Digest | None,
    people: Mapping[str, RoleHolder],
) -> Iterator[Finding]:
    """What an override names is there, two people decide it, and it waives nothing that may not be waived.

    Args:
        name: the name of the override.
        override: the override.
        environments: those that there are.
        policy: the policy of its environment; None if that cannot be told.
        models: those that there are.
        digest: the digest of the version that it names; None if that version is not there.
        people: who is who.
    """
    file = layout.override(name)
    yield from _check_there("environment", override.environment, environments, file)
    if policy is not None:
        yield from _check_waives(name, override, policy)
    yield from _check_there("model", override.model, models, file)
    if override.model in models:
        yield from _check_version(override.model, override.version, override.digest, digest, file)
    yield from _check_named("override-people", f"override {name}", override.people, people, file)


def check_override_kept(name: str, before: Override, after: Override | None) -> Iterator[Finding]:
    """An override stays as it was agreed to; only the look back is added.

    Args:
        name: the name of the override.
        before: the override on the base branch.
        after: what a change makes of it; None if it is deleted.
    """
    same = after is not None and override_digest(after) == override_digest(before)
    if after is not None and same and before.reviewed in {None, after.reviewed}:
        return
    yield Finding(
        "override-changed",
        f"override {name} was {'deleted' if after is None else 'changed'}",
        why="it says what was waived, and by whom; promotions rest on it for ever",
        fix="restore it from the base branch; add `reviewed` where it was looked back upon, and make a new one for anything else",
        at=Location(layout.override(name)),
    )


def check_standing(
    name: str,
    standing: StandingApproval,
    *,
    environments: Collection[str],
    models: Collection[str],
    policy: Policy | None,
    risk: Risk | None,
    people: Mapping[str, RoleHolder],
) -> Iterator[Finding]:
    """What a standing approval names is there, it ends within a year, and its people are those that the policy asks for.

    Args:
        name: the name of the standing approval.
        standing: the standing approval.
        environments: those that there are.
        models: those that there are.
        policy: the policy of its environment; None if that cannot be told.
        risk: the tier of its model's problem; None if that cannot be told.
        people: who is who.
    """
    file = layout.standing(name)
    yield from _check_there("environment", standing.environment, environments, file)
    yield from _check_there("model", standing.model, models, file)
    if not timedelta() < standing.until - proposed_at(standing.standing) <= LONGEST:
        yield Finding(
            "standing-term",
            f"standing approval {name} is to hold until {utc_date(standing.until)}",
            why=f"it was made on {utc_date(proposed_at(standing.standing))}, and none holds for more than a year",
            fix="name an earlier day, and make a new one when it is over",
            at=Location(file, path="until"),
        )
    yield from _check_named("standing-people", f"standing approval {name}", standing.people, people, file)
    if policy is not None:
        yield from _check_enough(name, standing, policy.approvals.promote, risk, people)


def _check_enough(
    name: str, standing: StandingApproval, rule: ApprovalRule, risk: Risk | None, people: Mapping[str, RoleHolder]
) -> Iterator[Finding]:
    """The people of a standing approval are as many, and of the roles, as the rule for promotions asks."""
    named = [people[person] for person in dict.fromkeys(standing.people) if person in people]
    needs = [("", rule.min, len(named))]
    for role, stated in rule.roles.items():
        need = RoleRequirement(min=stated) if isinstance(stated, int) else stated
        if need.when is None or need.when.risk == risk:
            needs.append((f" as {role}", need.min, sum(role in holder.roles for holder in named)))
    for role, needed, there in needs:
        if there < needed:
            yield Finding(
                "standing-people",
                f"standing approval {name} names {there} of the {needed} people that {standing.environment} asks for{role}",
                why="what it stands for is the agreement that each promotion would need",
                fix="make a new one that names everybody who is asked for, and delete this one",
                at=Location(layout.standing(name), path="people"),
            )


def _check_waives(name: str, override: Override, policy: Policy) -> Iterator[Finding]:
    kinds = {gate.id: gate.kind for gate in policy.gates}
    for index, gate in enumerate(override.waives):
        at = Location(layout.override(name), path=f"waives[{index}]")
        if {gate, kinds.get(gate)}.intersection(policy.never_waivable):
            yield Finding(
                "waiver-forbidden",
                f"override {name} waives {gate}, which nobody may",
                why=f"{layout.policy(policy.name)} has never_waivable: {', '.join(policy.never_waivable)}",
                fix="take it out; mend what the gate refuses, or go back with `mlgit rollback`",
                at=at,
            )
        elif gate not in kinds:
            yield Finding(
                "waiver-unknown",
                f"override {name} waives {gate}, which {override.environment} does not ask",
                why=f"{layout.policy(policy.name)} asks {', '.join(kinds)}",
                fix="name one of those",
                at=at,
            )


def _check_named(
    id_: str, what: str, named: Sequence[str], people: Mapping[str, RoleHolder], file: str
) -> Iterator[Finding]:
    """Each of those who are to agree to something is a person of the roles file, and named once."""
    for index, person in enumerate(named):
        holder = people.get(person)
        if holder is not None and not holder.bot and person not in named[:index]:
            continue
        yield Finding(
            id_,
            f"{what} counts {person}, who {_why_not(holder, person, named[:index])}",
            why=_WHO[id_],
            fix=f"name people of {layout.ROLES}, each once",
            at=Location(file, path=f"people[{index}]"),
        )


def _why_not(holder: RoleHolder | None, person: str, before: Collection[str]) -> str:
    if person in before:
        return "is named already"
    return f"is not in {layout.ROLES}" if holder is None else "is a program"


def _check_there(noun: str, name: str, there: Collection[str], file: str) -> Iterator[Finding]:
    if name not in there:
        yield Finding(
            f"{noun}-unknown",
            f"there is no {noun} {name}",
            why=f"there is {', '.join(sorted(there)[:6])}" if there else "",
            fix="name one that there is",
            at=Location(file, path=noun),
        )


def _check_version(
    model: str, version: int, stated: Digest | None, there: Digest | None, file: str
) -> Iterator[Finding]:
    if there is None:
        yield Finding(
            "version-unknown",
            f"{model}@{version} does not exist",
            fix="name one that does",
            at=Location(file, path="version"),
        )
    elif stated is not None and stated != there:
        yield Finding(
            "slot-differs",
            f"{model}@{version} is named by a digest that it does not have",
            why=f"the record has {there[:19]}, the file {stated[:19]}",
            fix="do not edit digests by hand: mlgit writes them",
            at=Location(file, path="digest"),
        )


def _a(scope: str) -> str:
    return f"an {scope}" if scope == "environment" else f"the {scope}" if scope == "project" else f"a {scope}"
