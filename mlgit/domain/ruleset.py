"""The rules that a forge should hold the base branch and the ledger to: written for GitHub, and held against what there is.

Pure. The form is that of the body of GitHub's `POST /repos/{owner}/{repo}/rulesets`.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

import msgspec

from mlgit.domain.forge import BranchRules

VERDICT: Final = "mlgit/verdict"
"""The check that has to be green before anything is merged."""

ADMINISTRATORS: Final = "administrators"
"""What stands among those who bypass the rules for all who administer a repository at a Gitea."""

_AT_GITEA: Final = (VERDICT, f"mlgit-validate / {VERDICT} (pull_request)")
"""What a status with the verdict is called at a Gitea: as `mlgit ci verdict --check` posts it, and as Gitea's Actions do."""

Role = Literal["base", "ledger"]
Kind = Literal["github", "gitea"]


class Weakness(msgspec.Struct, frozen=True):
    """A rule that is missing, and what can happen without it.

    `grave` where what is proven would not hold any more; `known` tells whether the forge has such a rule at all.
    """

    rule: str
    without: str
    grave: bool
    known: bool = True


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


def weaknesses(role: Role, rules: BranchRules, forge: Kind = "github") -> Iterator[Weakness]:
    """Yield each rule that a branch lacks; what the forge does not tell is none (see `untold`).

    Args:
        role: what the branch is for.
        rules: what the forge enforces there.
        forge: which forge, since a Gitea has fewer rules and other names for them.
    """
    if rules.force_push:
        yield Weakness("no forced pushes", "what was agreed to, or was seen to happen, can be rewritten", grave=True)
    if rules.deletion:
        yield Weakness("no deletion", "the branch can be deleted, and made again with another history", grave=True)
    if bypass := _bypass(role, rules, forge):
        yield Weakness("nobody bypasses the rules", f"{', '.join(bypass)} need not keep them", grave=False)
    if role == "ledger":
        return
    if rules.required_checks is not None and not any(_is_verdict(one, forge) for one in rules.required_checks):
        yield Weakness(f"the check {VERDICT} is required", "a change that mlgit refuses can be merged", grave=True)
    if rules.strict_checks is False:
        yield Weakness(
            "branches are up to date before merging", "two changes that were judged alone can be merged", grave=False
        )
    if rules.reviews == 0:
        yield Weakness("a review is required", "anybody who may write can merge alone", grave=True)
    everywhere = forge == "github"
    for told, rule, without, known in (
        (rules.code_owners, "code owners review", "the rules can change without those who own them", everywhere),
        (rules.dismisses_stale, "a push takes reviews back", "what was added after a review is not looked at", True),
        (
            rules.last_push_approved,
            "somebody else approves the last push",
            "a reviewer can add a change of their own",
            everywhere,
        ),
    ):
        if told is False:
            yield Weakness(rule, without, grave=False, known=known)


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


def _bypass(role: Role, rules: BranchRules, forge: Kind) -> list[str]:
    """Return who is not bound; at a Gitea, those who may push to the ledger are listed too, and they have to."""
    listed = rules.bypass or ()
    return [one for one in listed if one == ADMINISTRATORS or (role, forge) != ("ledger", "gitea")]


def _is_verdict(context: str, forge: Kind) -> bool:
    """Tell whether a required check is the verdict.

    A workflow that calls another puts the name of its own job before the check's. At a Gitea the name of the event comes after
    it, and what is required may be a pattern; one that does not name the verdict is satisfied by other checks as well.
    """
    if context == VERDICT or context.endswith(f" / {VERDICT}"):
        return True
    if forge == "github" or VERDICT not in context:
        return False
    return context.endswith(f" / {VERDICT} (pull_request)") or any(fnmatchcase(one, context) for one in _AT_GITEA)
