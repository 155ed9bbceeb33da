"""A promotion, open or merged, and the state of the base branch before it, whose rules it follows."""

import shlex
from collections.abc import Sequence
from functools import cached_property

import msgspec

from mlgit.domain import layout, slots
from mlgit.domain.codec import version_digest
from mlgit.domain.names import CommitId, VersionRef
from mlgit.domain.records import GateReport, Promotion, Reviews, Version
from mlgit.domain.records.policy import Policy
from mlgit.errors import Inconclusive, Location, MlgitError, refused
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Commit
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.record_tree import not_a_file
from mlgit.ops.kernel.snapshot import commit_of

BRANCH_PREFIX = "refs/heads/mlgit/promote/"


class Proposal(msgspec.Struct, frozen=True, dict=True):
    """A promotion of one model to one environment: the states before and after it.

    `before` is the state of the base branch without it, whose policy, roles and allowed signers are the rules. `after` is the
    state with it, at commit `head`. `commits` are those that merging it adds, or added. `reviews` are those of its pull request;
    None where the forge was not asked, or there is no pull request.
    """

    environment: str
    model: str
    before: Lifecycle
    after: Lifecycle
    head: CommitId
    commits: tuple[Commit, ...]
    reviews: Reviews | None = None

    @cached_property
    def manifest(self) -> Promotion:
        """The proposed manifest.

        Raises:
            MlgitError: there is no regular file (`path-is-link`); or what is there is no valid manifest.
        """
        manifest = self.after.promotion(self.environment, self.model)
        if manifest is None:
            raise not_a_file(layout.promotion(self.environment, self.model))
        return manifest

    @cached_property
    def version(self) -> Version | None:
        """The version that is promoted, to whichever slot; None where versions are only removed."""
        slot = slots.promoted_slot(self.manifest, self.before.promotion(self.environment, self.model))
        return None if slot is None else self.after.version(VersionRef(self.model, slot.version))

    @property
    def subject(self) -> str:
        """The version to name the promotion by: the promoted one; the champion where a slot is only cleared."""
        slot = slots.promoted_slot(self.manifest, self.before.promotion(self.environment, self.model))
        slot = slot or self.manifest.slots.champion
        return self.model if slot is None else str(VersionRef(self.model, slot.version))

    @cached_property
    def report(self) -> GateReport | None:
        """The gate report that the manifest names."""
        ref = self.manifest.gates
        return None if ref is None else self.after.find(GateReport, ref.report)

    @property
    def baseline(self) -> Version | None:
        """The version that the gates compare with; see `baseline_version`."""
        return baseline_version(self.before, self.manifest)

    @cached_property
    def policy(self) -> Policy:
        """The policy of the environment before the change."""
        return self.before.policy(self.before.environment(self.environment).policy)


def proposing_command(proposal: Proposal) -> str:
    """Return the command that proposes the same change again, judged on the current base branch.

    Where it cannot be proposed again, since the version that it names does not exist, it is the command that withdraws it.
    """
    manifest, place = proposal.manifest, f"{proposal.environment}/{proposal.model}"
    if manifest.change == "recertify":
        return f"mlgit recertify {place}"
    if manifest.change == "rollback":
        return f"mlgit rollback {place} --reason {shlex.quote(manifest.reason or 'as proposed before')}"
    before = proposal.before.promotion(proposal.environment, proposal.model)
    promoted = slots.promoted_slot(manifest, before)
    names = [name for name, slot in slots.filled(manifest.slots).items() if slot is promoted]
    if manifest.change != "promote" or not names:
        return f"mlgit withdraw {place}"
    options = f" --as {names[0]}" if names[0] != "champion" else ""
    options += f" --traffic {promoted.traffic}" if promoted is not None and names[0] == "challenger" else ""
    if manifest.ramp is not None:
        options += f" --ramp {','.join(map(str, manifest.ramp.steps))} --interval {manifest.ramp.interval}"
    return f"mlgit promote {proposal.subject} --to {proposal.environment}{options}"


def baseline_version(before: Lifecycle, manifest: Promotion) -> Version | None:
    """Return the version that the gates of a promotion compare with; None if there is none.

    It is the champion before the change. For a recertification it is the version that the champion itself was compared with
    when it was promoted, which the manifest names.

    Raises:
        MlgitError: the version that the manifest names has another digest now (`slot-digest-mismatch`).
    """
    if manifest.change != "recertify":
        return before.champion(manifest.environment, manifest.model)
    if manifest.baseline is None:
        return None
    at = Location(layout.promotion(manifest.environment, manifest.model), path="baseline")
    version = before.version(VersionRef(manifest.model, manifest.baseline.version), at=at)
    if (actual := version_digest(version)) != manifest.baseline.digest:
        raise refused(
            "slot-digest-mismatch",
            f"baseline names {manifest.model}@{version.version} by a digest that it does not have",
            why=f"the record has {actual[:19]}, the manifest {manifest.baseline.digest[:19]}",
            fix="do not edit digests by hand: mlgit writes them",
            at=at,
        )
    return version


