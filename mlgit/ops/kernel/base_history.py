"""The base branch through time, by its first-parent history: when each commit was made, and who could sign when."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

import msgspec

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.names import CommitId
from mlgit.domain.records import Roles
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace


class SignerRules(msgspec.Struct, frozen=True):
    """The allowed signers and the people of the base branch from a time on, and the state that first had them."""

    since: datetime
    signers: bytes
    people: People
    state: Lifecycle

    def same_as(self, state: Lifecycle) -> bool:
        """Tell whether a state has exactly these signers and people."""
        files = (layout.SIGNERS, layout.ROLES)
        return all(self.state.tree.read(file) == state.tree.read(file) for file in files)


class BaseHistory:
    """When commits of the base branch were made, when files were added to it, and the rules for signers at each time."""

    def __init__(self, workspace: Workspace, base: CommitId) -> None:
        """Take the workspace and the newest commit of the base branch that counts."""
        self._workspace = workspace
        self._base = base
        self._added: dict[str, datetime | None] = {}

    @cached_property
    def times(self) -> Mapping[CommitId, datetime]:
        """When each commit of the base branch was made (see `Repository.commit_times`)."""
        return self._workspace.repository.commit_times(self._base)

    def added(self, path: str) -> datetime | None:
        """Return when a file was added to the base branch; None if it was not."""
        if path not in self._added:
            commits = [commit for commit, _ in self._workspace.repository.commits(self._base, paths=[path])]
            self._added[path] = self.times[commits[-1].id] if commits else None
        return self._added[path]

    def remember(self, path: str, commit: CommitId) -> None:
        """Take from whoever walks the history that a commit adds a file, so that it need not be looked up."""
        self._added.setdefault(path, self.times.get(commit))

    def around(self, at: datetime) -> list[SignerRules]:
        """Return the rules at a time, and those within the tolerance of clocks after it; none before there were any."""
        found = {id(rules): rules for limit in (at, at + CLOCK_TOLERANCE) if (rules := self._until(limit)) is not None}
        return list(found.values())

    def _until(self, limit: datetime) -> SignerRules | None:
        return next((rules for rules in self._rules if rules.since <= limit), None)

    @cached_property
    def _rules(self) -> list[SignerRules]:
        """All rules, newest first."""
        repository = self._workspace.repository
        rules = []
        for commit, _ in repository.commits(self._base, paths=[layout.SIGNERS, layout.ROLES]):
            state = Lifecycle(repository.tree(commit.id), self._workspace.formats.record)
            try:
                people = People(state.roles())
            except Inconclusive:
                raise
            except MlgitError:  # reported where the file is validated; nobody has a role in it
                people = People(Roles(schema=1, people={}))
            rules.append(SignerRules(self.times[commit.id], state.tree.read(layout.SIGNERS) or b"", people, state))
        return rules
