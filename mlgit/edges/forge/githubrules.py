"""What GitHub enforces on a branch, put together from the two places where it is kept: rulesets, and the branch's protection."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from mlgit.domain.forge import BranchRules


class _Context(msgspec.Struct, frozen=True):
    context: str


class _Parameters(msgspec.Struct, frozen=True):
    required_approving_review_count: int = 0
    require_code_owner_review: bool = False
    dismiss_stale_reviews_on_push: bool = False
    require_last_push_approval: bool = False
    required_status_checks: list[_Context] = []
    strict_required_status_checks_policy: bool = False


class _Rule(msgspec.Struct, frozen=True):
    type: str
    parameters: _Parameters = _Parameters()


class _Actor(msgspec.Struct, frozen=True):
    actor_type: str
    actor_id: int | None = None


class _Ruleset(msgspec.Struct, frozen=True):
    bypass_actors: list[_Actor] | None = None


class _Switch(msgspec.Struct, frozen=True):
    enabled: bool = False


class _Named(msgspec.Struct, frozen=True):
    login: str = ""
    slug: str = ""


class _Allowances(msgspec.Struct, frozen=True):
    users: list[_Named] = []
    teams: list[_Named] = []
    apps: list[_Named] = []


class _Reviews(msgspec.Struct, frozen=True):
    dismiss_stale_reviews: bool = False
    require_code_owner_reviews: bool = False
    required_approving_review_count: int = 0
    require_last_push_approval: bool = False
    bypass_pull_request_allowances: _Allowances = _Allowances()


class _Checks(msgspec.Struct, frozen=True):
    contexts: list[str] = []
    strict: bool = False


class _Protection(msgspec.Struct, frozen=True):
    required_status_checks: _Checks | None = None
    required_pull_request_reviews: _Reviews | None = None
    enforce_admins: _Switch = _Switch()
    required_linear_history: _Switch = _Switch()
    required_signatures: _Switch = _Switch()
    allow_force_pushes: _Switch = _Switch()
    allow_deletions: _Switch = _Switch()


def merged_rules(
    rules: Sequence[Mapping[str, Any]] | None,
    rulesets: Sequence[Mapping[str, Any]],
    protection: Mapping[str, Any] | None,
    read: Callable[[Any, Any], Any],
) -> BranchRules:
    """Return the strictest of all that holds.

    What one place demands is known, whatever the other says. That something is not demanded is known only where both were told.

    Args:
        rules: the active rules of all rulesets that reach the branch; None if that was not told.
        rulesets: those rulesets, each with `bypass_actors` if that was told.
        protection: of the branch; empty if it has none, None if that was not told.
        read: reads a part of an answer into a shape, or raises.
    """
    active = read(rules or [], list[_Rule])
    sets = read(rulesets, list[_Ruleset])
    old = read(protection, _Protection) if protection else None
    told = rules is not None and protection is not None
    kinds = {one.type for one in active}
    reviewed = [one.parameters for one in active if one.type == "pull_request"]
    checked = [one.parameters for one in active if one.type == "required_status_checks"]
    old_reviews = (old and old.required_pull_request_reviews) or _Reviews()
    old_checks = (old and old.required_status_checks) or _Checks()

    def holds(*demands: bool) -> bool | None:
        return True if any(demands) else False if told else None

    def allowed(kind: str, switch: _Switch | None) -> bool | None:
        forbidden = holds(kind in kinds, switch is not None and not switch.enabled)
        return None if forbidden is None else not forbidden

    contexts = {check.context for one in checked for check in one.required_status_checks} | set(old_checks.contexts)
    count = max(
        [old_reviews.required_approving_review_count, *(one.required_approving_review_count for one in reviewed)]
    )
    return BranchRules(
        required_checks=sorted(contexts) if contexts or told else None,
        strict_checks=holds(old_checks.strict, *(one.strict_required_status_checks_policy for one in checked)),
        reviews=count if count or told else None,
        code_owners=holds(old_reviews.require_code_owner_reviews, *(one.require_code_owner_review for one in reviewed)),
        dismisses_stale=holds(
            old_reviews.dismiss_stale_reviews, *(one.dismiss_stale_reviews_on_push for one in reviewed)
        ),
        last_push_approved=holds(
            old_reviews.require_last_push_approval, *(one.require_last_push_approval for one in reviewed)
        ),
        linear=holds("required_linear_history" in kinds, bool(old and old.required_linear_history.enabled)),
        signed=holds("required_signatures" in kinds, bool(old and old.required_signatures.enabled)),
        force_push=allowed("non_fast_forward", old and old.allow_force_pushes),
        deletion=allowed("deletion", old and old.allow_deletions),
        bypass=_bypass(sets, old) if told and all(one.bypass_actors is not None for one in sets) else None,
        raw={"rules": rules, "rulesets": rulesets, "protection": protection},
    )


def _bypass(rulesets: Sequence[_Ruleset], protection: _Protection | None) -> list[str]:
    """Return who is not bound: logins and slugs where GitHub tells them, its own kinds and ids (`Team 7`) where not."""
    found = {
        one.actor_type if one.actor_id is None else f"{one.actor_type} {one.actor_id}"
        for ruleset in rulesets
        for one in ruleset.bypass_actors or ()
    }
    if protection is not None:
        if not protection.enforce_admins.enabled:
            found.add("administrators")
        reviews = protection.required_pull_request_reviews or _Reviews()
        allowed = reviews.bypass_pull_request_allowances
        found |= {one.login or one.slug for one in (*allowed.users, *allowed.teams, *allowed.apps)}
    return sorted(found)
