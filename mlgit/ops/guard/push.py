"""Check a push to a branch: it continues the branch, and on the ledger it only adds files."""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.ledger_integrity import check_entries
from mlgit.domain.names import CommitId
from mlgit.errors import Finding, Inconclusive, Location, MlgitError, usage_error
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.ports.git import PathChange
from mlgit.ops.kernel.ports.workspace import Workspace

HOOK = "pre-receive"
"""The hook of Git that can refuse a push as a whole, before any ref moves."""
_FETCH = f"run `git fetch {remote.NAME}`, then rebase or merge your commits and push without --force"


class RefUpdate(msgspec.Struct, frozen=True):
    """What a push does to one ref. `old` is None where the ref is new, `new` where it is deleted."""

    ref: str
    old: CommitId | None
    new: CommitId | None

    @classmethod
    def parse(cls, line: str) -> "RefUpdate":
        """Read `OLD NEW REF`, which Git writes to a hook.

        Raises:
            UsageError: it is something else (`push-input-invalid`).
        """
        words = line.split(" ", 2)
        if len(words) != 3 or not all(words):  # noqa: PLR2004 - OLD NEW REF
            raise usage_error(
                "push-input-invalid",
                "a line of standard input is not a ref update",
                why=f"{line[:200]!r} is not of the form OLD NEW REF",
                fix=f"let Git run this as its hook {HOOK}: `mlgit verify-push --install`",
            )
        old, new, ref = words
        return cls(ref, old if old.strip("0") else None, new if new.strip("0") else None)


class PushVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one ref: how many commits were checked, the promotions among them, and the findings."""

    ref: str
    role: Literal["base", "ledger", "other"]
    commits: int = 0
    promotions: list[str] = []
    findings: list[Finding] = []


def check_fast_forward(workspace: Workspace, update: RefUpdate) -> Finding | None:
    """A push continues the first-parent line of a branch: it neither rewrites nor deletes it."""
    name = update.ref.removeprefix("refs/heads/")
    if update.new is None:
        return Finding(
            "push-deletes-branch",
            f"{name} cannot be deleted",
            why="its history is the evidence of past decisions",
            fix="keep the branch; to end a project, archive the repository",
        )
    assert update.old is not None  # noqa: S101 - callers pass updates of branches that exist
    repository = workspace.repository
    if not remote.contains(repository, update.new, update.old):
        return Finding(
            "push-non-fast-forward",
            f"{name} is at {update.old[:12]}, which {update.new[:12]} does not have",
            why="this push would remove commits that others may have",
            fix=_FETCH,
        )
    oldest = None
    for commit, _ in repository.commits(f"{update.old}..{update.new}"):
        oldest = commit
    # The old tip may be an ancestor by way of a second parent; then the branch would have another history.
    if oldest is not None and oldest.parents[:1] != (update.old,):
        return Finding(
            "push-first-parent-changed",
            f"the first-parent line of {update.new[:12]} does not lead to {update.old[:12]}",
            why=f"{name} was merged into another branch, instead of that branch into {name}",
            fix=f"switch to {name}, and merge the other branch into it",
        )
    return None


def check_ledger_push(workspace: Workspace, update: RefUpdate) -> PushVerdict:
    """Check a push to the ledger: it adds valid records, and continues each deployment log.

    Raises:
        Inconclusive: Git did not answer.
    """
    if update.old is not None or update.new is None:
        problem = check_fast_forward(workspace, update)
        if problem is not None or update.new is None:
            return PushVerdict(ref=update.ref, role="ledger", findings=[problem] if problem else [])
    span = update.new if update.old is None else f"{update.old}..{update.new}"
    commits = list(workspace.repository.commits(span))
    changes = [change for _, changes in reversed(commits) for change in changes]
    findings = [*_check_added(changes), *_check_records(workspace, update.new, changes)]
    return PushVerdict(ref=update.ref, role="ledger", commits=len(commits), findings=findings)


def _check_added(changes: Iterable[PathChange]) -> Iterator[Finding]:
    for change in changes:
        if change.status != "A":
            yield Finding(
                "ledger-entry-changed",
                f"{change.path} on the ledger is {'deleted' if change.status == 'D' else 'changed'}",
                why="the ledger is append-only",
                fix="do not edit the ledger by hand; mlgit adds a new file for everything that happens",
                at=Location(change.path),
            )


def _check_records(workspace: Workspace, tip: CommitId, changes: Iterable[PathChange]) -> list[Finding]:
    """The added files are valid records, and each entry of a deployment log follows the one before."""
    ledger = Ledger(workspace.repository.tree(tip), workspace.formats.record)
    assert ledger.tree is not None  # noqa: S101 - it has a tip
    places = {change.path: place for change in changes if (place := layout.parse_path(change.path)) is not None}
    findings: list[Finding] = []
    keys = dict.fromkeys(
        (place.fields["environment"], place.fields["model"]) for place in places.values() if place.kind == "deployment"
    )
    try:
        for path, content in ledger.tree.read_many(places):
            if content is not None:
                workspace.formats.record(path, content)
        for entries in ledger.deployments_of(keys).values():
            findings += [finding for finding in check_entries(entries) if finding.at and finding.at.file in places]
    except Inconclusive:
        raise
    except MlgitError as error:
        findings += error.findings
    return findings
