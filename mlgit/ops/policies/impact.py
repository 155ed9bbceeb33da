"""What a change of policies would have meant for the promotions of the past."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from mlgit.domain import layout
from mlgit.domain.gates.depth import Reproduce
from mlgit.domain.gates.team import Exec, Python
from mlgit.domain.names import CommitId, Name
from mlgit.domain.records import Environment, Policy
from mlgit.errors import Finding, Location, MlgitError, Severity
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import PathChange
from mlgit.ops.kernel.ports.workspace import Workspace

if TYPE_CHECKING:
    from mlgit.ops.policies.replay import PolicyReplay

_LAST = 40  # promotions


class PolicyChange(msgspec.Struct, frozen=True):
    """A policy that a change gives other gates, or puts over an environment in the place of another.

    `stood` is the policy that was there, `path` the file of the one that comes; `environment` is None where the same policy stays
    over all that it was over.
    """

    stood: Name
    path: str
    environment: Name | None = None

    @property
    def command(self) -> str:
        """What tells what it would have said of the past."""
        where = f" --env {self.environment}" if self.environment else ""
        return f"mlgit policy replay {self.stood} --with {self.path}{where}"


def run(
    workspace: Workspace,
    base: str,
    head: str,
    *,
    last: int = _LAST,
    runs_code: bool = True,
    on_done: Callable[[int], None] = lambda _: None,
) -> "list[PolicyReplay]":
    """Replay each policy that a change touches on the promotions that were merged under the one that stood there.

    Where nothing was merged under it yet, there is nothing to tell, and it is left out. Changes nothing.

    Args:
        workspace: where.
        base: the commit or branch that the change is made to.
        head: the commit or branch with the change.
        last: how many promotions at most, for each policy.
        runs_code: whether policies with gates that run something (`exec`, `python`, `reproduce`) are replayed too: what they
            run is the change's to say.
        on_done: called with the number of promotions that are done of the policy at hand.

    Raises:
        MlgitError: a revision names no commit (`revision-unknown`), a policy that comes is none or not sound, or the clone is
            shallow (`history-shallow`).
    """
    from mlgit.ops.policies import replay  # noqa: PLC0415 - all that judges gates; `notes` is part of every check of a change

    before, after = (snapshot.state_at(workspace, revision) for revision in (base, head))
    onto, tip = _commit(before), _commit(after)
    changes = workspace.repository.changes(workspace.repository.merge_base(onto, tip) or onto, tip)
    found = []
    for one in changed_policies(before, after, changes):
        if not runs_code and _runs_code(after, one.path):
            continue
        content = after.tree.read(one.path) or b""
        try:
            found.append(
                replay.run(
                    workspace, one.stood, one.path, content, last=last, environment=one.environment, on_done=on_done
                )
            )
        except MlgitError as error:
            if error.findings[0].id != "policy-replay-empty":
                raise
    return found


def changed_policies(before: Lifecycle, after: Lifecycle, changes: Iterable[PathChange]) -> list[PolicyChange]:
    """Return the policies that a change touches, sorted by path. What cannot be read on either side is left out.

    A policy that differs in words or in who has to agree is none of them: only gates can be judged again.

    Args:
        before: the state that the change is made to.
        after: the state with the change.
        changes: how the paths of the two differ.
    """
    paths = sorted(change.path for change in changes if change.status != "D")
    return [*_gates(before, after, paths), *_guards(before, after, paths)]


def notes(before: Lifecycle, after: Lifecycle, changes: Iterable[PathChange]) -> list[Finding]:
    """Return a note for each policy that a change touches, with the command that tells what it would have meant."""
    return [
        Finding(
            "policy-changed",
            f"{one.path} gives {one.environment or f'what policy {one.stood} guards'} other gates",
            why="what they would have said of the promotions of the past can be told before it is merged",
            fix=f"run `{one.command}`",
            at=Location(one.path, path="gates"),
            severity=Severity.NOTE,
        )
        for one in changed_policies(before, after, changes)
    ]


def _gates(before: Lifecycle, after: Lifecycle, paths: Sequence[str]) -> Iterator[PolicyChange]:
    """Yield the policies that stay where they are, with other gates."""
    files = [path for path in paths if _kind(path) == "policy"]
    were, _ = before.read_each(files)
    are, _ = after.read_each(files)
    for path in files:
        was, now = were.get(path), are.get(path)
        if isinstance(was, Policy) and isinstance(now, Policy) and was.gates != now.gates:
            yield PolicyChange(was.name, path)


def _guards(before: Lifecycle, after: Lifecycle, paths: Sequence[str]) -> Iterator[PolicyChange]:
    """Yield the policies that come to guard an environment in the place of another with other gates."""
    files = [path for path in paths if _kind(path) == "environment"]
    were, _ = before.read_each(files)
    are, _ = after.read_each(files)
    for path in files:
        was, now = were.get(path), are.get(path)
        if not isinstance(was, Environment) or not isinstance(now, Environment) or was.policy == now.policy:
            continue
        old, new = layout.policy(was.policy), layout.policy(now.policy)
        stood, comes = before.read_each([old])[0].get(old), after.read_each([new])[0].get(new)
        if isinstance(stood, Policy) and isinstance(comes, Policy) and stood.gates != comes.gates:
            yield PolicyChange(stood.name, new, now.name)


def _runs_code(state: Lifecycle, path: str) -> bool:
    policy = state.find(Policy, path)
    return policy is not None and any(isinstance(gate, Exec | Python | Reproduce) for gate in policy.gates)


def _kind(path: str) -> str | None:
    place = layout.parse_path(path)
    return None if place is None else place.kind


def _commit(state: Lifecycle) -> CommitId:
    commit = state.tree.commit
    assert commit is not None  # noqa: S101 - a state of a commit
    return commit
