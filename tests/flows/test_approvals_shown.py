"""`mlgit approvals`: who approved a promotion, open or merged, whose vote does not count and why, and who is excluded."""

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.codec import to_json, version_digest
from mlgit.domain.records import Version
from mlgit.edges.formats.records import read_record
from mlgit.edges.ssh.signing import fingerprint
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.review import authors
from mlgit.ops.review.proposals import Proposal
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team, signer

WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"
MANIFEST = f"environments/{WHERE}.yaml"
POLICY = "policies/production.yaml"
NEEDS = "promote: {min: 2, roles: {risk: 1}}"


def shown(desk: Desk, line: str = "", *, code: int = 1) -> Any:
    answer = desk(f"approvals {line} --json")
    assert answer.code == code, answer.text
    assert answer.json["schema"] == "mlgit/approvals.v1"
    return answer.json


def reasons(found: Any) -> dict[str, str]:
    return {one["person"]: one["reason"] for one in found["approvals"]["uncounted"]}


def stricter(team: Team, needs: str = NEEDS) -> None:
    team.ana.edit(POLICY, "promote: {min: 1}", needs)
    team.ana.does(f"promote {MODEL}@2 --to production")


@pytest.mark.tier("fast")
def test_requirements_votes_and_possible_approvers_are_listed(proposed: Team) -> None:
    stricter(proposed)
    proposed.ben.does("approve")
    found = shown(proposed.ana)
    assert (found["state"], found["candidate"], found["environment"]) == ("open", f"{MODEL}@2", "production")
    assert found["approvals"]["requirements"] == [
        {"role": None, "needed": 2, "counted": ["ben"], "may_approve": ["cara"], "one_more": ""},
        {"role": "risk", "needed": 1, "counted": [], "may_approve": ["cara"], "one_more": ""},
    ]
    (one,) = found["approvals"]["counted"]
    assert (one["person"], one["by"], one["roles"]) == ("ben", "ben@acme.example", ["reviewer", "applier"])
    assert one["key"] == fingerprint((proposed.keys / "ben.pub").read_text())
    assert [line.split(" (")[0] for line in found["approvals"]["missing"]] == [
        "1 more approval",
        "1 more approval as risk",
    ]
    assert found["decision"] == proposed.cara.does("approve --json").json["decision"]
    assert shown(proposed.ana, WHERE, code=0)["approvals"]["missing"] == []


def test_the_output_fits_one_screen(proposed: Team) -> None:
    stricter(proposed)
    proposed.ben.does("approve")
    proposed.cara.does("approve --reject")
    answer = proposed.ana("approvals")
    lines = answer.out.splitlines()
    assert (answer.code, len(lines) <= 24) == (1, True)
    assert "rejected it" in answer.out
    assert lines[-1] == f"Next: mlgit approve {WHERE}, run by cara"


STALE: list[tuple[str, str, str, list[str]]] = [
    (f"problems/{MODEL}.yaml", "risk: high ", "risk: medium ", ["problem"]),
    ("datasets/biopsies/dataset.yaml", "rows: {min: 500}", "rows: {min: 400}", ["contract-biopsies"]),
    ("environments/production/environment.yaml", "path: deployed/production", "path: elsewhere", ["environment"]),
    (POLICY, "promote: {min: 1}", "promote: {min: 2}", ["policy"]),
]


@pytest.mark.parametrize(("path", "before", "after", "parts"), STALE, ids=[case[0] for case in STALE])
def test_a_stale_approval_names_what_changed(
    proposed: Team, path: str, before: str, after: str, parts: list[str]
) -> None:
    proposed.ben.does("approve")
    proposed.ana.commit("Something else in between", {"README.md": "# Malignancy\n"})
    proposed.ana.edit(path, before, after)
    (one,) = shown(proposed.ana)["approvals"]["uncounted"]
    assert (one["person"], one["changed"]) == ("ben", parts)
    assert f"stale: what was approved has changed since: {parts[0]}" in proposed.ana("approvals").out


