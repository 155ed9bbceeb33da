"""The checkpoint of an audit, from which the next one continues with newer commits only."""

from collections.abc import Mapping

import msgspec

from mlgit import __version__
from mlgit.domain.audit.records import AuditedChange, AuditedDeployment, AuditedRules, RuleChange
from mlgit.domain.codec import sha256
from mlgit.domain.names import CommitId, Digest
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.errors import Finding, MlgitError, refused
from mlgit.ops.audit.ledger_history import LedgerFile

SCHEMA = "mlgit/audit-checkpoint.v1"


class OpenReferences(msgspec.Struct, frozen=True, kw_only=True):
    """Records that name something that the other branch does not have, or not yet; checked again by each audit."""

    manifests: list[Promotion] = []
    deployments: list[Deployment] = []
    decisions: list[DecisionRecord] = []


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag=SCHEMA):
    """The results of an audit up to a commit of the base branch and one of the ledger.

    `base_commits` and `ledger_commits` are the first-parent histories, oldest first. `pending` are the files of the ledger for
    which it still matters when they were added, because their promotion has no decision record yet.
    """

    tool: str = __version__
    branch: str
    base_commits: list[str]
    ledger_commits: list[str]
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
    digest: Digest
    checkpoint: msgspec.Raw


def pack(checkpoint: bytes) -> bytes:
    """Return an encoded checkpoint as the content of a file, with its digest."""
    # By hand, to copy it only once: a checkpoint of 10,000 promotions has 23 MB.
    return b'{"digest":"%b","checkpoint":%b}\n' % (sha256(checkpoint).encode(), checkpoint)


def unpack(content: bytes) -> Checkpoint:
    """Read a checkpoint from a file.

    Raises:
        MlgitError: it is not a checkpoint, was changed, or is from another version of mlgit (`checkpoint-invalid`).
    """
    try:
        file = msgspec.json.decode(content, type=_CheckpointFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(str(error)) from error
    if sha256(memoryview(file.checkpoint)) != file.digest:
        raise _invalid("its content does not have the digest that it states")
    return decode(file.checkpoint)


def encode(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as JSON."""
    return msgspec.json.encode(checkpoint)


def decode(content: bytes | msgspec.Raw) -> Checkpoint:
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
        fix="run without `--checkpoint`, and write a new one with `--write-checkpoint FILE`",
    )
