"""Everything that stands for and against a proposal at a moment, and the refusal where something does."""

from datetime import datetime

import msgspec

from mlgit.domain import conditions, layout
from mlgit.domain.approvals import Tally
from mlgit.domain.case import Case
from mlgit.domain.decision import ReadSet, decision
from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.records import Retirement
from mlgit.errors import Finding, Location, MlgitError
from mlgit.ops import agreement
from mlgit.ops.ports import Workspace
from mlgit.ops.proposal import Proposal


class Examination(msgspec.Struct, frozen=True):
    """What was found when a proposal was examined: the decision, who agreed, and all that stands against it."""

    reads: ReadSet
    decision: Digest
    tally: Tally
    problems: list[Finding]

    @property
    def holds(self) -> bool:
        """Whether nothing stands against it."""
        return not self.problems and self.tally.complete


def examine(workspace: Workspace, proposal: Proposal, *, at: datetime) -> Examination:
    """Examine a proposal as of a moment, by the rules of the state before it. Judges; changes nothing."""
    case = case_of(proposal)
    reads = case.reads()
    decided = decision(reads)
    problems = conditions.check(case, at)
    return Examination(reads, decided, agreement.tally(workspace, proposal, decided), problems)


def case_of(proposal: Proposal) -> Case:
    """Put together all that a proposal is judged on.

    Raises:
        MlgitError: one of the records is not there, or cannot be read.
    """
    manifest, version, before = proposal.manifest, proposal.version, proposal.before
    model, environment = before.model(proposal.model), before.environment(proposal.environment)
    at = Location(layout.promotion(proposal.environment, proposal.model))
    slots = [slot for slot in (manifest.slots.champion, manifest.slots.challenger, manifest.slots.shadow) if slot]
    return Case(
        manifest=manifest,
        version=version,
        slots={slot.version: proposal.after.version(VersionRef(proposal.model, slot.version), at=at) for slot in slots},
        report=proposal.report,
        before=before.promotion(proposal.environment, proposal.model),
        champion=before.champion(proposal.environment, proposal.model),
        policy=proposal.policy,
        environment=environment,
        problem=before.problem(model.problem),
        model=model,
        contracts={name: before.dataset(name) for name in model.datasets},
        earlier={name: before.champion(name, proposal.model) for name in environment.after},
        retirement=None
        if version is None
        else before.find(Retirement, layout.retirement(version.model, version.version)),
    )


def require(examination: Examination, what: str, *, fix: str = "somebody who may, runs `mlgit approve`") -> None:
    """Refuse unless nothing stands against a proposal.

    Args:
        examination: what was found.
        what: the proposal, for messages.
        fix: the way out where approvals are missing.

    Raises:
        MlgitError: with every problem and everything that is missing, and who can supply it.
    """
    findings = list(examination.problems)
    if not examination.tally.complete:
        findings.append(
            Finding(
                "approvals-missing",
                f"{what} lacks {'; '.join(examination.tally.missing)}",
                why=_counted(examination.tally),
                fix=fix,
            )
        )
    if findings:
        raise MlgitError(*findings)


def _counted(counted: Tally) -> str:
    names = ", ".join(approval.person for approval in counted.counted) or "nobody"
    others = "; ".join(f"{one.person}: {one.reason}" for one in counted.uncounted)
    return f"approved by {names}" + (f"; not counted: {others}" if others else "")
