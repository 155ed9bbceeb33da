"""The event that started a workflow: the commits and branches that its payload names, and no text that people typed.

The fields are those of GitHub's webhook payloads, which a workflow finds in the file that GITHUB_EVENT_PATH names. Titles,
bodies, labels and the names of proposed branches are not read at all.
"""

from typing import Annotated, Final

import msgspec

from mlgit.domain.names import CommitId, Line
from mlgit.errors import UsageError, usage_error
from mlgit.ops.guard.push import RefUpdate

_HEADS: Final = "refs/heads/"
_MAX_PAYLOAD_BYTES: Final = 32 << 20  # GitHub limits a payload to 25 MB
_MAX_CAUSE: Final = 300  # characters of a decoder's message, which may quote the payload

# JSON numbers are exact up to 2**53.
PullRequestNumber = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class _Repository(msgspec.Struct, frozen=True):
    default_branch: Line


class _BranchTip(msgspec.Struct, frozen=True):
    sha: CommitId


class _PullRequest(msgspec.Struct, frozen=True):
    number: PullRequestNumber
    base: _BranchTip
    head: _BranchTip


class _MergeGroup(msgspec.Struct, frozen=True):
    base_ref: Line
    base_sha: CommitId
    head_sha: CommitId


class _WorkflowRun(msgspec.Struct, frozen=True):
    head_sha: CommitId
    html_url: Line


class WorkflowEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event; which fields it has depends on its name."""

    name: str
    repository: _Repository
    pull_request: _PullRequest | None = None
    merge_group: _MergeGroup | None = None
    workflow_run: _WorkflowRun | None = None
    ref: Line | None = None
    before: CommitId | None = None
    after: CommitId | None = None

    @classmethod
    def parse(cls, name: str | None, content: bytes | None) -> "WorkflowEvent":
        """Parse an event.

        Args:
            name: the value of GITHUB_EVENT_NAME; None outside a workflow.
            content: the payload, JSON; None where there is none.

        Raises:
            UsageError: this is no workflow of GitHub (`ci-event-missing`), or the payload is not as GitHub documents it
                (`ci-event-invalid`).
        """
        if name is None or content is None:
            raise usage_error(
                "ci-event-missing",
                "there is no workflow event",
                why="GITHUB_EVENT_NAME and GITHUB_EVENT_PATH are set by the runner of a workflow, and at least one is missing",
                fix="run it in a workflow; elsewhere, `mlgit validate --base REV` and `mlgit queue` answer the same questions",
            )
        if len(content) > _MAX_PAYLOAD_BYTES:
            raise _unreadable(f"it has {len(content):,} bytes")
        try:
            # No payload has a field `name`; if one had, it would be overwritten.
            return msgspec.convert({**msgspec.json.decode(content, type=dict), "name": name}, cls)
        except msgspec.DecodeError as error:
            raise _unreadable(str(error)) from error

    @property
    def pull_request_number(self) -> int | None:
        """The number of the pull request; None where the event is about something else."""
        return None if self.pull_request is None else self.pull_request.number

    @property
    def push(self) -> RefUpdate | None:
        """The push; None where the event is about something else."""
        if self.name != "push" or self.ref is None or self.before is None or self.after is None:
            return None
        return RefUpdate.parse(f"{self.before} {self.after} {self.ref}")

    @property
    def merge_queue_push(self) -> RefUpdate | None:
        """The push that a merge queue is about to make; None where the event is about something else."""
        group = self.merge_group
        if group is None:
            return None
        return RefUpdate(_HEADS + group.base_ref.removeprefix(_HEADS), group.base_sha, group.head_sha)


def _unreadable(why: str) -> UsageError:
    return usage_error(
        "ci-event-invalid",
        "the workflow event is not as GitHub documents it",
        why=why[:_MAX_CAUSE],
        fix="let the runner of a workflow set GITHUB_EVENT_NAME and GITHUB_EVENT_PATH",
    )
