"""One key for two people, and keys of nobody: refused where files are validated, where people push, and where votes count."""

import pytest

from mlgit.domain import layout
from tests.flows.people import Team, signer


def shared(team: Team) -> str:
    """The file of allowed signers with Ben's key for Cara as well."""
    line = signer("ben", team.keys)
    return team.ana.read(layout.SIGNERS).replace(line, line.replace("ben@", "cara@acme.example,ben@"))


@pytest.mark.tier("fast")
def test_a_line_for_two_people_is_an_error_before_it_is_merged(proposed: Team) -> None:
    ana = proposed.ana
    ana.git("switch", "--quiet", "--create", "keys")
    ana.commit("Let Cara use Ben's key", {layout.SIGNERS: shared(proposed)})
    assert "allowed-signers-key-shared" in ana("validate").ids
    assert "allowed-signers-key-shared" in ana("validate --base main").ids


def test_a_key_of_two_people_approves_for_nobody(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    ana.commit("Let Cara use Ben's key", {layout.SIGNERS: shared(proposed)})
    assert "signature-key-shared" in ben.refused("approve")
    assert "signature-key-shared" in ben.using(user_email="cara@acme.example").refused("approve")
    refused = ana("merge")
    assert "approvals-missing" in refused.ids
    assert "cannot be told who signed" in refused.err


def test_a_key_of_nobody_in_the_roles_file_does_not_count(proposed: Team) -> None:
    ana, mallory = proposed.ana, proposed.mallory
    ana.commit("List a stranger", {layout.SIGNERS: ana.read(layout.SIGNERS) + signer("mallory", proposed.keys)})
    assert ana("validate").ids == ["allowed-signers-principal-unlisted"]
    mallory("approve")
    refused = ana("merge")
    assert "approvals-missing" in refused.ids
    assert "no entry of .mlgit/roles.yaml has this address" in refused.err


def test_a_file_that_cannot_be_read_is_found_by_validate(proposed: Team) -> None:
    proposed.ana.commit("Write nonsense", {layout.SIGNERS: "ana@acme.example ssh-ed25519 AAAA\n"})
    assert proposed.ana("validate").ids == ["allowed-signers-key-invalid"]


def test_two_addresses_of_one_person_may_share_a_line(proposed: Team) -> None:
    line = signer("ben", proposed.keys)
    text = proposed.ana.read(layout.SIGNERS).replace(line, line.replace("ben@", "ben@home.example,ben@", 1))
    proposed.ana.commit("Add Ben's other address", {layout.SIGNERS: text})
    proposed.ana.does("validate")
    proposed.ben.does("approve")
    proposed.ana.does("merge")
