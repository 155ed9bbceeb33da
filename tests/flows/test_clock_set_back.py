"""A clock that is set back, of mlgit and of Git: what is dated before the things that it rests on proves nothing."""

import re
from datetime import timedelta

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.codec import digest, to_json
from mlgit.domain.namespaces import LEDGER
from mlgit.domain.records import Deployment
from mlgit.edges.formats.records import read_record
from mlgit.edges.ssh.signing import SshSignatures
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_audit_abuse import BRANCH, last, on_ledger

RULES = {"rules-recent", "rules-unapproved"}
"""Findings on the rules that a test changes without anybody's approval."""
STAGING = f"environments/staging/{MODEL}.yaml"


def expire(team: Team, name: str) -> None:
    """End the key of a person now, as of the base branch."""
    ana = team.ana
    line = next(line for line in ana.read(layout.SIGNERS).splitlines() if line.startswith(f"{name}@"))
    end = f"{team.now.moment:%Y%m%d%H%M%S}Z"
    ended = line.replace('mlgit-ledger"', f'mlgit-ledger",valid-before="{end}"')
    ana.edit(layout.SIGNERS, line, ended)


def soak(team: Team, minutes: int) -> None:
    text = re.sub(r"(?m)^soak:.*\n", "", team.ana.read("environments/production/environment.yaml"))
    team.ana.commit(
        "Let it soak",
        {"environments/production/environment.yaml": f"{text}soak: {{in: staging, for: {minutes}m}}\n"},
    )


def test_an_expired_key_cannot_approve_with_the_clock_set_back(proposed: Team) -> None:
    ben = proposed.ben
    expire(proposed, "ben")
    proposed.now.wait(timedelta(hours=6))
    proposed.ana.commit("Work goes on", {"notes.md": "later\n"})
    now = proposed.now.moment
    proposed.now.moment = now - timedelta(hours=6, minutes=30)
    assert ben("approve").code == 1, "its gate report and the ledger are newer"
    proposed.now.moment = now
    assert ben("approve").code == 1


def test_an_approval_dated_back_by_hand_with_an_expired_key_does_not_count(proposed: Team) -> None:
    """Ben takes an approval that he signed while his key was valid, but brings it to the ledger only now."""
    ben = proposed.ben
    ben.does("approve")
    ledger = proposed.ana.head("mlgit-ledger")
    files = {
        path: proposed.ana.git("cat-file", "blob", f"{ledger}:{path}")
        for path in proposed.ana.git("diff", "--name-only", f"{ledger}~1", ledger).splitlines()
    }
    proposed.ana.git("update-ref", "refs/heads/mlgit-ledger", f"{ledger}~1")
    expire(proposed, "ben")
    proposed.now.wait(timedelta(hours=6))
    on_ledger(ben, lambda desk: desk.commit("Approve", {path: f"{text}\n" for path, text in files.items()}))
    answer = proposed.ana("merge")
    assert (answer.code, answer.ids) == (1, ["approvals-missing"])
    assert "not valid on" in answer.text


def test_an_approval_before_its_key_was_listed_does_not_count(proposed: Team) -> None:
    """Ben approves, and leaves; then he is listed again. What he signed while he was not listed stays uncounted."""
    ana, ben = proposed.ana, proposed.ben
    everybody = ana.read(layout.SIGNERS)
    bens = next(line for line in everybody.splitlines() if line.startswith("ben@"))
    ana.edit(layout.SIGNERS, f"{bens}\n", "")
    proposed.now.wait(timedelta(hours=1))
    clone = ben.clone("bens")
    clone.git("fetch", "--quiet", "origin", f"{BRANCH}:{BRANCH}", "mlgit-ledger:mlgit-ledger")
    clone.commit("List me", {layout.SIGNERS: everybody})  # in his clone only, to sign there
    clone.git("remote", "remove", "origin")
    clone.does("approve")
    ana.git("fetch", "--quiet", str(clone.root), "mlgit-ledger:mlgit-ledger")
    proposed.now.wait(timedelta(hours=1))
    ana.commit("List Ben again", {layout.SIGNERS: everybody})
    answer = ana("merge")
    assert (answer.code, answer.ids) == (1, ["approvals-missing"])
    assert "not listed at the time" in answer.text


