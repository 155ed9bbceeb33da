"""What an audit leaves for the next one, so that it has to replay only what came since."""

from collections.abc import Mapping

import msgspec

from mlgit import __version__
from mlgit.domain.audit.records import AuditedChange, AuditedDeployment, RuleChange
from mlgit.domain.codec import sha256
from mlgit.domain.names import CommitId, Digest
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.errors import Finding, MlgitError, refused
from mlgit.ops.audit.ledger_history import LedgerFile

FORM = "mlgit/audit-checkpoint.v1"


class OpenReferences(msgspec.Struct, frozen=True, kw_only=True):
    """Records that are held against the other branch each time."""

    manifests: list[Promotion] = []
    deployments: list[Deployment] = []
    decisions: list[DecisionRecord] = []


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag=FORM):
    """All that was concluded up to a commit of the base branch and one of the ledger.

    `line` and `ledger_line` are the commits of the two first-parent lines, oldest first. `pending` is what of the ledger may
    still matter by the order in which it came. `loose` are records that name what the other branch does not have, or not yet.
    """

    tool: str = __version__
    branch: str
    line: list[str]
    ledger_line: list[str]
    changes: list[AuditedChange]
    findings: list[Finding]
    rules: list[RuleChange]
    deployments: list[AuditedDeployment]
    decided: list[str]
    pending: Mapping[str, LedgerFile]
    loose: OpenReferences

    @property
    def commit(self) -> CommitId:
        """The commit of the base branch."""
        return self.line[-1]

    @property
    def ledger(self) -> CommitId | None:
        """The commit of the ledger; None where there was none."""
        return self.ledger_line[-1] if self.ledger_line else None


class _Sealed(msgspec.Struct, frozen=True):
    digest: Digest
    checkpoint: msgspec.Raw


def pack(checkpoint: bytes) -> bytes:
    """Return an encoded checkpoint as a file: a document with the digest of all that it says."""
    # As `_Sealed` is written, in one copy: of 10,000 promotions it is 23 MB.
    return b'{"digest":"%b","checkpoint":%b}\n' % (sha256(checkpoint).encode(), checkpoint)


def unpack(content: bytes) -> Checkpoint:
    """Read a checkpoint from a file.

    Raises:
        MlgitError: it is none, was altered, or is of another mlgit (`checkpoint-invalid`).
    """
    try:
        sealed = msgspec.json.decode(content, type=_Sealed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(str(error)) from error
    if sha256(memoryview(sealed.checkpoint)) != sealed.digest:
        raise _invalid("its digest is not that of what it says")
    return decode(sealed.checkpoint)


def encode(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as JSON."""
    return msgspec.json.encode(checkpoint)


def decode(content: bytes | msgspec.Raw) -> Checkpoint:
    """Read a checkpoint that is known to be whole.

    Raises:
        MlgitError: it is none, or is of another mlgit (`checkpoint-invalid`).
    """
    try:
        found = msgspec.json.decode(content, type=Checkpoint)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(str(error)) from error
    if found.tool != __version__:
        raise _invalid(f"it was written by mlgit {found.tool}, and this is {__version__}, which may judge otherwise")
    if not found.line:
        raise _invalid("it names no commit")
    return found


def _invalid(why: str) -> MlgitError:
    return refused(
        "checkpoint-invalid",
        "this is no checkpoint that can be gone on from",
        why=why,
        fix="leave `--checkpoint` out, and write a new one with `--write-checkpoint FILE`",
    )
