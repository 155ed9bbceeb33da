"""Keys, principals and people: one key has one person, one person may have many keys."""

import pytest

from mlgit.domain.approvals import People
from mlgit.domain.records.governance import RoleHolder, Roles
from mlgit.domain.signers import SignerLine, check_signers, owners
from mlgit.errors import Severity

ROLES = Roles(
    schema=1,
    people={
        "ana": RoleHolder(emails=["ana@x.org", "Ana@home.org"]),
        "ben": RoleHolder(emails=["ben@x.org"]),
        "robot": RoleHolder(emails=["robot@x.org"], bot=True),
        "cara": RoleHolder(emails=["cara@x.org"], logins=["cara"]),
    },
)
ANA, BEN = SignerLine(1, "SHA256:a", ("ana@x.org",)), SignerLine(2, "SHA256:b", ("ben@x.org",))


def line(*principals: str, number: int = 3, key: str = "SHA256:c") -> SignerLine:
    return SignerLine(number, key, principals)


def found(*lines: SignerLine, roles: Roles = ROLES) -> list[tuple[str, int | None]]:
    return [(finding.id, finding.at.line if finding.at else None) for finding in check_signers(lines, roles)]


def test_one_key_for_each_person_is_right() -> None:
    assert found(ANA, BEN) == []


def test_one_person_may_have_several_keys_and_addresses() -> None:
    assert found(ANA, BEN, line("ana@x.org"), line("ana@x.org", "ana@home.org", key="SHA256:d")) == []


def test_a_line_with_two_people_is_an_error() -> None:
    assert found(ANA, BEN, line("ana@x.org", "ben@x.org")) == [("allowed-signers-key-shared", 3)]


def test_a_line_with_a_person_and_a_stranger_is_an_error() -> None:
    assert found(ANA, BEN, line("ana@x.org", "eve@x.org")) == [
        ("allowed-signers-key-shared", 3),
        ("allowed-signers-principal-unlisted", 3),
    ]


def test_a_stranger_is_an_error_where_people_are_listed() -> None:
    assert found(ANA, BEN, line("eve@x.org")) == [("allowed-signers-principal-unlisted", 3)]
    assert found(line("eve@x.org"), roles=Roles(schema=1, people={})) == []


def test_without_a_roles_file_two_addresses_are_two_people() -> None:
    assert found(line("a@x.org", "b@x.org"), roles=Roles(schema=1, people={})) == [("allowed-signers-key-shared", 3)]


def test_a_person_without_a_key_is_a_warning() -> None:
    (finding,) = check_signers([ANA], ROLES)
    assert (finding.id, finding.severity) == ("person-without-key", Severity.WARNING)
    assert finding.at is not None
    assert finding.at.path == "people.ben"


@pytest.mark.parametrize(
    ("principals", "expected"),
    [(("ana@x.org", "ANA@home.org"), ["ana"]), (("ana@x.org", "ben@x.org"), ["ana", "ben"]), ((), [])],
)
def test_the_owners_of_a_key(principals: tuple[str, ...], expected: list[str]) -> None:
    assert owners(principals, People(ROLES)) == expected
