"""Judge a push before a Git server takes it: what `mlgit merge` would not merge does not get onto the base branch."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Literal

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import Exit, Finding, Inconclusive, Location, MlgitError, Severity, refused
from mlgit.ops.guard.push import HOOK, PushVerdict, RefUpdate, check_fast_forward, check_ledger_push
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Commit
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import ledger_of
from mlgit.ops.review.proposals import BRANCH_PREFIX, Proposal
from mlgit.ops.review.verification import PromotionVerifier
from mlgit.ops.validation import validate


class PushVerified(Outcome, frozen=True, kw_only=True, tag="mlgit/verify-push.v1"):
    """What was found in a push. The gates' answers are those of the reports; `mlgit apply` judges them again."""

    refs: list[PushVerdict]

    @property
    def findings(self) -> list[Finding]:
        """All findings."""
        return [finding for judged in self.refs for finding in judged.findings]

    @property
    def exit(self) -> Exit:
        """No where there is an error; Git then takes nothing of the push."""
        return Exit.NO if any(found.severity is Severity.ERROR for found in self.findings) else Exit.YES


class HookInstalled(Outcome, frozen=True, kw_only=True, tag="mlgit/verify-push-install.v1"):
    """Where the hook is."""

    path: str
    state: Literal["installed", "there-already", "planned"]


def run(workspace: Workspace, updates: Sequence[RefUpdate]) -> PushVerified:
    """Judge what is pushed against what is there. Reads only, and runs nothing that was pushed.

    Raises:
        Inconclusive: Git, or what verifies signatures, did not answer; the push is then to be refused.
    """
    guarded = _guarded(workspace)
    return PushVerified(refs=[_judge(workspace, update, guarded) for update in updates])


def install(workspace: Workspace, hook: bytes, *, dry_run: bool = False) -> HookInstalled:
    """Put the hook into a bare repository.

    Raises:
        MlgitError: the repository is not bare (`repository-not-bare`), or has another such hook (`hook-exists`).
    """
    repository = workspace.repository
    if repository.root is not None:
        raise refused(
            "repository-not-bare",
            "this repository has a work tree, and nobody pushes to it",
            why=f"{repository.root} is where somebody works",
            fix="run it in the bare repository that everybody pushes to: `mlgit -C /srv/git/NAME.git verify-push --install`",
        )
    path, there = repository.hook(HOOK)
    if there is not None and there != hook:
        raise refused(
            "hook-exists",
            f"the repository has a hook {HOOK} already",
            why=f"{path} is not the one that mlgit writes",
            fix="let that hook run `mlgit verify-push` with its own standard input, or move it away",
        )
    if there is None and not dry_run:
        repository.put_hook(HOOK, hook)
    return HookInstalled(path=str(path), state="there-already" if there else "planned" if dry_run else "installed")


def _guarded(workspace: Workspace) -> set[str]:
    """Return the branch that HEAD of the server names, and the base branch that the project there names: mostly the same.

    Were only the latter guarded, whoever may push to the former could name another.
    """
    repository = workspace.repository
    names = {repository.head_branch()}
    if (head := repository.resolve("HEAD")) is not None:
        names.add(_base_of(Lifecycle(repository.tree(head), workspace.formats.record)))
    return {f"refs/heads/{name}" for name in names if name is not None}


def _base_of(state: Lifecycle) -> str | None:
    """Return the base branch that a project names; None where there is no project."""
    return None if state.tree.read(layout.PROJECT) is None else state.project().base


def _judge(workspace: Workspace, update: RefUpdate, guarded: Collection[str]) -> PushVerdict:
    if update.ref == layout.LEDGER:
        return check_ledger_push(workspace, update)
    if update.ref in guarded:
        return check_base_push(workspace, update)
    return PushVerdict(ref=update.ref, role="other", findings=_check_proposal(workspace, update))


