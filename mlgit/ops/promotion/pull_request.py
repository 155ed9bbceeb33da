"""The one pull request of a proposal's branch: opened, or brought up to date, with what people wrote in it left as it is."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.brief import BEGIN, END
from mlgit.domain.forge import LONGEST, Comment, PullRequest, fits, is_own
from mlgit.errors import Finding, MlgitError, Severity
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion.proposal_branch import BranchDraft
from mlgit.ops.review.proposals import Proposal

LABEL: Final = "mlgit"
"""Label of what mlgit opened: for people who look for it, and for nothing else."""

_NO_ROOM = "What people wrote here leaves no room for it: `mlgit brief` tells what is proposed."

Body = Callable[[Proposal], str]
"""Writes what a reviewer reads of a proposal, in Markdown."""

Say = Callable[[str], str]
"""Turns words into the body of a pull request, in which they are nothing but words."""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The pull request of a branch; None, with what went wrong, where there is none now or it could not be brought up to date."""

    number: int | None = None
    url: str | None = None
    warnings: list[Finding] = []


def propose(workspace: Workspace, waiting: Proposal, body: Body | None, *, again: str) -> Opened:
    """Open the pull request of a promotion, or bring the one that there is up to date.

    Args:
        workspace: where.
        waiting: the promotion; its branch was pushed.
        body: writes what is said of it; None to leave pull requests alone.
        again: the command that does this again.

    Returns:
        The pull request. That it could not be opened is a warning: the proposal is made, and waits on its branch.
    """
    if body is None:
        return Opened()
    branch = layout.promotion_branch(waiting.environment, waiting.model)
    return put(workspace, waiting.before, branch, title=title(waiting), body=lambda: body(waiting), again=again)


def put_draft(workspace: Workspace, base: Lifecycle, draft: BranchDraft, say: Say | None) -> Opened:
    """Open the pull request of a change that is no promotion, or bring the one that there is up to date.

    Args:
        workspace: where.
        base: the state that the change was made on.
        draft: the change; its branch was pushed. The first line of its message is the title, what comes below it the body.
        say: writes the body; None to leave pull requests alone.
    """
    if say is None:
        return Opened()
    title, _, words = draft.message.strip().partition("\n\n")
    return put(workspace, base, draft.branch, title=title, body=lambda: say(words), again=draft.command)


def put(
    workspace: Workspace, base: Lifecycle, branch: str, *, title: str, body: Callable[[], str], again: str
) -> Opened:
    """Open the pull request of a branch, or bring the one that there is up to date; nothing in a project without a forge.

    What people wrote into the body stays where it stands. The text that somebody may be writing at this moment does not: a
    forge takes a body whole.
    """
    try:
        forge = workspace.forge()
        if forge is None:
            return Opened()
        pull = put_at(forge, branch, base.project().base, title, body())
    except MlgitError as error:
        return Opened(warnings=[_unopened(finding, again) for finding in error.findings])
    return Opened(number=pull.number, url=pull.url)


def title(waiting: Proposal) -> str:
    """Return what the pull request of a promotion is called; the same for the same change."""
    match waiting.manifest.change:
        case "rollback":
            return f"Roll back {waiting.environment} to {waiting.subject}"
        case "recertify":
            return f"Recertify {waiting.subject} in {waiting.environment}"
        case _:
            return f"Promote {waiting.subject} to {waiting.environment}"


def with_generated(body: str, text: str) -> str:
    """Return the body of a pull request with mlgit's own text renewed, and all else as people wrote it.

    Args:
        body: the body as it is.
        text: what mlgit says, with or without the marks around it.
    """
    block = f"{BEGIN}\n\n{text.removeprefix(BEGIN).removesuffix(END).strip()}\n\n{END}"
    begin = body.find(BEGIN)
    end = -1 if begin < 0 else body.find(END, begin)
    if end < 0:
        return f"{block}\n\n{body}" if body.strip() else block
    return f"{body[:begin]}{block}{body[end + len(END) :]}"


def put_at(forge: Forge, branch: str, base: str, title: str, text: str) -> PullRequest:
    """Open the pull request of a branch, or bring the one that there is up to date; of two runs at once, one opens it.

    Raises:
        MlgitError: the forge refused.
        Unjudged: it did not answer.
    """
    there = _find(forge, branch, base)
    if there is None:
        try:
            opened = forge.open_pull_request(branch=branch, base=base, title=title, body=_body("", text))
        except MlgitError as error:
            there = _find(forge, branch, base)  # another run may have opened it at the same moment
            if there is None:
                raise error from None
        else:
            forge.label(opened.number, [LABEL])
            return opened
    wanted = _body(there.body, text)
    if there.title == title and _lines(there.body) == _lines(wanted):
        return there
    return forge.edit_pull_request(there.number, title=title, body=wanted)


def upsert_comment(forge: Forge, number: int, marker: str, body: str) -> Comment:
    """Say something on a pull request once: edit the comment that said it before, or make it.

    Only a comment by whoever the token is of is edited: anybody can write the marker into one of their own.

    Args:
        forge: where.
        number: of the pull request.
        marker: a word that tells this comment from others.
        body: what to say, in Markdown.
    """
    mark = f"<!-- mlgit:{marker} -->"
    text = f"{mark}\n{body.strip()}\n"[:LONGEST]
    me = forge.me()
    for comment in forge.comments(number):
        if is_own(comment.login, me) and comment.body.startswith(mark):
            return comment if comment.body.strip() == text.strip() else forge.edit_comment(comment.id, text)
    return forge.comment(number, text)


def _find(forge: Forge, branch: str, base: str) -> PullRequest | None:
    return next(iter(forge.pull_requests(branch=branch, base=base)), None)


def _body(there: str, text: str) -> str:
    body = with_generated(there, text)
    return body if fits(body) else with_generated(there, _NO_ROOM)


def _lines(body: str) -> list[str]:
    """Return the lines of a body; forges keep line ends as browsers send them."""
    return body.strip().splitlines()


def _unopened(finding: Finding, again: str) -> Finding:
    fix = f"{finding.fix}; then run `{again}` again" if finding.fix else f"run `{again}` again"
    return replace(finding, severity=Severity.WARNING, fix=fix)