def test_a_stale_approval_names_an_edited_manifest(proposed: Team) -> None:
    manifest = proposed.ana.show(BRANCH, MANIFEST)
    proposed.ben.does("approve")
    proposed.ana.git("switch", "--quiet", BRANCH)
    proposed.ana.commit("Say why", {MANIFEST: f"{manifest}\nreason: quarterly\n"})
    proposed.ana.git("switch", "--quiet", "main")
    (one,) = shown(proposed.ana)["approvals"]["uncounted"]
    assert one["changed"] == ["manifest"]


def test_a_stale_approval_of_an_unknown_state_names_no_change(proposed: Team) -> None:
    """The branch that was approved was thrown away, so nothing tells what it rested on."""
    proposed.ana.git("switch", "--quiet", BRANCH)
    manifest = proposed.ana.read(MANIFEST)
    proposed.ana.commit("Say why", {MANIFEST: f"{manifest}\nreason: quarterly\n"})
    proposed.ana.git("switch", "--quiet", "main")
    proposed.ben.does("approve")
    proposed.ana.git("update-ref", f"refs/heads/{BRANCH}", f"{BRANCH}~1")
    (one,) = shown(proposed.ana)["approvals"]["uncounted"]
    assert (one["reason"], one["changed"]) == ("stale: what was approved has changed since", [])


# Merged


def test_a_merged_promotion_is_found_by_model_by_id_and_at_a_commit(proposed: Team) -> None:
    ana = proposed.ana
    first = shown(ana, f"{WHERE} --at main", code=0)
    assert (first["state"], first["candidate"], [one["person"] for one in first["approvals"]["counted"]]) == (
        "merged",
        f"{MODEL}@1",
        ["ben"],
    )
    proposed.cara.does("approve")
    merged = ana.does("merge --json").json
    second = shown(ana, WHERE, code=0)
    assert (second["promotion"], second["decision"]) == (merged["promotion"], merged["decision"])
    assert [one["person"] for one in second["approvals"]["counted"]] == ["cara"]
    assert second["head"] == merged["commit"]
    assert shown(ana, first["promotion"], code=0) == first
    assert shown(ana, f"{WHERE} --at {second['base']}", code=0) == first
    assert "is merged" in ana("approvals", WHERE).out


def test_a_promotion_merged_without_approvals_lists_them_as_missing(proposed: Team) -> None:
    proposed.mallory.git("merge", "--quiet", "--no-ff", "-m", "Merge it", BRANCH)
    found = shown(proposed.ana, WHERE)
    assert (found["state"], found["approvals"]["counted"]) == ("merged", [])
    assert found["approvals"]["missing"] == ["1 more approval (0 of 1 so far; ben, cara may)"]


@pytest.mark.parametrize("name", ["staging/nothing", "01KJW6PM400000000000000000", "%", "production"])
def test_an_unknown_promotion_is_refused(proposed: Team, name: str) -> None:
    assert proposed.ana.refused(f"approvals {name}") == ["promotion-unknown"]


def test_without_any_promotion_the_command_is_refused(registered: Team) -> None:
    assert registered.ana.refused("approvals") == ["promotion-unknown"]
    assert registered.ana.refused("approvals --at main") == ["promotion-unknown"]


# Who does not count


def test_two_keys_of_one_person_are_one_person(proposed: Team) -> None:
    """Both keys are listed for the one address."""
    ana = proposed.ana
    line = signer("mallory", proposed.keys, "ben@acme.example")
    ana.commit("Give Ben a second key", {layout.SIGNERS: ana.read(layout.SIGNERS) + line})
    stricter(proposed, "promote: {min: 2}")
    proposed.ben.does("approve")
    second = proposed.mallory.using(user_email="ben@acme.example")
    second.does("approve --reject")
    second.does("approve --comment 'on second thoughts'")
    found = shown(ana)
    assert found["approvals"]["requirements"][0]["counted"] == ["ben"]
    assert len(found["approvals"]["counted"]) == 1


