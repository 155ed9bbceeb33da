"""Withdraw an open proposal: delete its branch, here and at the remote, and close its pull request."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.forge import PullRequest
from mlgit.domain.names import CommitId, PromotionId
from mlgit.errors import Finding, MlgitError, Severity, refused
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, fetch_current, take_snapshot
from mlgit.ops.promotion import proposal_branch
from mlgit.ops.promotion.pull_request import BodyRenderer
from mlgit.ops.review.proposals import OpenProposals

_HEADS: Final = "refs/heads/"
_PROPOSALS: Final = "mlgit/"
"""Prefix of the branches of all kinds of proposals: promotions, holds, signed exceptions."""


class Withdrawn(Outcome, frozen=True, kw_only=True, tag="mlgit/withdraw.v1"):
    """The proposal that was withdrawn.

    `promotion` and `candidate` are null for a change that is no promotion, and where the manifest cannot be read. `head` is the
    commit that the branch was at: `git branch BRANCH HEAD` brings it back. `at_remote` is whether the remote had the branch.
    """

    branch: str
    promotion: PromotionId | None
    candidate: str | None
    head: CommitId
    state: Literal["withdrawn", "planned"]
    at_remote: bool
    pull_request: str | None = None
    warnings: list[Finding] = []


class _Branch(msgspec.Struct, frozen=True):
    """A branch with a proposal that is not merged: the commits that it is at here and at the remote, None where it is not."""

    name: str
    here: CommitId | None
    at_remote: CommitId | None

    @property
    def ref(self) -> str:
        return _HEADS + self.name


def run(
    workspace: Workspace,
    name: str | None,
    *,
    reason: str | None = None,
    render: BodyRenderer = str,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Withdrawn:
    """Withdraw an open proposal.

    Votes that were given for it stay on the ledger, where they count for nothing else: each is about one decision.

    Args:
        workspace: where.
        name: the promotion, as `environment/model` or by its id, or the branch of any proposal; the only open promotion, if None.
        reason: why; it is shown in the pull request.
        render: renders the reason as Markdown.
        dry_run: whether only to report what would be done.
        on_step: called with a description of each slow step.

    Raises:
        MlgitError: nothing of that name is open (`promotion-unknown`), several are and no name is given (`promotion-ambiguous`),
            the branch has a person's own commits (`branch-foreign-commit`), or the remote refused. Nothing was changed.
        Inconclusive: the remote did not answer. Nothing was changed.
    """
    repository = workspace.repository
    if not dry_run and remote.exists(repository):
        on_step(f"fetching from {remote.NAME}")
        fetch_current(workspace)
    snapshot = take_snapshot(workspace)
    branch = _find(workspace, snapshot, name)
    if not dry_run and branch.at_remote is not None:
        fetched = _fetched(workspace, branch)
        # Somebody may have proposed something else on the branch meanwhile, which is only withdrawn if it has that name too.
        branch = _require_open(repository, snapshot, fetched) if fetched == branch else _find(workspace, snapshot, name)
    for head in {head for head in (branch.here, branch.at_remote) if head is not None}:
        proposal_branch.require_only_own_commits(workspace, snapshot.commit, head, branch.name)
    outcome = _describe(workspace, snapshot, branch)
    if dry_run:
        return outcome
    opened: list[PullRequest] = []
    warnings: list[Finding] = []
    try:  # before the branch is deleted: a forge may close its pull request then
        opened = _pull_requests(workspace, snapshot.state, branch.name)
    except MlgitError as error:
        warnings += map(_as_warning, error.findings)
    # The remote's first: what is deleted only here would be open again after the next fetch.
    if branch.at_remote is not None:
        repository.push(remote.NAME, [f":{branch.ref}"], force_with_lease={branch.ref: branch.at_remote})
    if branch.here is not None:
        repository.delete_ref(branch.ref, expected=branch.here)
    try:
        if opened:
            _close(workspace, opened, f"Withdrawn with `mlgit withdraw`. {render(reason or '')}".strip())
    except MlgitError as error:
        warnings += map(_as_warning, error.findings)
    url = opened[0].url if opened else None
    return replace(outcome, state="withdrawn", pull_request=url, warnings=warnings)


def _find(workspace: Workspace, snapshot: Snapshot, name: str | None) -> _Branch:
    """Return the branch of an open proposal by the name that a person gave."""
    repository = workspace.repository
    for candidate in (name, f"mlgit/promote/{name}"):
        if candidate is not None and candidate.startswith(_PROPOSALS):
            branch = _branch(repository, candidate)
            if branch is not None:
                return _require_open(repository, snapshot, branch)
    proposal = OpenProposals(workspace, snapshot.state).find(name)
    branch = _branch(repository, layout.promotion_branch(proposal.environment, proposal.model))
    assert branch is not None  # noqa: S101 - the proposal is on it
    return branch


def _branch(repository: Repository, name: str) -> _Branch | None:
    ref = _HEADS + name
    here, at_remote = repository.resolve(ref), repository.resolve(remote.tracking_ref(ref))
    return None if here is None and at_remote is None else _Branch(name, here, at_remote)


def _require_open(repository: Repository, snapshot: Snapshot, branch: _Branch) -> _Branch:
    """Return a branch that exists and has something that the base branch does not have."""
    heads = [head for head in (branch.here, branch.at_remote) if head is not None]
    if not all(remote.contains(repository, snapshot.commit, head) for head in heads):
        return branch
    raise refused(
        "promotion-unknown",
        f"{branch.name} is {'merged already' if heads else 'not open any more'}",
        why=f"{snapshot.name} has all of its commits" if heads else f"{remote.NAME} does not have it",
        fix="`mlgit queue` lists what is open; `mlgit rollback` takes back a promotion that was merged",
    )


def _fetched(workspace: Workspace, branch: _Branch) -> _Branch:
    """Return a branch as the remote has it now, which may be without it.

    Raises:
        Inconclusive: the remote did not answer.
    """
    repository, tracking = workspace.repository, remote.tracking_ref(branch.ref)
    assert branch.at_remote is not None  # noqa: S101 - callers check it
    # A fetch updates what the remote has, and does not forget what it no longer has.
    repository.delete_ref(tracking, expected=branch.at_remote)
    try:
        remote.fetch(repository, branch.ref)
    except MlgitError:
        repository.move(tracking, branch.at_remote, expected=None, reason="mlgit withdraw: the remote did not answer")
        raise
    return _Branch(branch.name, branch.here, repository.resolve(tracking))


def _describe(workspace: Workspace, snapshot: Snapshot, branch: _Branch) -> Withdrawn:
    heads = [head for head in (branch.at_remote, branch.here) if head is not None]
    outcome = Withdrawn(
        branch=branch.name,
        promotion=None,
        candidate=None,
        head=heads[0],
        state="planned",
        at_remote=branch.at_remote is not None,
    )
    key = branch.name.removeprefix("mlgit/promote/").split("/")
    open_proposals = OpenProposals(workspace, snapshot.state)
    if len(key) != 2 or (key[0], key[1]) not in open_proposals:  # noqa: PLR2004 - environment and model
        return outcome
    proposal = open_proposals.load(key[0], key[1])
    try:
        candidate = proposal.subject
    except MlgitError:  # it names a version that does not exist
        candidate = proposal.model
    return replace(outcome, promotion=proposal.manifest.promotion, candidate=candidate, head=proposal.head)


def _pull_requests(workspace: Workspace, base: Lifecycle, branch: str) -> list[PullRequest]:
    """Return the open pull requests of a branch; none in a project without a forge."""
    forge = workspace.forge()
    return [] if forge is None else forge.pull_requests(branch=branch, base=base.project().base)


def _close(workspace: Workspace, opened: Sequence[PullRequest], text: str) -> None:
    """Say in pull requests that they were withdrawn, and close them. A forge may have, since their branch is gone."""
    forge = workspace.forge()
    assert forge is not None  # noqa: S101 - it has the pull requests
    for pull_request in opened:
        forge.add_comment(pull_request.number, text)
        forge.edit_pull_request(pull_request.number, closed=True)


def _as_warning(finding: Finding) -> Finding:
    message = f"the pull request was not closed: {finding.message}"
    return replace(finding, message=message, severity=Severity.WARNING, fix="close it at the forge")
