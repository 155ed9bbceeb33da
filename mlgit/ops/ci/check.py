"""Post a verdict as a check, from a CI that is not part of the forge: there the result of a job does not become a check."""

from collections.abc import Sequence

from msgspec.structs import replace

from mlgit.domain.branch_protection import VERDICT_CHECK
from mlgit.domain.forge import Annotation, CheckState
from mlgit.errors import Exit, MlgitError, Severity
from mlgit.ops.ci.verdict import Verdict
from mlgit.ops.kernel.ports.forge import Forge


def post(forge: Forge, verdict: Verdict, *, title: str, summary: str, annotations: Sequence[Annotation]) -> Verdict:
    """Post a verdict as the check `mlgit/verdict` on the verified commit; an inconclusive one is a failure.

    Args:
        forge: where.
        verdict: the verdict.
        title: the answer, in one line.
        summary: the findings, in Markdown.
        annotations: the findings that have a file.

    Returns:
        The verdict; with a warning where the forge refused the check or did not answer. The commit then has no successful check,
        so that a branch that requires it stays protected.
    """
    state: CheckState = "success" if verdict.exit is Exit.YES else "failure"
    try:
        forge.post_check(verdict.head, VERDICT_CHECK, state, title=title, summary=summary, annotations=annotations)
    except MlgitError as error:
        warnings = [
            replace(
                finding,
                message=f"the check {VERDICT_CHECK} was not posted: {finding.message}",
                severity=Severity.WARNING,
            )
            for finding in error.findings
        ]
        return replace(verdict, findings=[*verdict.findings, *warnings])
    return verdict