def test_one_key_under_two_addresses_approves_for_nobody(proposed: Team) -> None:
    """Dora is in no roles file, and her line has two addresses: nobody can tell that it is one person."""
    ana = proposed.ana
    line = signer("mallory", proposed.keys, "dora@acme.example,dora@home.example")
    ana.commit("Let Dora sign", {layout.SIGNERS: ana.read(layout.SIGNERS) + line})
    for address in ("dora@acme.example", "dora@home.example"):
        assert proposed.mallory.using(user_email=address).refused("approve") == ["signature-key-shared"]


def test_trailers_of_a_commit_are_neither_approvals_nor_authors(proposed: Team) -> None:
    ana = proposed.ana
    text = ana.show(BRANCH, MANIFEST)
    ana.git("switch", "--quiet", BRANCH)
    trailers = "Co-authored-by: Ben <ben@acme.example>\nReviewed-by: Cara <cara@acme.example>\nApproved-by: Cara"
    ana.commit(f"Say why\n\n{trailers}", {MANIFEST: f"{text}\nreason: quarterly\n"})
    ana.git("switch", "--quiet", "main")
    assert shown(ana)["approvals"]["counted"] == []
    proposed.ben.does("approve")
    assert [one["person"] for one in shown(ana, code=0)["approvals"]["counted"]] == ["ben"]


# Who wrote what the version is made from

LINEAGE = "exclude: [lineage, bots]\n"


def left_out(team: Team) -> None:
    text = team.ana.read(POLICY)
    start = text.index("exclude:")
    end = text.index("\n", start) + 1
    team.ana.commit("Leave out who wrote it", {POLICY: text[:start] + LINEAGE + text[end:]})


def test_authors_of_the_inputs_since_the_champion_are_excluded(proposed: Team) -> None:
    """Between versions 1 and 2, Ana changed the parameters; nobody else changed anything."""
    left_out(proposed)
    ana = proposed.ana
    ana.does(f"promote {MODEL}@2 --to production")
    said = ana("approve")
    assert said.ids == ["approver-excluded"]
    commit = ana.git("log", "-1", "--format=%h", "--abbrev=12", "--grep", "Edit params.yaml", "--reverse", "main~4")
    assert "ana: changed params.yaml, which the version is made from, in commit " in said.text
    assert len(commit) == 12
    proposed.ben.does("approve")
    ana.does("merge")


def trained(team: Team, desk: Desk, fit: str) -> str:
    """Let somebody change the code, and Ana train and register what comes of it."""
    desk.commit("Write it anew", {"src/put.py": team.ana.read("src/put.py") + "\n"})
    last = team.ana.read("params.yaml").split("fit: ")[1].strip()
    team.ana.edit("params.yaml", last, fit)
    team.ana.does(f"train {MODEL}")
    return str(team.ana.does(f"register {MODEL} --json").json["version"])


def test_an_excluded_author_is_named_with_the_commit(running: Team) -> None:
    ana, ben, cara = running.ana, running.ben, running.cara
    left_out(running)
    version = trained(running, ben, "better")
    wrote = ana.head("main~2")
    cara.commit("Write more, which this version does not have", {"src/later.py": "pass\n"})
    running.promote(version, "staging")
    ana.does(f"promote {version} --to production")
    said = ben("approve")
    assert said.ids == ["approver-excluded"]
    assert f"ben: changed src/put.py, which the version is made from, in commit {wrote[:12]}" in said.text
    cara.does("approve")
    assert "approved   cara" in ana.does("merge").out


@pytest.mark.tier("thorough")  # trains
def test_without_a_champion_every_author_of_the_inputs_is_excluded(registered: Team) -> None:
    ana, ben = registered.ana, registered.ben
    text = ana.read("policies/staging.yaml")
    ana.commit("Leave out who wrote it", {"policies/staging.yaml": text + LINEAGE})
    version = trained(registered, ben, "better")
    ana.does(f"promote {version} --to staging")
    assert ana.refused("approve") == ["approver-excluded"]
    assert ben.refused("approve") == ["approver-excluded"]
    registered.cara.does("approve")


