"""Who agreed, who counts, and who is still missing."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from mlgit.domain.formatting import plural
from mlgit.domain.names import Digest
from mlgit.domain.records.governance import Roles
from mlgit.domain.records.ledger import Approval, CountedApproval
from mlgit.domain.records.policy import ApprovalRule, RoleRequirement
from mlgit.domain.records.problem import Risk

STALE: Final = "stale: what was approved has changed since"
"""Why an approval of another decision does not count."""

Verdict = Literal["approve", "reject", "dismissed"]


class SignedVote(msgspec.Struct, frozen=True):
    """An approval as it was found: the record, the digest of its bytes, and what its signature proves.

    `key` is the fingerprint of the key; None, with `reason`, where the signature proves nothing.
    """

    approval: Approval
    digest: Digest
    key: str | None
    reason: str = ""

    @property
    def at(self) -> datetime:
        """When it was signed, by the signer's own word."""
        return self.approval.at

    @property
    def verdict(self) -> Verdict:
        """What was said."""
        return self.approval.verdict

    @property
    def decision(self) -> Digest | None:
        """The decision that was signed."""
        return self.approval.decision

    @property
    def proof(self) -> str | None:
        """The fingerprint of the key."""
        return self.key

    def person(self, directory: "People") -> str:
        """Return whose address the signature is of."""
        return directory.person(self.approval.by)

    def check_listed(self, directory: "People") -> str:  # noqa: ARG002 - the roles file is not asked
        """Return nothing: who signs is in the file of signers."""
        return ""

    def counted(self, person: str, roles: list[str]) -> CountedApproval:
        """Return it as one that counts."""
        return CountedApproval(person=person, roles=roles, key=self.key, approval=self.digest)


class ReviewVote(msgspec.Struct, frozen=True, kw_only=True):
    """A review of a pull request, and the decision that follows from the commit that was looked at.

    `where` names the review in words that lead to it. `decision` is None, with `reason`, where the commit is not here or
    proposes something else. `login` is None, with `reason`, for an account that is gone.
    """

    login: str | None
    verdict: Verdict
    decision: Digest | None
    at: datetime
    digest: Digest
    where: str
    reason: str = ""

    @property
    def proof(self) -> str | None:
        """The review itself, as the forge or the ledger has it."""
        return None if self.login is None else self.where

    def person(self, directory: "People") -> str:
        """Return whose login the review is of."""
        return "somebody" if self.login is None else directory.reviewer(self.login)

    def check_listed(self, directory: "People") -> str:
        """Return why a stranger does not count: at many forges everybody who has an account may review."""
        known = self.login is not None and directory.is_login(self.login)
        return "" if known else "no entry of .mlgit/roles.yaml has this login"

    def counted(self, person: str, roles: list[str]) -> CountedApproval:
        """Return it as one that counts."""
        return CountedApproval(person=person, roles=roles, review=self.where, approval=self.digest)


Vote = SignedVote | ReviewVote
"""What somebody said on a promotion, with what proves it; counted alike, whichever way it was said."""


class UncountedVote(msgspec.Struct, frozen=True):
    """An approval that does not count, and why; `approval` is the digest of its file."""

    person: str
    reason: str
    approval: Digest


class ApprovalRequirement(msgspec.Struct, frozen=True):
    """How many people must agree, of a role or (None) of all; who did, and who else may."""

    role: str | None
    needed: int
    counted: list[str]
    may: list[str]

    @property
    def lacks(self) -> int:
        """How many are missing."""
        return max(0, self.needed - len(self.counted))

    def __str__(self) -> str:
        role = "" if self.role is None else f" as {self.role}"
        who = f"{', '.join(self.may)} may" if self.may else "nobody who is listed may"
        return f"{plural(self.lacks, 'more approval')}{role} ({len(self.counted)} of {self.needed} so far; {who})"


class ApprovalResult(msgspec.Struct, frozen=True):
    """The approvals that count, those that do not with the reason, and what is still missing, in words.

    `needs` are all that the rule asks for, met or not: how many in all, then by role. `may` are the people of the roles file
    whose word would count and is not in yet.
    """

    counted: list[CountedApproval]
    uncounted: list[UncountedVote]
    missing: list[str]
    needs: list[ApprovalRequirement]
    may: list[str] = []

    @property
    def needed(self) -> int:
        """How many people must agree, whatever their roles."""
        return self.needs[0].needed

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class People:
    """Who is who, from the roles file: one person is one entry, however many addresses they have."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles.people
        self._person_of = {email.casefold(): name for name, person in roles.people.items() for email in person.emails}
        self._reviewer_of = {login.casefold(): name for name, person in roles.people.items() for login in person.logins}

    def person(self, email: str) -> str:
        """Return the short name of the person with an address; the address itself for somebody who is not listed.

        An address that reads like the short name of somebody else is put in angle brackets, so that it gives no roles.
        """
        folded = email.casefold()
        return self._person_of.get(folded, f"<{folded}>" if folded in self._roles else folded)

    def reviewer(self, login: str) -> str:
        """Return the short name of the person with a login; the login itself, after an `@`, for somebody who is not listed."""
        folded = login.casefold()
        return self._reviewer_of.get(folded, f"@{folded}")

    def is_login(self, login: str) -> bool:
        """Tell whether a login is somebody's who is listed."""
        return login.casefold() in self._reviewer_of

    def roles(self, person: str) -> list[str]:
        """Return the roles of a person; none for somebody who is not listed."""
        return list(self._roles[person].roles) if person in self._roles else []

    def is_bot(self, person: str) -> bool:
        """Tell whether an entry is a program."""
        return person in self._roles and self._roles[person].bot

    def people(self) -> list[str]:
        """Return everybody who is listed and no program, sorted."""
        return sorted(name for name, person in self._roles.items() if not person.bot)


