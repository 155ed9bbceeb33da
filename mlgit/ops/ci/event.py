"""What started a workflow: the commits and the branches that GitHub's event names, and nothing of what people typed into it.

The fields are those of GitHub's webhook payloads, as a workflow finds them in the file that GITHUB_EVENT_PATH names. Titles,
texts, labels and the names of proposed branches are not read at all.
"""

from typing import Annotated

import msgspec

from mlgit.domain.names import CommitId, Line
from mlgit.errors import UsageError, usage_error
from mlgit.ops.guard.push import RefUpdate

_HEADS = "refs/heads/"
_LARGEST = 32 << 20  # GitHub cuts a payload at 25 MB

Number = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class _Repository(msgspec.Struct, frozen=True):
    default_branch: Line


class _End(msgspec.Struct, frozen=True):
    sha: CommitId


class _PullRequest(msgspec.Struct, frozen=True):
    number: Number
    base: _End
    head: _End


class _MergeGroup(msgspec.Struct, frozen=True):
    base_ref: Line
    base_sha: CommitId
    head_sha: CommitId


class _WorkflowRun(msgspec.Struct, frozen=True):
    head_sha: CommitId
    html_url: Line


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event; which parts it has depends on what happened."""

    name: str
    repository: _Repository
    pull_request: _PullRequest | None = None
    merge_group: _MergeGroup | None = None
    workflow_run: _WorkflowRun | None = None
    ref: Line | None = None
    before: CommitId | None = None
    after: CommitId | None = None

    @classmethod
    def parse(cls, name: str | None, content: bytes | None) -> "Event":
        """Read an event.

        Args:
            name: what happened, as GITHUB_EVENT_NAME says it; None outside a workflow.
            content: the payload, JSON; None where there is none.

        Raises:
            Misuse: this is no workflow of GitHub (`event-missing`), or the payload is not as GitHub describes it
                (`event-unreadable`).
        """
        if name is None or content is None:
            raise usage_error(
                "event-missing",
                "nothing says what started this",
                why="GITHUB_EVENT_NAME and GITHUB_EVENT_PATH are set by the runner of a workflow, and one of them is not here",
                fix="run it in a workflow; at a desk, `mlgit validate --base REV` and `mlgit queue` answer the same questions",
            )
        if len(content) > _LARGEST:
            raise _unreadable(f"it has {len(content):,} bytes")
        try:
            # `name` is a field of the payload in no event, and would be overwritten if it were.
            return msgspec.convert({**msgspec.json.decode(content, type=dict), "name": name}, cls)
        except msgspec.DecodeError as error:
            raise _unreadable(str(error)) from error

    @property
    def number(self) -> int | None:
        """The pull request."""
        return None if self.pull_request is None else self.pull_request.number

    @property
    def push(self) -> RefUpdate | None:
        """What was pushed to which branch; None where nothing was."""
        if self.name != "push" or self.ref is None or self.before is None or self.after is None:
            return None
        return RefUpdate.parse(f"{self.before} {self.after} {self.ref}")

    @property
    def queued(self) -> RefUpdate | None:
        """What a merge queue would push; None where the event is another."""
        group = self.merge_group
        if group is None:
            return None
        return RefUpdate(_HEADS + group.base_ref.removeprefix(_HEADS), group.base_sha, group.head_sha)


def _unreadable(why: str) -> UsageError:
    return usage_error(
        "event-unreadable",
        "the event is not one that GitHub describes",
        why=why[:300],
        fix="let the runner of a workflow set GITHUB_EVENT_NAME and GITHUB_EVENT_PATH",
    )
