"""A change of rules, proposed or merged: its decision, the approvals that it requires, and those that it has."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from mlgit.domain import layout, rule_files
from mlgit.domain.approvals import ApprovalResult, People, Vote, count_votes
from mlgit.domain.authorship import Authorship
from mlgit.domain.codec import sha256
from mlgit.domain.names import CommitId, Digest
from mlgit.domain.records import Policy, RuleReviews
from mlgit.domain.records.ledger import FileChange
from mlgit.domain.reviews import review_votes
from mlgit.domain.rule_approvals import NOT_GUARDED, RulesRequirement, approvals_needed, decision, requirement
from mlgit.errors import Finding, Inconclusive, Location, MlgitError, refused
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Commit, PathChange, Repository, Tree
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, commit_of
from mlgit.ops.review.approval_count import NO_REVIEWS, votes_in
from mlgit.ops.review.authorship import authorship_of_commits
from mlgit.ops.review.merged import merged_commits

EarlierChanges = Callable[[Mapping[str, FileChange]], int]
"""Returns how often the base branch had the same change before."""


class RuleChange(msgspec.Struct, frozen=True):
    """A change of rules against the state before it, whose rules count.

    `name` is what people call it by: a branch, or the commit that merged it. `files` are the changed rules by path, and `kinds`
    says what each is. `commits` are those that merging adds, or added. `reviews` are those of its pull request; None where the
    forge was not asked, or there is no pull request.
    """

    name: str
    before: Lifecycle
    head: CommitId
    commits: tuple[Commit, ...]
    kinds: Mapping[str, str]
    files: Mapping[str, FileChange]
    decision: Digest
    requirement: RulesRequirement
    is_merged: bool = False
    reviews: RuleReviews | None = None


class RuleVerification(msgspec.Struct, frozen=True):
    """A change of rules with its approvals, and all votes on it, counted or not."""

    change: RuleChange
    approvals: ApprovalResult
    votes: list[Vote]

    def findings(self, fix: str) -> list[Finding]:
        """Return the finding of approvals that it lacks, if it does.

        Args:
            fix: how they are obtained.
        """
        if self.approvals.complete:
            return []
        change, approvals = self.change, self.approvals
        names = ", ".join(approval.person for approval in approvals.counted) or "nobody"
        uncounted = "".join(f"; not counted: {vote.person}, {vote.reason}" for vote in approvals.uncounted)
        return [
            Finding(
                "rule-approvals-missing",
                f"the change of {described(change)} lacks {'; '.join(approvals.missing)}",
                why=f"{change.requirement.why}; approved by {names}{uncounted}",
                fix=fix,
                at=Location(next(iter(change.files))),
            )
        ]


def described(change: RuleChange) -> str:
    """Return the changed rules as words: the first path, and how many others there are."""
    first, *others = change.files
    return f"{first} and {len(others)} other rule{'s' if len(others) > 1 else ''}" if others else first


def rule_change(
    before: Lifecycle,
    after: Tree,
    changes: Sequence[PathChange],
    *,
    name: str,
    head: CommitId,
    commits: tuple[Commit, ...],
    earlier: EarlierChanges,
) -> RuleChange | None:
    """Return the change of rules that a change contains; None where it has none.

    Args:
        before: the state before the change.
        after: the files with the change.
        changes: how the paths of the two differ.
        name: what people call it by.
        head: the commit that proposes it, or that merged it.
        commits: the commits that merging it adds, or added.
        earlier: counts the earlier changes that were the same.

    Raises:
        MlgitError: a rule of the state before it cannot be read.
    """
    kinds = rule_files.changed_rules([(change.path, change.status) for change in changes])
    if not kinds:
        return None
    needed = requirement(before.project(), _policies(before), kinds) if is_guarded(before) else NOT_GUARDED
    files = {change.path: _file_change(before.tree, after, change) for change in changes if change.path in kinds}
    files = {path: files[path] for path in kinds}
    return RuleChange(
        name=name,
        before=before,
        head=head,
        commits=commits,
        kinds=kinds,
        files=files,
        decision=decision(files, earlier(files)),
        requirement=needed,
    )


def is_guarded(state: Lifecycle) -> bool:
    """Return whether changes of the rules of a state need approvals.

    They do from the first promotion to an environment whose policy requires approvals, or once the project file says so in
    `approvals.rules`. Before that nobody may be listed who could approve, and no rule has let anything through.
    """
    if state.tree.read(layout.PROJECT) is None:
        return False
    stated = state.project().approvals.rules
    if stated.min is not None or stated.roles:
        return True
    return any(
        approvals_needed(policy) > 0 and _has_manifests(state, environment)
        for environment, policy in _policies(state).items()
    )


def verify(workspace: Workspace, change: RuleChange, ledger: Ledger) -> RuleVerification:
    """Count the approvals of a change of rules, by the rules before it."""
    votes = _read_votes(workspace, change, ledger)
    people = People(change.before.roles())
    authors = authorship(workspace, change, people)
    approvals = count_votes(
        votes,
        decision=change.decision,
        rule=change.requirement.rule,
        risk="high",
        people=people,
        excluded=authors.excluded,
        unknown=authors.unknown,
        refuse_unknown=change.requirement.refuse_unknown,
    )
    if approvals.missing and change.requirement.evidence == "forge" and change.reviews is None:
        approvals = msgspec.structs.replace(approvals, missing=[*approvals.missing, NO_REVIEWS])
    return RuleVerification(change, approvals, votes)


def _read_votes(workspace: Workspace, change: RuleChange, ledger: Ledger) -> list[Vote]:
    """Return the votes on a change of rules that count: signatures on the ledger and, with `evidence: forge`, reviews."""
    evidence = change.requirement.evidence
    if evidence == "none":
        return []
    reviews = change.reviews if evidence == "forge" else None
    return [
        *votes_in(workspace, change.before, layout.rule_approvals(change.decision), ledger, earliest=None),
        *(review_votes(reviews) if reviews else ()),
    ]


def authorship(workspace: Workspace, change: RuleChange, people: People) -> Authorship:
    """Return the people whose approval of a change of rules does not count, and its commits whose author cannot be told."""
    return authorship_of_commits(
        workspace,
        change.before,
        change.commits,
        change.requirement.exclude,
        people,
        what="the change",
        pull_request=change.reviews,
        has_same_content=lambda commit: decision_at(workspace, change, commit) == change.decision,
    )


def decision_at(workspace: Workspace, change: RuleChange, commit: CommitId) -> Digest | None:
    """Return the decision of the change of rules that merging a commit makes, on the base of a change; None if it makes none."""
    if commit == change.head and not change.is_merged:
        return change.decision
    try:
        proposed = proposed_rule_change(workspace, change.before, change.name, commit)
    except Inconclusive:
        raise
    except MlgitError:
        return None  # it does not merge, so nobody could have approved it
    return None if proposed is None else proposed.decision


def merged_rule_change(workspace: Workspace, commit: Commit) -> RuleChange | None:
    """Return the change of rules of a commit of the base branch's first-parent line; None where it has none."""
    if not commit.parents:
        return None
    repository, reader = workspace.repository, workspace.formats.record
    before = Lifecycle(repository.tree(commit.parents[0]), reader)
    changes = repository.changes(commit.parents[0], commit.id)
    change = rule_change(
        before,
        repository.tree(commit.id),
        changes,
        name=commit.id[:12],
        head=commit.id,
        commits=merged_commits(repository, commit),
        earlier=lambda _: earlier_changes(repository, commit.parents[0], changes),
    )
    return None if change is None else msgspec.structs.replace(change, is_merged=True)


