"""What GitHub enforces on a branch, merged from the two places where it is set: rulesets, and the branch's protection."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from mlgit.domain.branch_protection import ADMINISTRATORS
from mlgit.domain.forge import BranchRules


class _RequiredCheck(msgspec.Struct, frozen=True):
    context: str


class _RuleParameters(msgspec.Struct, frozen=True):
    required_approving_review_count: int = 0
    require_code_owner_review: bool = False
    dismiss_stale_reviews_on_push: bool = False
    require_last_push_approval: bool = False
    required_status_checks: list[_RequiredCheck] = []
    strict_required_status_checks_policy: bool = False


class _ActiveRule(msgspec.Struct, frozen=True):
    type: str
    parameters: _RuleParameters = _RuleParameters()


class _BypassActor(msgspec.Struct, frozen=True):
    actor_type: str
    actor_id: int | None = None


class _Ruleset(msgspec.Struct, frozen=True):
    bypass_actors: list[_BypassActor] | None = None


class _Setting(msgspec.Struct, frozen=True):
    enabled: bool = False


class _AllowedActor(msgspec.Struct, frozen=True):
    login: str = ""
    slug: str = ""


class _Allowances(msgspec.Struct, frozen=True):
    users: list[_AllowedActor] = []
    teams: list[_AllowedActor] = []
    apps: list[_AllowedActor] = []


class _ReviewSettings(msgspec.Struct, frozen=True):
    dismiss_stale_reviews: bool = False
    require_code_owner_reviews: bool = False
    required_approving_review_count: int = 0
    require_last_push_approval: bool = False
    bypass_pull_request_allowances: _Allowances = _Allowances()


class _CheckSettings(msgspec.Struct, frozen=True):
    contexts: list[str] = []
    strict: bool = False


class _BranchProtection(msgspec.Struct, frozen=True):
    required_status_checks: _CheckSettings | None = None
    required_pull_request_reviews: _ReviewSettings | None = None
    enforce_admins: _Setting = _Setting()
    required_linear_history: _Setting = _Setting()
    required_signatures: _Setting = _Setting()
    allow_force_pushes: _Setting = _Setting()
    allow_deletions: _Setting = _Setting()


class _Sources(msgspec.Struct, frozen=True):
    """The two places where rules are set; `all_readable` where the token may read both."""

    active: list[_ActiveRule]
    protection: _BranchProtection | None
    all_readable: bool

    def parameters(self, rule_type: str) -> list[_RuleParameters]:
        """Return the parameters of the active rules of a type."""
        return [rule.parameters for rule in self.active if rule.type == rule_type]

    def enforced(self, *demands: bool) -> bool | None:
        """Tell whether a rule is enforced: by any demand, or unknown where one of the places cannot be read."""
        return True if any(demands) else False if self.all_readable else None

    def required(self, rule_type: str, setting: _Setting | None) -> bool | None:
        """Tell whether a rule is enforced that an active rule demands, or a setting that is on."""
        return self.enforced(bool(self.parameters(rule_type)), setting is not None and setting.enabled)

    def allowed(self, rule_type: str, setting: _Setting | None) -> bool | None:
        """Tell whether something is allowed that an active rule forbids, or a setting that is off."""
        is_forbidden = self.enforced(bool(self.parameters(rule_type)), setting is not None and not setting.enabled)
        return None if is_forbidden is None else not is_forbidden


def merged_rules(
    rules: Sequence[Mapping[str, Any]] | None,
    rulesets: Sequence[Mapping[str, Any]],
    protection: Mapping[str, Any] | None,
    convert: Callable[[Any, Any], Any],
) -> BranchRules:
    """Return the strictest combination of rulesets and protection.

    A rule that one of them has is enforced, whatever the other has. That no rule exists is known only where both could be read.

    Args:
        rules: the active rules of all rulesets that apply to the branch; None where they could not be read.
        rulesets: those rulesets, each with `bypass_actors` if they could be read.
        protection: of the branch; empty if it has none, None where it could not be read.
        convert: converts a part of a response into a type, or raises.
    """
    typed_rulesets = convert(rulesets, list[_Ruleset])
    sources = _Sources(
        active=convert(rules or [], list[_ActiveRule]),
        protection=convert(protection, _BranchProtection) if protection else None,
        all_readable=rules is not None and protection is not None,
    )
    settings, enforced, readable = sources.protection, sources.enforced, sources.all_readable
    reviews = (settings and settings.required_pull_request_reviews) or _ReviewSettings()
    checks = (settings and settings.required_status_checks) or _CheckSettings()
    review_rules, check_rules = sources.parameters("pull_request"), sources.parameters("required_status_checks")
    contexts = {check.context for rule in check_rules for check in rule.required_status_checks} | set(checks.contexts)
    review_counts = [rule.required_approving_review_count for rule in review_rules]
    review_count = max([reviews.required_approving_review_count, *review_counts])
    bypass_readable = readable and all(ruleset.bypass_actors is not None for ruleset in typed_rulesets)
    return BranchRules(
        required_checks=sorted(contexts) if contexts or readable else None,
        strict_checks=enforced(checks.strict, *(rule.strict_required_status_checks_policy for rule in check_rules)),
        required_reviews=review_count if review_count or readable else None,
        code_owner_review=enforced(
            reviews.require_code_owner_reviews, *(rule.require_code_owner_review for rule in review_rules)
        ),
        dismiss_stale_reviews=enforced(
            reviews.dismiss_stale_reviews, *(rule.dismiss_stale_reviews_on_push for rule in review_rules)
        ),
        last_push_approval=enforced(
            reviews.require_last_push_approval, *(rule.require_last_push_approval for rule in review_rules)
        ),
        linear_history=sources.required(
            "required_linear_history", settings.required_linear_history if settings else None
        ),
        signed_commits=sources.required("required_signatures", settings.required_signatures if settings else None),
        allow_force_push=sources.allowed("non_fast_forward", settings.allow_force_pushes if settings else None),
        allow_deletion=sources.allowed("deletion", settings.allow_deletions if settings else None),
        bypass_actors=_bypass_actors(typed_rulesets, settings) if bypass_readable else None,
        raw={"rules": rules, "rulesets": rulesets, "protection": protection},
    )


def _bypass_actors(rulesets: Sequence[_Ruleset], protection: _BranchProtection | None) -> list[str]:
    """Return who bypasses the rules: logins and slugs where GitHub names them, else its own types and ids (`Team 7`)."""
    actors = {
        actor.actor_type if actor.actor_id is None else f"{actor.actor_type} {actor.actor_id}"
        for ruleset in rulesets
        for actor in ruleset.bypass_actors or ()
    }
    if protection is not None:
        if not protection.enforce_admins.enabled:
            actors.add(ADMINISTRATORS)
        reviews = protection.required_pull_request_reviews or _ReviewSettings()
        allowances = reviews.bypass_pull_request_allowances
        actors |= {actor.login or actor.slug for actor in (*allowances.users, *allowances.teams, *allowances.apps)}
    return sorted(actors)
