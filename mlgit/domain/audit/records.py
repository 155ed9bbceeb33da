"""What an audit says of each thing that it looked at. Nothing in here depends on when or where the audit was run.

Digests and ids are plain text here: they come from records that were checked, and checking them again would be most of what
it costs to read a checkpoint.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from mlgit.domain.approvals import UncountedVote
from mlgit.domain.audit.verdict import AuditVerdict
from mlgit.errors import Finding


class AuditedGate(msgspec.Struct, frozen=True):
    """A gate of the report that a promotion rests on, and its answer."""

    gate: str
    outcome: str
    message: str


class CommitSignature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The signature on a commit: the address of whom it is by and the fingerprint of the key, or why it proves nothing."""

    by: str | None = None
    key: str | None = None
    doubt: str | None = None


class AuditedApproval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An approval that counts: who gave it, in which roles, and the key or the review that proves it."""

    person: str
    roles: list[str]
    key: str | None = None
    review: str | None = None
    approval: str

    @property
    def proof(self) -> str:
        """What proves it: the fingerprint of a key, or where the review is."""
        return self.key or self.review or ""


class AuditedEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a decision rests on: the digests that it binds, by name, and what the gates said."""

    reads: dict[str, str | None] = {}
    gates: list[AuditedGate] = []


class AuditedChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A commit of the base branch that changed what an environment is to run, and what becomes of it under its rules.

    `evidence` is what the decision rests on: `reads`, the digests that it binds by name, and `gates`, a list of each gate with
    its outcome and message. It stays JSON until somebody asks: of thousands of changes, few are told in full.
    """

    commit: str
    at: datetime
    environment: str
    model: str
    verdict: AuditVerdict
    findings: list[Finding] = []
    promotion: str | None = None
    kind: str | None = None
    before: str | None = None
    after: str | None = None
    beside: list[str] = []
    """What was to run beside the champion then, in words."""
    reason: str | None = None
    ticket: str | None = None
    proposed_by: list[str] = []
    merged_by: str = ""
    decision: str | None = None
    evidence: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
    policy: str | None = None
    approvals: list[AuditedApproval] = []
    uncounted: list[UncountedVote] = []
    overrides: list[str] = []
    standing: str | None = None
    """Name of the standing approval that it rests on."""
    signature: CommitSignature | None = None
    """The signature on the commit; None where nobody signed it."""
    decided: bool = False
    """Whether the ledger has a decision record of it."""

    def rests_on(self) -> AuditedEvidence:
        """Return the evidence, read."""
        return msgspec.json.decode(self.evidence, type=AuditedEvidence)


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that changed what judges promotions, or what people decided beside them; a fact, and nothing wrong."""

    commit: str
    at: datetime
    by: str
    kind: str
    path: str
    deed: Literal["added", "changed", "deleted"]


class AuditedDeployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the ledger on what a target was seen to run."""

    at: datetime
    environment: str
    model: str
    seq: int
    status: str
    promotion: str
    version: int | None = None
    digest: str | None = None
    message: str | None = None


class RunningVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An environment that is to run a version of a model, since when, and how well that is proven."""

    environment: str
    version: str | None
    since: datetime | None
    verdict: AuditVerdict | None
    beside: list[str] = []


class ModelInventory(msgspec.Struct, frozen=True, kw_only=True):
    """A model: what it is for, who answers for it, its versions, and where it is to run."""

    model: str
    problem: str
    owner: str
    risk: str
    decision: str
    datasets: list[str]
    versions: int
    newest: int | None
    runs: list[RunningVersion]


class GovernanceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A hold, an override, a standing approval or a retirement that there is at the end."""

    kind: Literal["hold", "override", "standing-approval", "retirement"]
    name: str
    subject: str
    by: str
    reason: str
    until: str | None
