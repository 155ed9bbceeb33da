"""Verify a push before a Git server accepts it: only what `mlgit merge` would merge gets onto the base branch."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Literal

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import Exit, Finding, Inconclusive, Location, MlgitError, Severity, refused
from mlgit.ops.guard.push import HOOK, PushVerdict, RefUpdate, check_fast_forward, check_ledger_push
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Commit
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import ledger_of
from mlgit.ops.review import rule_changes
from mlgit.ops.review.merged import merged_commits
from mlgit.ops.review.proposals import BRANCH_PREFIX, Proposal
from mlgit.ops.review.rule_changes import RuleChange, merged_rule_change
from mlgit.ops.review.verification import PromotionVerifier
from mlgit.ops.validation import validate


class PushVerified(Outcome, frozen=True, kw_only=True, tag="mlgit/verify-push.v1"):
    """The verdict on a push, ref by ref. Gates are not evaluated again here; `mlgit apply` does that."""

    refs: list[PushVerdict]

    @property
    def findings(self) -> list[Finding]:
        """All findings."""
        return [finding for verdict in self.refs for finding in verdict.findings]

    @property
    def exit(self) -> Exit:
        """No where there is an error; Git then refuses the whole push."""
        return Exit.NO if any(finding.severity is Severity.ERROR for finding in self.findings) else Exit.YES


class HookInstalled(Outcome, frozen=True, kw_only=True, tag="mlgit/verify-push-install.v1"):
    """The path of the hook, and whether it was installed now."""

    path: str
    state: Literal["installed", "there-already", "planned"]


def run(workspace: Workspace, updates: Sequence[RefUpdate]) -> PushVerified:
    """Verify each ref update of a push. Changes nothing, and runs nothing that was pushed.

    Raises:
        Inconclusive: Git, or what verifies signatures, did not answer; the push has to be refused then.
    """
    guarded = _guarded_branches(workspace)
    return PushVerified(refs=[_verify_update(workspace, update, guarded) for update in updates])


def install(workspace: Workspace, hook: bytes, *, dry_run: bool = False) -> HookInstalled:
    """Install the hook in a bare repository.

    Args:
        workspace: the repository.
        hook: the content of the hook.
        dry_run: whether only to report what would be done.

    Raises:
        MlgitError: the repository is not bare (`repository-not-bare`), or has another hook of that name (`hook-exists`).
    """
    repository = workspace.repository
    if repository.root is not None:
        raise refused(
            "repository-not-bare",
            "this repository has a work tree, so nobody pushes to it",
            why=f"the work tree is {repository.root}",
            fix="run it in the bare repository that everybody pushes to: `mlgit -C /srv/git/NAME.git verify-push --install`",
        )
    path, existing = repository.hook(HOOK)
    if existing is not None and existing != hook:
        raise refused(
            "hook-exists",
            f"the repository has a hook {HOOK} already",
            why=f"{path} was not written by mlgit",
            fix="let that hook run `mlgit verify-push` with its own standard input, or move it away",
        )
    if existing is None and not dry_run:
        repository.put_hook(HOOK, hook)
    return HookInstalled(path=str(path), state="there-already" if existing else "planned" if dry_run else "installed")


def _guarded_branches(workspace: Workspace) -> set[str]:
    """Return the branch that the server's HEAD names, and the base branch that the project there names: mostly the same.

    Both are guarded: otherwise whoever may push to the one that HEAD names could change the project to name another.
    """
    repository = workspace.repository
    names = {repository.head_branch()}
    if (head := repository.resolve("HEAD")) is not None:
        names.add(_base_branch(Lifecycle(repository.tree(head), workspace.formats.record)))
    return {f"refs/heads/{name}" for name in names if name is not None}


def _base_branch(state: Lifecycle) -> str | None:
    """Return the base branch that a project names; None where there is no project."""
    return None if state.tree.read(layout.PROJECT) is None else state.project().base


def _verify_update(workspace: Workspace, update: RefUpdate, guarded: Collection[str]) -> PushVerdict:
    if update.ref == layout.LEDGER:
        return check_ledger_push(workspace, update)
    if update.ref in guarded:
        return check_base_push(workspace, update)
    return PushVerdict(ref=update.ref, role="other", findings=_check_proposal(workspace, update))


def _check_proposal(workspace: Workspace, update: RefUpdate) -> list[Finding]:
    """A promotion branch has a valid manifest, so that everybody who lists the open promotions can read it."""
    key = update.ref.removeprefix(BRANCH_PREFIX).split("/")
    if update.new is None or not update.ref.startswith(BRANCH_PREFIX) or len(key) != 2:  # noqa: PLR2004 - environment, model
        return []
    try:
        Lifecycle(workspace.repository.tree(update.new), workspace.formats.record).promotion(*key)
    except Inconclusive:
        raise
    except MlgitError as error:
        return list(error.findings)
    return []


def check_base_push(
    workspace: Workspace,
    update: RefUpdate,
    add_reviews: Callable[[Proposal], Proposal] = lambda proposal: proposal,
    add_rule_reviews: Callable[[RuleChange], RuleChange] = lambda change: change,
) -> PushVerdict:
    """Verify a push to the base branch: each new commit of its first-parent line against the one before it.

    Args:
        workspace: where.
        update: the ref update.
        add_reviews: returns a promotion with the reviews of its pull request, where a forge can be asked for them.
        add_rule_reviews: returns a change of rules with those.

    Raises:
        Inconclusive: Git, or what verifies signatures, did not answer.
    """
    if update.old is None and update.new is not None:
        return PushVerdict(ref=update.ref, role="base", findings=_check_first_push(workspace, update.new))
    if (problem := check_fast_forward(workspace, update)) is not None or update.new is None:
        return PushVerdict(ref=update.ref, role="base", findings=[problem] if problem else [])
    commits = list(workspace.repository.commits(f"{update.old}..{update.new}"))
    ledger = ledger_of(workspace)
    verifier = PromotionVerifier(workspace, ledger, workspace.clock.now())
    findings: list[Finding] = []
    promotions: list[str] = []
    for commit, _ in reversed(commits):
        pushed = _PushedCommit(workspace, verifier, ledger, commit, add_reviews, add_rule_reviews)
        findings += pushed.check()
        promotions += pushed.promotions
    return PushVerdict(
        ref=update.ref,
        role="base",
        commits=len(commits),
        promotions=promotions,
        findings=list(dict.fromkeys(findings)),
    )


def _check_first_push(workspace: Workspace, new: CommitId) -> list[Finding]:
    """The first push has a project that can be read. No rules are there before it that could be checked."""
    try:
        _base_branch(Lifecycle(workspace.repository.tree(new), workspace.formats.record))
    except Inconclusive:
        raise
    except MlgitError as error:
        return list(error.findings)
    return []


class _PushedCommit:
    """One new commit of the base branch's first-parent line, checked against the one before it."""

    def __init__(
        self,
        workspace: Workspace,
        verifier: PromotionVerifier,
        ledger: Ledger,
        commit: Commit,
        add_reviews: Callable[[Proposal], Proposal],
        add_rule_reviews: Callable[[RuleChange], RuleChange],
    ) -> None:
        self.promotions: list[str] = []
        self._add_reviews = add_reviews
        self._add_rule_reviews = add_rule_reviews
        self._workspace = workspace
        self._verifier = verifier
        self._ledger = ledger
        self._commit = commit
        reader, repository = workspace.formats.record, workspace.repository
        self._before = Lifecycle(repository.tree(commit.parents[0]), reader)
        self._after = Lifecycle(repository.tree(commit.id), reader)
        self._changes = repository.changes(commit.parents[0], commit.id)

    def check(self) -> list[Finding]:
        """Return the problems of the commit.

        Raises:
            Inconclusive: Git, or what verifies signatures, did not answer.
        """
        try:
            return [*self._check_base_branch(), *self._check_files()]
        except Inconclusive:
            raise
        except MlgitError as error:
            return list(error.findings)

    def _check_base_branch(self) -> Iterator[Finding]:
        """The commit does not change which branch is the base branch."""
        before = _base_branch(self._before)
        if before is not None and (after := _base_branch(self._after)) != before:
            yield Finding(
                "base-branch-changed",
                f"{layout.PROJECT} names {after or 'no'} base branch, and named {before}",
                why="this branch would not be guarded any more",
                fix="keep it; an administrator of the server can change it: remove the hook, push, and install it again",
                at=Location(layout.PROJECT, path="base"),
            )

    def _check_files(self) -> list[Finding]:
        keys = [
            (place.fields["environment"], place.fields["model"])
            for change in self._changes
            if change.status != "D" and (place := layout.parse_path(change.path)) and place.kind == "promotion"
        ]
        findings: list[Finding] = []
        if not keys:
            _, problems = validate.check_change(self._before, self._after, self._changes, self._workspace.formats)
            findings += [*problems, *self._check_rules()]
        for key in keys:
            findings += self._check_promotion(*key)
        return findings

    def _check_rules(self) -> list[Finding]:
        """A change of rules has the approvals that the rules before it require."""
        change = merged_rule_change(self._workspace, self._commit)
        if change is None:
            return []
        return rule_changes.verify(self._workspace, self._add_rule_reviews(change), self._ledger).findings(
            "propose it on a branch of its own, and let somebody who may approve run `mlgit approve BRANCH`; then `mlgit merge "
            "BRANCH` merges and pushes it, as one commit"
        )

    def _check_promotion(self, environment: str, model: str) -> list[Finding]:
        """Verify a promotion as `mlgit merge` does, except that gates are not evaluated again.

        Raises:
            MlgitError: the promotion has problems, or lacks approvals.
        """
        commit = self._commit
        commits = merged_commits(self._workspace.repository, commit)
        proposal = Proposal(environment, model, self._before, self._after, commit.id, commits)
        if findings := self._verifier.check_files(proposal):
            return findings
        self.promotions.append(proposal.manifest.promotion)
        verification = self._verifier.verify(self._add_reviews(proposal))
        verification.require("somebody who may approve runs `mlgit approve`; then `mlgit merge` merges and pushes it")
        return []
