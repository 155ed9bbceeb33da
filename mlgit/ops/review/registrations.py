"""Find the commit that registered a version: the one that added its record to the history of a promotion."""

from collections.abc import Sequence

from mlgit.domain.names import CommitId
from mlgit.ops.kernel.ports.git import Commit, PathChange, Repository


class Registrations:
    """The commits that added version records, by path. An audit adds what it passes; anything else is searched for."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._added: dict[str, Commit] = {}

    def add(self, commit: Commit, changes: Sequence[PathChange]) -> None:
        """Note the records that a first-parent commit of the base branch adds."""
        for change in changes:
            if change.status == "A" and change.path.endswith("/version.json"):
                self._added[change.path] = commit

    def find(self, path: str, head: CommitId) -> Commit | None:
        """Return the commit that added a record; None if no commit up to `head` did.

        Args:
            path: the path of the record.
            head: the commit to search back from; a record that was added twice was added last by the one returned.
        """
        commit = self._added.get(path) or self._newest(head, path, first_parent=True)
        if commit is None or len(commit.parents) <= 1:
            return commit
        # A merge is no author of what it merges, unless no side of it has the record.
        return self._newest(f"{commit.parents[0]}..{commit.id}", path, first_parent=False) or commit

    def _newest(self, span: str, path: str, *, first_parent: bool) -> Commit | None:
        history = self._repository.commits(span, paths=[path], first_parent=first_parent)
        added = (commit for commit, changes in history if any(change.status == "A" for change in changes))
        return next((commit for commit in added if first_parent or len(commit.parents) <= 1), None)