def test_nothing_is_proposed_or_merged_with_a_clock_behind_the_base(running: Team) -> None:
    ana = running.ana
    now = running.now.moment
    running.now.moment = now - timedelta(hours=1)
    assert ana(f"promote {MODEL}@2 --to staging").ids == ["clock-behind"]
    running.now.moment = now
    ana.does(f"promote {MODEL}@2 --to staging")
    running.now.moment = now - timedelta(hours=1)
    assert ana("merge").code == 1


def test_a_merge_dated_before_its_base_is_a_violation(proposed: Team) -> None:
    """With the clock set back a closed window would look open; the merge is made with Git."""
    proposed.ben.does("approve")
    proposed.ana.commit("Work goes on", {"notes.md": "later\n"})
    proposed.now.wait(timedelta(hours=-2))
    proposed.mallory.git("merge", "--quiet", "--no-ff", "-m", "Merge it", BRANCH)
    verdict, ids = last(proposed.ana)
    assert verdict == "VIOLATION"
    assert "promotion-time-invalid" in ids
    proposed.now.wait(timedelta(hours=3))
    assert "promotion-time-invalid" in proposed.ana("apply production").ids


def backdated(team: Team, by: Desk) -> None:
    """Sign an entry by hand that says that staging ran the version half an hour before it was merged."""
    ana = team.ana
    paths = [path for path in ana.files("mlgit-ledger") if path.startswith(layout.deployments("staging", MODEL))]
    newest = max(path for path in paths if path.endswith(".json"))
    before = read_record(newest, ana.show("mlgit-ledger", newest).encode() + b"\n")
    wanted = read_record(STAGING, ana.show("main", STAGING).encode() + b"\n")
    assert isinstance(before, Deployment)
    entry = replace(
        before,
        seq=before.seq + 1,
        previous=digest(before),
        promotion=wanted.promotion,  # type: ignore[attr-defined]
        version=2,
        digest=wanted.slots.champion.digest,  # type: ignore[attr-defined]
        commit=ana.head("main"),
        at=team.now.moment - timedelta(minutes=31),
    )
    content = to_json(entry)
    with by.present():
        signature = SshSignatures(lambda _: None, team.keys / by.name).sign(content, LEDGER)
    path = layout.deployment("staging", MODEL, entry.seq)
    on_ledger(by, lambda desk: desk.commit("Deploy it", {path: content, layout.signature(path): signature}))


def test_a_soak_of_half_an_hour_does_not_pass_in_a_minute(running: Team) -> None:
    """Ana is an applier, and states that the version ran before it was merged."""
    ana = running.ana
    soak(running, 30)
    running.now.wait(timedelta(hours=1))
    ana.does(f"promote {MODEL}@2 --to staging")
    running.now.wait(timedelta(minutes=40))
    ana.does("merge")
    backdated(running, by=ana)
    ana.does("apply staging")
    ana.does("observe staging")
    ana.does(f"promote {MODEL}@2 --to production")
    running.ben.does("approve")
    answer = ana("merge")
    assert (answer.code, {*answer.ids} & {"soak-too-short"}) == (1, {"soak-too-short"})
    running.now.wait(timedelta(minutes=30))
    ana.does("observe staging")
    ana.does("merge")
    assert {*last(ana)[1]} <= RULES


def test_apply_refuses_to_date_back(running: Team) -> None:
    ana = running.ana
    ana.does(f"promote {MODEL}@2 --to staging")
    ana.does("merge")
    running.now.wait(timedelta(minutes=-31))
    before = ana.head("mlgit-ledger")
    assert ana("apply staging").code == 1
    assert ana.head("mlgit-ledger") == before
