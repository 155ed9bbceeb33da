"""Audits of histories without problems: results, formats, checkpoints, and that the same commits give the same bytes."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mlgit.domain import layout
from mlgit.edges.cache import FileCache
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team

FORMS = ("text", "json", "md", "html")
ALL = [("staging", 1), ("production", 1), ("staging", 2)]


def audited(desk: Desk, options: str = "") -> str:
    answer = desk(f"audit {options}")
    assert (answer.code, answer.err) == (0, ""), answer.text
    return answer.out


@pytest.mark.tier("fast")
def test_every_promotion_of_a_valid_history_is_proven(proposed: Team) -> None:
    found = proposed.ana.does("audit --json").json
    assert [(one["environment"], one["after"], one["verdict"]) for one in found["changes"]] == [
        (environment, f"{MODEL}@{number}", "UNAPPROVED" if environment == "staging" else "PROVEN")
        for environment, number in ALL
    ]
    assert (found["counts"], found["findings"]) == (
        {"PROVEN": 1, "OVERRIDDEN": 0, "UNAPPROVED": 2, "UNPROVEN": 0, "VIOLATION": 0},
        [],
    )
    second = found["changes"][1]
    assert [(one["person"], one["roles"]) for one in second["approvals"]] == [("ben", ["reviewer", "applier"])]
    assert second["approvals"][0]["key"].startswith("SHA256:")
    assert (second["proposed_by"], second["merged_by"], second["decision_recorded"]) == (["ana"], "ana", True)
    decision = json.loads(proposed.ana.show("mlgit-ledger", layout.decision(second["promotion"])))
    assert (second["decision"], second["evidence"]["reads"]) == (decision["decision"], decision["reads"])


def test_signers_of_commits_are_reported(proposed: Team) -> None:
    found = proposed.ana.does("audit --json").json
    signatures = [one.get("signature") for one in found["changes"]]
    assert [one["by"] for one in signatures] == ["ana@acme.example"] * 3
    assert "| Changes with a verified commit signature | 3 of 3 |" in audited(proposed.ana, "--format md")


def test_a_commit_signature_by_an_unknown_key_does_not_change_the_verdict(proposed: Team) -> None:
    ana = proposed.ana
    commit = ana.edit(layout.SIGNERS, "ana@acme.example", "# ana@acme.example")
    for reviewer in (proposed.ben, proposed.cara):  # two, since Ana's signature of the proposal proves nothing either
        reviewer.does(f"approve {commit}")
        reviewer.does(f"approve production/{MODEL}")
    ana.does(f"merge production/{MODEL}")
    proposed.ben.does("apply production")
    change = ana.does("audit --json").json["changes"][-1]
    assert "is not listed" in change["signature"]["problem"]
    assert change["verdict"] == "PROVEN"


def test_the_report_has_inventory_deployments_and_rule_changes(proposed: Team) -> None:
    found = proposed.ana.does("audit --json").json
    (model, other) = found["inventory"]
    assert (model["model"], model["risk"], model["owner"], model["versions"]) == (MODEL, "high", "@acme/pathology", 3)
    assert [(run["environment"], run["version"]) for run in model["environments"]] == [
        ("staging", f"{MODEL}@2"),
        ("production", f"{MODEL}@1"),
    ]
    assert other["environments"] == []
    assert [(one["environment"], one["seq"], one["status"]) for one in found["deployments"]] == [
        ("staging", 1, "verified"),
        ("production", 1, "verified"),
        ("staging", 2, "verified"),
    ]
    assert {"policy", "environment", "roles", "signers"} <= {one["kind"] for one in found["rule_changes"]}
    assert found["not_checked"]


def test_a_rule_change_is_listed_file_by_file(running: Team) -> None:
    commit = running.ana.edit("policies/production.yaml", "promote: {min: 1}", "promote: {min: 2}")
    running.ben.does(f"approve {commit}")
    found = running.ana.does("audit --json").json
    assert (found["rule_changes"][-1]["path"], found["rule_changes"][-1]["by"]) == (
        "policies/production.yaml",
        "ana@acme.example",
    )
    assert [one["verdict"] for one in found["changes"]] == ["UNAPPROVED", "PROVEN"]


def test_without_promotions(registered: Team) -> None:
    assert "No environment was changed." in audited(registered.ana)


def test_a_change_with_a_waived_gate_where_nobody_has_to_approve(running: Team) -> None:
    ana = running.ana
    ana.does(
        f"override add staging/{MODEL}@3 --waive beats-champion --waive beats-baseline --incident INC-7 --approver ben"
        " --until 4h --review-by 2026-03-20"
    )
    ana.git("merge", "--quiet", "--no-ff", "-m", "Bring the override", f"mlgit/override/staging/{MODEL}@3")
    audited(ana)
    running.promote(f"{MODEL}@3", "staging")
    found = json.loads(audited(ana, "--json"))
    change = found["changes"][-1]
    assert change["verdict"] == "UNAPPROVED"
    assert change["overrides"] == [f"staging/{MODEL}@3 waives beats-baseline, beats-champion for INC-7, by ana and ben"]
    assert [(one["kind"], one["name"]) for one in found["governance"]] == [("override", f"staging/{MODEL}@3")]
    assert audited(ana, "--json --no-cache") == audited(ana, "--json")


def test_a_rollback_is_proven(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ben.does("approve")
    ana.does("merge")
    ana.does("apply")
    ana.does("rollback production --reason INC-7")
    ben.does("approve")
    ben.does("merge")
    ana.does("apply production")
    found = json.loads(audited(ana, "--json"))
    assert [(one["kind"], one["verdict"]) for one in found["changes"][-2:]] == [
        ("promote", "PROVEN"),
        ("rollback", "PROVEN"),
    ]
    assert [one["kind"] for one in found["governance"]] == ["hold"]
    assert audited(ana, "--json --no-cache") == audited(ana, "--json")


# The same commits, the same bytes


@pytest.mark.parametrize("form", FORMS)
def test_the_same_commits_give_the_same_bytes(proposed: Team, form: str) -> None:
    first = audited(proposed.ana, f"--format {form}")
    proposed.now.wait(timedelta(days=400))
    clone = proposed.ana.clone("elsewhere")
    clone.git("branch", "--quiet", "mlgit-ledger", "origin/mlgit-ledger")
    assert audited(clone, f"--format {form}") == first
    assert audited(proposed.ana, f"--no-cache --format {form}") == first
    assert str(proposed.folder) not in first


def test_a_report_ends_with_its_own_digest(proposed: Team) -> None:
    for form in ("md", "html"):
        page, _, last = audited(proposed.ana, f"--format {form}").rstrip("\n").rpartition("\n")
        assert hashlib.sha256(f"{page}\n".encode()).hexdigest() in last


def test_the_digest_of_the_data_is_that_of_the_document_without_it(proposed: Team) -> None:
    found = json.loads(audited(proposed.ana, "--json"))
    digest = found.pop("digest")
    text = json.dumps({**found, "digest": ""}, separators=(",", ":"), ensure_ascii=False)
    assert digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_a_report_in_a_file_has_its_sha256_beside_it(proposed: Team) -> None:
    page = proposed.folder / "audit.html"
    assert "Written to" in audited(proposed.ana, f"--format html --output {page}")
    line = page.with_name("audit.html.sha256").read_text()
    assert line == f"{hashlib.sha256(page.read_bytes()).hexdigest()}  audit.html\n"


class Page(HTMLParser):
    """The tags of a page, which of them are still open, and attributes that would load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [name for name, _ in attrs if name in {"src", "href", "style"} or name.startswith("on")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing(proposed: Team) -> None:
    text = audited(proposed.ana, "--format html")
    page = Page(text)
    assert (page.open, page.loads) == ([], [])
    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & {*page.tags}
    assert "Content-Security-Policy" in text


def test_the_report_has_all_sections_and_frameworks(proposed: Team) -> None:
    text = audited(proposed.ana, "--format md")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == [
        "Inventory",
        "Changes",
        "Deployments",
        "Holds, overrides, standing approvals, retirements",
        "Rule changes",
        "Repository history",
        "Not checked",
        "Regulatory frameworks",
    ]
    for framework in ("Annex IV", "SR 11", "42001", "NIST"):
        assert framework in text


# Scope


def test_one_environment_or_changes_since_a_commit(proposed: Team) -> None:
    ana = proposed.ana
    only = ana.does("audit --json --env production").json
    assert [one["environment"] for one in only["changes"]] == ["production"]
    assert [one["environment"] for one in only["deployments"]] == ["production"]
    assert len(ana.does("audit --json --since HEAD~1").json["changes"]) == 1
    date = proposed.now.moment - timedelta(days=1)
    assert ana(f"audit --since {date:%Y-%m-%d}").ids == ["revision-unknown"]
    ana.git("switch", "--quiet", "--detach", "HEAD~1")
    aside = ana.commit("Aside", {"aside": "1"})
    ana.git("switch", "--quiet", "main")
    assert ana(f"audit --since {aside}").ids == ["revision-not-on-base-branch"]


def test_an_earlier_commit(proposed: Team) -> None:
    found = proposed.ana.does("audit --json --at HEAD~1").json
    assert len(found["changes"]) == 2
    assert len(proposed.ana.does("audit --json").json["changes"]) == 3


def test_a_shallow_clone_is_refused(proposed: Team) -> None:
    clone = proposed.ana.clone("shallow", "--depth", "1")
    assert clone.refused("audit") == ["history-shallow"]


def test_it_writes_nothing_and_needs_no_data(proposed: Team) -> None:
    ana = proposed.ana
    for folder in (proposed.folder / "storage", proposed.root / ".dvc/cache"):
        folder.rename(folder.with_name(f"{folder.name}-gone"))
    before = ana.everything()
    audited(ana, "--no-cache")
    assert ana.everything() == before


def test_the_gates_can_be_evaluated_again(proposed: Team) -> None:
    found = proposed.ana.does("audit --json --depth full --env production").json
    assert [one["verdict"] for one in found["changes"]] == ["PROVEN"]
    assert not any("--depth full" in sentence for sentence in found["not_checked"])
    for folder in (proposed.folder / "storage", proposed.root / ".dvc/cache"):
        folder.rename(folder.with_name(f"{folder.name}-gone"))
    answer = proposed.ana("audit --json --depth full --env production")
    (change,) = answer.json["changes"]
    assert (answer.code, change["verdict"]) == (1, "UNPROVEN")


# Continuing from a checkpoint


def test_the_next_audit_equals_a_full_one(proposed: Team) -> None:
    ana = proposed.ana
    audited(ana)
    proposed.ben.does("approve")
    assert audited(ana, "--json") == audited(ana, "--json --no-cache")
    ana.does("merge")
    assert audited(ana, "--json") == audited(ana, "--json --no-cache")
    ana.does("apply")
    assert audited(ana, "--json") == audited(ana, "--json --no-cache")
    ana.edit("policies/staging.yaml", "margin: -0.02", "margin: -0.03")
    assert audited(ana, "--json") == audited(ana, "--json --no-cache")


def test_evidence_that_is_fetched_later_counts(proposed: Team) -> None:
    """The auditor's clone has the base branch first, and the ledger a day later."""
    proposed.ben.does("approve")
    proposed.ana.does("merge")
    clone = proposed.ana.clone("auditor", "--single-branch", "--branch", "main")
    first = clone("audit --json")
    assert (first.code, first.json["counts"]["UNPROVEN"]) == (1, 2)
    clone.git("fetch", "--quiet", "origin", "mlgit-ledger:mlgit-ledger")
    assert audited(clone, "--json") == audited(clone, "--json --no-cache")


def test_only_new_commits_are_replayed(proposed: Team) -> None:
    """A gate report of the replayed part of the history is deleted; an audit from a checkpoint does not need it."""
    ana, checkpoint = proposed.ana, proposed.folder / "auditor.json"
    audited(ana, f"--write-checkpoint {checkpoint}")
    ana.commit("Say more", {"README.md": "# Malignancy\n"})
    (report, *_) = [path for path in ana.files("HEAD") if "/gates/" in path]
    _delete_object(ana, ana.head(f"HEAD:{report}"))
    assert ana("audit --no-cache", "--json").json["findings"][0]["id"] == "git-object-missing"
    audited(ana, f"--checkpoint {checkpoint}")


def _delete_object(desk: Desk, blob: str) -> None:
    """Delete an object from a repository."""
    folder = desk.root / ".git/objects"
    packs = [pack.rename(desk.root.parent / pack.name) for pack in folder.glob("pack/*.pack")]
    for rest in folder.glob("pack/*"):
        rest.unlink()
    for pack in packs:
        desk.git("unpack-objects", "-q", stdin=pack.read_bytes())
    (folder / blob[:2] / blob[2:]).unlink()


def test_an_auditors_own_checkpoint(proposed: Team) -> None:
    ana, checkpoint = proposed.ana, proposed.folder / "auditor.json"
    audited(ana, f"--write-checkpoint {checkpoint}")
    proposed.ben.does("approve")
    ana.does("merge")
    assert audited(ana, f"--json --checkpoint {checkpoint}") == audited(ana, "--json --no-cache")


def test_a_checkpoint_counts_only_with_the_signature_of_the_expected_key(proposed: Team) -> None:
    """Mallory has proven to herself that everything is fine, and puts her checkpoint where Ana's was."""
    ana, checkpoint = proposed.ana, proposed.folder / "auditor.json"
    audited(proposed.mallory, f"--write-checkpoint {checkpoint}")
    assert ana.refused(f"audit --checkpoint {checkpoint}") == ["checkpoint-invalid"]
    key = proposed.keys / "mallory.pub"
    audited(ana, f"--checkpoint {checkpoint} --checkpoint-key {key}")
    assert ana.refused(f"audit --checkpoint {checkpoint} --checkpoint-key SHA256:other") == ["checkpoint-invalid"]
    bens = proposed.ben.using(mlgit_checkpointKey=str(key))
    audited(bens, f"--checkpoint {checkpoint}")


def test_the_verdict_names_the_depth(proposed: Team) -> None:
    assert "changes at depth record: 1 PROVEN" in audited(proposed.ana, "")
    found = proposed.ana("audit --depth recompute --json").json
    assert (found["depth"], found["counts"]["PROVEN"]) == ("recompute", 1)


def test_a_cache_of_somebody_else_is_ignored(proposed: Team) -> None:
    """A copied folder brings a cache in which the verdicts were exchanged, with a correct code of another user's secret."""
    first = audited(proposed.ana)
    secret = proposed.keys / ".local/state/mlgit/cache.key"
    cache = FileCache(proposed.root / ".git", secret_file=secret)
    content = cache.get("audit", "main")
    assert content is not None
    forged = FileCache(proposed.root / ".git", secret_file=proposed.folder / "other.key")
    forged.put("audit", "main", content.replace(b'"PROVEN"', b'"VIOLATION"'))
    assert audited(proposed.ana) == first


INVALID: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda text: b"{}",
    "no text": lambda text: b"\xff",
    "altered": lambda text: text.replace(b'"PROVEN"', b'"VIOLATION"', 1),
    "cut off": lambda text: text[:-100],
    "of another mlgit": lambda text: text.replace(b'"tool":"', b'"tool":"9'),
}