@pytest.mark.tier("thorough")  # trains
def test_merging_the_commits_of_others_makes_nobody_an_author(running: Team) -> None:
    """Ben writes on a branch, Cara merges it while the base went on."""
    ana, ben, cara = running.ana, running.ben, running.cara
    left_out(running)
    ben.git("switch", "--quiet", "--create", "work")
    ben.commit("Write a part", {"src/part.py": "pass\n"})
    ben.git("switch", "--quiet", "main")
    ana.commit("Write another", {"src/other.py": "pass\n"})
    cara.git("merge", "--quiet", "--no-ff", "-m", "Merge the part", "work")
    version = trained(running, ana, "better")
    running.promote(version, "staging")
    ana.does(f"promote {version} --to production")
    assert ben.refused("approve") == ["approver-excluded"]
    cara.does("approve")


def test_changes_made_by_a_merge_itself_are_by_whoever_merged(running: Team) -> None:
    ana, ben, cara = running.ana, running.ben, running.cara
    left_out(running)
    ben.git("switch", "--quiet", "--create", "work")
    ben.commit("Take a note", {"notes.md": "a note\n"})
    ben.git("switch", "--quiet", "main")
    ana.commit("Take another", {"more.md": "another\n"})
    cara.git("merge", "--quiet", "--no-ff", "--no-commit", "work")
    (running.root / "src/sly.py").write_text("pass\n")
    cara.git("add", "src/sly.py")
    cara.git("commit", "--quiet", "-m", "Merge the note")
    version = trained(running, ana, "better")
    running.promote(version, "staging")
    ana.does(f"promote {version} --to production")
    assert "ben" in ben.does("approve --dry-run").out
    said = cara("approve")
    assert said.ids == ["approver-excluded"]
    assert "cara: changed src/sly.py" in said.text


def stating(team: Team, commit: str) -> dict[str, str]:
    """Who wrote what version 2 is made from since the champion, if its record stated another commit that it was made at."""
    ana = team.ana
    path = layout.version(MODEL, 2)
    record = read_record(path, (ana.root / path).read_bytes())
    assert isinstance(record, Version)
    typed = replace(record, inputs=replace(record.inputs, commit=commit))
    ana.git("switch", "--quiet", "--create", "typed", BRANCH)
    ana.commit("Type it", {path: to_json(replace(typed, digest=version_digest(typed))), "notes.md": "typed\n"})
    ana.git("switch", "--quiet", "main")
    session = ana.session()
    with ana.present(), session.repository as repository:
        before, after = (Lifecycle(repository.tree(name), read_record) for name in ("main", "typed"))
        one = Proposal("production", MODEL, before, after, ana.head("typed"), ())
        return {commit.author_email: path for commit, path in authors.since_champion(session, one)}


@pytest.mark.parametrize("stated", ["its own", "the champion's", "nobody's", "a side line's"])
def test_the_commit_in_a_version_record_is_trusted_only_if_the_base_has_it_with_that_code(
    proposed: Team, stated: str
) -> None:
    """Ben changed a contract after version 2 was made; whoever hides when it was made is held to the whole base branch."""
    ana = proposed.ana
    proposed.ben.edit("datasets/biopsies/dataset.yaml", "rows: {min: 500}", "rows: {min: 400}")
    own, champions = (json.loads(ana.read(layout.version(MODEL, n)))["inputs"]["commit"] for n in (2, 1))
    side = ana.git("commit-tree", f"{own}^{{tree}}", "-m", "The same code, by nobody in particular")
    commit = {"its own": own, "the champion's": champions, "nobody's": "1" * 40, "a side line's": side}[stated]
    found = stating(proposed, commit)
    assert ("ana@acme.example" in found, "ben@acme.example" in found) == (True, stated != "its own")
    if stated != "its own":
        assert found["ben@acme.example"] == "datasets/biopsies/dataset.yaml"


def test_a_shallow_clone_cannot_list_the_authors(proposed: Team) -> None:
    left_out(proposed)
    proposed.ana.does(f"promote {MODEL}@2 --to production")
    shallow = proposed.ana.clone("shallow", "--depth=1", "--no-single-branch")
    assert shallow.refused("approvals") == ["history-shallow"]


# Keys come and go


