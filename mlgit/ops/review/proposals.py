"""A promotion that is proposed, or that was merged, and the state that it is held against."""

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
from mlgit.ops.kernel.snapshot import base_of

BRANCH_PREFIX = "refs/heads/mlgit/promote/"


class Proposal(msgspec.Struct, frozen=True, dict=True):
    """A manifest in the commit that brings it, held against the commit that it is brought to.

    `before` is the state that it is judged by: its policy, roles and signers are the rules. `after` is the state with the
    manifest. `commits` are those that a merge would bring, or brought. `reviews` are what a forge told of its pull request;
    None where it was not asked, or knows of none.
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
        """The proposed manifest."""
        manifest = self.after.promotion(self.environment, self.model)
        assert manifest is not None  # noqa: S101 - a proposal is made from a manifest
        return manifest

    @cached_property
    def version(self) -> Version | None:
        """The version that is promoted, to whichever slot; None where versions only leave."""
        slot = slots.promoted(self.manifest, self.before.promotion(self.environment, self.model))
        return None if slot is None else self.after.version(VersionRef(self.model, slot.version))

    @property
    def subject(self) -> str:
        """The version that it is about, as people call it: the champion where a slot is cleared, else the one promoted."""
        slot = slots.promoted(self.manifest, self.before.promotion(self.environment, self.model))
        slot = slot or self.manifest.slots.champion
        return self.model if slot is None else str(VersionRef(self.model, slot.version))

    @cached_property
    def report(self) -> GateReport | None:
        """The gate report that the manifest names."""
        ref = self.manifest.gates
        return None if ref is None else self.after.find(GateReport, ref.report)

    @property
    def compared(self) -> Version | None:
        """The version that the gates compare with; see `compared`."""
        return compared_version(self.before, self.manifest)

    @cached_property
    def policy(self) -> Policy:
        """The policy that guards the environment, as it is before the change."""
        return self.before.policy(self.before.environment(self.environment).policy)


def compared_version(before: Lifecycle, manifest: Promotion) -> Version | None:
    """Return the version that the gates of a promotion compare with; None if there is none.

    It is the champion before it. Of a recertification it is the recorded one that the champion itself was compared with.

    Raises:
        MlgitError: the recorded version is another one now (`slot-differs`).
    """
    if manifest.change != "recertify":
        return before.champion(manifest.environment, manifest.model)
    if manifest.baseline is None:
        return None
    at = Location(layout.promotion(manifest.environment, manifest.model), path="baseline")
    version = before.version(VersionRef(manifest.model, manifest.baseline.version), at=at)
    if (actual := version_digest(version)) != manifest.baseline.digest:
        raise refused(
            "slot-differs",
            f"baseline names {manifest.model}@{version.version} by a digest that it does not have",
            why=f"the record has {actual[:19]}, the manifest {manifest.baseline.digest[:19]}",
            fix="do not edit digests by hand: mlgit writes them",
            at=at,
        )
    return version


def open_proposals(workspace: Workspace) -> list[tuple[str, str]]:
    """Return environment and model of each promotion branch that the base has not taken in yet, sorted."""
    _, base = base_of(workspace)
    return sorted(key for key, refs in _branches(workspace).items() if _head(workspace, base, key, refs) is not None)


def _branches(workspace: Workspace) -> dict[tuple[str, str], list[str]]:
    """Return the refs of each promotion branch, by environment and model: the branch here, and the remote's copy."""
    found = {}
    for branch, refs in remote.matching(workspace.repository, BRANCH_PREFIX).items():
        environment, _, model = branch.removeprefix(BRANCH_PREFIX).partition("/")
        found[environment, model] = refs
    return found


def _head(workspace: Workspace, base: Lifecycle, key: tuple[str, str], refs: Sequence[str]) -> CommitId | None:
    """Return the commit that proposes something; of two, the later promotion. None where all of them are merged."""
    heads = {head for ref in refs if (head := workspace.repository.resolve(ref)) is not None}
    waiting = {}
    for head in heads:
        state = Lifecycle(workspace.repository.tree(head), workspace.formats.record)
        manifest = _readable(state, key)
        if manifest is not None and not _is_merged(workspace, base, state, layout.promotion(*key)):
            waiting[manifest.promotion] = head
    return waiting[max(waiting)] if waiting else None


def _readable(state: Lifecycle, key: tuple[str, str]) -> Promotion | None:
    """Return a manifest; None where there is none, or what is there is none: one bad branch stops nobody else's promotion."""
    try:
        return state.promotion(*key)
    except Inconclusive:
        raise
    except MlgitError:
        return None


def _is_merged(workspace: Workspace, base: Lifecycle, state: Lifecycle, path: str) -> bool:
    """Tell whether the base has what a branch proposes, or had it before it went on."""
    head, onto = state.tree.commit, base.tree.commit
    assert head is not None  # noqa: S101 - a state of a commit
    assert onto is not None  # noqa: S101 - the base is a commit
    return state.tree.read(path) == base.tree.read(path) or remote.contains(workspace.repository, onto, head)


def find_proposal(workspace: Workspace, name: str | None) -> Proposal:
    """Return an open proposal, by `environment/model` or promotion id; the only one there is if no name is given.

    Raises:
        MlgitError: there is none of that name, or more than one to choose from.
    """
    proposals = open_proposals(workspace)
    if name is not None:
        chosen = [key for key in proposals if name in {"/".join(key), f"mlgit/promote/{'/'.join(key)}"}]
        chosen = chosen or [key for key in proposals if load_proposal(workspace, *key).manifest.promotion == name]
    else:
        chosen = proposals
    if len(chosen) == 1:
        return load_proposal(workspace, *chosen[0])
    listed = ", ".join("/".join(key) for key in proposals)
    if not proposals or name is not None:
        raise refused(
            "promotion-unknown",
            "no promotion is open" if name is None else f"no open promotion is called {name}",
            why=f"open are {listed}" if listed else "every promotion branch has been merged, or there is none",
            fix="`mlgit promote MODEL@N --to ENV` proposes one",
        )
    raise refused(
        "promotion-ambiguous",
        f"{len(chosen)} promotions are open",
        why=listed,
        fix="name one of them, as environment/model",
    )


def load_proposal(workspace: Workspace, environment: str, model: str) -> Proposal:
    """Return the open proposal of an environment and model, held against the base branch."""
    repository = workspace.repository
    _, base = base_of(workspace)
    key = (environment, model)
    head = _head(workspace, base, key, _branches(workspace)[key])
    onto = base.tree.commit
    assert head is not None  # noqa: S101 - only called for what is open
    assert onto is not None  # noqa: S101 - the base is a commit
    commits = tuple(commit for commit, _ in repository.commits(f"{onto}..{head}", first_parent=False))
    return Proposal(environment, model, base, Lifecycle(repository.tree(head), workspace.formats.record), head, commits)
