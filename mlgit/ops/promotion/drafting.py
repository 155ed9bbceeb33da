"""What promote, rollback, recertify and auto-promote do to draft a promotion: checks, gates, manifest, files."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.approvals import people_needed
from mlgit.domain.codec import digest, to_json
from mlgit.domain.merge_rules import holds, overrides
from mlgit.domain.names import VersionRef, new_promotion_id
from mlgit.domain.policy import approval_rule
from mlgit.domain.records import GateReport, Promotion, Version
from mlgit.domain.records.promotion import PolicyRef, PromotionRef, ReportRef, SlotAssignments, VersionPin
from mlgit.domain.records.version import StoredFile
from mlgit.domain.rules.versions import stored_files
from mlgit.errors import MlgitError, refused
from mlgit.ops.evaluation import gate
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.promotion.proposal_branch import BranchDraft
from mlgit.ops.promotion.proposed import Change, Proposed
from mlgit.ops.review import waivers
from mlgit.ops.review.proposals import baseline_version


def label(version: Version) -> str:
    """Return a version as people write it, `churn@10`."""
    return str(VersionRef(version.model, version.version))


def new_plan(base: Lifecycle, change: Change, environment: str, model: str, candidate: str) -> Proposed:
    """Return the outcome of a proposal before anything is done: what is proposed, and what its policy requires.

    Args:
        base: the state of the base branch.
        change: the kind of the change.
        environment: the environment.
        model: the model.
        candidate: the version that is proposed, as `churn@10`.
    """
    champion = base.champion(environment, model)
    policy = base.policy(base.environment(environment).policy)
    return Proposed(
        change=change,
        environment=environment,
        model=model,
        candidate=candidate,
        champion=None if champion is None else label(champion),
        state="planned",
        policy=policy.name,
        evidence=policy.evidence,
        approvals_needed=people_needed(approval_rule(policy.approvals, change), base.problem_of(model).risk),
    )


def running(base: Lifecycle, environment: str, model: str) -> tuple[Promotion, Version]:
    """Return the manifest and the champion of a model in an environment.

    Raises:
        MlgitError: nothing runs there (`champion-missing`).
    """
    before, champion = base.promotion(environment, base.model(model).name), base.champion(environment, model)
    if before is None or champion is None:
        raise refused(
            "champion-missing",
            f"{environment} runs no version of {model}",
            why=f"{layout.promotion(environment, model)} does not name one",
            fix="`mlgit status` shows what runs where",
        )
    return before, champion


def draft_manifest(
    snapshot: Snapshot,
    change: Change,
    environment: str,
    model: str,
    desired: SlotAssignments,
    *,
    reason: str | None = None,
    ticket: str | None = None,
) -> Promotion:
    """Return a new manifest based on the state of a snapshot, without a gate report.

    Args:
        snapshot: the state of the base branch, and the ledger.
        change: the kind of the change.
        environment: the environment.
        model: the model.
        desired: the versions that are to run.
        reason: why now.
        ticket: number of a ticket in another system.
    """
    base = snapshot.state
    before, champion = base.promotion(environment, model), base.champion(environment, model)
    policy = base.policy(base.environment(environment).policy)
    return Promotion(
        schema=1,
        promotion=new_promotion_id(snapshot.at),
        environment=environment,
        model=model,
        change=change,
        slots=desired,
        replaces=None if before is None else PromotionRef(promotion=before.promotion, digest=digest(before)),
        baseline=None if champion is None else VersionPin(version=champion.version, digest=champion.digest),
        gates=None,
        policy=PolicyRef(name=policy.name, digest=digest(policy)),
        reason=reason,
        ticket=ticket,
        ledger=snapshot.ledger.commit,
    )


def check_not_blocked(
    base: Lifecycle, environment: str, version: Version, desired: SlotAssignments, *, at: datetime
) -> None:
    """Refuse to propose what is held or frozen, or where the review of an override is overdue.

    Args:
        base: the state of the base branch.
        environment: the environment.
        version: the version that is proposed.
        desired: the versions that are to run.
        at: the time.

    Raises:
        MlgitError: with each reason (`version-held`, `change-frozen`, `override-unreviewed`).
    """
    versions = {version.digest: label(version)}
    for slot in slots.filled(desired).values():
        versions[slot.digest] = str(VersionRef(version.model, slot.version))
    findings = [
        *holds.check_holds_on_change(
            base.holds(), environment=environment, model=version.model, versions=versions, change="promote", at=at
        ),
        *overrides.check_reviews_of(base.overrides(), environment, "promote", at),
    ]
    if findings:
        raise MlgitError(*findings)


def check_stored(
    workspace: Workspace, base: Lifecycle, version: Version, files: Sequence[StoredFile], on_step: Callable[[str], None]
) -> None:
    """Refuse a version of which the remote lacks files.

    Raises:
        MlgitError: files are missing (`data-missing`).
    """
    remote = base.project().remote
    on_step(f"looking for {len(files)} files in remote {remote}")
    missing = workspace.versions(remote).missing(files)
    if missing:
        listed = ", ".join(f"{stored.path} (md5 {stored.md5[:8]})" for stored in missing)
        raise refused(
            "data-missing",
            f"remote {remote} does not have all files of {label(version)}",
            why=f"missing: {listed}",
            fix="where the version was registered, run `mlgit upload`",
        )


def evaluate_gates(
    workspace: Workspace,
    snapshot: Snapshot,
    version: Version,
    manifest: Promotion,
    *,
    on_step: Callable[[str], None],
) -> tuple[Promotion, GateReport]:
    """Evaluate the gates of the environment for a version.

    Returns:
        The manifest with a reference to the gate report, and the report.

    Raises:
        MlgitError: the remote lacks files of the version (`data-missing`).
    """
    environment, base, at = manifest.environment, snapshot.state, snapshot.at
    check_stored(workspace, base, version, [*stored_files(version), *version.inputs.data.values()], on_step)
    on_step(f"evaluating the gates of {environment} for {label(version)}")
    report = gate.gate_report(
        workspace,
        base,
        version,
        environment,
        manifest.promotion,
        champion=baseline_version(base, manifest),
        at=at,
        waivers=waivers.waivers(workspace, base, version, environment, at=at, ledger=snapshot.ledger),
    )
    path = layout.gate_report(report.model, report.candidate.version, report.promotion)
    return replace(manifest, gates=ReportRef(report=path, digest=digest(report))), report


def promotion_files(workspace: Workspace, manifest: Promotion, report: GateReport | None) -> dict[str, bytes]:
    """Return the files of a promotion, by path: the manifest and, if there is one, its gate report."""
    path = layout.promotion(manifest.environment, manifest.model)
    files = {path: workspace.formats.yaml(path, manifest)}
    if manifest.gates is not None and report is not None:
        files[manifest.gates.report] = to_json(report)
    return files


def promotion_draft(manifest: Promotion, files: Mapping[str, bytes], message: str, command: str) -> BranchDraft:
    """Return the change for the one branch of an environment and model, which all kinds of promotions share.

    Args:
        manifest: the manifest.
        files: the files of the promotion, by path.
        message: the commit message, without trailers.
        command: the command that drafts it, for the reflog.
    """
    environment, model = manifest.environment, manifest.model
    path_of_manifest = layout.promotion(environment, model)

    def owns(path: str) -> bool:
        return path == path_of_manifest or "/gates/" in path or layout.is_version_hold(path, environment, model)

    return BranchDraft(
        branch=layout.promotion_branch(environment, model),
        files=files,
        message=f"{message}\n\nMlgit-Promotion: {manifest.promotion}\n",
        owns=owns,
        command=command,
    )
