"""The rules that a forge should hold the base branch and the ledger to: written for GitHub, and held against what there is.

Pure. The form is that of the body of GitHub's `POST /repos/{owner}/{repo}/rulesets`.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from mlgit.domain.forge import BranchRules

VERDICT: Final = "mlgit/verdict"
"""The check that has to be green before anything is merged."""

Role = Literal["base", "ledger"]


class Weakness(msgspec.Struct, frozen=True):
    """A rule that is missing, and what can happen without it. `grave` where what is proven would not hold any more."""

    rule: str
    without: str
    grave: bool


def recommended(role: Role, branch: str) -> dict[str, Any]:
    """Return the rule set that a branch should have, as GitHub takes it.

    Nobody bypasses it. The ledger is pushed to by whoever approves and applies, so its rules only keep what is there.
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
                    "required_status_checks": [{"context": VERDICT}],
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


def weaknesses(role: Role, rules: BranchRules) -> Iterator[Weakness]:
    """Yield each rule that a branch lacks; what the forge does not tell is none (see `untold`)."""
    if rules.force_push:
        yield Weakness("no forced pushes", "what was agreed to, or was seen to happen, can be rewritten", grave=True)
    if rules.deletion:
        yield Weakness("no deletion", "the branch can be deleted, and made again with another history", grave=True)
    if rules.bypass:
        yield Weakness("nobody bypasses the rules", f"{', '.join(rules.bypass)} need not keep them", grave=False)
    if role == "ledger":
        return
    if rules.required_checks is not None and VERDICT not in rules.required_checks:
        yield Weakness(f"the check {VERDICT} is required", "a change that mlgit refuses can be merged", grave=True)
    if rules.strict_checks is False:
        yield Weakness(
            "branches are up to date before merging", "two changes that were judged alone can be merged", grave=False
        )
    if rules.reviews == 0:
        yield Weakness("a review is required", "anybody who may write can merge alone", grave=True)
    for told, rule, without in (
        (rules.code_owners, "code owners review", "the rules themselves can change without those who own them"),
        (rules.dismisses_stale, "a push takes reviews back", "what was added after a review is not looked at"),
        (rules.last_push_approved, "somebody else approves the last push", "a reviewer can add a change of their own"),
    ):
        if told is False:
            yield Weakness(rule, without, grave=False)


def untold(role: Role, rules: BranchRules) -> list[str]:
    """Return the rules that the forge did not tell the token about, in words."""
    asked: dict[str, object] = {
        "forced pushes": rules.force_push,
        "deletion": rules.deletion,
        "who bypasses the rules": rules.bypass,
    }
    if role == "base":
        asked |= {
            "required checks": rules.required_checks,
            "up-to-date branches": rules.strict_checks,
            "reviews": rules.reviews,
            "code owners": rules.code_owners,
            "reviews after a push": rules.dismisses_stale,
            "approval of the last push": rules.last_push_approved,
        }
    return [words for words, told in asked.items() if told is None]
