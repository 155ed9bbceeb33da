"""The verdict on a change: the verification of the push that merging it amounts to.

It is the same for every way to the base branch. A pull request is merged in a scratch repository, a merge queue has merged
already, and so has a push. Each commit of the first-parent line is then verified against the one before it, whose policies, roles
and signers are the rules. Files are parsed; no code of the change is run.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import Exit, Finding, Inconclusive, MlgitError, Severity, usage_error
from mlgit.ops.ci.event import WorkflowEvent
from mlgit.ops.guard.push import RefUpdate
from mlgit.ops.guard.verify_push import check_base_push
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import forge_reviews, rule_reviews
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.rule_changes import RuleChange
from mlgit.ops.validation import validate

_HEADS: Final = "refs/heads/"
PULL_REQUEST_EVENTS: Final = ("pull_request", "pull_request_review")
"""Not among them: `pull_request_target`, which gives secrets to runs on pull requests from forks."""


class Verdict(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-verdict.v1"):
    """What was verified, and the findings.

    `head` is the commit that was proposed or pushed; `base_commit` the commit of the base branch that it was verified against,
    None where there was none. `conclusive` tells whether everything could be verified.
    """

    event: str
    pull_request: int | None
    base: str | None
    base_commit: CommitId | None
    head: CommitId
    commits: int = 0
    promotions: list[str] = []
    findings: list[Finding] = []
    conclusive: bool = True

    @property
    def exit(self) -> Exit:
        """No where there is an error; inconclusive where something did not answer."""
        if not self.conclusive:
            return Exit.INCONCLUSIVE
        return Exit.NO if any(finding.severity is Severity.ERROR for finding in self.findings) else Exit.YES


class ProposedChange(msgspec.Struct, frozen=True):
    """A change to verify: the base branch, the push that a merge amounts to, and the proposed commit.

    `base` is None where there is no project yet. `update` is None where the change cannot be merged.
    """

    base: str | None
    base_commit: CommitId | None
    head: CommitId
    update: RefUpdate | None


def run(workspace: Workspace, event: WorkflowEvent) -> Verdict:
    """Verify the change that an event is about. Reads only, and runs no code of the change.

    Raises:
        UsageError: the event is about no change (`ci-event-unsupported`).
        MlgitError: the clone is shallow (`history-shallow`).
    """
    workspace.repository.require_full_history()
    is_merged = event.push is not None

    def fetch_reviews(proposal: Proposal) -> Proposal:
        return forge_reviews.with_fetched_reviews(workspace, proposal, merged=is_merged)

    def fetch_rule_reviews(change: RuleChange) -> RuleChange:
        number = event.pull_request_number
        return rule_reviews.with_fetched_reviews(workspace, change, merged=is_merged, number=number)

    with workspace.scratch() as scratch:
        change = change_of(scratch, event)
        verdict = Verdict(
            event=event.name,
            pull_request=event.pull_request_number,
            base=change.base,
            base_commit=change.base_commit,
            head=change.head,
            findings=[],
        )
        try:
            return _verify(scratch, change, verdict, fetch_reviews, fetch_rule_reviews)
        except MlgitError as error:
            return replace(verdict, findings=list(error.findings), conclusive=not isinstance(error, Inconclusive))


def change_of(workspace: Workspace, event: WorkflowEvent) -> ProposedChange:
    """Return the change that an event is about; where it has to be merged for that, in the workspace.

    The base that a pull request names is ignored: otherwise a commit that is accepted for a branch with weaker rules would get
    a verdict that counts for the base branch as well.

    Raises:
        UsageError: the event is about no change (`ci-event-unsupported`).
    """
    update = event.push or event.merge_queue_push
    if update is not None and update.new is not None:
        base = _base_branch(workspace, update.old) or _base_branch(workspace, update.new)
        if base is None or update.ref == _HEADS + base:
            return ProposedChange(base, update.old, update.new, update)
        return _merge(workspace, base, update.new, update.old)
    if event.pull_request is not None and event.name in PULL_REQUEST_EVENTS:
        base = _base_branch(workspace, _tip(workspace, event.repository.default_branch))
        return _merge(workspace, base, event.pull_request.head.sha, event.pull_request.base.sha)
    raise usage_error(
        "ci-event-unsupported",
        f"an event {event.name!r} is not about a change",
        why=f"a verdict is given on push, merge_group, {' and '.join(PULL_REQUEST_EVENTS)}",
        fix="take the workflow that `mlgit init --forge github` writes",
    )


def _merge(workspace: Workspace, base: str | None, head: CommitId, fallback: CommitId | None) -> ProposedChange:
    """Merge a commit into the tip of the base branch, or into `fallback` where there is no project yet."""
    repository = workspace.repository
    base_commit = _tip(workspace, base) if base is not None else fallback
    ref = _HEADS + (base or "")
    if base_commit is None:
        return ProposedChange(base, None, head, RefUpdate(ref, None, head))
    tree = repository.merge_tree(base_commit, head)
    if tree is None:
        return ProposedChange(base, base_commit, head, None)
    merge = repository.commit_tree(tree, parents=[base_commit, head], message="Scratch merge")
    return ProposedChange(base, base_commit, head, RefUpdate(ref, base_commit, merge))


def _verify(
    workspace: Workspace,
    change: ProposedChange,
    verdict: Verdict,
    fetch_reviews: Callable[[Proposal], Proposal],
    fetch_rule_reviews: Callable[[RuleChange], RuleChange],
) -> Verdict:
    repository, update = workspace.repository, change.update
    if update is None:
        return replace(verdict, findings=[_conflict(change)])
    assert update.new is not None  # noqa: S101 - a branch that is deleted is no change
    head = Lifecycle(repository.tree(update.new), workspace.formats.record)
    head.project()
    if update.old is None:
        _, findings = validate.check_all(head, workspace.formats)
        return replace(verdict, findings=findings)
    if repository.resolve(update.old) is None:
        return replace(verdict, findings=[_rewritten(update)])
    checked = check_base_push(workspace, update, fetch_reviews, fetch_rule_reviews)
    findings = [_with_pull_request_fix(finding) for finding in checked.findings]
    return replace(verdict, commits=checked.commits, promotions=checked.promotions, findings=findings)


def _base_branch(workspace: Workspace, commit: CommitId | None) -> str | None:
    """Return the base branch of the project at a commit; None where there is no project, or the commit is not here."""
    if commit is None or workspace.repository.resolve(commit) is None:
        return None
    state = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
    return None if state.tree.read(layout.PROJECT) is None else state.project().base


def _tip(workspace: Workspace, branch: str) -> CommitId | None:
    """Return the newest commit of a branch, of the local one and the remote-tracking one."""
    return remote.newest(workspace.repository, _HEADS + branch)


def _conflict(change: ProposedChange) -> Finding:
    return Finding(
        "merge-conflict",
        f"{change.head[:12]} does not merge into {change.base}",
        why="both changed the same file",
        fix="merge the base branch into it; make a promotion again with `mlgit promote`, from the current base",
    )


def _rewritten(update: RefUpdate) -> Finding:
    name = update.ref.removeprefix(_HEADS)
    return Finding(
        "push-non-fast-forward",
        f"{name} was at {(update.old or '')[:12]}, which {(update.new or '')[:12]} does not contain",
        why="no branch of this clone has that commit any more, so the branch was force-pushed",
        fix=f"restore {name} from a clone that has the commit, and forbid force pushes to it",
    )


def _with_pull_request_fix(finding: Finding) -> Finding:
    """Return a finding with the fix that a pull request has: the approvals are the same, but the forge merges."""
    if finding.id not in {"approvals-missing", "rule-approvals-missing"}:
        return finding
    return replace(
        finding, fix="let an allowed person approve it in the way that the policy names, then let this check run again"
    )