def proposal_at(workspace: Workspace, base: Lifecycle, environment: str, model: str, head: CommitId) -> Proposal:
    """Return the proposal whose branch is at a commit, against a state of the base branch."""
    repository = workspace.repository
    span = f"{commit_of(base)}..{head}"
    commits = tuple(commit for commit, _ in repository.commits(span, first_parent=False))
    return Proposal(environment, model, base, Lifecycle(repository.tree(head), workspace.formats.record), head, commits)


class OpenProposals:
    """The promotions on branches that are not merged yet. Their heads are resolved once."""

    def __init__(self, workspace: Workspace, base: Lifecycle) -> None:
        """Set where the branches are, and the state of the base branch that they are proposed against."""
        self._workspace = workspace
        self._base = base

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._heads

    def keys(self) -> list[tuple[str, str]]:
        """Return environment and model of each open proposal, sorted."""
        return sorted(self._heads)

    def load(self, environment: str, model: str) -> Proposal:
        """Return the open proposal of an environment and model."""
        head = self._heads[environment, model]
        return proposal_at(self._workspace, self._base, environment, model, head)

    def load_all(self) -> list[Proposal]:
        """Return every open proposal, sorted by environment and model."""
        return [self.load(*key) for key in self.keys()]

    def find(self, name: str | None) -> Proposal:
        """Return an open proposal by `environment/model`, branch or promotion id; the only one if no name is given.

        Raises:
            MlgitError: there is none of that name (`promotion-unknown`), or no name and several are open
                (`promotion-ambiguous`).
        """
        keys = self.keys()
        if name is not None:
            chosen = [key for key in keys if name in {"/".join(key), layout.promotion_branch(*key)}]
            chosen = chosen or [key for key in keys if self.load(*key).manifest.promotion == name]
        else:
            chosen = keys
        if len(chosen) == 1:
            return self.load(*chosen[0])
        listed = ", ".join("/".join(key) for key in keys)
        if not keys or name is not None:
            raise refused(
                "promotion-unknown",
                "no promotion is open" if name is None else f"no open promotion is called {name}",
                why=f"open are {listed}" if listed else "every promotion branch has been merged, or there is none",
                fix="`mlgit promote MODEL@N --to ENVIRONMENT` proposes one",
            )
        raise refused(
            "promotion-ambiguous",
            f"{len(chosen)} promotions are open",
            why=listed,
            fix="name one of them, as environment/model",
        )

    @cached_property
    def _heads(self) -> dict[tuple[str, str], CommitId]:
        """The commit that each open proposal is at."""
        heads = {}
        for branch, refs in remote.branches(self._workspace.repository, BRANCH_PREFIX).items():
            environment, _, model = branch.removeprefix(BRANCH_PREFIX).partition("/")
            head = self._head((environment, model), refs)
            if head is not None:
                heads[environment, model] = head
        return heads

    def _head(self, key: tuple[str, str], refs: Sequence[str]) -> CommitId | None:
        """Return the head of a proposal; of the local branch and the remote's, that with the later promotion. None if merged."""
        repository = self._workspace.repository
        open_heads = {}
        for head in {head for ref in refs if (head := repository.resolve(ref)) is not None}:
            state = Lifecycle(repository.tree(head), self._workspace.formats.record)
            manifest = _readable(state, key)
            if manifest is not None and not self._is_merged(state, layout.promotion(*key)):
                open_heads[manifest.promotion] = head
        return open_heads[max(open_heads)] if open_heads else None

    def _is_merged(self, state: Lifecycle, path: str) -> bool:
        """Tell whether the base branch has what a branch proposes, or had it at an earlier commit."""
        if state.tree.read(path) == self._base.tree.read(path):
            return True
        return remote.contains(self._workspace.repository, commit_of(self._base), commit_of(state))


def _readable(state: Lifecycle, key: tuple[str, str]) -> Promotion | None:
    """Return a manifest; None where it is missing or invalid, so that one bad branch does not block every other promotion."""
    try:
        return state.promotion(*key)
    except Inconclusive:
        raise
    except MlgitError:
        return None
