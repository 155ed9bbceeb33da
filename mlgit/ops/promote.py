"""Propose a version for an environment: judge it, and put manifest and gate report on a branch of their own."""

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from mlgit.domain import layout, rules
from mlgit.domain.codec import digest, to_json
from mlgit.domain.conditions.manifest import check_earlier
from mlgit.domain.names import CommitId, VersionRef, new_promotion_id
from mlgit.domain.policy import rule_for
from mlgit.domain.records import GateReport, Policy, Promotion, Version
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import PolicyRef, PromotionRef, ReportRef, Slot, Slots, VersionPin
from mlgit.errors import Exit, MlgitError, Unjudged, refused
from mlgit.ops import gate, origin, proposal, validate
from mlgit.ops.examination import examine
from mlgit.ops.load import Lifecycle
from mlgit.ops.outcome import Outcome
from mlgit.ops.ports import PathChange, Workspace


class Promoted(Outcome, frozen=True, kw_only=True, tag="mlgit/promote.v1"):
    """What was proposed, how the gates judged it, and where it waits."""

    candidate: str
    environment: str
    champion: str | None
    state: Literal["proposed", "proposed-already", "runs-already", "refused", "planned"]
    promotion: str | None = None
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    files: dict[str, Literal["+", "~"]] = {}
    policy: str | None = None
    gates: list[GateVerdict] = []
    approvals_needed: int = 0
    approvals_missing: list[str] = []
    may_approve: list[str] = []

    @property
    def exit(self) -> Exit:
        """No where a gate refused."""
        return Exit.NO if self.state == "refused" else Exit.YES


