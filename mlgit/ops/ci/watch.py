"""Keep one issue about what does not run as it was given: opened when something is seen, closed when nothing is left."""

from collections.abc import Callable
from typing import Literal

import msgspec

from mlgit.domain.forge import is_own
from mlgit.errors import Exit
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.monitoring.observe import Observations

LABEL = "mlgit"
MARKER = "<!-- mlgit:observe -->"
_TITLE = "What runs is not what was applied"


class Watched(Outcome, frozen=True, kw_only=True, tag="mlgit/ci-observe.v1"):
    """What was seen, and the issue about it; None where there is none."""

    seen: Observations
    issue: int | None = None
    state: Literal["none", "opened", "updated", "closed", "planned"] = "none"

    @property
    def exit(self) -> Exit:
        """The answer of what was seen."""
        return self.seen.exit


def run(forge: Forge, seen: Observations, body: Callable[[Observations], str], *, dry_run: bool = False) -> Watched:
    """Open, renew or close the issue.

    Only an issue by whoever the token is of is touched: anybody can write the mark into one of their own.

    Args:
        forge: where.
        seen: what was seen of each model in each environment.
        body: writes what is wrong, in Markdown.
        dry_run: whether to write nothing.

    Raises:
        MlgitError: the forge refused.
        Unjudged: the forge did not answer.
    """
    me = forge.me()
    there = next(
        (one for one in forge.issues(label=LABEL) if one.body.startswith(MARKER) and is_own(one.author, me)),
        None,
    )
    found = Watched(seen=seen, issue=there.number if there else None)
    wrong = seen.exit != Exit.YES
    if not wrong and there is None:
        return found
    if dry_run:
        return msgspec.structs.replace(found, state="planned")
    text = f"{MARKER}\n{body(seen)}\n"
    if there is None:
        opened = forge.open_issue(title=_TITLE, body=text, labels=[LABEL])
        return msgspec.structs.replace(found, issue=opened.number, state="opened")
    if wrong and there.body.strip() == text.strip():
        return found
    forge.edit_issue(there.number, body=text if wrong else None, closed=None if wrong else True)
    return msgspec.structs.replace(found, state="updated" if wrong else "closed")
