"""Post a verdict as a check, from a CI that is not the forge's own: there nothing else makes a check of its result."""

from collections.abc import Sequence

from msgspec.structs import replace

from mlgit.domain.forge import Annotation, CheckState
from mlgit.domain.ruleset import VERDICT
from mlgit.errors import Exit, MlgitError, Severity
from mlgit.ops.ci.verdict import Verdict
from mlgit.ops.kernel.ports.forge import Forge


def post(forge: Forge, found: Verdict, *, title: str, summary: str, annotations: Sequence[Annotation]) -> Verdict:
    """Post a verdict as the check `mlgit/verdict` on the commit that was judged; what could not be judged is no success.

    Args:
        forge: where.
        found: the verdict.
        title: the answer, in one line.
        summary: what was found, in Markdown.
        annotations: the findings that are about a file.

    Returns:
        The verdict; with a warning where the forge refused the check or did not answer. Then it has no check that is green,
        and holds back what it is required for.
    """
    state: CheckState = "success" if found.exit is Exit.YES else "failure"
    try:
        forge.post_check(found.head, VERDICT, state, title=title, summary=summary, annotations=annotations)
    except MlgitError as error:
        unposted = [
            replace(one, message=f"the check {VERDICT} was not posted: {one.message}", severity=Severity.WARNING)
            for one in error.findings
        ]
        return replace(found, findings=[*found.findings, *unposted])
    return found
