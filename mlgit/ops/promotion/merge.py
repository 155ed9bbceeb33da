"""Verify a promotion and merge it into the base branch."""

import contextlib
from collections.abc import Callable
from typing import Literal

from mlgit.domain import layout, slots
from mlgit.domain.merge_rules.rollback import keeps_out
from mlgit.domain.names import CommitId, VersionRef
from mlgit.domain.policy import differing
from mlgit.domain.records import Hold, Promotion
from mlgit.domain.rules.changes import check_promotion_alone
from mlgit.errors import Finding, MlgitError, inconclusive, refused
from mlgit.ops.evaluation import gate
from mlgit.ops.exceptions import waivers
from mlgit.ops.kernel import remote, snapshot
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import forge_reviews, proposals
from mlgit.ops.review.verification import require_verified, verify
from mlgit.ops.validation import validate


class Merged(Outcome, frozen=True, kw_only=True, tag="mlgit/merge.v1"):
    """What was merged, on whose word."""

    promotion: str
    change: str
    environment: str
    candidate: str
    decision: str | None
    state: Literal["merged", "merged-already", "planned"]
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

    What was merged already is only tidied up, so that a merge that was stopped in the middle can be run again.

    Raises:
        MlgitError: it does not hold, and what is missing, or the remote refused; nothing was changed then.
        Unjudged: the remote did not answer; nothing was changed.
    """
    if not dry_run and remote.is_there(workspace.repository):
        # Not the proposals: what is merged is what the person has seen, against what the remote says today.
        on_step(f"fetching what {remote.NAME} has")
        base_ref = f"refs/heads/{snapshot.base_of(workspace)[0]}"
        remote.fetch(workspace.repository, base_ref, layout.LEDGER)
    if (manifest := _merged_before(workspace, name)) is not None:
        return _tidied(workspace, manifest, dry_run=dry_run)
    waiting = forge_reviews.with_fetched_reviews(workspace, proposals.find_proposal(workspace, name), merged=False)
    branch, base = snapshot.base_of(workspace)
    examination = verify(workspace, waiting, at=workspace.clock.now())
    require_verified(examination, f"{waiting.environment}/{waiting.model}")
    if findings := check_files(workspace, waiting):
        raise MlgitError(*findings)
    on_step("judging the gates again")
    judge_again(workspace, waiting)
    if (place := workspace.repository.checked_out_elsewhere(branch)) is not None:
        raise refused(
            "base-checked-out",
            f"{branch} is checked out in another work tree",
            why="were it moved under that work tree, the next commit there would take the merge back",
            fix=f"run `mlgit -C {place} merge {waiting.environment}/{waiting.model}`",
        )
    onto = base.tree.commit
    assert onto is not None  # noqa: S101 - the base is a commit
    signed = bool(workspace.repository.config("user.signingkey"))
    commit, pushed = None, False
    if not dry_run:
        forge_reviews.record_reviews(workspace, waiting)
        commit, pushed = _merge(workspace, waiting, branch, onto, sign=signed)
    return Merged(
        promotion=waiting.manifest.promotion,
        change=waiting.manifest.change,
        environment=waiting.environment,
        candidate=waiting.subject,
        decision=examination.decision,
        state="planned" if dry_run else "merged",
        base=branch,
        commit=commit,
        signed=signed,
        pushed=pushed,
        approved_by=[approval.person for approval in examination.tally.counted],
        needed=examination.tally.needed,
    )


def judge_again(workspace: Workspace, judged: proposals.Proposal) -> None:
    """Judge the gates once more, and refuse unless each gives the answer that its report states.

    Raises:
        MlgitError: an answer differs (`gates-differ`).
        Unjudged: answers cannot be had here (`gates-unjudged`), and no other differs.
    """
    report, version = judged.report, judged.version
    if report is None or version is None:
        return
    waived = waivers.waivers(workspace, judged.before, version, judged.environment, at=report.at)
    again = gate.gate_report(
        workspace,
        judged.before,
        version,
        judged.environment,
        report.promotion,
        champion=judged.compared,
        at=report.at,
        waivers=waived,
    )
    changed = differing(report.results, again.results)
    if not changed:
        return
    why = "; ".join(changed)
    pairs = zip(report.results, again.results, strict=False)
    if {now.outcome for then, now in pairs if then.outcome != now.outcome} == {"error"}:
        raise inconclusive(
            "gates-unjudged",
            "the gates cannot be judged again here",
            why=why,
            fix="put right what they lack, and run this again; nothing is said against the promotion",
        )
    raise refused(
        "gates-differ",
        "the gates do not answer as the report says",
        why=why,
        fix="run `mlgit promote` again; a report is computed, never typed",
    )


def check_files(workspace: Workspace, waiting: proposals.Proposal) -> list[Finding]:
    """Return what stands against the files that a promotion brings, or brought; what it says is examined elsewhere."""
    base = waiting.before.tree.commit
    assert base is not None  # noqa: S101 - the base is a commit
    since = workspace.repository.merge_base(base, waiting.head)
    changes = workspace.repository.changes(since or base, waiting.head)
    _, findings = validate.check_change(waiting.before, waiting.after, changes, workspace.formats)
    paths = [change.path for change in changes]
    findings += check_promotion_alone(waiting.environment, waiting.model, paths, held=hold_that_comes(waiting))
    return findings


def hold_that_comes(waiting: proposals.Proposal) -> str | None:
    """Return the path of the hold that a rollback brings on the version that it takes out; None if that is none."""
    before = waiting.before.promotion(waiting.environment, waiting.model)
    gone = [] if before is None else slots.leaving(waiting.manifest.slots, before.slots)
    if not gone:
        return None
    path = layout.hold(layout.version_hold(waiting.environment, waiting.model, gone[0].version))
    hold = waiting.after.find(Hold, path)
    replaced = waiting.before.version(VersionRef(waiting.model, gone[0].version))
    return path if hold is not None and keeps_out(hold, waiting.manifest, replaced) else None


def _merge(
    workspace: Workspace, waiting: proposals.Proposal, branch: str, onto: CommitId, *, sign: bool
) -> tuple[CommitId, bool]:
    """Make the merge commit, bring the work tree along if it has the base checked out, push, and move the base.

    The work tree goes first: were this stopped in between, HEAD still names the old commit, and a second run does both. The
    remote goes before the branch here, so that what it refuses has not happened. The branch may be behind `onto`, which is
    then what the remote has on the same line.

    Returns:
        The commit, and whether it was pushed.
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
    way = _WAYS.get(waiting.manifest.change, "promotion of {} to {}")
    subject = f"Merge {way.format(waiting.model, waiting.environment)}"
    message = f"{subject}\n\nMlgit-Promotion: {waiting.manifest.promotion}\n"
    commit = repository.commit_tree(tree, parents=[onto, waiting.head], message=message, sign=sign)
    ref = f"refs/heads/{branch}"
    before = repository.resolve(ref)
    shared = remote.is_there(repository)
    checked_out = before if repository.checked_out_branch() == branch else None
    if checked_out is not None:
        repository.advance_checkout(checked_out, commit)
    try:
        if shared:
            repository.push(remote.NAME, [f"{commit}:{ref}"])
        repository.move(ref, commit, expected=before, reason=f"mlgit merge {waiting.manifest.promotion}")
    except MlgitError:
        if checked_out is not None:
            repository.advance_checkout(commit, checked_out)
        raise
    # It is merged whether or not this succeeds, and nothing that is merged counts as open.
    with contextlib.suppress(MlgitError):
        _delete_branch(
            repository, f"refs/heads/{layout.promotion_branch(waiting.environment, waiting.model)}", waiting.head
        )
    return commit, shared


