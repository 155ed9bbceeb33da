"""Keep one issue open while deployments drift: opened when drift is seen, updated, and closed when there is none left."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from mlgit.domain.forge import is_own
from mlgit.errors import Exit
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.monitoring.observe import Observations

LABEL: Final = "mlgit"
MARKER: Final = "<!-- mlgit:observe -->"
"""Begins the body of the issue, by which it is found again."""
_TITLE: Final = "Deployments differ from what was applied"


class DriftIssue(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-observe.v1"):
    """What was observed, and the issue about it; None where there is none."""

    observed: Observations
    issue: int | None = None
    state: Literal["none", "opened", "updated", "closed", "planned"] = "none"

    @property
    def exit(self) -> Exit:
        """The exit code of `observe`."""
        return self.observed.exit


def run(
    forge: Forge, observed: Observations, render: Callable[[Observations], str], *, dry_run: bool = False
) -> DriftIssue:
    """Open, update or close the issue.

    Only an issue by the account of the token is changed: anybody can write the marker into an issue of their own.

    Args:
        forge: where.
        observed: the observation of each model in each environment.
        render: renders the body, in Markdown.
        dry_run: whether to change nothing.

    Raises:
        MlgitError: the forge refused.
        Inconclusive: the forge did not answer.
    """
    token_login = forge.token_login()
    issues = (
        issue
        for issue in forge.issues(label=LABEL)
        if issue.body.startswith(MARKER) and is_own(issue.author, token_login)
    )
    existing = next(issues, None)
    unchanged = DriftIssue(observed=observed, issue=existing.number if existing else None)
    has_drift = observed.exit != Exit.YES
    if not has_drift and existing is None:
        return unchanged
    if dry_run:
        return msgspec.structs.replace(unchanged, state="planned")
    body = f"{MARKER}\n{render(observed)}\n"
    if existing is None:
        opened = forge.open_issue(title=_TITLE, body=body, labels=[LABEL])
        return msgspec.structs.replace(unchanged, issue=opened.number, state="opened")
    if has_drift and existing.body.strip() == body.strip():
        return unchanged
    forge.edit_issue(existing.number, body=body if has_drift else None, closed=None if has_drift else True)
    return msgspec.structs.replace(unchanged, state="updated" if has_drift else "closed")
