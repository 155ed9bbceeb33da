"""The workspace as it was for one change, so that an audit asks just what a merge and an `apply` ask."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.domain.records import Record
from mlgit.ops import origin
from mlgit.ops.audit.chronicle import Chronicle, Cut
from mlgit.ops.ports import Commit, PathChange, Repository, Tree, Workspace


def workspace_then(workspace: Workspace, chronicle: Chronicle, cut: Cut) -> Workspace:
    """Return a workspace with the ledger of an audit, of whose approvals those are seen that came in time.

    Args:
        workspace: today's.
        chronicle: the ledger.
        cut: by when approvals had to be there.
    """
    repository = _Repository(workspace, chronicle, cut)
    return cast("Workspace", _Workspace(workspace, cast("Repository", repository), _Formats(workspace, chronicle)))


class _Workspace:
    """Everything as today, but the repository and the reader of its records."""

    def __init__(self, workspace: Workspace, repository: Repository, formats: "_Formats") -> None:
        self._workspace = workspace
        self.repository = repository
        self.formats = formats

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workspace, name)


class _Repository:
    """Everything as today, but the ledger: it is read from what the audit knows of it already."""

    def __init__(self, workspace: Workspace, chronicle: Chronicle, cut: Cut) -> None:
        self._repository = workspace.repository
        self._chronicle = chronicle
        self._cut = cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repository, name)

    def resolve(self, revision: str) -> CommitId | None:
        if revision == layout.LEDGER:
            return self._chronicle.tip
        return None if revision == origin.copy_of(layout.LEDGER) else self._repository.resolve(revision)

    def tree(self, revision: str) -> Tree:
        if revision == self._chronicle.tip:
            return self._chronicle.view(self._cut)
        return self._repository.tree(revision)

    def commits(
        self, revision: str, *, paths: Sequence[str] = (), first_parent: bool = True
    ) -> Iterator[tuple[Commit, list[PathChange]]]:
        if revision != self._chronicle.tip or not paths:
            yield from self._repository.commits(revision, paths=paths, first_parent=first_parent)
            return
        found = [item for path in paths for item in self._chronicle.in_folder(path, self._cut).items()]
        for path, added in sorted(found, key=lambda item: item[1].step, reverse=True):
            # Who committed it proves nothing; what counts is when it came in.
            commit = Commit(added.commit, (), "", "", "", added.at, "")
            yield commit, [PathChange(path, "A", None, added.blob)]

    def commit_time(self, commit: CommitId) -> datetime:
        return self._chronicle.time_of(commit) or self._repository.commit_time(commit)


class _Formats:
    """Every format as today; what targets were seen to run is read once, though each change of a model asks for it."""

    def __init__(self, workspace: Workspace, chronicle: Chronicle) -> None:
        self._formats = workspace.formats
        self._chronicle = chronicle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._formats, name)

    def record(self, file: str, content: bytes) -> Record:
        added = self._chronicle.added.get(file) if file.startswith(_DEPLOYMENTS) else None
        if added is None:
            return self._formats.record(file, content)
        return self._chronicle.library.record(file, added.blob)


_DEPLOYMENTS = "deployments/"
