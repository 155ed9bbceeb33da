"""Who agreed, who counts, and who is still missing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from mlgit.domain.names import Digest
from mlgit.domain.records.governance import Roles
from mlgit.domain.records.ledger import Approval, CountedApproval
from mlgit.domain.records.policy import ApprovalRule, RoleNeed
from mlgit.domain.records.problem import Risk

STALE: Final = "stale: what was approved has changed since"
"""Why an approval of another decision does not count."""


class Signed(msgspec.Struct, frozen=True):
    """An approval as it was found: the record, the digest of its bytes, and what its signature proves.

    `key` is the fingerprint of the key; None, with `reason`, where the signature proves nothing.
    """

    approval: Approval
    digest: Digest
    key: str | None
    reason: str = ""


class Uncounted(msgspec.Struct, frozen=True):
    """An approval that does not count, and why; `approval` is the digest of its file."""

    person: str
    reason: str
    approval: Digest


class Need(msgspec.Struct, frozen=True):
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
        what = "approval" if self.lacks == 1 else "approvals"
        role = "" if self.role is None else f" as {self.role}"
        who = f"{', '.join(self.may)} may" if self.may else "nobody who is listed may"
        return f"{self.lacks} more {what}{role} ({len(self.counted)} of {self.needed} so far; {who})"


class Tally(msgspec.Struct, frozen=True):
    """The approvals that count, those that do not with the reason, and what is still missing, in words.

    `needs` are all that the rule asks for, met or not: how many in all, then by role. `may` are the people of the roles file
    whose word would count and is not in yet.
    """

    counted: list[CountedApproval]
    uncounted: list[Uncounted]
    missing: list[str]
    needs: list[Need]
    may: list[str] = []

    @property
    def needed(self) -> int:
        """How many people must agree, whatever their roles."""
        return self.needs[0].needed

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class Directory:
    """Who is who, from the roles file: one person is one entry, however many addresses they have."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles.people
        self._person_of = {email.casefold(): name for name, person in roles.people.items() for email in person.emails}

    def person(self, email: str) -> str:
        """Return the short name of the person with an address; the address itself for somebody who is not listed.

        An address that reads like the short name of somebody else is put in angle brackets, so that it gives no roles.
        """
        folded = email.casefold()
        return self._person_of.get(folded, f"<{folded}>" if folded in self._roles else folded)

    def roles(self, person: str) -> list[str]:
        """Return the roles of a person; none for somebody who is not listed."""
        return list(self._roles[person].roles) if person in self._roles else []

    def is_bot(self, person: str) -> bool:
        """Tell whether an entry is a program."""
        return person in self._roles and self._roles[person].bot

    def people(self) -> list[str]:
        """Return everybody who is listed and no program, sorted."""
        return sorted(name for name, person in self._roles.items() if not person.bot)

    def holders(self, role: str) -> list[str]:
        """Return the people who hold a role, sorted."""
        return sorted(name for name, person in self._roles.items() if role in person.roles and not person.bot)


def count(
    found: Iterable[Signed],
    *,
    decision: Digest,
    rule: ApprovalRule,
    risk: Risk,
    directory: Directory,
    excluded: Mapping[str, str],
) -> Tally:
    """Count approvals of one decision.

    Args:
        found: every approval of the promotion, in any order.
        decision: the digest of the decision as it is today; an approval of any other is stale.
        rule: who must agree.
        risk: tier of the problem, for needs that depend on it.
        directory: who is who, as of the base commit.
        excluded: people whose word does not count, each with the reason (`author of the promotion`).

    Returns:
        Each person once, by their latest word; two keys or addresses of one person are one person. A key counts once as
        well: who is not in the roles file could else be two people with the two addresses of one key.
    """
    counted: list[CountedApproval] = []
    uncounted: list[Uncounted] = []
    missing: list[str] = []
    people: dict[str, str] = {}  # who was counted, by key
    for person, signed in _latest_words(found, directory, uncounted).items():
        reason = _why_not(person, signed, decision, directory, excluded)
        if reason:
            uncounted.append(Uncounted(person, reason, signed.digest))
        elif signed.approval.verdict == "reject":
            uncounted.append(Uncounted(person, "rejected it", signed.digest))
            missing.append(f"{person} rejected it; they can approve it later, or a new promotion is made")
        elif signed.key in people:
            reason = f"signed with the key of {people[signed.key]}, which counts once"
            uncounted.append(Uncounted(person, reason, signed.digest))
        else:
            assert signed.key is not None  # noqa: S101 - no latest word is without
            people[signed.key] = person
            counted.append(
                CountedApproval(person=person, roles=directory.roles(person), key=signed.key, approval=signed.digest)
            )
    words = {approval.person for approval in counted} | set(excluded)
    may = [person for person in directory.people() if person not in words]
    needs = list(_needs(rule, risk, counted, directory, may))
    missing += [str(need) for need in needs if need.lacks]
    return Tally(counted, uncounted, missing, needs, may)


def _latest_words(found: Iterable[Signed], directory: Directory, uncounted: list[Uncounted]) -> dict[str, Signed]:
    latest: dict[str, Signed] = {}
    # Of two words of the same moment, the rejection is the last.
    for signed in sorted(found, key=lambda one: (one.approval.at, one.approval.verdict, one.digest)):
        person = directory.person(signed.approval.by)
        if signed.key is None:
            uncounted.append(
                Uncounted(person, signed.reason, signed.digest)
            )  # and an earlier word with a good signature still stands
        else:
            latest[person] = signed
    return latest


def _why_not(person: str, signed: Signed, decision: Digest, directory: Directory, excluded: Mapping[str, str]) -> str:
    if directory.is_bot(person):
        return "a program does not approve"
    if person in excluded:
        return excluded[person]
    if signed.approval.decision != decision:
        return STALE
    return ""


def _needs(
    rule: ApprovalRule, risk: Risk, counted: Sequence[CountedApproval], directory: Directory, may: Sequence[str]
) -> Iterator[Need]:
    yield Need(None, rule.min, [approval.person for approval in counted], list(may))
    for role, stated in rule.roles.items():
        need = RoleNeed(min=stated) if isinstance(stated, int) else stated
        if need.when is not None and need.when.risk != risk:
            continue
        there = [approval.person for approval in counted if role in approval.roles]
        yield Need(role, need.min, there, [person for person in may if role in directory.roles(person)])