def _check_proposal(workspace: Workspace, update: RefUpdate) -> list[Finding]:
    """Hold that what a promotion branch proposes can be read: whatever lists the open promotions stops at one that cannot."""
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
    workspace: Workspace, update: RefUpdate, ask: Callable[[Proposal], Proposal] = lambda found: found
) -> PushVerdict:
    """Judge what a push would bring to the base branch: each commit of its first-parent line against the one before it.

    Args:
        workspace: where.
        update: what would be pushed.
        ask: returns a promotion with the reviews of it, where there is somebody to ask for them.

    Raises:
        Inconclusive: Git, or what verifies signatures, did not answer.
    """
    if update.old is None and update.new is not None:
        return PushVerdict(ref=update.ref, role="base", findings=_check_first(workspace, update.new))
    if (wrong := check_fast_forward(workspace, update)) is not None or update.new is None:
        return PushVerdict(ref=update.ref, role="base", findings=[wrong] if wrong else [])
    brought = list(workspace.repository.commits(f"{update.old}..{update.new}"))
    verifier = PromotionVerifier(workspace, ledger_of(workspace), workspace.clock.now())
    findings: list[Finding] = []
    promotions: list[str] = []
    for commit, _ in reversed(brought):
        found = _Commit(workspace, verifier, commit, ask)
        findings += found.check()
        promotions += found.promotions
    return PushVerdict(
        ref=update.ref,
        role="base",
        commits=len(brought),
        promotions=promotions,
        findings=list(dict.fromkeys(findings)),
    )


def _check_first(workspace: Workspace, new: CommitId) -> list[Finding]:
    """Hold that a first push can be built on: nothing is there yet to judge it by, and what the base is has to be readable."""
    try:
        _base_of(Lifecycle(workspace.repository.tree(new), workspace.formats.record))
    except Inconclusive:
        raise
    except MlgitError as error:
        return list(error.findings)
    return []


class _Commit:
    """One commit of the base branch's first-parent line, held against the one before it."""

    def __init__(
        self,
        workspace: Workspace,
        verifier: PromotionVerifier,
        commit: Commit,
        ask: Callable[[Proposal], Proposal],
    ) -> None:
        self.promotions: list[str] = []
        self._ask = ask
        self._workspace = workspace
        self._verifier = verifier
        self._commit = commit
        reader, repository = workspace.formats.record, workspace.repository
        self._before = Lifecycle(repository.tree(commit.parents[0]), reader)
        self._after = Lifecycle(repository.tree(commit.id), reader)
        self._changes = repository.changes(commit.parents[0], commit.id)

    def check(self) -> list[Finding]:
        """Return what stands against the commit.

        Raises:
            Inconclusive: something could not be answered.
        """
        try:
            return [*self._check_base(), *self._check_files()]
        except Inconclusive:
            raise
        except MlgitError as error:
            return list(error.findings)

    def _check_base(self) -> Iterator[Finding]:
        before = _base_of(self._before)
        if before is not None and (after := _base_of(self._after)) != before:
            yield Finding(
                "base-branch-changed",
                f"{layout.PROJECT} names {after or 'no'} base branch, and named {before}",
                why="the branch that is guarded would not be any more",
                fix="leave it; who runs the server can move the base: take the hook out, push, and put it back",
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
            _, found = validate.check_change(self._before, self._after, self._changes, self._workspace.formats)
            findings += found
        for key in keys:
            findings += self._check_promotion(*key)
        return findings

    def _check_promotion(self, environment: str, model: str) -> list[Finding]:
        """Ask all that `mlgit merge` asks, except that no gate is judged again.

        Raises:
            MlgitError: what the promotion says does not hold, or it lacks approvals.
        """
        workspace, commit = self._workspace, self._commit
        span = f"{commit.parents[0]}..{commit.id}"
        brought = workspace.repository.commits(span, first_parent=False)
        # Who merges did not write what is merged: what a merge itself changes makes it another decision.
        commits = tuple(one for one, _ in brought if len(commit.parents) == 1 or one.id != commit.id)
        proposal = Proposal(environment, model, self._before, self._after, commit.id, commits)
        if findings := self._verifier.check_files(proposal):
            return findings
        self.promotions.append(proposal.manifest.promotion)
        verification = self._verifier.verify(self._ask(proposal))
        verification.require(
            "somebody who may approve runs `mlgit approve`, and then `mlgit merge` merges and pushes it"
        )
        return []