@pytest.mark.parametrize("wrong", INVALID)
def test_an_invalid_checkpoint_is_refused(proposed: Team, wrong: str) -> None:
    checkpoint = proposed.folder / "auditor.json"
    audited(proposed.ana, f"--write-checkpoint {checkpoint}")
    checkpoint.write_bytes(INVALID[wrong](checkpoint.read_bytes()))
    assert proposed.ana.refused(f"audit --checkpoint {checkpoint}") == ["checkpoint-invalid"]


def test_a_missing_checkpoint(proposed: Team) -> None:
    assert proposed.ana.refused("audit --checkpoint nowhere.json", code=3) == ["file-unreadable"]


def test_a_corrupt_cache_is_ignored(proposed: Team) -> None:
    first = audited(proposed.ana)
    (cache,) = (proposed.root / ".git/mlgit/cache").glob("audit*")
    cache.write_bytes(cache.read_bytes().replace(b'"PROVEN"', b'"VIOLATION"'))
    assert audited(proposed.ana) == first


def test_a_repository_that_cannot_be_written_to_is_audited(proposed: Team) -> None:
    if os.geteuid() == 0:
        shutil.rmtree(proposed.root / ".git/mlgit", ignore_errors=True)
        (proposed.root / ".git/mlgit").write_text("in the way")
    else:
        (proposed.root / ".git").chmod(0o500)
    assert "1 PROVEN" in audited(proposed.ana)
    assert not Path(proposed.root / ".git/mlgit/cache/audit").exists()


def test_an_unknown_environment_is_refused(proposed: Team) -> None:
    assert proposed.ana.refused("audit --env prod") == ["environment-unknown"]
    proposed.ana.does("audit --env staging")