_WAYS = {"rollback": "rollback of {} in {}", "recertify": "recertification of {} in {}"}
"""How the subject of a merge calls a change, of a model in an environment."""


def _merged_before(workspace: Workspace, name: str | None) -> Promotion | None:
    """Return the manifest of a promotion that the base has already, and that nothing newer is proposed in place of.

    It is the one that is named; if none is named and none is open, it is one whose branch a stopped merge left behind.
    """
    _, base = snapshot.base_of(workspace)
    waiting = proposals.open_proposals(workspace)
    for key, manifest in base.promotions().items():
        branch = layout.promotion_branch(*key)
        named = name in {"/".join(key), branch, manifest.promotion}
        left = name is None and not waiting and workspace.repository.resolve(f"refs/heads/{branch}") is not None
        if (named and key not in waiting) or left:
            return manifest
    return None


def _tidied(workspace: Workspace, manifest: Promotion, *, dry_run: bool) -> Merged:
    """Delete the branch of a promotion that is merged, and say so."""
    repository = workspace.repository
    name, base = snapshot.base_of(workspace)
    branch = f"refs/heads/{layout.promotion_branch(manifest.environment, manifest.model)}"
    head, onto = repository.resolve(branch), base.tree.commit
    if not dry_run and head is not None and onto is not None and remote.contains(repository, onto, head):
        _delete_branch(repository, branch, head)
    slot = manifest.slots.champion
    return Merged(
        promotion=manifest.promotion,
        change=manifest.change,
        environment=manifest.environment,
        candidate=f"{manifest.model}@{slot.version}" if slot else manifest.model,
        decision=None,
        state="merged-already",
        base=name,
        commit=onto,
        signed=False,
        pushed=False,
        approved_by=[],
        needed=0,
    )


def _delete_branch(repository: Repository, branch: str, merged: CommitId) -> None:
    """Delete a branch that was merged, here and at the remote, where nobody has added to it."""
    if repository.resolve(branch) == merged:
        repository.delete_ref(branch, expected=merged)
    if repository.resolve(remote.copy_of(branch)) == merged:
        with contextlib.suppress(MlgitError):  # somebody else was faster, or may not delete there
            repository.push(remote.NAME, [f":{branch}"], force_with_lease={branch: merged})
