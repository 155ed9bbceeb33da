"""Count the approvals of a decision: who approved, whose vote counts, and which approvals are missing."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from mlgit.domain.authorship import UnknownAuthor, describe_unknown
from mlgit.domain.formatting import plural
from mlgit.domain.names import Digest
from mlgit.domain.records.governance import Roles
from mlgit.domain.records.ledger import Approval, CountedApproval, RuleApproval
from mlgit.domain.records.policy import ApprovalRule, RoleRequirement
from mlgit.domain.records.problem import Risk

STALE: Final = "stale: what was approved has changed since"
"""Why an approval of another decision does not count."""

VoteVerdict = Literal["approve", "reject", "dismissed"]


class SignedVote(msgspec.Struct, frozen=True):
    """A signed approval or rejection from the ledger: the record, the digest of its file, and the result of its verification.

    `key` is the fingerprint of the key that signed it; None, with a `reason`, if the signature is not valid.
    """

    approval: Approval | RuleApproval
    digest: Digest
    key: str | None
    reason: str = ""

    @property
    def at(self) -> datetime:
        """The time of the signature, as the signer states it."""
        return self.approval.at

    @property
    def verdict(self) -> VoteVerdict:
        """Whether it approves or rejects."""
        return self.approval.verdict

    @property
    def decision(self) -> Digest | None:
        """The decision that was signed."""
        return self.approval.decision

    @property
    def source(self) -> str | None:
        """The fingerprint of the key; None if nothing is proven."""
        return self.key

    def person(self, people: "People") -> str:
        """Return the person with the signer's address."""
        return people.person(self.approval.by)

    def unlisted_reason(self, people: "People") -> str:
        """Return why an address does not count that is not listed, in a project that lists its people."""
        is_listed = not people.people() or people.is_email(self.approval.by)
        return "" if is_listed else "no entry of .mlgit/roles.yaml has this address"

    def counted(self, person: str, roles: list[str]) -> CountedApproval:
        """Return it as an approval that counts."""
        return CountedApproval(person=person, roles=roles, key=self.key, approval=self.digest)


class ReviewVote(msgspec.Struct, frozen=True, kw_only=True):
    """A review of a pull request, and the decision that the reviewed commit contains.

    `where` identifies the review for people. `decision` is None, with a `reason`, if the commit is missing here or proposes
    something else. `login` is None, with a `reason`, if the account was deleted.
    """

    login: str | None
    verdict: VoteVerdict
    decision: Digest | None
    at: datetime
    digest: Digest
    where: str
    reason: str = ""

    @property
    def source(self) -> str | None:
        """The review at the forge or in the ledger; None if nobody knows whose it is."""
        return None if self.login is None else self.where

    def person(self, people: "People") -> str:
        """Return the person with the reviewer's login."""
        return "somebody" if self.login is None else people.reviewer(self.login)

    def unlisted_reason(self, people: "People") -> str:
        """Return why a login that is not listed does not count; on many forges everybody with an account can review."""
        is_listed = self.login is not None and people.is_login(self.login)
        return "" if is_listed else "no entry of .mlgit/roles.yaml has this login"

    def counted(self, person: str, roles: list[str]) -> CountedApproval:
        """Return it as an approval that counts."""
        return CountedApproval(person=person, roles=roles, review=self.where, approval=self.digest)


Vote = SignedVote | ReviewVote
"""A person's vote on a promotion with its proof. Signatures and reviews are counted alike."""


class UncountedVote(msgspec.Struct, frozen=True):
    """A vote that does not count as an approval, and why; `approval` is the digest of its file or review."""

    person: str
    reason: str
    approval: Digest


class ApprovalRequirement(msgspec.Struct, frozen=True):
    """How many people must approve, in a role or (None) in total; who did, who else may, and why one more is needed."""

    role: str | None
    needed: int
    counted: list[str]
    may_approve: list[str]
    one_more: str = ""

    @property
    def missing(self) -> int:
        """How many approvals are missing."""
        return max(0, self.needed - len(self.counted))

    def __str__(self) -> str:
        role = "" if self.role is None else f" as {self.role}"
        who = f"{', '.join(self.may_approve)} may" if self.may_approve else "nobody who is listed may"
        why = f"; {self.one_more}" if self.one_more else ""
        return (
            f"{plural(self.missing, 'more approval')}{role} ({len(self.counted)} of {self.needed} so far; {who}{why})"
        )