def find_rule_change(workspace: Workspace, snapshot: Snapshot, name: str) -> RuleChange | None:
    """Return the change of rules that a branch proposes, or that a commit of the base branch made.

    What a branch proposes is what merging it changes: its commits may be based on an older commit of the base branch.

    Args:
        workspace: where.
        snapshot: the base branch as it is now.
        name: a branch, of this clone or of the remote, or a commit.

    Returns:
        The change; None where no commit has the name, or it changes no rules.

    Raises:
        MlgitError: it does not merge (`merge-conflict`), or a rule of the base branch cannot be read.
    """
    repository = workspace.repository
    head = remote.newest(repository, f"refs/heads/{name}") or repository.resolve(name)
    if head is None:
        return None
    if remote.contains(repository, snapshot.commit, head):
        return merged_rule_change(workspace, _merge_of(repository, snapshot.commit, head))
    return proposed_rule_change(workspace, snapshot.state, name, head)


def proposed_rule_change(workspace: Workspace, base: Lifecycle, name: str, head: CommitId) -> RuleChange | None:
    """Return the change of rules that merging a commit into a state of the base branch makes; None where it makes none.

    Raises:
        MlgitError: it does not merge (`merge-conflict`), or a rule of the base branch cannot be read.
    """
    onto = commit_of(base)
    with workspace.scratch() as scratch:  # the merge is only tried
        tree = scratch.repository.merge_tree(onto, head)
        if tree is None:
            raise refused(
                "merge-conflict",
                f"{name} does not merge into the base branch",
                why="both changed the same file",
                fix=f"merge the base branch into {name}, or rebase it",
            )
        merged = scratch.repository.commit_tree(tree, parents=[onto, head], message="Try to merge")
        changes = scratch.repository.changes(onto, merged)
        commits = scratch.repository.commits(f"{onto}..{head}", first_parent=False)
        return rule_change(
            base,
            scratch.repository.tree(merged),
            changes,
            name=name,
            head=head,
            commits=tuple(commit for commit, _ in commits),
            earlier=lambda _: earlier_changes(scratch.repository, onto, changes),
        )


