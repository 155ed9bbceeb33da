"""Signatures on entries of the ledger: made by appliers, and verified by who was an applier when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.formatting import utc_time_with_seconds
from mlgit.domain.ledger_evidence import APPLIER, proven_entries
from mlgit.domain.names import CommitId
from mlgit.domain.namespaces import LEDGER
from mlgit.domain.records import DecisionRecord, Deployment
from mlgit.domain.records.ledger import PullRequestSnapshot
from mlgit.domain.signers import owners
from mlgit.errors import Finding, Inconclusive, Location, MlgitError
from mlgit.ops.kernel.base_history import BaseHistory, SignerRules
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.notary import Notary, timestamped
from mlgit.ops.kernel.ports.workspace import Workspace

_FIX: Final = (
    f"give a person or a program the role `{APPLIER}` in {layout.ROLES}, and a key for `{LEDGER}` in {layout.SIGNERS}; "
    "merge that, then apply as them"
)


class Appliers:
    """The appliers of a project at each time, and the entries of the ledger that they signed."""

    def __init__(self, workspace: Workspace, base: CommitId) -> None:
        """Take the workspace and the newest commit of the base branch that counts."""
        self._workspace = workspace
        self.history = BaseHistory(workspace, base)
        self._problems: dict[tuple[str, Notary | None], str | None] = {}

    def signer(self, content: bytes, signature: bytes, at: datetime) -> str:
        """Verify that an applier signed an entry, and return the applier's name in the roles file.

        The clock of whoever signed may be behind that of whoever merged the rules, by no more than the tolerance.

        Args:
            content: the bytes of the entry.
            signature: the signature beside it.
            at: the time that the entry states.

        Raises:
            MlgitError: the signature is not valid, or its key was not an applier's at that time (`applier-unlisted`).
        """
        error = MlgitError(_unlisted("nobody", at))
        for rules in self.history.around(at):
            try:
                return self._signer(rules, content, signature, at)
            except Inconclusive:
                raise
            except MlgitError as problem:
                error = problem
        raise error

    def problem(
        self,
        ledger: Ledger,
        path: str,
        entry: Deployment | DecisionRecord | PullRequestSnapshot,
        notary: Notary | None = None,
    ) -> str | None:
        """Return why an entry does not count as evidence: for its signature or its time; None if it counts.

        Args:
            ledger: the ledger.
            path: the path of the entry.
            entry: the entry.
            notary: the authority whose timestamp it needs; None if it needs none.
        """
        key = (path, notary)
        if key not in self._problems:
            self._problems[key] = self._find_problem(ledger, path, entry, notary)
        return self._problems[key]

    def proven(self, ledger: Ledger, log: Sequence[Deployment], notary: Notary | None = None) -> list[Deployment]:
        """Return a deployment log of a ledger as far as it is evidence (see `proven_entries`).

        An entry counts from the commit of the base branch that it names, if it states an earlier time within the tolerance.
        """
        entries = proven_entries(log, lambda entry: self.problem(ledger, _path(entry), entry, notary))
        times = self.history.times
        return [replace(entry, at=max(entry.at, times.get(entry.commit, entry.at))) for entry in entries]

    def _find_problem(
        self, ledger: Ledger, path: str, entry: Deployment | DecisionRecord | PullRequestSnapshot, notary: Notary | None
    ) -> str | None:
        content = None if ledger.tree is None else ledger.tree.read(path)
        signature = None if ledger.tree is None else ledger.tree.read(layout.signature(path))
        if content is None or signature is None:
            return "nobody signed it"
        received = ledger.received(path, self._workspace.repository)
        if problem := self._time_problem(entry, received):
            return problem
        try:
            self.signer(content, signature, entry.at)
        except Inconclusive:
            raise
        except MlgitError as error:
            return error.findings[0].message
        if notary is None or ledger.tree is None:
            return None
        return notary.problem(self._workspace, content, ledger.tree.read(layout.timestamp(path)), entry.at)

    def _time_problem(
        self, entry: Deployment | DecisionRecord | PullRequestSnapshot, received: datetime | None
    ) -> str | None:
        """Return why the stated time cannot be true: it rests on a later commit, or the ledger got it at another time."""
        if received is None or not received - CLOCK_TOLERANCE <= entry.at <= received + CLOCK_TOLERANCE:
            when = "never" if received is None else utc_time_with_seconds(received)
            return f"it states {utc_time_with_seconds(entry.at)}, and the ledger received it {when}"
        if isinstance(entry, PullRequestSnapshot):
            return None
        made = self.history.times.get(entry.commit)
        if made is None:
            return f"it names commit {entry.commit[:12]}, which the base branch does not have"
        if entry.at + CLOCK_TOLERANCE < made:
            stated = utc_time_with_seconds(entry.at)
            return f"it states {stated}, before the commit that it names, of {utc_time_with_seconds(made)}"
        return None

    def _signer(self, rules: SignerRules, content: bytes, signature: bytes, at: datetime) -> str:
        signatures = self._workspace.signatures
        principal, key = signatures.signer(content, signature, signers=rules.signers, at=at, namespace=LEDGER)
        holders = owners(signatures.principals(key, signers=rules.signers), rules.people) or [principal]
        if len(holders) > 1 or APPLIER not in rules.people.roles(holders[0]):
            raise MlgitError(_unlisted(" or ".join(holders), at))
        return holders[0]


def signed(
    workspace: Workspace, base: Lifecycle, environment: str | None, files: Mapping[str, bytes], *, required: bool
) -> Mapping[str, bytes]:
    """Return files for the ledger with a signature of the current person beside each, as far as they are an applier.

    Args:
        workspace: where.
        base: the state of the base branch, which says who is an applier.
        environment: the environment that they are about; None if they are about none.
        files: the files, by path.
        required: whether these files need a signature.

    Raises:
        MlgitError: a signature is required, and cannot be made (see `require_applier`), or a timestamp is, and is not given
            (see `timestamped`).
    """
    try:
        require_applier(workspace, base)
        signatures = {
            layout.signature(path): workspace.signatures.sign(content, LEDGER) for path, content in files.items()
        }
    except MlgitError:
        if required:
            raise
        return files
    return {**timestamped(workspace, base, environment, files), **signatures}


def require_applier(workspace: Workspace, base: Lifecycle) -> None:
    """Check that the current person's key is that of an applier, without signing anything.

    Raises:
        MlgitError: they have no key, it is not listed, or not as that of an applier (`ledger-signature-missing`).
    """
    at = workspace.clock.now()
    signers = base.tree.read(layout.SIGNERS) or b""
    try:
        principal = workspace.signatures.own_principal(signers=signers, namespace=LEDGER, at=at)
    except Inconclusive:
        raise
    except MlgitError as error:
        raise MlgitError(_unsigned(error.findings[0].message)) from error
    people = People(base.roles())
    if APPLIER not in people.roles(people.person(principal)):
        raise MlgitError(_unsigned(f"{people.person(principal)} does not have the role `{APPLIER}`"))


def requires_signatures(base: Lifecycle, environment: str) -> bool:
    """Return whether the policy of an environment asks for evidence, so that what is recorded of it has to be signed."""
    return base.policy(base.environment(environment).policy).evidence != "none"


def _path(entry: Deployment) -> str:
    return layout.deployment(entry.environment, entry.model, entry.seq)


def _unlisted(person: str, at: datetime) -> Finding:
    return Finding(
        "applier-unlisted",
        f"{person} was not an applier on {utc_time_with_seconds(at)}",
        why=f"{layout.ROLES} of the base branch did not give them the role `{APPLIER}`",
        fix=_FIX,
        at=Location(layout.ROLES),
    )


def _unsigned(why: str) -> Finding:
    return Finding(
        "ledger-signature-missing",
        "you cannot sign what would be recorded on the ledger",
        why=f"{why}; an entry that nobody signed is no evidence where a policy asks for any",
        fix=_FIX,
        at=Location(layout.SIGNERS),
    )
