"""Post a verdict as a comment, from a run with write access: the report of the other run is untrusted, and is checked first."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from mlgit.errors import MlgitError, refused
from mlgit.ops.ci.event import WorkflowEvent
from mlgit.ops.ci.verdict import Verdict
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.promotion.pull_request import upsert_comment

MAX_REPORT_BYTES: Final = 1 << 20
_COMMENT_NAME: Final = "verdict"
_MAX_CAUSE: Final = 300  # characters of a decoder's message, which may quote the report


class VerdictComment(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-report.v1"):
    """What was done with a report; `comment` is None where none was written."""

    pull_request: int
    state: Literal["posted", "planned", "outdated"]
    comment: int | None = None


def read(content: bytes) -> Verdict:
    """Read a report.

    Raises:
        MlgitError: it is no verdict, or too large (`ci-report-invalid`).
    """
    try:
        if len(content) <= MAX_REPORT_BYTES:
            return msgspec.json.decode(content, type=Verdict)
        why = f"it has {len(content):,} bytes; the limit is {MAX_REPORT_BYTES:,}"
    except (msgspec.DecodeError, RecursionError) as error:
        why = str(error)[:_MAX_CAUSE]
    raise _unreadable(why)


def run(
    forge: Forge,
    event: WorkflowEvent,
    verdict: Verdict,
    render: Callable[[Verdict, str], str],
    *,
    dry_run: bool = False,
) -> VerdictComment:
    """Post a verdict on its pull request, in the one comment that is kept for it.

    The report has to be about the commit of the run that left it, which the forge names, and about a pull request that
    proposes that commit at the forge. No check is posted: whoever can write the report could make one succeed.

    Args:
        forge: where.
        event: the end of the other run.
        verdict: the report.
        render: renders the comment, from the verdict and the address of the other run.
        dry_run: whether to write nothing.

    Returns:
        What was done; `outdated` where the pull request has new commits, or is closed.

    Raises:
        MlgitError: the report is about another commit than the run (`ci-report-mismatch`), or the forge refused.
        Inconclusive: the forge did not answer.
    """
    other = event.workflow_run
    number = verdict.pull_request
    if other is None or number is None or verdict.head != other.head_sha:
        raise refused(
            "ci-report-mismatch",
            "the report is not about the change that the run was started for",
            why=f"the run was of commit {other.head_sha if other else 'none'}, the report is of {verdict.head}",
            fix="look at the run: its report may have been made for another pull request",
        )
    pull_request = forge.pull_request(number)
    if pull_request.head != verdict.head or pull_request.state != "open":
        return VerdictComment(pull_request=number, state="outdated")
    if dry_run:
        return VerdictComment(pull_request=number, state="planned")
    comment = upsert_comment(forge, number, _COMMENT_NAME, render(verdict, other.html_url))
    return VerdictComment(pull_request=number, state="posted", comment=comment.id)


def _unreadable(why: str) -> MlgitError:
    return refused(
        "ci-report-invalid",
        "the report of the other run is no verdict",
        why=why,
        fix="look at the run that left it: `mlgit ci verdict --report FILE` writes one",
    )
