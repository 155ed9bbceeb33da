"""Who may have written what is approved: by signatures of listed keys, by the forge, and by what the commits claim.

A commit is by somebody else than an approver only if a key that the state before lists signed it, or the forge names its pushers.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.authorship import UNSIGNED, AuthoredPart, Authorship, UnknownAuthor
from mlgit.domain.names import CommitId
from mlgit.domain.records.ledger import PullRequestSnapshot
from mlgit.domain.records.policy import ExcludedApprover
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Commit
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of
from mlgit.ops.review import authors
from mlgit.ops.review.keys import Keys
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.registrations import Registrations


def authorship_of(
    workspace: Workspace, proposal: Proposal, people: People, registrations: Registrations | None = None
) -> Authorship:
    """Return whom the policy excludes from approving a promotion, and the commits whose author cannot be told.

    Args:
        workspace: where.
        proposal: the promotion.
        people: the people of the roles file before it.
        registrations: the commits that registered versions, as far as they are known already.

    Raises:
        MlgitError: the policy excludes who wrote the code and the data, and the clone is shallow (`history-shallow`).
        Inconclusive: only ssh-keygen can verify a signature, and it is not installed.
    """
    found = _PromotionAuthors(workspace, proposal, people)
    exclude = proposal.policy.exclude
    if "lineage" in exclude:
        found.add_lineage()
    if "trainer" in exclude:
        found.add_training(registrations or Registrations(workspace.repository))
    found.add_proposal()
    return Authorship(found.excluded, found.unknown)


def authorship_of_commits(
    workspace: Workspace,
    before: Lifecycle,
    commits: Sequence[Commit],
    exclude: Collection[ExcludedApprover],
    people: People,
    *,
    what: str,
    pull_request: PullRequestSnapshot | None = None,
    has_same_content: Callable[[CommitId], bool] = lambda _: False,
) -> Authorship:
    """Return who is excluded from approving what some commits propose, and those of them whose author cannot be told.

    Args:
        workspace: where.
        before: the state before them, whose allowed signers count.
        commits: the commits.
        exclude: who is excluded; only `author` and `committers` matter.
        people: the people of the roles file of that state.
        what: what they propose, for the reasons.
        pull_request: the pull request that proposes it; None where none is known.
        has_same_content: tells whether a commit of the pull request proposes the same.

    Raises:
        Inconclusive: only ssh-keygen can verify a signature, and it is not installed.
    """
    found = _Authors(workspace, before, people, pull_request)
    found.add_commits(commits, exclude, what, has_same_content)
    return Authorship(found.excluded, found.unknown)


class _Authors:
    """The authors of commits, as far as they were found. A reason that is added later replaces an earlier one."""

    def __init__(
        self, workspace: Workspace, before: Lifecycle, people: People, pull_request: PullRequestSnapshot | None
    ) -> None:
        self.excluded: dict[str, str] = {}
        self.unknown: list[UnknownAuthor] = []
        self.people = people
        self._before = before
        self._pull_request = pull_request
        self._repository = workspace.repository
        self._keys = Keys(workspace, before)
        logins = {} if pull_request is None else {commit.id: pull_request.pushers for commit in self._of_pull_request}
        self.vouched = self.listed(logins)

    def listed(self, logins: Mapping[CommitId, Sequence[str] | None]) -> dict[CommitId, list[str]]:
        """Return the people who brought each commit to the forge, as far as it names all of them and the roles file lists them.

        An account that is not listed might be another one of an approver. That of an app, such as the jobs of a CI, is anybody's
        who may change what it runs; to list it as a bot is to say that this is guarded.
        """
        return {
            commit: list(map(self.people.reviewer, pushers))
            for commit, pushers in logins.items()
            if pushers and all(map(self.people.is_login, pushers))
        }

    def add_commits(
        self,
        commits: Sequence[Commit],
        exclude: Collection[ExcludedApprover],
        what: str,
        has_same_content: Callable[[CommitId], bool],
        *,
        may_be_unknown: bool = False,
    ) -> None:
        """Exclude who made the commits of a proposal, who pushed them, and whom they name, if the policy excludes either.

        Args:
            commits: the commits that merging the proposal adds, or added.
            exclude: who is excluded.
            what: what they propose.
            has_same_content: tells whether a commit of the pull request proposes the same.
            may_be_unknown: whether it does not matter who made them.
        """
        if "committers" not in exclude and "author" not in exclude:
            return
        pull_request = self._pull_request
        own = {commit.id for commit in commits}
        squashed = [] if pull_request is None or pull_request.head in own else self._of_pull_request
        # A squash has the content of the pull request's commits, which are what has authors; whoever squashes is none.
        made = squashed if squashed and has_same_content(squashed[0].id) else commits
        for commit in made:
            for person in () if self._is_clean_merge(commit) else self.proven("proposal", commit, may_be_unknown):
                self.excluded[person] = f"made commit {commit.id[:12]} of {what}"
        # Those whom a commit names are excluded as well, whoever wrote these names.
        named = [*commits, *squashed]
        if "committers" in exclude:
            for person in self.claimed(*(commit.committer_email for commit in named)):
                self.excluded[person] = f"committed to {what}"
        if "author" in exclude:
            for person in self.claimed(*(commit.author_email for commit in named)):
                self.excluded[person] = f"author of {what}"
            if pull_request is not None and pull_request.author is not None:
                reason = f"opened pull request {pull_request.pull_request}"
                self.excluded.setdefault(self.people.reviewer(pull_request.author), reason)

    def claimed(self, *emails: str) -> Iterable[str]:
        """Return the people with these addresses, each once."""
        return dict.fromkeys(map(self.people.person, emails))

    def proven(self, part: AuthoredPart, commit: Commit, may_be_unknown: bool = False) -> Sequence[str]:  # noqa: FBT001, FBT002
        """Return the people who are proven to have made a commit; none if its author is unknown, which is noted."""
        ((content, signature),) = self._repository.commit_signatures([commit.id])
        reason = UNSIGNED
        if signature is not None:
            # The times are text as well: an expired key could sign a commit that claims to be older than its parents.
            at = max([commit.at, *map(self._repository.commit_time, commit.parents)])
            try:
                return [self._keys.commit_signer(content, signature, at)]
            except Inconclusive:
                raise
            except MlgitError as error:
                reason = error.findings[0].message
        vouched = self.vouched.get(commit.id, ())
        if not vouched and not may_be_unknown:
            self.unknown.append(UnknownAuthor(commit.id, part, reason))
        return vouched

    @cached_property
    def _of_pull_request(self) -> list[Commit]:
        """The commits of the pull request that the base branch does not have, newest first; none if its head is not here.

        A squash names one person as the author of all of them; separation of duties is about each.
        """
        repository, pull_request = self._repository, self._pull_request
        if pull_request is None or repository.resolve(pull_request.head) is None:
            return []
        span = f"{commit_of(self._before)}..{pull_request.head}"
        return [commit for commit, _ in repository.commits(span, first_parent=False)]

    def _is_clean_merge(self, commit: Commit) -> bool:
        """Tell whether a commit only joins others, as where a branch was brought up to date with the base branch."""
        return len(commit.parents) > 1 and not authors.changed_by(self._repository, commit)


class _PromotionAuthors(_Authors):
    """The authors of a promotion: of the proposal, of the record of its version, and of what that was made from."""

    def __init__(self, workspace: Workspace, proposal: Proposal, people: People) -> None:
        super().__init__(workspace, proposal.before, people, proposal.reviews)
        self._workspace = workspace
        self._proposal = proposal
        vouched = [] if proposal.reviews is None else proposal.reviews.vouched
        self.vouched = self.listed({one.commit: one.pushers for one in vouched}) | self.vouched

    def add_lineage(self) -> None:
        """Exclude who changed what the version is made from; of several changes of a person, the newest is the reason."""
        for commit, path in authors.since_champion(self._workspace, self._proposal):
            reason = f"changed {path}, which the version is made from, in commit {commit.id[:12]}"
            for person in (*self.claimed(commit.author_email, commit.committer_email), *self.proven("lineage", commit)):
                self.excluded.setdefault(person, reason)

    def add_training(self, registrations: Registrations) -> None:
        """Exclude who trained the version, as its record says, and who registered it."""
        version = self._proposal.version
        if version is None:
            return
        path = layout.version(version.model, version.version)
        # The base has it: a promotion adds no version. Its own head may be a merge that was only tried.
        registered = registrations.find(path, commit_of(self._proposal.before))
        if registered is not None:
            for person in self.proven("training", registered):
                self.excluded[person] = "registered the version"
        self.excluded[self.people.person(version.trained_by.email)] = "trained the version"

    def add_proposal(self) -> None:
        """Exclude who made the commits of the proposal, who pushed them, and who opened the pull request."""
        proposal = self._proposal
        # A standing approval leaves no choice to whoever makes the commit: the merge rules say which version it is for.
        is_covered = proposal.manifest.standing_approval is not None
        exclude = proposal.policy.exclude
        self.add_commits(proposal.commits, exclude, "the promotion", self._has_same_manifest, may_be_unknown=is_covered)

    def _has_same_manifest(self, commit: CommitId) -> bool:
        """Tell whether a commit proposes the same, by the manifest, which names everything else by digest."""
        path = layout.promotion(self._proposal.environment, self._proposal.model)
        return self._repository.tree(commit).read(path) == self._proposal.after.tree.read(path)
