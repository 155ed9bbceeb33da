"""What a push asks for a branch: that it goes on from where it is, and, for the ledger, that nothing is but added."""

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
"""The hook of Git that can refuse a push as a whole before any ref moves."""
_FETCH = f"run `git fetch {remote.NAME}`, and put what you have on top of what is there; nothing needs --force"


class RefUpdate(msgspec.Struct, frozen=True):
    """What a push asks for one ref; None where it is not there yet, or is to be deleted."""

    ref: str
    old: CommitId | None
    new: CommitId | None

    @classmethod
    def parse(cls, line: str) -> "RefUpdate":
        """Read `OLD NEW REF`, as Git tells a hook.

        Raises:
            UsageError: it is something else (`push-input-invalid`).
        """
        words = line.split(" ", 2)
        if len(words) != 3 or not all(words):  # noqa: PLR2004 - OLD NEW REF
            raise usage_error(
                "push-input-invalid",
                "a line does not say what is pushed",
                why=f"{line[:200]!r} is not of the form OLD NEW REF",
                fix=f"let Git run this as its hook {HOOK}: `mlgit verify-push --install`",
            )
        old, new, ref = words
        return cls(ref, old if old.strip("0") else None, new if new.strip("0") else None)


class PushVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one ref: how many commits were judged, and the promotions among them."""

    ref: str
    role: Literal["base", "ledger", "other"]
    commits: int = 0
    promotions: list[str] = []
    findings: list[Finding] = []


def check_fast_forward(workspace: Workspace, update: RefUpdate) -> Finding | None:
    """Hold that a branch goes on from where it is: its first-parent line gets longer, and nothing else happens to it."""
    name = update.ref.removeprefix("refs/heads/")
    if update.new is None:
        return Finding(
            "push-deletes-branch",
            f"{name} cannot be deleted",
            why="what was decided is proven by its history",
            fix="leave it; a project that ends can be archived as a whole",
        )
    assert update.old is not None  # noqa: S101 - a branch that is not there yet has no line
    repository = workspace.repository
    if not remote.contains(repository, update.new, update.old):
        return Finding(
            "push-non-fast-forward",
            f"{name} is at {update.old[:12]}, which {update.new[:12]} does not have",
            why="this push would take commits away that others have seen",
            fix=_FETCH,
        )
    last = None
    for commit, _ in repository.commits(f"{update.old}..{update.new}"):
        last = commit
    if last is not None and last.parents[:1] != (update.old,):
        return Finding(
            "push-first-parent-changed",
            f"the first-parent line of {update.new[:12]} does not lead to {update.old[:12]}",
            why=f"{name} was merged into another branch rather than the other way round, and would become a side line",
            fix=f"switch to {name}, and merge the other branch into it",
        )
    return None


def check_ledger_push(workspace: Workspace, update: RefUpdate) -> PushVerdict:
    """Judge what is pushed to the ledger.

    Raises:
        Inconclusive: Git did not answer.
    """
    if update.old is not None or update.new is None:
        wrong = check_fast_forward(workspace, update)
        if wrong is not None or update.new is None:
            return PushVerdict(ref=update.ref, role="ledger", findings=[wrong] if wrong else [])
    span = update.new if update.old is None else f"{update.old}..{update.new}"
    brought = list(workspace.repository.commits(span))
    changes = [change for _, changes in reversed(brought) for change in changes]
    findings = [*_check_added(changes), *_check_records(workspace, update.new, changes)]
    return PushVerdict(ref=update.ref, role="ledger", commits=len(brought), findings=findings)


def _check_added(changes: Iterable[PathChange]) -> Iterator[Finding]:
    for change in changes:
        if change.status != "A":
            yield Finding(
                "ledger-entry-changed",
                f"{change.path} on the ledger is {'deleted' if change.status == 'D' else 'changed'}",
                why="the ledger only grows: what was seen to happen stays",
                fix="add what is new as a file of its own; mlgit writes the ledger, people do not",
                at=Location(change.path),
            )


def _check_records(workspace: Workspace, tip: CommitId, changes: Iterable[PathChange]) -> list[Finding]:
    """Hold that what is added can be read, and that each deployment follows from the one before."""
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
            findings += [found for found in check_entries(entries) if found.at and found.at.file in places]
    except Inconclusive:
        raise
    except MlgitError as error:
        findings += error.findings
    return findings
