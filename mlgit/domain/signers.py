"""Keys, principals and people: a line of `.mlgit/allowed_signers`, and whose key it is by the roles file."""

from collections.abc import Iterable, Iterator

import msgspec

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.records.governance import Roles
from mlgit.errors import Finding, Location, Severity


class SignerLine(msgspec.Struct, frozen=True):
    """A line of `.mlgit/allowed_signers`: its number, the fingerprint of its key, and the addresses that the key stands for."""

    line: int
    key: str
    principals: tuple[str, ...]


def owners(principals: Iterable[str], people: People) -> list[str]:
    """Return the people whose addresses these are, each once; a key with several owners proves nothing about any of them."""
    return list(dict.fromkeys(people.person(principal) for principal in principals))


def check_signers(lines: Iterable[SignerLine], roles: Roles) -> Iterator[Finding]:
    """Check that each key belongs to one person, that the roles file lists that person, and that each person can sign.

    One person may have several keys, and a key several addresses of one person.

    Args:
        lines: the lines of the file of allowed signers; lines with the same key have the same principals.
        roles: the roles file. A project without people in it identifies everybody by their address.
    """
    people = People(roles)
    with_key: set[str] = set()
    for line in lines:
        at = Location(layout.SIGNERS, line.line)
        holders = owners(line.principals, people)
        with_key.update(holders)
        if len(holders) > 1:
            yield Finding(
                "allowed-signers-key-shared",
                f"the key {line.key} stands for {' and '.join(holders)}",
                why="its holder could sign as each of them; no signature of this key counts",
                fix=f"give each person a key and a line of their own; if it is one person, list both addresses as theirs"
                f" in {layout.ROLES}",
                at=at,
            )
        for principal in line.principals:
            if roles.people and not people.is_email(principal):
                yield Finding(
                    "allowed-signers-principal-unlisted",
                    f"nobody in {layout.ROLES} has the address {principal}",
                    why="a key counts for the person whose address it has; approvals by this key do not count",
                    fix=f"add the address to the `emails` of a person in {layout.ROLES}, or remove it from the line",
                    at=at,
                )
    for name, person in roles.people.items():
        if with_key and name not in with_key and not person.bot and not person.logins:
            yield Finding(
                "person-without-key",
                f"{name} has neither a key in {layout.SIGNERS} nor a login at a forge",
                why="they cannot approve anything, and their commits are by an unknown author",
                fix=f'propose a line there: {person.emails[0]} namespaces="git,mlgit-approval,mlgit-ledger" and their .pub file',
                at=Location(layout.ROLES, path=f"people.{name}"),
                severity=Severity.WARNING,
            )
