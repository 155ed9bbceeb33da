"""Ways to get round the rules that need nothing but write access to the repository and a key of one's own."""

from tests.flows.people import Desk, Team
from tests.flows.test_audit_abuse import POLICY
from tests.flows.test_rule_changes import proposes

UNUSED = "policies/next.yaml"


def proposes_file(desk: Desk, branch: str, files: dict[str, str | bytes]) -> None:
    desk.git("switch", "--quiet", "--create", branch, "main")
    desk.commit("Add a draft", files)
    desk.git("switch", "--quiet", "main")


def test_a_policy_is_not_loosened_between_its_approval_and_its_use(running: Team) -> None:
    """People approve that an environment takes another policy; what that policy says is changed before the merge."""
    ana, ben = running.ana, running.ben
    strict = ana.read(POLICY).replace("name: production", "name: next")
    proposes_file(ana, "draft", {UNUSED: strict})
    ben.does("approve draft")
    ana.does("merge draft")
    proposes(ana, "switch", "environments/production/environment.yaml", ("policy: production", "policy: next"))
    ben.does("approve switch")
    proposes(ana, "loosen", UNUSED, ("promote: {min: 1}", "promote: {min: 0}"))
    assert ana.refused("merge loosen") == ["rule-approvals-missing"]


def test_a_commit_without_a_date_stops_nothing(running: Team) -> None:
    ana = running.ana
    tree, parent = ana.head("HEAD^{tree}"), ana.head()
    text = f"tree {tree}\nparent {parent}\nauthor M <m@acme.example> 1 +0000\ncommitter M <m@acme.example>\n\nNote\n"
    commit = ana.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=text.encode())
    ana.git("update-ref", "refs/heads/main", commit)
    assert ana("audit --no-cache").code == 0
    ana.does("status")
    ana.does("log")
