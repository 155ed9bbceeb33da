"""Say a verdict in a comment, from a run that may write: what the other run left is hostile, and is checked before it is used."""

from collections.abc import Callable
from typing import Literal

import msgspec

from mlgit.errors import MlgitError, refused
from mlgit.ops.ci.event import Event
from mlgit.ops.ci.verdict import Verdict
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.promotion.pull_request import upsert_comment

LARGEST = 1 << 20
"""Bytes that a report may have."""
_MARKER = "verdict"


class Reported(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-report.v1"):
    """What became of a report; `comment` is None where none was written."""

    number: int
    state: Literal["said", "planned", "outdated"]
    comment: int | None = None


def read(content: bytes) -> Verdict:
    """Read a report.

    Raises:
        MlgitError: it is no verdict, or too large to be one (`report-unreadable`).
    """
    try:
        if len(content) <= LARGEST:
            return msgspec.json.decode(content, type=Verdict)
        why = f"it has {len(content):,} bytes, and {LARGEST:,} may be"
    except (msgspec.DecodeError, RecursionError) as error:
        why = str(error)[:300]
    raise _unreadable(why)


def run(
    forge: Forge, event: Event, said: Verdict, body: Callable[[Verdict, str], str], *, dry_run: bool = False
) -> Reported:
    """Say a verdict on the pull request that it is about, in the one comment that is kept for it.

    A run reports on what it was started for: the commit that the forge says the other run was of. The report names a pull
    request, and the forge has to say that this one proposes that commit. No check is posted, since whoever may write the report
    could then make one green.

    Args:
        forge: where.
        event: what started this: the end of the other run.
        said: the report.
        body: writes the comment, from the report and the address of the other run.
        dry_run: whether to write nothing.

    Returns:
        What became of it; `outdated` where the pull request has gone on, or is closed.

    Raises:
        MlgitError: the report is of another commit than the run (`report-differs`), or the forge refused.
        Unjudged: the forge did not answer.
    """
    other = event.workflow_run
    if other is None or said.number is None or said.head != other.head_sha:
        raise refused(
            "report-differs",
            "the report is not about what the run was started for",
            why=f"the run was of commit {other.head_sha if other else 'none'}, the report is of {said.head}",
            fix="look at the run: who wrote its report may have meant another pull request",
        )
    pull = forge.pull_request(said.number)
    if pull.head != said.head or pull.state != "open":
        return Reported(number=said.number, state="outdated")
    if dry_run:
        return Reported(number=said.number, state="planned")
    comment = upsert_comment(forge, said.number, _MARKER, body(said, other.html_url))
    return Reported(number=said.number, state="said", comment=comment.id)


def _unreadable(why: str) -> MlgitError:
    return refused(
        "report-unreadable",
        "the report of the other run is no verdict",
        why=why,
        fix="look at the run that left it: `mlgit ci verdict --report FILE` writes one",
    )
