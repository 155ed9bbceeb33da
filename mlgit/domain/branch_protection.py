"""Branch protection: the rules that the base branch and the ledger should have at a forge, and which of them are missing.

Pure. The recommended rules have the form of the body of GitHub's `POST /repos/{owner}/{repo}/rulesets`.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

import msgspec

from mlgit.domain.forge import BranchRules, ForgeKind

VERDICT_CHECK: Final = "mlgit/verdict"
"""The check that has to succeed before anything is merged."""

ADMINISTRATORS: Final = "administrators"
"""Stands in `bypass_actors` for everybody who administers the repository."""

# As `mlgit ci verdict --check` posts it, and as Gitea's Actions name the job of the shipped workflow.
_VERDICT_CONTEXTS_AT_GITEA: Final = (VERDICT_CHECK, f"mlgit-validate / {VERDICT_CHECK} (pull_request)")

BranchRole = Literal["base", "ledger"]


class MissingRule(msgspec.Struct, frozen=True):
    """A rule that a branch lacks, and what can happen without it.

    `critical` where approvals or the history could no longer be relied on; `supported` tells whether the forge has such a rule.
    """

    rule: str
    consequence: str
    critical: bool
    supported: bool = True


def recommended_ruleset(role: BranchRole, branch: str) -> dict[str, Any]:
    """Return the ruleset that a branch should have, in GitHub's form.

    Nobody bypasses it. Everybody who approves or applies pushes to the ledger, so its rules only protect its history.
    """
    rules: list[dict[str, Any]] = [{"type": "deletion"}, {"type": "non_fast_forward"}]
    if role == "base":
        rules += [
            {
                "type": "pull_request",
                "parameters": {
                    "required_approving_review_count": 1,
                    "dismiss_stale_reviews_on_push": True,
                    "require_code_owner_review": True,
                    "require_last_push_approval": True,
                    "required_review_thread_resolution": False,
                },
            },
            {
                "type": "required_status_checks",
                "parameters": {
                    "strict_required_status_checks_policy": True,
                    "required_status_checks": [{"context": VERDICT_CHECK}],
                },
            },
        ]
    return {
        "name": f"mlgit {role}",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": [],
        "conditions": {"ref_name": {"include": [f"refs/heads/{branch}"], "exclude": []}},
        "rules": rules,
    }


def missing_rules(role: BranchRole, rules: BranchRules, forge: ForgeKind = "github") -> Iterator[MissingRule]:
    """Yield each rule that a branch is known to lack (for the others, see `unreadable_rules`).

    Args:
        role: what the branch is used for.
        rules: what the forge enforces on it.
        forge: which forge: Gitea has fewer rules than GitHub, and names checks differently.
    """
    if rules.allow_force_push:
        yield MissingRule("no force pushes", "approvals and deployment records can be rewritten", critical=True)
    if rules.allow_deletion:
        yield MissingRule("no deletion", "the branch can be replaced by one with another history", critical=True)
    if exempt := _exempt(role, rules, forge):
        yield MissingRule("nobody bypasses the rules", f"{', '.join(exempt)} can bypass them", critical=False)
    if role == "base":
        yield from _missing_merge_rules(rules, forge)


def unreadable_rules(role: BranchRole, rules: BranchRules) -> list[str]:
    """Return the names of the rules that the token is not allowed to read."""
    values: dict[str, object] = {
        "force pushes": rules.allow_force_push,
        "deletion": rules.allow_deletion,
        "bypass list": rules.bypass_actors,
    }
    if role == "base":
        values |= {
            "required checks": rules.required_checks,
            "up-to-date branches": rules.strict_checks,
            "required reviews": rules.required_reviews,
            "code owner review": rules.code_owner_review,
            "dismissal of stale reviews": rules.dismiss_stale_reviews,
            "approval of the last push": rules.last_push_approval,
        }
    return [name for name, value in values.items() if value is None]


def _missing_merge_rules(rules: BranchRules, forge: ForgeKind) -> Iterator[MissingRule]:
    checks = rules.required_checks
    if checks is not None and not any(_is_verdict(check, forge) for check in checks):
        yield MissingRule(
            f"the check {VERDICT_CHECK} is required", "a change that mlgit refuses can be merged", critical=True
        )
    if rules.strict_checks is False:
        yield MissingRule(
            "branches are up to date before merging",
            "two changes that were only checked separately can be merged together",
            critical=False,
        )
    if rules.required_reviews == 0:
        yield MissingRule("a review is required", "anybody with write access can merge alone", critical=True)
    if rules.code_owner_review is False:
        yield MissingRule(
            "code owners review",
            "policies and roles can change without a review by their owners",
            critical=False,
            supported=forge == "github",
        )
    if rules.dismiss_stale_reviews is False:
        yield MissingRule(
            "a push dismisses reviews", "commits that were pushed after a review are not reviewed", critical=False
        )
    if rules.last_push_approval is False:
        yield MissingRule(
            "somebody else approves the last push",
            "a reviewer can add a change of their own",
            critical=False,
            supported=forge == "github",
        )


def _exempt(role: BranchRole, rules: BranchRules, forge: ForgeKind) -> list[str]:
    """Return who bypasses the rules; Gitea also lists those who may push to the ledger, which they have to."""
    actors = rules.bypass_actors or ()
    return [actor for actor in actors if actor == ADMINISTRATORS or (role, forge) != ("ledger", "gitea")]


def _is_verdict(context: str, forge: ForgeKind) -> bool:
    """Tell whether a required check is the verdict.

    A workflow that calls another one puts the name of its own job before the name of the check. Gitea appends the event, and
    accepts patterns as required checks; a pattern that does not contain the name is satisfied by other checks as well.
    """
    if context == VERDICT_CHECK or context.endswith(f" / {VERDICT_CHECK}"):
        return True
    if forge == "github" or VERDICT_CHECK not in context:
        return False
    return context.endswith(f" / {VERDICT_CHECK} (pull_request)") or any(
        fnmatchcase(name, context) for name in _VERDICT_CONTEXTS_AT_GITEA
    )
