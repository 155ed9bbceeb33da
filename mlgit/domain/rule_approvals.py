"""What a change of rules requires: how many people have to approve it, who of them does not count, and how they say so."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

import msgspec

from mlgit.domain.approvals import people_needed
from mlgit.domain.codec import canonical, sha256
from mlgit.domain.names import Digest
from mlgit.domain.policy import approval_rule
from mlgit.domain.records.ledger import FileChange
from mlgit.domain.records.policy import ApprovalRule, ApprovalRules, ExcludedApprover, Policy
from mlgit.domain.records.problem import Risk
from mlgit.domain.records.project import Project
from mlgit.domain.rule_files import affected

Evidence = Literal["none", "forge", "signed"]

_EVIDENCE: Final[tuple[Evidence, ...]] = ("none", "forge", "signed")
"""From the weakest to the strictest."""
_DEFAULT_EXCLUDE: Final[tuple[ExcludedApprover, ...]] = ("author", "committers", "bots")


class RulesRequirement(msgspec.Struct, frozen=True):
    """The approvals that a change of rules requires, and `why` so many.

    `refuse_unknown` is whether no number of approvals is enough for commits whose author cannot be told.
    """

    rule: ApprovalRule
    exclude: tuple[ExcludedApprover, ...]
    evidence: Evidence
    why: str
    refuse_unknown: bool = False

    @property
    def needed(self) -> int:
        """How many people must approve; 0 if the change needs no approval."""
        return people_needed(self.rule, "high")


NOT_GUARDED: Final = RulesRequirement(
    ApprovalRule(min=0), (), "none", "nothing was promoted yet to an environment whose policy requires approvals"
)
"""What a change of rules requires before the rules are guarded: nothing."""


def requirement(project: Project, policies: Mapping[str, Policy], paths: Iterable[str]) -> RulesRequirement:
    """Return what a change of rules requires by the rules before it.

    The project file states a number. By default it is that of the strictest policy for whose promotions one of the changed rules
    counts, whatever the kind of promotion and the risk of the problem (see `affected`).

    Args:
        project: the project before the change.
        policies: the policy of each environment before the change, by the environment's name.
        paths: the changed rules.
    """
    environments = affected(list(paths), {name: policy.name for name, policy in policies.items()})
    judging = [policy for name, policy in policies.items() if name in environments]
    strictest = max(judging, key=approvals_needed, default=None)
    by_default = 0 if strictest is None else approvals_needed(strictest)
    stated = project.approvals.rules
    number = by_default if stated.min is None else stated.min
    if number == 0 and not stated.roles:
        return RulesRequirement(ApprovalRule(min=0), (), "none", "no policy that it affects requires approvals")
    strict = [policy for policy in judging if approvals_needed(policy)] or list(policies.values())
    excluded = {group for policy in strict for group in policy.exclude} if strict else set(_DEFAULT_EXCLUDE)
    evidence: Evidence = max((policy.evidence for policy in strict), key=_EVIDENCE.index, default="none")
    if evidence == "none":
        evidence = "signed" if project.forge == "none" else "forge"
    why = (
        "approvals.rules of mlgit.yaml states it"
        if strictest is None or stated.min is not None
        else f"the policy {strictest.name} requires as many for a promotion"
    )
    return RulesRequirement(
        ApprovalRule(min=number, roles=dict(stated.roles)),
        tuple(group for group in get_args(ExcludedApprover) if group in excluded),
        evidence,
        why,
        refuse_unknown=any(policy.unknown_author == "refuse" for policy in strict),
    )


def approvals_needed(policy: Policy) -> int:
    """Return how many people a policy requires at most: over all kinds of promotion and all risks; 0 without evidence."""
    if policy.evidence == "none":
        return 0
    rules = [approval_rule(policy.approvals, change) for change in ApprovalRules.__struct_fields__]
    return max(people_needed(rule, risk) for rule in rules for risk in get_args(Risk))


def decision(files: Mapping[str, FileChange], earlier: int) -> Digest:
    """Return the digest that people approve: over the old and the new content of each changed rule.

    Args:
        files: the changed rules by path.
        earlier: how often the base branch had this same change before. It is part of the digest, so that the approvals of a
            change do not approve it once more after it was reverted.
    """
    return sha256(canonical({"files": dict(files), **({"earlier": earlier} if earlier else {})}))
