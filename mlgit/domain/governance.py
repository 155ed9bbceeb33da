"""What must hold in the files of holds and overrides; each rule yields findings. Pure: whoever calls has read the files."""

from collections.abc import Collection, Iterator, Mapping

from mlgit.domain import layout
from mlgit.domain.codec import override_digest
from mlgit.domain.names import Digest
from mlgit.domain.records.governance import Hold, Override, RoleHolder
from mlgit.domain.records.policy import Policy
from mlgit.errors import Finding, Location

_FIELDS = {
    "project": ((), ("environment", "model", "version", "digest")),
    "environment": (("environment",), ("model", "version", "digest")),
    "model": (("model",), ("version", "digest")),
    "version": (("model", "version", "digest"), ()),
}
"""What a hold of a scope has to name, and what it may not."""


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
    yield from _check_people(name, override, people)


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


def _check_people(name: str, override: Override, people: Mapping[str, RoleHolder]) -> Iterator[Finding]:
    for index, person in enumerate(override.people):
        holder = people.get(person)
        if holder is not None and not holder.bot and person not in override.people[:index]:
            continue
        yield Finding(
            "override-people",
            f"override {name} counts {person}, who {_why_not(holder, person, override.people[:index])}",
            why="an override is decided by two people at least, each of them an entry of the roles file",
            fix=f"name people of {layout.ROLES}, each once",
            at=Location(layout.override(name), path=f"people[{index}]"),
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