class ApprovalResult(msgspec.Struct, frozen=True):
    """The approvals that count, the votes that do not with the reason, and a description of what is missing.

    `requirements` are everything that the rule requires, met or not: first the total, then each role. `may_approve` are the
    people of the roles file whose approval would count and who have not approved yet. `unknown_authors` are the commits whose
    author cannot be told: one of the approvers may have made them, so each requirement asks for one more.
    """

    counted: list[CountedApproval]
    uncounted: list[UncountedVote]
    missing: list[str]
    requirements: list[ApprovalRequirement]
    may_approve: list[str] = []
    unknown_authors: list[UnknownAuthor] = []

    @property
    def needed(self) -> int:
        """How many people must approve, whatever their roles."""
        return self.requirements[0].needed

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class People:
    """The people of the roles file. One entry is one person, however many addresses and logins it has."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles.people
        self._person_of = {email.casefold(): name for name, person in roles.people.items() for email in person.emails}
        self._reviewer_of = {login.casefold(): name for name, person in roles.people.items() for login in person.logins}

    def person(self, email: str) -> str:
        """Return the short name of the person with an address; the address itself if it is not listed.

        An address that equals the short name of somebody is put in angle brackets, so that it does not get their roles.
        """
        folded = email.casefold()
        return self._person_of.get(folded, f"<{folded}>" if folded in self._roles else folded)

    def reviewer(self, login: str) -> str:
        """Return the short name of the person with a login; `@` and the login itself if it is not listed."""
        folded = login.casefold()
        return self._reviewer_of.get(folded, f"@{folded}")

    def is_email(self, email: str) -> bool:
        """Return whether a listed person has this address."""
        return email.casefold() in self._person_of

    def is_login(self, login: str) -> bool:
        """Return whether a listed person has this login."""
        return login.casefold() in self._reviewer_of

    def roles(self, person: str) -> list[str]:
        """Return the roles of a person; none for a person who is not listed."""
        return list(self._roles[person].roles) if person in self._roles else []

    def is_bot(self, person: str) -> bool:
        """Return whether an entry is a program."""
        return person in self._roles and self._roles[person].bot

    def people(self) -> list[str]:
        """Return everybody who is listed and not a program, sorted."""
        return sorted(name for name, person in self._roles.items() if not person.bot)


def count_votes(
    votes: Iterable[Vote],
    *,
    decision: Digest,
    rule: ApprovalRule,
    risk: Risk,
    people: People,
    excluded: Mapping[str, str],
    standing_approval: Digest | None = None,
    unknown: Sequence[UnknownAuthor] = (),
    refuse_unknown: bool = False,
) -> ApprovalResult:
    """Count the approvals of one decision.

    Of each person only the latest vote counts, whether it is a signature or a review; several keys, addresses or logins of one
    person are one person. A key counts once too: somebody who is not in the roles file could otherwise be two people, with two
    addresses of one key.

    Args:
        votes: all votes on the promotion, signed or reviewed, in any order.
        decision: the digest of the decision as it is now; an approval of any other is stale.
        rule: how many people of which roles must approve.
        risk: the risk of the problem, for role requirements that depend on it.
        people: the people of the roles file of the base commit.
        excluded: people whose approval does not count, each with the reason (`author of the promotion`).
        standing_approval: the digest of the standing approval that the promotion uses; an approval of that is one of the
            decision.
        unknown: the commits whose author cannot be told. For each of them there must be as many approvers as required who did
            not make it, and each approver may have made one: so one more is needed, also in each role.
        refuse_unknown: whether no number of approvals is enough while there are such commits.
    """
    counted: list[CountedApproval] = []
    uncounted: list[UncountedVote] = []
    missing: list[str] = []
    person_by_source: dict[str, str] = {}
    for person, vote in _latest_votes(votes, people, uncounted).items():
        reason = _why_uncounted(person, vote, {decision, standing_approval}, people, excluded)
        if reason:
            uncounted.append(UncountedVote(person, reason, vote.digest))
        elif vote.verdict == "reject":
            uncounted.append(UncountedVote(person, "rejected it", vote.digest))
            ways_out = "they can approve it later, or a new promotion is made"
            missing.append(f"the approval of {person}, who rejected it ({ways_out})")
        elif vote.source in person_by_source:
            reason = f"signed with the key of {person_by_source[vote.source]}, which counts once"
            uncounted.append(UncountedVote(person, reason, vote.digest))
        else:
            assert vote.source is not None  # noqa: S101 - `_latest_votes` returns only votes with a source
            person_by_source[vote.source] = person
            counted.append(vote.counted(person, people.roles(person)))
    unavailable = {approval.person for approval in counted} | set(excluded)
    may_approve = [person for person in people.people() if person not in unavailable]
    one_more = describe_unknown(unknown)
    requirements = list(_requirements(rule, risk, counted, people, may_approve, one_more))
    missing += [str(requirement) for requirement in requirements if requirement.missing]
    if unknown and refuse_unknown:
        missing.append(f"a known author of each commit (the policy refuses others): {'; '.join(map(str, unknown))}")
    return ApprovalResult(counted, uncounted, missing, requirements, may_approve, list(unknown))


def people_needed(rule: ApprovalRule, risk: Risk) -> int:
    """Return the least number of people that must approve; one person can have several roles."""
    return max([rule.min, *(needed for _, needed in _required_roles(rule, risk))])


def _latest_votes(votes: Iterable[Vote], people: People, uncounted: list[UncountedVote]) -> dict[str, Vote]:
    """Return the latest vote of each person, and append to `uncounted` the votes that prove nothing."""
    latest: dict[str, Vote] = {}
    # "reject" sorts after "approve", so that of two votes at the same time the rejection is the latest.
    for vote in sorted(votes, key=lambda vote: (vote.at, vote.verdict, vote.digest)):
        person = vote.person(people)
        if vote.source is None:
            # It does not replace an earlier vote: anybody could write it, and so cancel another person's approval.
            uncounted.append(UncountedVote(person, vote.reason, vote.digest))
        else:
            latest[person] = vote
    return latest


def _why_uncounted(
    person: str,
    vote: Vote,
    decisions: Collection[Digest | None],
    people: People,
    excluded: Mapping[str, str],
) -> str:
    """Return why a vote does not count; empty if it does."""
    if people.is_bot(person):
        return "a program does not approve"
    if person in excluded:
        return excluded[person]
    if reason := vote.unlisted_reason(people):
        return reason
    if vote.verdict == "dismissed":
        return "the review was dismissed"
    if vote.decision is None or vote.decision not in decisions:
        return vote.reason or STALE
    return ""


def _requirements(
    rule: ApprovalRule,
    risk: Risk,
    counted: Sequence[CountedApproval],
    people: People,
    may_approve: Sequence[str],
    one_more: str,
) -> Iterator[ApprovalRequirement]:
    def requirement(
        role: str | None, needed: int, holders: list[str], candidates: Sequence[str]
    ) -> ApprovalRequirement:
        # Where nobody has to approve, nobody has to be independent of the author either.
        more = one_more if needed else ""
        return ApprovalRequirement(role, needed + bool(more), holders, list(candidates), more)

    yield requirement(None, rule.min, [approval.person for approval in counted], may_approve)
    for role, needed in _required_roles(rule, risk):
        holders = [approval.person for approval in counted if role in approval.roles]
        yield requirement(role, needed, holders, [person for person in may_approve if role in people.roles(person)])


def _required_roles(rule: ApprovalRule, risk: Risk) -> Iterator[tuple[str, int]]:
    """Yield each role that a rule requires at a risk, with the number of people."""
    for role, stated in rule.roles.items():
        requirement = RoleRequirement(min=stated) if isinstance(stated, int) else stated
        if requirement.when is None or requirement.when.risk == risk:
            yield role, requirement.min
