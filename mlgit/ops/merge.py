"""Verify a promotion and merge it into the base branch."""

from collections.abc import Callable
from typing import Literal

from mlgit.domain import layout, rules
from mlgit.domain.names import CommitId
from mlgit.errors import MlgitError, refused
from mlgit.ops import gate, proposal, validate
from mlgit.ops.outcome import Outcome
from mlgit.ops.ports import Workspace


class Merged(Outcome, frozen=True, kw_only=True, tag="mlgit/merge.v1"):
    """What was merged, on whose word."""

    promotion: str
    environment: str
    candidate: str
    decision: str
    state: Literal["merged", "planned"]
    base: str
    commit: str | None
    signed: bool
    pushed: bool
    approved_by: list[str]
    needed: int


def run(
    workspace: Workspace, name: str | None, *, dry_run: bool = False, on_step: Callable[[str], None] = lambda _: None
) -> Merged:
    """Merge an open promotion, if all that it rests on holds at this moment.

    Raises:
        MlgitError: it does not hold, and what is missing; nothing was changed then.
    """
    waiting = proposal.find(workspace, name)
    branch, base = proposal.base_of(workspace)
    examination = proposal.examine(workspace, waiting, at=workspace.clock.now())
    proposal.require(examination, f"{waiting.environment}/{waiting.model}")
    _validate(workspace, waiting)
    on_step("judging the gates again")
    judge_again(workspace, waiting)
    onto = base.tree.commit
    assert onto is not None  # noqa: S101 - the base is a commit
    signed = bool(workspace.repository.config("user.signingkey"))
    commit = None
    if not dry_run:
        commit = _merge(workspace, waiting, branch, onto, sign=signed)
    slot = waiting.manifest.slots.champion
    return Merged(
        promotion=waiting.manifest.promotion,
        environment=waiting.environment,
        candidate=f"{waiting.model}@{slot.version}" if slot else waiting.model,
        decision=examination.decision,
        state="planned" if dry_run else "merged",
        base=branch,
        commit=commit,
        signed=signed,
        pushed=commit is not None and _push(workspace, branch),
        approved_by=[approval.person for approval in examination.tally.counted],
        needed=examination.tally.needed,
    )


def judge_again(workspace: Workspace, judged: proposal.Proposal) -> None:
    """Judge the gates once more, and refuse unless each gives the answer that its report states.

    Raises:
        MlgitError: an answer differs (`gates-differ`), or cannot be had.
    """
    report, version = judged.report, judged.version
    if report is None or version is None:
        return
    again = gate.report(workspace, judged.before, version, judged.environment, report.promotion, at=report.at)
    differing = [
        f"{then.gate}: {then.outcome} then, {now.outcome} now ({now.message})"
        for then, now in zip(report.results, again.results, strict=True)
        if then.outcome != now.outcome
    ]
    if differing:
        raise refused(
            "gates-differ",
            "the gates do not answer as the report says",
            why="; ".join(differing),
            fix="run `mlgit promote` again; a report is computed, never typed",
        )


def _validate(workspace: Workspace, waiting: proposal.Proposal) -> None:
    base = waiting.before.tree.commit
    assert base is not None  # noqa: S101 - the base is a commit
    since = workspace.repository.merge_base(base, waiting.head)
    changes = workspace.repository.changes(since or base, waiting.head)
    _, findings = validate.check_change(waiting.before, waiting.after, changes, workspace.formats)
    findings += rules.check_promotion_alone(waiting.environment, waiting.model, (change.path for change in changes))
    if findings:
        raise MlgitError(*findings)


def _merge(workspace: Workspace, waiting: proposal.Proposal, branch: str, onto: CommitId, *, sign: bool) -> CommitId:
    """Make the merge commit, bring the work tree along if it has the base checked out, and move the base.

    The work tree goes first: were this stopped in between, HEAD still names the old commit, and a second run does both.
    """
    repository = workspace.repository
    tree = repository.merge_tree(onto, waiting.head)
    if tree is None:
        raise refused(
            "merge-conflict",
            f"the promotion of {waiting.model} to {waiting.environment} does not merge into {branch}",
            why="both changed the same file",
            fix="run `mlgit promote` again: it starts from today's base",
        )
    message = f"Merge promotion of {waiting.model} to {waiting.environment}\n\nMlgit-Promotion: {waiting.manifest.promotion}\n"
    commit = repository.commit_tree(tree, parents=[onto, waiting.head], message=message, sign=sign)
    checked_out = repository.checked_out_branch() == branch
    if checked_out:
        repository.advance_checkout(onto, commit)
    try:
        repository.move(
            f"refs/heads/{branch}", commit, expected=onto, reason=f"mlgit merge {waiting.manifest.promotion}"
        )
    except MlgitError:
        if checked_out:
            repository.advance_checkout(commit, onto)
        raise
    ref = f"refs/heads/{layout.promotion_branch(waiting.environment, waiting.model)}"
    repository.delete_ref(ref, expected=waiting.head)
    return commit


def _push(workspace: Workspace, branch: str) -> bool:
    if "origin" not in workspace.repository.remotes():
        return False
    workspace.repository.push("origin", [f"refs/heads/{branch}:refs/heads/{branch}"])
    return True
