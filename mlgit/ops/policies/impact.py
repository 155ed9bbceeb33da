"""The impact of a changed policy: which past promotions it would have blocked or passed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from mlgit.domain import layout
from mlgit.domain.gates.depth import Reproduce
from mlgit.domain.gates.team import Exec, Python
from mlgit.domain.names import Name
from mlgit.domain.records import Environment, Policy
from mlgit.errors import Finding, Location, MlgitError, Severity
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import PathChange
from mlgit.ops.kernel.ports.progress import Progress
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of, state_at

if TYPE_CHECKING:
    from mlgit.ops.policies.replay import PolicyReplay

_LAST = 40  # promotions


class PolicyChange(msgspec.Struct, frozen=True):
    """A policy whose gates change, or an environment that gets another policy with other gates.

    `before` is the name of the previous policy, and `path` the file of the new one. `environment` is None if the gates of one
    policy change for all of its environments.
    """

    before: Name
    path: str
    environment: Name | None = None

    @property
    def command(self) -> str:
        """The command that replays it."""
        where = f" --env {self.environment}" if self.environment else ""
        return f"mlgit policy replay {self.before} --with {self.path}{where}"


def run(
    workspace: Workspace,
    base: str,
    head: str,
    *,
    last: int = _LAST,
    runs_code: bool = True,
    on_done: Progress = lambda _: None,
) -> "list[PolicyReplay]":
    """Replay each changed policy on the promotions that were merged under the previous one. Changes nothing.

    A policy under which nothing was merged yet is left out.

    Args:
        workspace: the workspace.
        base: the commit or branch before the change.
        head: the commit or branch with the change.
        last: maximum number of promotions for each policy.
        runs_code: whether to replay policies with gates that run code (`exec`, `python`, `reproduce`). That code comes from the
            change, so it is not to be run for changes by strangers.
        on_done: called with the number of replayed promotions of the current policy.

    Raises:
        MlgitError: a revision does not exist (`revision-unknown`), a new policy is not valid, or the clone is shallow
            (`history-shallow`).
    """
    from mlgit.ops.policies import replay  # noqa: PLC0415 - imports all gates, which `notes` does not need

    before, after = (state_at(workspace, revision) for revision in (base, head))
    base_commit, head_commit = commit_of(before), commit_of(after)
    since = workspace.repository.merge_base(base_commit, head_commit) or base_commit
    replays = []
    for change in changed_policies(before, after, workspace.repository.changes(since, head_commit)):
        if not runs_code and _runs_code(after, change.path):
            continue
        content = after.tree.read(change.path) or b""
        try:
            replayed = replay.run(
                workspace,
                change.before,
                change.path,
                content,
                last=last,
                environment=change.environment,
                on_done=on_done,
            )
        except MlgitError as error:
            if error.findings[0].id != "policy-replay-empty":
                raise
        else:
            replays.append(replayed)
    return replays


def changed_policies(before: Lifecycle, after: Lifecycle, changes: Iterable[PathChange]) -> list[PolicyChange]:
    """Return the policy changes with other gates, sorted by path. Invalid records on either side are left out.

    Other changes of a policy, such as its approvals, are not among them: only gates can be evaluated on past promotions.

    Args:
        before: the state before the change.
        after: the state with the change.
        changes: how the paths of the two differ.
    """
    paths = sorted(change.path for change in changes if change.status != "D")
    return [*_changed_gates(before, after, paths), *_changed_environments(before, after, paths)]


def notes(before: Lifecycle, after: Lifecycle, changes: Iterable[PathChange]) -> list[Finding]:
    """Return a note for each policy change, with the command that replays it."""
    return [
        Finding(
            "policy-changed",
            f"{change.path} changes the gates of {change.environment or f'environments with policy {change.before}'}",
            why="a replay shows which past promotions the new gates would have blocked",
            fix=f"run `{change.command}`",
            at=Location(change.path, path="gates"),
            severity=Severity.NOTE,
        )
        for change in changed_policies(before, after, changes)
    ]


def _changed_gates(before: Lifecycle, after: Lifecycle, paths: Sequence[str]) -> Iterator[PolicyChange]:
    """Yield the changed policies with other gates."""
    files = [path for path in paths if _kind(path) == "policy"]
    old_records, _ = before.read_each(files)
    new_records, _ = after.read_each(files)
    for path in files:
        old, new = old_records.get(path), new_records.get(path)
        if isinstance(old, Policy) and isinstance(new, Policy) and old.gates != new.gates:
            yield PolicyChange(old.name, path)


def _changed_environments(before: Lifecycle, after: Lifecycle, paths: Sequence[str]) -> Iterator[PolicyChange]:
    """Yield the environments that get another policy, with other gates."""
    files = [path for path in paths if _kind(path) == "environment"]
    old_records, _ = before.read_each(files)
    new_records, _ = after.read_each(files)
    for path in files:
        old, new = old_records.get(path), new_records.get(path)
        if not isinstance(old, Environment) or not isinstance(new, Environment) or old.policy == new.policy:
            continue
        old_path, new_path = layout.policy(old.policy), layout.policy(new.policy)
        old_policy, new_policy = (
            before.read_each([old_path])[0].get(old_path),
            after.read_each([new_path])[0].get(new_path),
        )
        if isinstance(old_policy, Policy) and isinstance(new_policy, Policy) and old_policy.gates != new_policy.gates:
            yield PolicyChange(old_policy.name, new_path, new.name)


def _runs_code(state: Lifecycle, path: str) -> bool:
    policy = state.find(Policy, path)
    return policy is not None and any(isinstance(gate, Exec | Python | Reproduce) for gate in policy.gates)


def _kind(path: str) -> str | None:
    place = layout.parse_path(path)
    return None if place is None else place.kind
