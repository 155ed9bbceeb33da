"""The verdict on a change: what would be said of the push that merging it amounts to.

One question for every way to the base branch: a pull request is merged where nobody sees it, a merge queue has merged
already, and so has a push. Each commit of the first-parent line is then held against the one before it, whose policies, roles
and signers are the rules. Files are parsed; nothing of the change is run.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import Exit, Finding, Inconclusive, MlgitError, Severity, usage_error
from mlgit.ops.ci.event import Event
from mlgit.ops.guard.push import RefUpdate
from mlgit.ops.guard.verify_push import check_base_push
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import forge_reviews
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.validation import validate

_HEADS = "refs/heads/"
PULL_REQUEST = ("pull_request", "pull_request_review")
"""Events that are about a pull request. One that hands secrets to forks (`pull_request_target`) is not among them."""


class Verdict(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-verdict.v1"):
    """What was judged, and what stands against it.

    `head` is the commit that was proposed or pushed; `onto` the one of the base branch that it was held against, None where
    there was none. `answered` tells whether all could be judged.
    """

    event: str
    number: int | None
    base: str | None
    onto: CommitId | None
    head: CommitId
    commits: int = 0
    promotions: list[str] = []
    findings: list[Finding] = []
    answered: bool = True

    @property
    def exit(self) -> Exit:
        """No where there is an error; not judged where something did not answer."""
        if not self.answered:
            return Exit.UNJUDGED
        return Exit.NO if any(found.severity is Severity.ERROR for found in self.findings) else Exit.YES


class Change(msgspec.Struct, frozen=True):
    """What is to be judged: the base branch, what would be pushed to it, and the commit that is proposed.

    `base` is None where there is no project yet. `update` is None where the change cannot be merged.
    """

    base: str | None
    onto: CommitId | None
    head: CommitId
    update: RefUpdate | None


def run(workspace: Workspace, event: Event) -> Verdict:
    """Judge the change that an event is about. Reads only, and runs nothing of it.

    Raises:
        Misuse: the event is about no change (`event-unfit`).
        MlgitError: the clone lacks a part of the history (`history-shallow`).
    """
    workspace.repository.require_full_history()
    with workspace.trial() as trial:
        change = change_of(trial, event)
        found = Verdict(
            event=event.name, number=event.number, base=change.base, onto=change.onto, head=change.head, findings=[]
        )
        try:
            return _judge(
                trial, change, found, lambda one: forge_reviews.ask(workspace, one, merged=event.push is not None)
            )
        except MlgitError as error:
            return replace(found, findings=list(error.findings), answered=not isinstance(error, Inconclusive))


def change_of(workspace: Workspace, event: Event) -> Change:
    """Return what an event would bring to the base branch, or brought; a merge that it needs is made in the workspace.

    What a pull request names as its base plays no part: a commit that is good for a branch with lax rules would be green for
    the base branch as well.

    Raises:
        Misuse: the event is about no change (`event-unfit`).
    """
    update = event.push or event.queued
    if update is not None and update.new is not None:
        base = _base_of(workspace, update.old) or _base_of(workspace, update.new)
        if base is None or update.ref == _HEADS + base:
            return Change(base, update.old, update.new, update)
        return _merged(workspace, base, update.new, update.old)
    if event.pull_request is not None and event.name in PULL_REQUEST:
        base = _base_of(workspace, _tip(workspace, event.repository.default_branch))
        return _merged(workspace, base, event.pull_request.head.sha, event.pull_request.base.sha)
    raise usage_error(
        "event-unfit",
        f"an event {event.name!r} is about no change that could be judged",
        why=f"a verdict is given on push, merge_group, {' and '.join(PULL_REQUEST)}",
        fix="take the workflow that `mlgit init --forge github` writes",
    )


def _merged(workspace: Workspace, base: str | None, head: CommitId, otherwise: CommitId | None) -> Change:
    """Merge a commit into the tip of the base branch (or another commit, where there is no project yet)."""
    repository = workspace.repository
    onto = _tip(workspace, base) if base is not None else otherwise
    ref = _HEADS + (base or "")
    if onto is None:
        return Change(base, None, head, RefUpdate(ref, None, head))
    tree = repository.merge_tree(onto, head)
    if tree is None:
        return Change(base, onto, head, None)
    merge = repository.commit_tree(tree, parents=[onto, head], message="Trial")
    return Change(base, onto, head, RefUpdate(ref, onto, merge))


def _judge(workspace: Workspace, change: Change, found: Verdict, ask: Callable[[Proposal], Proposal]) -> Verdict:
    repository, update = workspace.repository, change.update
    if update is None:
        return replace(found, findings=[_conflict(change)])
    assert update.new is not None  # noqa: S101 - a branch that is deleted is no change
    head = Lifecycle(repository.tree(update.new), workspace.formats.record)
    head.project()
    if update.old is None:
        _, findings = validate.check_all(head, workspace.formats)
        return replace(found, findings=findings)
    if repository.resolve(update.old) is None:
        return replace(found, findings=[_rewritten(update)])
    judged = check_base_push(workspace, update, ask)
    findings = [_in_words_of_a_forge(finding) for finding in judged.findings]
    return replace(found, commits=judged.commits, promotions=judged.promotions, findings=findings)


def _base_of(workspace: Workspace, commit: CommitId | None) -> str | None:
    """Return the base branch that the project at a commit names; None where there is no project, or none that can be read."""
    if commit is None or workspace.repository.resolve(commit) is None:
        return None
    state = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
    return None if state.tree.read(layout.PROJECT) is None else state.project().base


def _tip(workspace: Workspace, branch: str) -> CommitId | None:
    """Return the newest commit of a branch, here or as the remote's copy of it."""
    return remote.newest(workspace.repository, _HEADS + branch)


def _conflict(change: Change) -> Finding:
    return Finding(
        "merge-conflict",
        f"{change.head[:12]} does not merge into {change.base}",
        why="both changed the same file",
        fix="merge the base branch into it; a promotion is made again with `mlgit promote`, from today's base",
    )


def _rewritten(update: RefUpdate) -> Finding:
    name = update.ref.removeprefix(_HEADS)
    return Finding(
        "push-rewrites",
        f"{name} was at {(update.old or '')[:12]}, which {(update.new or '')[:12]} does not have",
        why="no branch of this clone has that commit any more, so it was pushed by force",
        fix=f"restore {name} from a clone that has the commit, and let nobody push to it by force",
    )


def _in_words_of_a_forge(finding: Finding) -> Finding:
    """Name the way out that there is for a pull request: the approvals are the same, who merges is not."""
    if finding.id != "approvals-missing":
        return finding
    return replace(
        finding, fix="somebody who may, approves it in the way that the policy names; then let this check run again"
    )
