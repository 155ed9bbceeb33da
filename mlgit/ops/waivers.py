"""The overrides of a state, and who has agreed to them by signature."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from mlgit.domain.approvals import Directory, Signed
from mlgit.domain.codec import override_digest
from mlgit.domain.conditions import overrides
from mlgit.domain.names import proposed_at
from mlgit.domain.records import Override, Version
from mlgit.ops import agreement
from mlgit.ops.load import Lifecycle
from mlgit.ops.ports import Workspace


def waivers(
    workspace: Workspace, state: Lifecycle, version: Version, environment: str, *, at: datetime
) -> Mapping[str, str]:
    """Return the gates that overrides of a state waive for a version at a moment, each with who waived it and why.

    Args:
        workspace: where.
        state: the state that judges, never one that brings the override along with what it is for.
        version: the version.
        environment: where it is to run.
        at: the moment.
    """
    key = (environment, version.model, version.digest)
    meant = [one for one in state.overrides().values() if (one.environment, one.model, one.digest) == key]
    policy = state.policy(state.environment(environment).policy)
    agreed_to = agreed(workspace, state, meant)
    return overrides.waivers(
        meant, agreed_to, policy, environment=environment, model=version.model, digest=version.digest, at=at
    )


def agreed(workspace: Workspace, state: Lifecycle, meant: Iterable[Override]) -> dict[str, Mapping[str, datetime]]:
    """Return who has agreed to some overrides, by their ids, and when each person first did.

    Only people whom the override names and the roles file lists count, programs never. Where the policy asks for no evidence,
    being named is the word; else it is a signature over the override, of a key that nobody else has signed with.
    """
    people = Directory(state.roles())
    found: dict[str, Mapping[str, datetime]] = {}
    for override in meant:
        named = {person for person in override.people if person in people.people()}
        policy = state.policy(state.environment(override.environment).policy)
        if policy.evidence == "none":
            found[override.override] = dict.fromkeys(sorted(named), proposed_at(override.override))
        else:
            signed = agreement.signed_words(workspace, state, override.override)
            found[override.override] = _words(override, signed, named, people)
    return found


def _words(override: Override, signed: Iterable[Signed], named: set[str], people: Directory) -> dict[str, datetime]:
    """Return when each person first agreed; who has refused it as well has not agreed."""
    wanted = override_digest(override)
    words: dict[str, datetime] = {}
    refused: set[str] = set()
    owners: dict[str, str] = {}  # of keys
    for one in sorted(signed, key=lambda one: (one.approval.at, one.digest)):
        person = people.person(one.approval.by)
        if one.key is None or one.approval.decision != wanted or person not in named:
            continue
        if owners.setdefault(one.key, person) != person:
            continue
        if one.approval.verdict == "reject":
            refused.add(person)
        words.setdefault(person, one.approval.at)
    return {person: at for person, at in words.items() if person not in refused}