def valid(team: Team, options: str) -> None:
    """Give Ben's line of the signers some options more."""
    team.ana.edit(
        layout.SIGNERS, 'ben@acme.example namespaces="git,mlgit-approval,mlgit-ledger"', f"ben@acme.example {options}"
    )


def test_an_approval_by_a_key_that_expired_afterwards_counts(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.now.wait(timedelta(days=2))
    stamp = f"{proposed.now.moment - timedelta(days=1):%Y%m%d%H%M%SZ}"
    valid(proposed, f'namespaces="git,mlgit-approval,mlgit-ledger",valid-before="{stamp}"')
    assert [one["person"] for one in shown(proposed.ana, code=0)["approvals"]["counted"]] == ["ben"]
    assert proposed.ben.refused("approve --reject") == ["signature-time-invalid"]
    proposed.ana.does("merge")


def test_a_key_that_is_not_valid_yet_cannot_approve(proposed: Team) -> None:
    stamp = f"{proposed.now.moment + timedelta(days=1):%Y%m%d%H%M%SZ}"
    valid(proposed, f'valid-after="{stamp}"')
    assert proposed.ben.refused("approve") == ["signature-time-invalid"]
    proposed.now.wait(timedelta(days=2))
    proposed.ben.does("approve")


def test_a_key_for_commits_only_cannot_approve(proposed: Team) -> None:
    valid(proposed, 'namespaces="git"')
    assert proposed.ben.refused("approve") == ["signature-namespace-mismatch"]


def test_removing_a_key_invalidates_its_approval_of_open_promotions_only(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    merged = shown(ana, f"{WHERE} --at main", code=0)
    kept = [line for line in ana.read(layout.SIGNERS).splitlines(keepends=True) if not line.startswith("ben@")]
    ana.commit("Take Ben's key out", {layout.SIGNERS: "".join(kept)})
    found = shown(ana)
    assert (found["approvals"]["counted"], [one["key"] for one in found["approvals"]["uncounted"]]) == ([], [None])
    assert "is not listed" in reasons(found)["ben"]
    assert ben.refused("approve --reject") == ["signature-key-unknown"]
    assert ana.refused("merge") == ["approvals-missing"]
    assert shown(ana, merged["promotion"], code=0) == merged
    assert ana.does("apply production").code == 0


def test_old_and_new_keys_of_a_person_each_count_in_their_time(proposed: Team) -> None:
    """Ben's old key ends, and a new one begins; each counts for what was signed in its time."""
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    proposed.now.wait(timedelta(hours=2))
    stamp = f"{proposed.now.moment:%Y%m%d%H%M%SZ}"
    valid(proposed, f'namespaces="git,mlgit-approval,mlgit-ledger",valid-before="{stamp}"')
    new = signer("mallory", proposed.keys, "ben@acme.example").replace('ledger"', f'ledger",valid-after="{stamp}"')
    ana.commit("Give Ben a new key", {layout.SIGNERS: ana.read(layout.SIGNERS) + new})
    assert ben.refused("approve --reject") == ["signature-time-invalid"]
    assert [one["person"] for one in shown(ana, code=0)["approvals"]["counted"]] == ["ben"]
    proposed.mallory.using(user_email="ben@acme.example").does("approve --reject")
    assert reasons(shown(ana)) == {"ben": "rejected it"}


def test_a_person_with_a_new_key_can_approve_again(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    kept = [line for line in ana.read(layout.SIGNERS).splitlines(keepends=True) if not line.startswith("ben@")]
    new = signer("mallory", proposed.keys, "ben@acme.example")
    ana.commit("Give Ben another key", {layout.SIGNERS: "".join([*kept, new])})
    assert shown(ana)["approvals"]["counted"] == []
    again = proposed.mallory.using(user_email="ben@acme.example")
    assert again.does("approve --json").json["state"] == "added"
    assert again.does("approve --json").json["state"] == "there-already"
    (one,) = shown(ana, code=0)["approvals"]["counted"]
    assert (one["person"], one["key"]) == ("ben", fingerprint((proposed.keys / "mallory.pub").read_text()))
