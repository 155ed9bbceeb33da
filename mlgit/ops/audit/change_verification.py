"""One change of a manifest, judged by the rules of the commit before it: what a merge and an `apply` ask, asked again."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import asdict, replace

from mlgit.domain import layout, slots
from mlgit.domain.approvals import People
from mlgit.domain.audit import checks
from mlgit.domain.audit.records import AuditedApproval, AuditedChange, AuditedEvidence, AuditedGate
from mlgit.domain.audit.verdict import GAPS, verdict
from mlgit.domain.names import VersionRef
from mlgit.domain.records import DecisionRecord, Promotion, Reviews, Version
from mlgit.domain.rules.changes import check_promotion_alone
from mlgit.domain.rules.versions import check_version, stored_files
from mlgit.errors import Finding, MlgitError
from mlgit.ops.audit.first_parents import HistoryStep
from mlgit.ops.audit.ledger_history import LedgerCutoff, LedgerFile, LedgerHistory
from mlgit.ops.audit.tree_history import LifecycleHistory
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import forge_reviews
from mlgit.ops.review.approval_count import standing_approval_name
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import PromotionVerifier, Verification, rollback_hold

_TWO_CLOCKS = timedelta(minutes=5)  # by how much the clocks of two machines may differ
_NO_EVIDENCE = msgspec.Raw(b"{}")
_ASKS_THE_LEDGER = frozenset(
    {"rollback-version-unverified", "soak-too-short", "standing-approval-unsigned", "upstream-environment-unverified"}
)
"""Findings that say what the ledger lacks, and so nothing where there is no ledger here."""


class ChangeVerifier:
    """Judges changes of manifests, each in the two states that it lies between."""

    def __init__(self, workspace: Workspace, chronicle: LedgerHistory, *, again: bool = False) -> None:
        """Take today's workspace, the ledger, and whether to judge the gates again, on data that has to be fetched."""
        self._again = again
        self._workspace = workspace
        self._chronicle = chronicle
        self._whole: dict[tuple[str, ...], list[Finding]] = {}

    def judge(
        self, step: HistoryStep, path: str, before: LifecycleHistory, after: LifecycleHistory, seen: Collection[str]
    ) -> AuditedChange:
        """Return what becomes of one change.

        Args:
            step: the commit.
            path: the manifest that it changes.
            before: the state of its first parent, which gives the rules.
            after: the state with it.
            seen: the ids of all promotions that the base branch had before.
        """
        place = layout.parse_path(path)
        assert place is not None  # noqa: S101 - the path of a manifest
        key = (place.fields["environment"], place.fields["model"])
        findings = list(checks.check_commit([(one.path, one.status) for one in step.changes], step.own))
        for one in step.changes:
            if one.path == path:
                findings += checks.check_manifest_file(path, one.status, one.mode)
        draft = _draft(step, key, before)
        try:
            manifest = after.promotion(*key)
            if manifest is not None:
                draft = _described(draft, manifest)
                findings += checks.check_identity(manifest, before.promotion(*key), seen, step.commit.id)
                proposed = Proposal(*key, before, after, step.commit.id, step.brought)
                draft, found = self._promoted(draft, step, proposed, after)
                findings += found
        except MlgitError as error:
            findings += [checks.unreadable(finding) for finding in error.findings]
        gaps = GAPS if self._chronicle.tip is not None else GAPS | _ASKS_THE_LEDGER
        waived = any(one.outcome == "waived" for one in draft.rests_on().gates)
        return replace(draft, findings=findings, verdict=verdict(findings, waived=waived, gaps=gaps))

    def _promoted(
        self, draft: AuditedChange, step: HistoryStep, proposed: Proposal, after: LifecycleHistory
    ) -> tuple[AuditedChange, list[Finding]]:
        """Judge a manifest that is there, and tell what it rests on."""
        if not step.commit.parents:
            return draft, [checks.in_first_commit(layout.promotion(proposed.environment, proposed.model))]
        paths = [change.path for change in step.changes]
        held = rollback_hold(proposed)
        findings = list(check_promotion_alone(proposed.environment, proposed.model, paths, held=held))
        for slot in slots.filled(proposed.manifest.slots).values():
            findings += self._check_files(after.version(VersionRef(proposed.model, slot.version)), after)
        examination, more = self._examined(step, proposed)
        people = People(proposed.before.roles())
        report = proposed.report
        evidence = AuditedEvidence(
            reads=dict(examination.reads),
            gates=[AuditedGate(one.gate, one.outcome, one.message) for one in report.results] if report else [],
        )
        draft = replace(
            draft,
            decision=examination.decision,
            evidence=msgspec.Raw(msgspec.json.encode(evidence)),
            approvals=[AuditedApproval(**asdict(one)) for one in examination.approvals.counted],
            uncounted=examination.approvals.uncounted,
            overrides=_overrides(proposed),
            standing=standing_approval_name(proposed),
            decided=self._decided(proposed.manifest) is not None,
            merged_by=people.person(draft.merged_by),
            proposed_by=list(dict.fromkeys(map(people.person, draft.proposed_by))),
        )
        return draft, findings + more

    def _examined(self, step: HistoryStep, proposed: Proposal) -> tuple[Verification, list[Finding]]:
        """Examine a promotion with what the ledger had when it was merged.

        Clocks differ, so what does not hold by that moment may hold by one a little later. Approvals that came later still
        count until the ledger has the decision, or until now where it has none, with a warning.
        """
        at, manifest = step.commit.at, proposed.manifest
        decided = self._decided(manifest)
        cut = LedgerCutoff(None if decided is None else decided.step, at + _TWO_CLOCKS, at)
        examination = self._look(proposed, cut, at)
        if examination.problems or examination.waits:
            other = self._look(proposed, later := replace(cut, seen=at + _TWO_CLOCKS), at)
            if not other.problems and not other.waits:
                examination, cut = other, later
        late: list[Finding] = []
        if not examination.approvals.complete:
            examination = self._look(proposed, replace(cut, at=None), at)
            late = [checks.approved_after_merge(manifest)] if examination.approvals.complete else []
        agreed = list(checks.check_approvals(manifest, examination.approvals))
        if agreed and proposed.policy.evidence == "forge":
            stated = self._look(proposed, replace(cut, at=None), at, believed=True)
            if stated.approvals.complete:
                examination, agreed = stated, [checks.reviewed_commit_missing(manifest, examination.approvals)]
        problems = [
            checks.without_report_reference(one, manifest) for one in (*examination.problems, *examination.waits)
        ]
        findings = [*problems, *agreed, *late]
        if self._again:
            findings += self._evaluated_again(proposed, cut, at)
        if decided is None:
            findings += checks.check_applied(manifest, self._chronicle.refused.get(manifest.promotion))
        else:
            record = self._chronicle.library.record(layout.decision(manifest.promotion), decided.blob)
            assert isinstance(record, DecisionRecord)  # noqa: S101 - by its path
            reads, tally = examination.reads, examination.approvals
            findings += checks.check_decision_record(
                record, manifest, reads=reads, decision=examination.decision, tally=tally
            )
        return examination, findings

    def _evaluated_again(self, proposed: Proposal, cut: LedgerCutoff, at: datetime) -> list[Finding]:
        """Evaluate the gates again, on the data. Where it cannot be had, that is a gap."""
        report, again = (
            proposed.report,
            PromotionVerifier(self._workspace, self._chronicle.ledger(cut), at).evaluate_gates(proposed),
        )
        if report is None or again is None:
            return []
        return list(checks.check_gate_results(proposed.manifest, report.results, again.results))

    def _look(self, proposed: Proposal, cut: LedgerCutoff, at: datetime, *, believed: bool = False) -> Verification:
        heard = self._heard(proposed, cut, believed=believed)
        return PromotionVerifier(self._workspace, self._chronicle.ledger(cut), at).verify(heard)

    def _heard(self, proposed: Proposal, cut: LedgerCutoff, *, believed: bool) -> Proposal:
        """Return a change with what the ledger has of its pull request: the reviews that were given in time."""
        folder = layout.reviews(proposed.manifest.promotion)
        there = self._chronicle.in_folder(folder, LedgerCutoff(cut.step)) if proposed.policy.evidence == "forge" else {}
        if not there:
            return proposed
        newest = max(there, key=lambda path: layout.sequence_number(path.rpartition("/")[2]) or 0)
        told = self._chronicle.library.record(newest, there[newest].blob)
        assert isinstance(told, Reviews)  # noqa: S101 - by its path
        given = [one for one in told.reviews if cut.at is None or one.at <= cut.at]
        return forge_reviews.with_reviews(
            self._workspace, proposed, replace(told, reviews=given), trust_recorded=believed
        )

    def _decided(self, manifest: Promotion) -> LedgerFile | None:
        return self._chronicle.added.get(layout.decision(manifest.promotion))

    def _check_files(self, version: Version, after: LifecycleHistory) -> list[Finding]:
        """Check the record of a version, and the files beside it that it names."""
        folder = layout.version_folder(version.model, version.version)
        stored = {f"{one.path}.dvc": one for one in stored_files(version)}
        names = ("card.md", "profile.json", *stored)
        ids = [after.files.id_of(f"{folder}/{name}") for name in ("version.json", *names)]
        key = tuple(one for one in ids if one is not None)
        if len(key) < len(ids) or key not in self._whole:  # without an id, it may be another each time
            files = {name: after.files.read(f"{folder}/{name}") for name in names}
            pointers = {name: self._workspace.formats.pointer(one) for name, one in stored.items()}
            self._whole[key] = list(check_version(version, files, pointers))
        return self._whole[key]


