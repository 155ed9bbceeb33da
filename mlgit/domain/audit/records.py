"""The results of an audit. They do not depend on when or where the audit was run.

Digests and ids are plain `str` here: they come from validated records, and to validate them again would be most of the cost of
reading a checkpoint.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from mlgit.domain.approvals import UncountedVote
from mlgit.domain.audit.verdict import AuditVerdict
from mlgit.domain.authorship import UnknownAuthor
from mlgit.domain.records.ledger import FileChange
from mlgit.errors import Finding


class AuditedGate(msgspec.Struct, frozen=True):
    """The outcome of a gate in the gate report of a promotion."""

    gate: str
    outcome: str
    message: str


class CommitSignature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The signature of a commit: the signer's address and the fingerprint of the key, or why it could not be verified."""

    by: str | None = None
    key: str | None = None
    problem: str | None = None


class AuditedApproval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An approval that counts: the person, their roles, and the key or the review that proves it."""

    person: str
    roles: list[str]
    key: str | None = None
    review: str | None = None
    approval: str

    @property
    def source(self) -> str:
        """The fingerprint of the key, or the review."""
        return self.key or self.review or ""


class AuditedEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The digest of each record that a decision depends on, by name, and the outcomes of the gates."""

    reads: dict[str, str | None] = {}
    gates: list[AuditedGate] = []


class AuditedChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A commit of the base branch that changed a manifest, and the verdict on it by the rules before it.

    `evidence` has `reads`, the digest of each record that the decision depends on, and `gates`, the outcome and message of each
    gate. It is kept as JSON and decoded on demand: of thousands of changes, few are shown in full.
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
    """The versions beside the champion, such as `challenger churn@8 with 10%`."""
    reason: str | None = None
    ticket: str | None = None
    proposed_by: list[str] = []
    merged_by: str = ""
    decision: str | None = None
    evidence: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
    policy: str | None = None
    approvals: list[AuditedApproval] = []
    uncounted: list[UncountedVote] = []
    needed: int | None = None
    """How many people had to approve it; None if that could not be found out."""
    unknown_authors: list[UnknownAuthor] = []
    """The commits whose author cannot be told, for each of which one more approval was required."""
    overrides: list[str] = []
    standing_approval: str | None = None
    """Name of the standing approval that it used."""
    signature: CommitSignature | None = None
    """The signature of the commit; None if it is not signed."""
    notarised: bool = False
    """Whether the policy requires timestamps, and the times of its approvals and its decision are confirmed by them."""
    decision_recorded: bool = False
    """Whether the ledger has a decision record for it."""

    def decoded_evidence(self) -> AuditedEvidence:
        """Return the evidence, decoded from JSON."""
        return msgspec.json.decode(self.evidence, type=AuditedEvidence)


class AuditedRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A commit of the base branch that changed rules, and the verdict on it by the rules before it.

    `kinds` says what each changed file is, by its path; `files` has the digests of its content. `needed` is how many people had
    to approve it; None if that could not be found out.
    """

    commit: str
    at: datetime
    kinds: dict[str, str]
    files: dict[str, FileChange]
    verdict: AuditVerdict
    findings: list[Finding] = []
    decision: str | None = None
    needed: int | None = None
    approvals: list[AuditedApproval] = []
    uncounted: list[UncountedVote] = []
    proposed_by: list[str] = []
    merged_by: str = ""


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that changed a rule for promotions, or a hold, an override or the like. It is information, not a problem."""

    commit: str
    at: datetime
    by: str
    kind: str
    path: str
    action: Literal["added", "changed", "deleted"]


class AuditedDeployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the deployment log."""

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
    """The version of a model that an environment is to run, since when, and the verdict on that change."""

    environment: str
    version: str | None
    since: datetime | None
    verdict: AuditVerdict | None
    beside: list[str] = []


class ModelInventory(msgspec.Struct, frozen=True, kw_only=True):
    """A model: its purpose, owner, versions, and the environments that are to run it."""

    model: str
    problem: str
    owner: str
    risk: str
    decision: str
    datasets: list[str]
    versions: int
    newest: int | None
    environments: list[RunningVersion]


class GovernanceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A hold, override, standing approval or retirement that exists at the audited commit."""

    kind: Literal["hold", "override", "standing-approval", "retirement"]
    name: str
    subject: str
    by: str
    reason: str
    until: str | None
