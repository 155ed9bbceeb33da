"""Rules for the files of holds, overrides and standing approvals."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta

from mlgit.domain import layout
from mlgit.domain.formatting import utc_date
from mlgit.domain.names import Digest, proposed_at
from mlgit.domain.records.governance import Hold, Override, RoleHolder, StandingApproval
from mlgit.domain.records.policy import ApprovalRule, Policy, RoleRequirement
from mlgit.domain.records.problem import Risk
from mlgit.domain.signed_exceptions import MAX_TERM, signed_digest
from mlgit.errors import Finding, Location

_FIELDS = {
    "project": ((), ("environment", "model", "version", "digest")),
    "environment": (("environment",), ("model", "version", "digest")),
    "model": (("model",), ("version", "digest")),
    "version": (("model", "version", "digest"), ()),
}
"""The fields that a hold of each scope must have, and those that it must not have."""
_WHO_SIGNS = {
    "override-people-invalid": "an override is signed by at least two people of the roles file",
    "standing-approval-people-invalid": (
        "a standing approval is signed by people of the roles file, like an approval of a promotion"
    ),
}


def check_hold(
    name: str, hold: Hold, *, environments: Collection[str], models: Collection[str], digest: Digest | None
) -> Iterator[Finding]:
    """Check that the fields of a hold fit its scope, and that what they name exists.

    Args:
        name: the name of the hold.
        hold: the hold.
        environments: every environment.
        models: every model.
        digest: the digest of the version that it names; None if that version does not exist.
    """
    file = layout.hold(name)
    needed, forbidden = _FIELDS[hold.scope]
    for field in (*needed, *forbidden):
        if (getattr(hold, field) is None) == (field in needed):
            yield Finding(
                "hold-scope-mismatch",
                f"hold {name} is on {_with_article(hold.scope)} and {'has no' if field in needed else 'has a'} {field}",
                why=f"the fields of a hold on {_with_article(hold.scope)} are: {', '.join(needed) or 'none'}",
                fix="write it with `mlgit hold add`, which sets the right fields",
                at=Location(file, path=field if field in forbidden else "scope"),
            )
    if hold.environment is not None:
        yield from _check_exists("environment-unknown", hold.environment, environments, file)
    if hold.model is not None:
        yield from _check_exists("model-unknown", hold.model, models, file)
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
    """Check that what an override names exists, that its people can sign, and that its gates can be waived.

    Args:
        name: the name of the override.
        override: the override.
        environments: every environment.
        policy: the policy of its environment; None if it is not known.
        models: every model.
        digest: the digest of the version that it names; None if that version does not exist.
        people: the entries of the roles file.
    """
    file = layout.override(name)
    yield from _check_exists("environment-unknown", override.environment, environments, file)
    if policy is not None:
        yield from _check_waives(name, override, policy)
    yield from _check_exists("model-unknown", override.model, models, file)
    if override.model in models:
        yield from _check_version(override.model, override.version, override.digest, digest, file)
    yield from _check_people("override-people-invalid", f"override {name}", override.people, people, file)


def check_override_unchanged(name: str, before: Override, after: Override | None) -> Iterator[Finding]:
    """Check that an override is not changed after it was signed, except for its post-incident review.

    Args:
        name: the name of the override.
        before: the override on the base branch.
        after: the override after a change; None if it is deleted.
    """
    if (
        after is not None
        and signed_digest(after) == signed_digest(before)
        and before.reviewed in {None, after.reviewed}
    ):
        return
    yield Finding(
        "override-changed",
        f"override {name} was {'deleted' if after is None else 'changed'}",
        why="promotions that used it need it as evidence of what was waived, and by whom",
        fix="restore it from the base branch; only add `reviewed`, and make a new override for anything else",
        at=Location(layout.override(name)),
    )


def check_standing_approval(
    name: str,
    standing: StandingApproval,
    *,
    environments: Collection[str],
    models: Collection[str],
    policy: Policy | None,
    risk: Risk | None,
    people: Mapping[str, RoleHolder],
) -> Iterator[Finding]:
    """Check that what a standing approval names exists, it expires within a year, and has the people that the policy requires.

    Args:
        name: the name of the standing approval.
        standing: the standing approval.
        environments: every environment.
        models: every model.
        policy: the policy of its environment; None if it is not known.
        risk: the tier of its model's problem; None if it is not known.
        people: the entries of the roles file.
    """
    file = layout.standing_approval(name)
    yield from _check_exists("environment-unknown", standing.environment, environments, file)
    yield from _check_exists("model-unknown", standing.model, models, file)
    created = proposed_at(standing.id)
    if not timedelta() < standing.until - created <= MAX_TERM:
        yield Finding(
            "standing-approval-too-long",
            f"standing approval {name} ends on {utc_date(standing.until)}",
            why=f"it was made on {utc_date(created)}, and has to end after that and within a year",
            fix="set an earlier date, and make a new one when it has expired",
            at=Location(file, path="until"),
        )
    yield from _check_people(
        "standing-approval-people-invalid", f"standing approval {name}", standing.people, people, file
    )
    if policy is not None:
        yield from _check_requirements(name, standing, policy.approvals.promote, risk, people)


def _check_requirements(
    name: str, standing: StandingApproval, rule: ApprovalRule, risk: Risk | None, people: Mapping[str, RoleHolder]
) -> Iterator[Finding]:
    """Check that a standing approval names as many people in each role as the rule for promotions requires."""
    holders = [people[person] for person in dict.fromkeys(standing.people) if person in people]
    requirements = [("", rule.min, len(holders))]
    for role, stated in rule.roles.items():
        requirement = RoleRequirement(min=stated) if isinstance(stated, int) else stated
        if requirement.when is None or requirement.when.risk == risk:
            requirements.append((f" as {role}", requirement.min, sum(role in holder.roles for holder in holders)))
    for role, needed, count in requirements:
        if count < needed:
            yield Finding(
                "standing-approval-people-invalid",
                f"standing approval {name} names {count} of the {needed} people that {standing.environment} requires{role}",
                why="it replaces the approvals of each promotion",
                fix="make a new one that names enough people, and delete this one",
                at=Location(layout.standing_approval(name), path="people"),
            )


def _check_waives(name: str, override: Override, policy: Policy) -> Iterator[Finding]:
    existing = [gate.id for gate in policy.required_gates]
    for index, gate in enumerate(override.waives):
        at = Location(layout.override(name), path=f"waives[{index}]")
        if not policy.is_waivable(gate):
            yield Finding(
                "waiver-not-allowed",
                f"override {name} waives {gate}, which cannot be waived",
                why=f"{layout.policy(policy.name)} has never_waivable: {', '.join(policy.never_waivable)}; model-safe always is",
                fix="remove it; make the gate pass, or use `mlgit rollback`",
                at=at,
            )
        elif gate not in existing:
            yield Finding(
                "waiver-gate-unknown",
                f"override {name} waives {gate}, which is not a gate of {override.environment}",
                why=f"{layout.policy(policy.name)} has {', '.join(existing)}",
                fix="use one of these",
                at=at,
            )


def _check_people(
    id_: str, what: str, named: Sequence[str], people: Mapping[str, RoleHolder], file: str
) -> Iterator[Finding]:
    """Check that everybody who has to sign is a person of the roles file, and named once."""
    for index, person in enumerate(named):
        holder = people.get(person)
        if holder is not None and not holder.bot and person not in named[:index]:
            continue
        yield Finding(
            id_,
            f"{what} names {person}, who {_why_invalid(holder, person, named[:index])}",
            why=_WHO_SIGNS[id_],
            fix=f"name people of {layout.ROLES}, each once",
            at=Location(file, path=f"people[{index}]"),
        )


def _why_invalid(holder: RoleHolder | None, person: str, before: Collection[str]) -> str:
    if person in before:
        return "is already named"
    return f"is not in {layout.ROLES}" if holder is None else "is a bot"


def _check_exists(id: str, name: str, names: Collection[str], file: str) -> Iterator[Finding]:  # noqa: A002
    noun = id.removesuffix("-unknown")
    if name not in names:
        yield Finding(
            id,
            f"{noun} {name} does not exist",
            why=f"these exist: {', '.join(sorted(names)[:6])}" if names else "",
            fix="name one that exists",
            at=Location(file, path=noun),
        )


def _check_version(
    model: str, version: int, stated: Digest | None, recorded: Digest | None, file: str
) -> Iterator[Finding]:
    if recorded is None:
        yield Finding(
            "version-unknown",
            f"{model}@{version} does not exist",
            fix="name one that exists",
            at=Location(file, path="version"),
        )
    elif stated is not None and stated != recorded:
        yield Finding(
            "slot-digest-mismatch",
            f"{file} names {model}@{version} with a digest that it does not have",
            why=f"the version record has {recorded[:19]}, this file {stated[:19]}",
            fix="do not edit digests by hand: mlgit writes them",
            at=Location(file, path="digest"),
        )


def _with_article(scope: str) -> str:
    return f"an {scope}" if scope == "environment" else f"the {scope}" if scope == "project" else f"a {scope}"
