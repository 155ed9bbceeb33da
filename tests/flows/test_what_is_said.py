"""What each command says, in words and as a document, accepted and refused.

All texts are kept in `tests/snapshots`, and a few documents; the others are checked against the schema of their type and the
values that matter (`documents.py`).
`python -m pytest tests/flows/test_what_is_said.py --write-snapshots` writes the files again; their difference is to be read.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.flows.builder import MODEL, OTHER
from tests.flows.documents import EXPECTED, check_document
from tests.flows.people import Answer, Desk, Team

WHERE = f"production/{MODEL}"
FORMS = ("text", "json")
SNAPSHOTS = Path(__file__).parents[1] / "snapshots"

# What is different on every run, or on another machine or with another release of a library. The order matters.
_UNSTABLE: tuple[tuple[str, str], ...] = (
    (r"sha256:[0-9a-f]{64}", "sha256:<digest>"),
    (r"sha256:[0-9a-f]{12}\b", "sha256:<digest>"),
    (r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:<key>"),
    (r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "<promotion>"),
    (r"(<promotion> +)[0-9a-f]{12}\b", r"\1<id>"),
    (r"\b[0-9a-f]{64}\b", "<digest>"),
    (r"\b[0-9a-f]{40}\b", "<commit>"),
    (r"\b[0-9a-f]{32}\b", "<md5>"),
    (r"\b(md5|decision|commit|at main) +[0-9a-f]{7,12}\b", r"\1 <id>"),
    (r"\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,12}\b", "<id>"),
    (
        r"(?<![.\d+-])\b([0-9]{7}|[0-9]{12}|[a-f]{7}|[a-f]{12})\b(?![.\d])",
        "<id>",
    ),  # by chance without letters, or digits
    (r"mlgit \d+\.\d+\.\d+", "mlgit <version>"),
    (r": -?[0-9]+\.[0-9]+(e-?[0-9]+)?(?=,?\n)", ": <number>"),
    (r'("seed"): [0-9]{4,}', r"\1: <number>"),
    (r"(p95 ms +)[0-9.]+ +[0-9.]+", r"\1<number> <number>"),
    (r"(\| p95 ms \| )[0-9.]+ \| [0-9.]+", r"\1<number> | <number>"),
    (r"(, on ).+ cores$", r"\1<machine>"),
    (r'("machine"): ".+"', r'\1: "<machine>"'),
    (r"[0-9]\.[0-9]{4}\b", "#.####"),
    (r"\b[0-9.]+ (ms|kB|MB)\b", r"<number> \1"),
    (r'("size"): [0-9]+', r"\1: <number>"),
    (r"\d{4}-\d{2}-\d{2}T[\d:.]+Z", "<time>"),
    (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}", "<time>"),
)


def stable(text: str, team: Team) -> str:
    """Return what was said without what no two runs have in common."""
    text = text.replace(str(team.folder), "<folder>")
    for pattern, word in _UNSTABLE:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text


def ana(team: Team) -> Desk:
    return team.ana


def ben(team: Team) -> Desk:
    return team.ben


Case = tuple[str, str, Callable[[Team], Desk], str]
"""A name, the scene (with what is done in it first), who asks, and what."""

_STANDING = f"standing-approval add production/{MODEL} --approver ben --until 90d --reason 'weekly retrain'"
_OVERRIDE = "--waive slice-harm --incident INC-7 --until 4h --review-by 2026-04-01 --approver ben"
CASES: list[Case] = [
    ("status", "proposed", ana, "status"),
    ("status-nothing-yet", "registered", ana, "status"),
    ("status-at", "proposed", ana, "status --at HEAD~1"),
    ("status-approved", "approved", ana, "status"),
    ("status-merged", "merged", ana, "status"),
    ("log", "proposed", ana, "log"),
    ("log-of-one", "proposed", ana, f"log --env production --model {MODEL} -n 1"),
    ("show-model", "proposed", ana, f"show {MODEL}"),
    ("show-version", "proposed", ana, f"show {MODEL}@2"),
    ("show-unknown", "proposed", ana, f"show {MODEL}@9"),
    ("diff", "proposed", ana, f"diff {MODEL}@1 {MODEL}@2"),
    ("gate", "proposed", ana, f"gate {MODEL}@2 --env production"),
    ("gate-refused", "proposed", ana, f"gate {MODEL}@3 --env production"),
    ("validate", "proposed", ana, "validate"),
    ("validate-refused", "tampered", ana, "validate"),
    ("data-check", "registered", ana, "data check"),
    ("register-again", "registered", ana, f"register {MODEL}"),
    ("register-refused", "dirty", ana, f"register {MODEL}"),
    ("promote", "running", ana, f"promote {MODEL}@2 --to staging"),
    ("promote-dry", "running", ana, f"promote {MODEL}@2 --to staging --dry-run"),
    ("promote-again", "proposed", ana, f"promote {MODEL}@2 --to production"),
    ("promote-runs-already", "proposed", ana, f"promote {MODEL}@2 --to staging"),
    ("promote-refused", "running", ana, f"promote {MODEL}@3 --to staging"),
    ("promote-skipped", "running", ana, f"promote {OTHER}@1 --to production"),
    ("approve", "proposed", ben, "approve"),
    ("approve-again", "approved", ben, "approve"),
    ("approve-reject", "proposed", ben, "approve --reject --comment 'recall of ragged outlines'"),
    ("approve-refused", "proposed", ana, "approve"),
    ("merge", "approved", ben, "merge"),
    ("merge-dry", "approved", ben, "merge --dry-run"),
    ("merge-refused", "proposed", ana, "merge"),
    ("merge-again", "merged", ana, f"merge {WHERE}"),
    ("apply", "merged", ana, "apply"),
    ("apply-dry", "merged", ana, "apply --dry-run"),
    ("apply-again", "running", ana, "apply"),
    ("apply-blocked", "pushed", ana, "apply"),
    ("observe", "running", ana, "observe"),
    ("approvals", "approved", ana, "approvals"),
    ("brief", "proposed", ana, "brief"),
    ("brief-md", "merged", ana, f"brief {WHERE} --format md"),
    ("queue", "proposed", ana, "queue"),
    ("withdraw", "proposed", ana, f"withdraw {WHERE} --reason 'not yet'"),
    ("gate-verify", "proposed", ana, "gate --verify --all"),
    ("policy-replay", "running", ana, "policy replay production --with policies/staging.yaml"),
    ("rollback", "proposed", ana, "rollback staging --reason INC-7"),
    ("rollback-version-missing", "running", ana, f"rollback production/{MODEL} --reason INC-7"),
    ("hold-add", "running", ana, f"hold add production/{MODEL}@2 --reason INC-7"),
    ("hold-list", "running", ana, "hold list"),
    ("override-add", "proposed", ana, f"override add production/{MODEL}@3 {_OVERRIDE}"),
    ("override-list", "running", ana, "override list"),
    ("standing-approval-add", "running", ana, _STANDING),
    ("standing-approval-list", "agreed", ana, "standing-approval list"),
    ("auto-promote", "automated", ana, "auto-promote"),
    ("auto-promote-dry", "agreed", ana, "auto-promote --dry-run"),
    ("recertify", "running", ana, f"recertify {WHERE}"),
    ("recertify-dry", "running", ana, f"recertify {WHERE} --dry-run"),
    ("renumber-refused", "registered", ana, f"renumber {MODEL}@1"),
    ("verify-push-not-bare", "registered", ana, "verify-push --install"),
    ("why", "proposed", ana, f"why production/{MODEL}"),
    ("lineage", "proposed", ana, f"lineage {MODEL}@2"),
    ("lineage-data", "proposed", ana, "lineage --dataset biopsies"),
    ("bisect", "proposed", ana, f"bisect {MODEL} --metric roc_auc --drop 0.01"),
    ("at", "proposed", ana, "at HEAD~1 status"),
    ("audit", "proposed", ana, "audit"),
    ("audit-violation", "tampered", ana, "audit"),
]
KEPT = {"status", "promote", "audit", "show-unknown"}
"""Those whose document is kept whole: a list, a change, a report and a refusal."""
CHANGING = {
    "promote",
    "approve",
    "approve-reject",
    "merge",
    "withdraw",
    "apply",
    "apply-blocked",
    "observe",
    "rollback",
    "hold-add",
    "override-add",
    "standing-approval-add",
    "auto-promote",
    "recertify",
}


def prepared(request: pytest.FixtureRequest, scene: str) -> Team:
    """Return a scene, one of those that are built or one that comes a step later."""
    later: Mapping[str, str] = {
        "approved": "proposed",
        "merged": "proposed",
        "tampered": "registered",
        "dirty": "registered",
        "agreed": "proposed",
        "automated": "running",
    }
    team: Team = request.getfixturevalue("proposed" if scene == "pushed" else later.get(scene, scene))
    if scene in {"approved", "merged"}:
        team.ben.does("approve")
    if scene == "merged":
        team.ben.does("merge")
    if scene == "tampered":
        team.ana.edit(f"models/{MODEL}/versions/v1/version.json", '"rows": 284', '"rows": 285')
    if scene == "dirty":
        (team.root / "src/put.py").write_text("raise SystemExit(0)\n")
    if scene == "agreed":
        team.ana.does(_STANDING)
        team.ben.does(f"standing-approval approve {WHERE}")
        team.ana.git("merge", "--quiet", "--no-ff", "-m", "Agree to it", f"mlgit/standing-approval/{WHERE}")
    if scene in {"agreed", "automated"}:
        path = "environments/staging/environment.yaml"
        team.ana.commit("Let it run by itself", {path: team.ana.read(path) + "auto_promote: true\n"})
    if scene == "automated":
        team.ana.does(f"hold add --everywhere {MODEL}@3 --reason 'it is worse'")
        team.ana.git("merge", "--quiet", "--no-ff", "-m", "Hold it", f"mlgit/hold/everywhere/{MODEL}@3")
    if scene == "pushed":
        team.mallory.git("merge", "--quiet", "--no-ff", "-m", "Merge it", f"mlgit/promote/{WHERE}")
    return team


def written(answer: Answer, line: str, team: Team) -> str:
    """Return an answer as it is kept: what was asked, what was said where, and the exit code."""
    parts = [
        f"$ mlgit {line}",
        *(text.rstrip("\n") for text in (answer.out, answer.err) if text),
        f"exit code {answer.code}",
    ]
    return stable("\n".join(parts) + "\n", team)


def kept_code(name: str) -> int:
    """Return the exit code of the text that is kept: a document comes with the same."""
    return int((SNAPSHOTS / f"{name}.text.txt").read_text(encoding="utf-8").rpartition("exit code ")[2])


# What changes something is asked once in a scene, so that the second form is not told that it is done already.
ASKED = [
    (name, scene, who, line, forms)
    for name, scene, who, line in CASES
    for forms in ([FORMS[:1], FORMS[1:]] if name in CHANGING else [FORMS])
]


@pytest.mark.tier("fast", "status-text-json", "merge-text", "merge-json", "show-unknown-text-json")
@pytest.mark.parametrize(
    ("name", "scene", "who", "line", "forms"), ASKED, ids=[f"{case[0]}-{'-'.join(case[4])}" for case in ASKED]
)
def test_what_is_said(
    request: pytest.FixtureRequest,
    name: str,
    scene: str,
    who: Callable[[Team], Desk],
    line: str,
    forms: Sequence[str],
) -> None:
    team = prepared(request, scene)
    for form in forms:
        asked = line if form == "text" else f"{line} --json"
        answer = who(team)(asked)
        if form == "json":
            assert str(answer.json["schema"]).startswith("mlgit/")
            assert answer.err == ""
        if form == "json" and name not in KEPT:
            check_document(answer.out, EXPECTED[name])
            assert answer.code == kept_code(name)
            continue
        said, kept = written(answer, asked, team), SNAPSHOTS / f"{name}.{form}.txt"
        if request.config.getoption("--write-snapshots"):
            kept.write_text(said, encoding="utf-8")
        assert said == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("line", ["log", "audit"])
def test_tables_fit_a_terminal_of_80_columns(proposed: Team, line: str) -> None:
    assert max(map(len, proposed.ana(line).out.splitlines())) <= 80


@pytest.mark.tier("fast")
def test_nothing_is_kept_that_is_no_longer_said() -> None:
    names = {case[0] for case in CASES}
    kept = {f"{name}.text.txt" for name in names} | {f"{name}.json.txt" for name in KEPT}
    assert {path.name for path in SNAPSHOTS.iterdir()} == kept
    assert set(EXPECTED) == names - KEPT


@pytest.mark.tier("fast")
def test_every_command_that_answers_from_a_project_is_among_them() -> None:
    from mlgit.cli.main import COMMANDS

    elsewhere = {
        "init",
        "new",
        "explain",
        "schema",
        "completion",
        "train",
        "doctor",
        "ci",
        "download",
        "upload",
        "upgrade",
    }  # each has tests of what it says
    assert {line.split()[0] for _, _, _, line in CASES} == set(COMMANDS) - elsewhere
