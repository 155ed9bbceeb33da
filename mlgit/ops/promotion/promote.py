"""Propose a version for an environment: judge it, and put manifest and gate report on a branch of their own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.approvals import people_needed
from mlgit.domain.codec import digest, to_json
from mlgit.domain.merge_rules import holds, overrides
from mlgit.domain.merge_rules.manifest import check_earlier
from mlgit.domain.merge_rules.ramp import check_plan
from mlgit.domain.merge_rules.slots import check_layout, no_champion
from mlgit.domain.names import PromotionId, VersionRef, new_promotion_id
from mlgit.domain.policy import approval_rule
from mlgit.domain.records import GateReport, Policy, Promotion, Version
from mlgit.domain.records.promotion import PolicyRef, PromotionRef, Ramp, ReportRef, SlotAssignments, VersionPin
from mlgit.domain.records.version import StoredFile
from mlgit.domain.rules.versions import stored_files
from mlgit.domain.slots import BesideName, SlotName
from mlgit.errors import MlgitError, refused
from mlgit.ops.evaluation import gate
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot
from mlgit.ops.promotion import proposal_branch, publish, pull_request
from mlgit.ops.promotion.proposed import Proposed
from mlgit.ops.review import proposals, waivers
from mlgit.ops.review.verification import PromotionVerifier


def run(
    workspace: Workspace,
    ref: VersionRef,
    environment: str,
    *,
    reason: str | None = None,
    ticket: str | None = None,
    slot: SlotName = "champion",
    traffic: int | None = None,
    clear: Collection[BesideName] = (),
    ramp: Ramp | None = None,
    body: pull_request.BriefRenderer | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Proposed:
    """Propose `ref` as champion of an environment, at once or, with `ramp`, step by step; or for a slot beside the champion.

    The work tree and the index are not touched: the commit is made beside them, on `mlgit/promote/<environment>/<model>`.

    Args:
        workspace: where.
        ref: the version; the champion itself, to do nothing but clear slots.
        environment: the environment.
        reason: why now; it goes into the manifest.
        ticket: number in another system; it goes into the manifest.
        slot: where it is to run. It leaves any other slot that it has there; who else runs there stays.
        traffic: per cent of the requests that it is to answer as challenger, 1 to 99.
        clear: the slots beside the champion that are taken away.
        ramp: the steps by which it takes over as champion.
        body: writes what the pull request says, where the project has a forge; without it, none is opened.
        dry_run: whether only to say what would be done.
        on_step: is told what is being done.

    Raises:
        MlgitError: the version is not on the base branch, an environment is skipped, content is missing from the remote, the
            slots do not fit together, or the branch carries a person's own commits.
    """
    snapshot = take_snapshot(workspace)
    base, at = snapshot.state, snapshot.at
    base.environment(environment)
    version = base.version(ref)
    champion = base.champion(environment, ref.model)
    if champion is None and slot != "champion":
        raise MlgitError(no_champion(environment, ref.model))
    before = base.promotion(environment, ref.model)
    was = None if before is None else before.slots
    wanted = slots.put(was, version, slot, traffic=traffic, clear=frozenset(clear))
    if slots.entering(wanted, was):
        _check_order(base, environment, version)
    stay = slots.placed_in(ref.model, wanted)
    policy = base.policy(base.environment(environment).policy)
    plan = Proposed(
        change="promote",
        environment=environment,
        model=ref.model,
        candidate=str(ref),
        champion=None if champion is None else f"{ref.model}@{champion.version}",
        slot=slot,
        beside=stay,
        cleared=[one for one in slots.placed(before) if one.slot not in {other.slot for other in stay}],
        state="planned",
        policy=policy.name,
        evidence=policy.evidence,
        ramp=ramp,
        approvals_needed=people_needed(approval_rule(policy.approvals, "promote"), base.problem_of(ref.model).risk),
    )
    if wanted == was:
        return replace(plan, state="runs-already")
    check_free(base, version, environment, wanted, at=at)
    if (same := open_already(workspace, snapshot, environment, ref.model, "promote", wanted, ramp)) is not None:
        plan = replace(plan, state="proposed-already", gates=same.report.results if same.report else [])
        return publish.publish_promotion(workspace, snapshot, plan, same, body, again=_command(plan), dry_run=dry_run)
    manifest = replace(
        draft_manifest(base, before, ref.model, environment, new_promotion_id(at), reason=reason, ticket=ticket),
        slots=wanted,
        ramp=ramp,
        ledger=snapshot.ledger.commit,
    )
    if unfit := [*check_layout(manifest), *check_plan(manifest)]:
        raise MlgitError(*unfit)
    report = None
    if slots.entering(wanted, was):
        report = judge_candidate(workspace, snapshot, version, manifest, on_step=on_step)
        manifest = replace(manifest, gates=report_ref(report))
    files = promotion_files(workspace, manifest, report)
    plan = replace(
        plan,
        files={path: "~" if base.tree.read(path) is not None else "+" for path in sorted(files)},
        gates=report.results if report else [],
    )
    if report is not None and report.outcome != "pass":
        return replace(plan, state="refused")
    if dry_run:
        return plan
    draft = promotion_draft(environment, ref.model, files, _message(plan, manifest), _command(plan))
    return publish.propose_promotion(workspace, snapshot, plan, draft, body)


def _message(plan: Proposed, manifest: Promotion) -> str:
    """Return the message of the commit that proposes a promotion."""
    place = "" if plan.slot == "champion" else f" as {plan.slot}"
    gone = "".join(f", without {one.slot} {one.version}" for one in plan.cleared if one.version != plan.candidate)
    subject = f"Promote {plan.candidate} to {plan.environment}{place}{gone}"
    return f"{subject}\n\nMlgit-Promotion: {manifest.promotion}\n"


def promotion_files(workspace: Workspace, manifest: Promotion, report: GateReport | None) -> dict[str, bytes]:
    """Return the files that a promotion brings, by path."""
    path = layout.promotion(manifest.environment, manifest.model)
    files = {path: workspace.formats.yaml(path, manifest)}
    return files if manifest.gates is None or report is None else {**files, manifest.gates.report: to_json(report)}


def _check_order(base: Lifecycle, environment: str, version: Version) -> None:
    skipped = [
        finding
        for earlier in base.environment(environment).after
        for finding in check_earlier(version, environment, earlier, base.champion(earlier, version.model))
    ]
    if skipped:
        raise MlgitError(*skipped)


def _command(plan: Proposed) -> str:
    return f"mlgit promote {plan.candidate} --to {plan.environment}"


def open_already(
    workspace: Workspace,
    snapshot: Snapshot,
    environment: str,
    model: str,
    change: str,
    wanted: SlotAssignments,
    ramp: Ramp | None = None,
) -> proposals.Proposal | None:
    """Return the open proposal of just this change, if nothing in it is out of date by the snapshot; None if there is none."""
    open_proposals = proposals.OpenProposals(workspace, snapshot.state)
    if (environment, model) not in open_proposals:
        return None
    proposal = open_proposals.load(environment, model)
    manifest = proposal.manifest
    if (manifest.slots, manifest.change, manifest.ramp) != (wanted, change, ramp):
        return None
    verifier = PromotionVerifier(workspace, snapshot.ledger, snapshot.at)
    return None if verifier.verify(proposal).problems else proposal


def check_free(
    base: Lifecycle, version: Version, environment: str, wanted: SlotAssignments | None = None, *, at: datetime
) -> None:
    """Refuse to propose what is held or frozen, or while an override there has waited too long for its review.

    Args:
        base: the state of the base branch.
        version: the version.
        environment: where it is to run.
        wanted: the slots that are to be; the version alone, if None.
        at: the moment.

    Raises:
        MlgitError: with each reason (`version-held`, `change-frozen`, `override-unreviewed`).
    """
    model = version.model
    there = {} if wanted is None else {slot.digest: slot.version for slot in slots.filled(wanted).values()}
    found = [
        *holds.check_change(
            base.holds(),
            environment=environment,
            model=model,
            versions={
                digest: f"{model}@{number}" for digest, number in {version.digest: version.version, **there}.items()
            },
            change="promote",
            at=at,
        ),
        *overrides.check_reviewed(base.overrides(), environment, "promote", at),
    ]
    if found:
        raise MlgitError(*found)


def check_stored(
    workspace: Workspace, base: Lifecycle, version: Version, files: Sequence[StoredFile], on_step: Callable[[str], None]
) -> None:
    """Refuse unless the remote has files of a version (`data-missing`)."""
    remote = base.project().remote
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


def judge_candidate(
    workspace: Workspace,
    snapshot: Snapshot,
    version: Version,
    manifest: Promotion,
    *,
    on_step: Callable[[str], None],
) -> GateReport:
    """Judge a version by the gates of the environment that a manifest leads to.

    Raises:
        MlgitError: the remote lacks files of it (`data-missing`).
    """
    environment, base, at = manifest.environment, snapshot.state, snapshot.at
    check_stored(workspace, base, version, [*stored_files(version), *version.inputs.data.values()], on_step)
    on_step(f"judging {version.model}@{version.version} by the gates of {environment}")
    waived = waivers.waivers(workspace, base, version, environment, at=at, ledger=snapshot.ledger)
    champion = proposals.baseline_version(base, manifest)
    return gate.gate_report(
        workspace, base, version, environment, manifest.promotion, champion=champion, at=at, waivers=waived
    )


def report_ref(report: GateReport) -> ReportRef:
    """Return what a manifest says of the report that it rests on."""
    return ReportRef(
        report=layout.gate_report(report.model, report.candidate.version, report.promotion), digest=digest(report)
    )


def draft_manifest(
    base: Lifecycle,
    before: Promotion | None,
    model: str,
    environment: str,
    promotion: PromotionId,
    *,
    reason: str | None,
    ticket: str | None,
) -> Promotion:
    """Return a manifest on what the base branch says today, whose slots and gate report are still to be filled in."""
    champion = base.champion(environment, model)
    policy: Policy = base.policy(base.environment(environment).policy)
    return Promotion(
        schema=1,
        promotion=promotion,
        environment=environment,
        model=model,
        change="promote",
        slots=SlotAssignments(champion=None),
        replaces=None if before is None else PromotionRef(promotion=before.promotion, digest=digest(before)),
        baseline=None if champion is None else VersionPin(version=champion.version, digest=champion.digest),
        gates=None,
        policy=PolicyRef(name=policy.name, digest=digest(policy)),
        reason=reason,
        ticket=ticket,
    )


def promotion_draft(
    environment: str, model: str, files: Mapping[str, bytes], message: str, command: str
) -> proposal_branch.BranchDraft:
    """Return a change for the one branch of an environment and model, which promotions and rollbacks share."""
    manifest = layout.promotion(environment, model)

    def owns(path: str) -> bool:
        return path == manifest or "/gates/" in path or layout.is_version_hold(path, environment, model)

    return proposal_branch.BranchDraft(
        branch=layout.promotion_branch(environment, model),
        files=files,
        message=message,
        owns=owns,
        command=command,
    )