def earlier_changes(repository: Repository, tip: CommitId, changes: Sequence[PathChange]) -> int:
    """Return how many first-parent commits up to a tip made the same change of rules."""
    repository.require_full_history()
    same = rule_blobs(changes)
    history = repository.commits(tip, paths=rule_files.FOLDERS)
    return sum(rule_blobs(earlier) == same for _, earlier in history)


def rule_blobs(changes: Iterable[PathChange]) -> frozenset[tuple[str, str | None, str | None]]:
    """Return path, old and new blob of each rule that a change touches, by which it is told whether two are the same."""
    return frozenset(
        (change.path, change.before, change.after)
        for change in changes
        if rule_files.rule_kind(change.path, change.status) is not None
    )


def _merge_of(repository: Repository, tip: CommitId, merged: CommitId) -> Commit:
    """Return the first-parent commit up to a tip that brought a commit in: itself, or the merge."""
    oldest = None
    for commit, _ in repository.commits(f"{merged}..{tip}"):  # newest first
        oldest = commit
    if oldest is not None and oldest.parents[:1] != (merged,):
        return oldest
    return next(iter(repository.commits(merged)))[0]


def _file_change(before: Tree, after: Tree, change: PathChange) -> FileChange:
    return FileChange(before=_content(before, change, change.before), after=_content(after, change, change.after))


def _content(tree: Tree, change: PathChange, blob: str | None) -> Digest | None:
    """Return the digest of a file's content; of a link, which has none of its own, that of where it leads to."""
    if blob is None:
        return None
    content = tree.read(change.path)
    return sha256(f"link to {blob}".encode() if content is None else content)


def _policies(state: Lifecycle) -> dict[str, Policy]:
    """Return the policy of each environment, by the environment's name."""
    names = dict.fromkeys(state.environments())
    return {name: state.policy(state.environment(name).policy) for name in names}


def _has_manifests(state: Lifecycle, environment: str) -> bool:
    names = state.tree.names(f"environments/{environment}")
    return any(name.endswith(".yaml") and name != "environment.yaml" for name in names)