def run(
    workspace: Workspace,
    ref: VersionRef,
    environment: str,
    *,
    reason: str | None = None,
    ticket: str | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Promoted:
    """Propose `ref` as champion of an environment.

    The work tree and the index are not touched: the commit is made beside them, on `mlgit/promote/<environment>/<model>`.

    Raises:
        MlgitError: the version is not on the base branch, an environment is skipped, content is missing from the remote, or
            the branch carries a person's own commits.
    """
    _, base = proposal.base_of(workspace)
    base.environment(environment)
    version = base.version(ref)
    _check_order(base, environment, version)
    champion = base.champion(environment, ref.model)
    policy = base.policy(base.environment(environment).policy)
    plan = Promoted(
        candidate=str(ref),
        environment=environment,
        champion=None if champion is None else f"{ref.model}@{champion.version}",
        state="planned",
        policy=policy.name,
        approvals_needed=rule_for(policy.approvals, "promote").min,
    )
    if champion is not None and champion.digest == version.digest:
        return replace(plan, state="runs-already")
    if (known := _standing(workspace, version, environment)) is not None:
        return _proposed(workspace, known, plan, dry_run=dry_run)
    _check_stored(workspace, base, version, on_step)
    on_step(f"judging {ref} by the gates of {environment}")
    at = workspace.clock.now()
    promotion = new_promotion_id(at)
    report = gate.report(workspace, base, version, environment, promotion, at=at)
    manifest = _manifest(base, version, environment, report, reason=reason, ticket=ticket)
    files = {
        layout.gate_report(ref.model, ref.number, promotion): to_json(report),
        layout.promotion(environment, ref.model): workspace.formats.yaml(
            layout.promotion(environment, ref.model), manifest
        ),
    }
    changed: dict[str, Literal["+", "~"]] = {
        path: "~" if base.tree.read(path) is not None else "+" for path in sorted(files)
    }
    plan = replace(plan, files=changed, gates=report.results)
    if report.outcome != "pass":
        return replace(plan, state="refused")
    if dry_run:
        return plan
    commit, pushed = _propose(workspace, base, ref, environment, files, manifest)
    waiting = proposal.load(workspace, environment, ref.model)
    tally = examine(workspace, waiting, at=at).tally
    return replace(
        plan,
        state="proposed",
        promotion=promotion,
        branch=layout.promotion_branch(environment, ref.model),
        commit=commit,
        pushed=pushed,
        approvals_missing=tally.missing,
        may_approve=tally.may,
    )


def _check_order(base: Lifecycle, environment: str, version: Version) -> None:
    skipped = [
        finding
        for earlier in base.environment(environment).after
        for finding in check_earlier(version, environment, earlier, base.champion(earlier, version.model))
    ]
    if skipped:
        raise MlgitError(*skipped)


def _standing(workspace: Workspace, version: Version, environment: str) -> proposal.Proposal | None:
    """Return the open proposal of just this change, if it was made on what the base branch says today."""
    if (environment, version.model) not in proposal.open_proposals(workspace):
        return None
    known = proposal.load(workspace, environment, version.model)
    slot = known.manifest.slots.champion
    same = slot is not None and slot.digest == version.digest
    problems = examine(workspace, known, at=workspace.clock.now()).problems if same else []
    return known if same and not problems else None


def _proposed(workspace: Workspace, known: proposal.Proposal, plan: Promoted, *, dry_run: bool) -> Promoted:
    examination = examine(workspace, known, at=workspace.clock.now())
    return replace(
        plan,
        state="proposed-already",
        promotion=known.manifest.promotion,
        branch=layout.promotion_branch(known.environment, known.model),
        commit=known.head,
        pushed=not dry_run and _push(workspace, known.environment, known.model, known.head),
        gates=known.report.results if known.report else [],
        approvals_missing=examination.tally.missing,
        may_approve=examination.tally.may,
    )


def _check_stored(workspace: Workspace, base: Lifecycle, version: Version, on_step: Callable[[str], None]) -> None:
    remote = base.project().remote
    files = [*rules.stored_files(version), *version.inputs.data.values()]
    on_step(f"looking for {len(files)} files in remote {remote}")
    missing = workspace.store(remote).missing(files)
    if missing:
        listed = ", ".join(f"{stored.path} (md5 {stored.md5[:8]})" for stored in missing)
        raise refused(
            "data-missing",
            f"{version.model}@{version.version} is not whole in remote {remote}",
            why=f"missing: {listed}",
            fix="where the version was trained, run `dvc push`",
        )


def _manifest(
    base: Lifecycle, version: Version, environment: str, report: GateReport, *, reason: str | None, ticket: str | None
) -> Promotion:
    before = base.promotion(environment, version.model)
    policy: Policy = base.policy(base.environment(environment).policy)
    return Promotion(
        schema=1,
        promotion=report.promotion,
        environment=environment,
        model=version.model,
        change="promote",
        slots=Slots(champion=Slot(version=version.version, digest=version.digest)),
        replaces=None if before is None else PromotionRef(promotion=before.promotion, digest=digest(before)),
        baseline=None
        if report.champion is None
        else VersionPin(version=report.champion.version, digest=report.champion.digest),
        gates=ReportRef(
            report=layout.gate_report(version.model, version.version, report.promotion), digest=digest(report)
        ),
        policy=PolicyRef(name=policy.name, digest=digest(policy)),
        reason=reason,
        ticket=ticket,
    )


def _propose(
    workspace: Workspace,
    base: Lifecycle,
    ref: VersionRef,
    environment: str,
    files: dict[str, bytes],
    manifest: Promotion,
) -> tuple[CommitId, bool]:
    """Commit on the base and point the branch at it, here and at the remote, unless a person has added to the branch."""
    repository = workspace.repository
    onto = base.tree.commit
    assert onto is not None  # noqa: S101 - the base is a commit
    branch = f"refs/heads/{layout.promotion_branch(environment, ref.model)}"
    before = repository.resolve(branch)
    for there in (before, repository.resolve(origin.copy_of(branch))):
        if there is not None:
            _check_own(workspace, onto, there, environment, ref.model)
    message = f"Promote {ref} to {environment}\n\nMlgit-Promotion: {manifest.promotion}\n"
    commit = repository.commit(files, parents=[onto], message=message)
    changes = [PathChange(path, "M" if base.tree.read(path) else "A", None, None) for path in files]
    head = Lifecycle(repository.tree(commit), workspace.formats.record)
    _, findings = validate.check_change(base, head, changes, workspace.formats)
    if findings:
        raise MlgitError(*findings)
    reason = f"mlgit promote {ref} --to {environment}"
    repository.move(branch, commit, expected=before, reason=reason)
    try:
        return commit, _push(workspace, environment, ref.model, commit)
    except Unjudged:
        raise  # the remote did not answer: the proposal is here, and goes there when this is run again
    except MlgitError:
        if before is None:
            repository.delete_ref(branch, expected=commit)
        else:
            repository.move(branch, before, expected=commit, reason=f"undo: {reason}")
        raise


def _check_own(workspace: Workspace, onto: str, head: str, environment: str, model: str) -> None:
    ours = {layout.promotion(environment, model)}
    for commit, changes in workspace.repository.commits(f"{onto}..{head}", first_parent=False):
        strange = [c.path for c in changes if c.path not in ours and "/gates/" not in c.path]
        if strange or not commit.subject.startswith("Promote "):
            raise refused(
                "branch-not-ours",
                f"{layout.promotion_branch(environment, model)} has a commit that mlgit did not make",
                why=f"{commit.id[:12]} {commit.subject} ({commit.author})",
                fix="merge or move that commit, then delete the branch and promote again",
            )


def _push(workspace: Workspace, environment: str, model: str, commit: CommitId) -> bool:
    """Push a proposal; return whether the remote has it. One that somebody else has pushed meanwhile is not replaced."""
    repository = workspace.repository
    if not origin.is_there(repository):
        return False
    branch = f"refs/heads/{layout.promotion_branch(environment, model)}"
    theirs = repository.resolve(origin.copy_of(branch))
    if theirs != commit:
        repository.push(origin.NAME, [f"{commit}:{branch}"], force_with_lease={branch: theirs})
    return True