def _draft(step: HistoryStep, key: tuple[str, str], before: LifecycleHistory) -> AuditedChange:
    """Return what is told of a change whatever comes of it."""
    commit = step.commit
    return AuditedChange(
        commit=commit.id,
        at=commit.at,
        environment=key[0],
        model=key[1],
        verdict="UNPROVEN",
        merged_by=commit.author_email,
        proposed_by=list(dict.fromkeys(one.author_email for one in reversed(step.brought))),
        before=_label(before, key),
        evidence=_NO_EVIDENCE,
    )


def _described(draft: AuditedChange, manifest: Promotion) -> AuditedChange:
    slot = manifest.slots.champion
    return replace(
        draft,
        promotion=manifest.promotion,
        kind=manifest.change,
        after=None if slot is None else f"{manifest.model}@{slot.version}",
        beside=[str(one) for one in slots.versions_beside(manifest)],
        reason=manifest.reason,
        ticket=manifest.ticket,
        policy=manifest.policy.name,
    )


def _label(state: LifecycleHistory, key: tuple[str, str]) -> str | None:
    try:
        manifest = state.promotion(*key)
    except MlgitError:  # a finding of the commit that brought it
        return None
    slot = manifest.slots.champion if manifest else None
    return None if slot is None else f"{key[1]}@{slot.version}"


def _overrides(proposed: Proposal) -> list[str]:
    """Return in words the overrides that waived gates of the report."""
    report, version = proposed.report, proposed.version
    waived = {verdict.gate for verdict in report.results if verdict.outcome == "waived"} if report else set()
    if not waived or version is None:
        return []
    key = (proposed.environment, proposed.model, version.digest)
    return [
        f"{name} waives {', '.join(sorted(waived & {*one.waives}))} for {one.incident}, by {' and '.join(one.people)}"
        for name, one in proposed.before.overrides().items()
        if (one.environment, one.model, one.digest) == key and waived & {*one.waives}
    ]


def changed_manifests(step: HistoryStep) -> Sequence[str]:
    """Return the manifests that a commit changes."""
    return [change.path for change in step.changes if is_manifest(change.path)]


def is_manifest(path: str) -> bool:
    """Tell whether a path is that of a manifest."""
    if not path.startswith("environments/"):
        return False
    place = layout.parse_path(path)
    return place is not None and place.kind == "promotion"
