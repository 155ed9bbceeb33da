"""Timestamps on entries of the ledger, by the authority that the project names (RFC 3161)."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from mlgit.domain import layout
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.formatting import utc_time_with_seconds
from mlgit.domain.records.project import TimestampAuthority
from mlgit.errors import Inconclusive, MlgitError, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace


class Notary(msgspec.Struct, frozen=True):
    """The timestamp authority of a project, with the certificates that the base branch trusts."""

    authority: TimestampAuthority
    certificates: bytes

    def problem(self, workspace: Workspace, content: bytes, token: bytes | None, at: datetime) -> str | None:
        """Return why the time that some bytes state is not confirmed; None if it is.

        Args:
            workspace: where.
            content: the bytes.
            token: the token beside them; None if there is none.
            at: the time that they state.
        """
        if token is None:
            return "it has no timestamp, which the policy requires"
        try:
            time = workspace.timestamps.verify(content, token, self.certificates)
        except Inconclusive:
            raise
        except MlgitError as error:
            finding = error.findings[0]
            return f"{finding.message}: {finding.why}"
        if not at - CLOCK_TOLERANCE <= time <= at + CLOCK_TOLERANCE:
            return f"it states {utc_time_with_seconds(at)}, and its timestamp is of {utc_time_with_seconds(time)}"
        return None


def notary_of(state: Lifecycle) -> Notary | None:
    """Return the timestamp authority of a project; None if it names none."""
    authority = state.project().timestamps
    if authority is None:
        return None
    return Notary(authority, state.tree.read(authority.certificates) or b"")


def required_notary(state: Lifecycle, policy: str) -> Notary | None:
    """Return the authority whose timestamps a policy requires; None if it requires none.

    Raises:
        MlgitError: the policy requires timestamps, and the project names no authority (`timestamp-authority-missing`).
    """
    if not state.policy(policy).timestamps:
        return None
    notary = notary_of(state)
    if notary is None:
        raise refused(
            "timestamp-authority-missing",
            f"policy {policy} requires timestamps, and the project names no authority",
            why=f"{layout.PROJECT} has no `timestamps`",
            fix=f"add timestamps: {{url: ..., certificates: ...}} to {layout.PROJECT}, with the authority's root certificate",
        )
    return notary


def timestamped(
    workspace: Workspace, base: Lifecycle, environment: str | None, files: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """Return files for the ledger with a timestamp beside each record, if the project names an authority.

    Args:
        workspace: where.
        base: the state of the base branch.
        environment: the environment that they are about, whose policy may require timestamps; None if they are about none.
        files: the files, by path.

    Raises:
        MlgitError: the policy of the environment requires timestamps, and the authority's does not count (`timestamp-invalid`,
            `timestamp-authority-missing`).
        Inconclusive: it requires them, and the authority gave none.
    """
    policy = None if environment is None else base.environment(environment).policy
    required = policy is not None and required_notary(base, policy) is not None
    notary = notary_of(base)
    if notary is None:
        return files
    tokens: dict[str, bytes] = {}
    try:
        for path, content in files.items():
            if path.endswith(".json"):
                token = workspace.timestamps.request(content, notary.authority.url)
                workspace.timestamps.verify(content, token, notary.certificates)
                tokens[layout.timestamp(path)] = token
    except MlgitError:
        if required:
            raise
        return files
    return {**files, **tokens}
