"""The checkpoint of an audit, from which the next one continues with newer commits only."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from mlgit import __version__
from mlgit.domain.audit.records import AuditedChange, AuditedDeployment, AuditedRules, RuleChange
from mlgit.domain.names import CommitId
from mlgit.domain.namespaces import AUDITS
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.errors import Finding, Inconclusive, MlgitError, refused
from mlgit.ops.audit.ledger_history import LedgerFile
from mlgit.ops.kernel.ports.workspace import Workspace

SCHEMA = "mlgit/audit-checkpoint.v1"


class OpenReferences(msgspec.Struct, frozen=True, kw_only=True):
    """Records that name something that the other branch does not have, or not yet; checked again by each audit."""

    manifests: list[Promotion] = []
    deployments: list[Deployment] = []
    decisions: list[DecisionRecord] = []


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag=SCHEMA):
    """The results of an audit up to a commit of the base branch and one of the ledger.

    `base_commits` and `ledger_commits` are the first-parent histories, oldest first. `pending` are the files of the ledger for
    which it still matters when they were added, because their promotion has no decision record yet. `ledger_latest` is the latest
    time of a commit of the ledger.
    """

    tool: str = __version__
    branch: str
    base_commits: list[str]
    ledger_commits: list[str]
    ledger_latest: datetime | None
    changes: list[AuditedChange]
    findings: list[Finding]
    rule_changes: list[RuleChange]
    rules: list[AuditedRules]
    guarded_since: CommitId | None
    deployments: list[AuditedDeployment]
    decided_promotions: list[str]
    pending: Mapping[str, LedgerFile]
    open_references: OpenReferences

    @property
    def commit(self) -> CommitId:
        """The audited commit of the base branch."""
        return self.base_commits[-1]

    @property
    def ledger(self) -> CommitId | None:
        """The audited commit of the ledger; None if there was none."""
        return self.ledger_commits[-1] if self.ledger_commits else None


class _CheckpointFile(msgspec.Struct, frozen=True):
    signature: str
    checkpoint: msgspec.Raw


class GivenCheckpoint(msgspec.Struct, frozen=True):
    """The content of a checkpoint file, and the key that must have signed it: a public key, or its fingerprint."""

    content: bytes
    key: str


def pack(workspace: Workspace, checkpoint: bytes) -> bytes:
    """Return an encoded checkpoint as the content of a file, signed with the key of the current person.

    Raises:
        MlgitError: they have no key, or it could not be used (`signing-key-missing`, `signing-failed`).
    """
    signature = workspace.signatures.sign(checkpoint, AUDITS).decode()
    # By hand, to copy it only once: a checkpoint of 10,000 promotions has 23 MB.
    return b'{"signature":%b,"checkpoint":%b}\n' % (msgspec.json.encode(signature), checkpoint)


def unpack(workspace: Workspace, given: GivenCheckpoint) -> Checkpoint:
    """Read a checkpoint from a file.

    Raises:
        MlgitError: it is not a checkpoint, the given key did not sign it, or it is from another version of mlgit
            (`checkpoint-invalid`).
    """
    try:
        file = msgspec.json.decode(given.content, type=_CheckpointFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(str(error)) from error
    content = bytes(file.checkpoint)
    try:
        workspace.signatures.verify_key(content, file.signature.encode(), key=given.key, namespace=AUDITS)
    except Inconclusive:
        raise
    except MlgitError as error:
        raise _invalid(error.findings[0].message) from error
    return decode(content)


def encode(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as JSON."""
    return msgspec.json.encode(checkpoint)


def decode(content: bytes) -> Checkpoint:
    """Read an encoded checkpoint whose integrity was checked.

    Raises:
        MlgitError: it is not a checkpoint, or is from another version of mlgit (`checkpoint-invalid`).
    """
    try:
        checkpoint = msgspec.json.decode(content, type=Checkpoint)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(str(error)) from error
    if checkpoint.tool != __version__:
        # Another version may have other rules, and its verdicts must not be mixed with those of this one.
        raise _invalid(f"it was written by mlgit {checkpoint.tool}, and this is {__version__}")
    if not checkpoint.base_commits:
        raise _invalid("it names no commit")
    return checkpoint


def _invalid(why: str) -> MlgitError:
    return refused(
        "checkpoint-invalid",
        "the audit cannot continue from this checkpoint",
        why=why,
        fix="name the key of whoever wrote it (`--checkpoint-key`), or run without `--checkpoint`, and write a new one with "
        "`--write-checkpoint FILE`",
    )