def count_votes(
    found: Iterable[Vote],
    *,
    decision: Digest,
    rule: ApprovalRule,
    risk: Risk,
    directory: People,
    excluded: Mapping[str, str],
    in_advance: Digest | None = None,
) -> ApprovalResult:
    """Count approvals of one decision.

    Args:
        found: every word on the promotion, signed or reviewed, in any order.
        decision: the digest of the decision as it is today; an approval of any other is stale.
        rule: who must agree.
        risk: tier of the problem, for needs that depend on it.
        directory: who is who, as of the base commit.
        excluded: people whose word does not count, each with the reason (`author of the promotion`).
        in_advance: the digest of the standing approval that it rests on; a word on that is one on the decision.

    Returns:
        Each person once, by their latest word, whichever way they said it; two keys, addresses or logins of one person are
        one person. A key counts once as well: who is not in the roles file could else be two people with the two addresses
        of one key.
    """
    counted: list[CountedApproval] = []
    uncounted: list[UncountedVote] = []
    missing: list[str] = []
    people: dict[str, str] = {}  # who was counted, by the proof of their word
    for person, word in _latest_words(found, directory, uncounted).items():
        reason = _why_not(person, word, {decision, in_advance}, directory, excluded)
        if reason:
            uncounted.append(UncountedVote(person, reason, word.digest))
        elif word.verdict == "reject":
            uncounted.append(UncountedVote(person, "rejected it", word.digest))
            missing.append(f"{person} rejected it; they can approve it later, or a new promotion is made")
        elif word.proof in people:
            reason = f"signed with the key of {people[word.proof]}, which counts once"
            uncounted.append(UncountedVote(person, reason, word.digest))
        else:
            assert word.proof is not None  # noqa: S101 - no latest word is without
            people[word.proof] = person
            counted.append(word.counted(person, directory.roles(person)))
    words = {approval.person for approval in counted} | set(excluded)
    may = [person for person in directory.people() if person not in words]
    needs = list(_needs(rule, risk, counted, directory, may))
    missing += [str(need) for need in needs if need.lacks]
    return ApprovalResult(counted, uncounted, missing, needs, may)


def _latest_words(found: Iterable[Vote], directory: People, uncounted: list[UncountedVote]) -> dict[str, Vote]:
    latest: dict[str, Vote] = {}
    # Of two words of the same moment, the rejection is the last.
    for word in sorted(found, key=lambda one: (one.at, one.verdict, one.digest)):
        person = word.person(directory)
        if word.proof is None:
            # An earlier word with a proof still stands.
            uncounted.append(UncountedVote(person, word.reason, word.digest))
        else:
            latest[person] = word
    return latest


def _why_not(
    person: str,
    word: Vote,
    decisions: Collection[Digest | None],
    directory: People,
    excluded: Mapping[str, str],
) -> str:
    if directory.is_bot(person):
        return "a program does not approve"
    if person in excluded:
        return excluded[person]
    if reason := word.check_listed(directory):
        return reason
    if word.verdict == "dismissed":
        return "the review was dismissed"
    if word.decision is None or word.decision not in decisions:
        return word.reason or STALE
    return ""


def _needs(
    rule: ApprovalRule, risk: Risk, counted: Sequence[CountedApproval], directory: People, may: Sequence[str]
) -> Iterator[ApprovalRequirement]:
    yield ApprovalRequirement(None, rule.min, [approval.person for approval in counted], list(may))
    for role, needed in _asked(rule, risk):
        there = [approval.person for approval in counted if role in approval.roles]
        yield ApprovalRequirement(role, needed, there, [person for person in may if role in directory.roles(person)])


def _asked(rule: ApprovalRule, risk: Risk) -> Iterator[tuple[str, int]]:
    """Yield the roles that a rule asks for at a risk, and how many people of each."""
    for role, stated in rule.roles.items():
        need = RoleRequirement(min=stated) if isinstance(stated, int) else stated
        if need.when is None or need.when.risk == risk:
            yield role, need.min


def people_needed(rule: ApprovalRule, risk: Risk) -> int:
    """Return how many people must agree at the least; one may stand for several roles."""
    return max([rule.min, *(needed for _, needed in _asked(rule, risk))])
