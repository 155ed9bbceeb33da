"""Open or update the pull request of a proposal's branch; what people wrote into its body stays."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.brief import BEGIN, END
from mlgit.domain.forge import MAX_BODY_LENGTH, Comment, PullRequest, fits_in_body, is_own
from mlgit.domain.formatting import utc_time_with_seconds
from mlgit.errors import Finding, MlgitError, Severity
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion.proposal_branch import BranchDraft
from mlgit.ops.review.proposals import Proposal

LABEL: Final = "mlgit"
"""Label of the pull requests and issues that mlgit opens, so that people find them."""

_BODY_TOO_LONG: Final = "The rest of this description leaves no room for it: `mlgit brief` shows what is proposed."

_SIGNATURES: Final = "<!-- mlgit:signatures -->"

BriefRenderer = Callable[[Proposal], str]
"""Renders the brief of a proposal as the Markdown body of its pull request."""

BodyRenderer = Callable[[str], str]
"""Renders plain text as the Markdown body of a pull request."""


class PullRequestUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The pull request of a branch; without a number where there is none, or it could not be opened or updated (`warnings`)."""

    number: int | None = None
    url: str | None = None
    warnings: list[Finding] = []


def open_for_promotion(
    workspace: Workspace, proposal: Proposal, render: BriefRenderer | None, *, retry_command: str
) -> PullRequestUpdate:
    """Open the pull request of a promotion, or update the one that exists.

    Args:
        workspace: where.
        proposal: the promotion, whose branch was pushed.
        render: renders the body; None to leave pull requests alone.
        retry_command: the command that does this again.

    Returns:
        The pull request. A failure is a warning: the promotion is proposed nevertheless, on its branch.
    """
    if render is None:
        return PullRequestUpdate()
    branch = layout.promotion_branch(proposal.environment, proposal.model)
    return open_for_branch(
        workspace,
        proposal.before,
        branch,
        title=promotion_title(proposal),
        render=lambda: render(proposal),
        retry_command=retry_command,
    )


def open_for_draft(
    workspace: Workspace, base: Lifecycle, draft: BranchDraft, render: BodyRenderer | None
) -> PullRequestUpdate:
    """Open the pull request of a change that is no promotion, or update the one that exists.

    Args:
        workspace: where.
        base: the state that the change was made on.
        draft: the change; its branch was pushed. The first line of its message becomes the title, the rest the body.
        render: renders the body; None to leave pull requests alone.
    """
    if render is None:
        return PullRequestUpdate()
    title, _, text = draft.message.strip().partition("\n\n")
    return open_for_branch(
        workspace, base, draft.branch, title=title, render=lambda: render(text), retry_command=draft.command
    )


def open_for_branch(
    workspace: Workspace, base: Lifecycle, branch: str, *, title: str, render: Callable[[], str], retry_command: str
) -> PullRequestUpdate:
    """Open the pull request of a branch, or update the one that exists; nothing in a project without a forge.

    What people wrote into the body stays. An edit that is made at the same time is lost: a forge replaces a body as a whole.
    """
    try:
        forge = workspace.forge()
        if forge is None:
            return PullRequestUpdate()
        pull_request = open_or_update(forge, branch, base.project().base, title, render())
    except MlgitError as error:
        return PullRequestUpdate(warnings=[_as_warning(finding, retry_command) for finding in error.findings])
    return PullRequestUpdate(number=pull_request.number, url=pull_request.url)


def note_signatures(workspace: Workspace, base: Lifecycle, branch: str, people: Sequence[str]) -> PullRequestUpdate:
    """Write into the open pull request of a branch who signed an approval, so that the forge runs the check of it again.

    A push to the ledger starts no workflow, but an edit of the description does. What it says decides nothing.

    Args:
        workspace: where.
        base: the state of the base branch.
        branch: the branch.
        people: whose approvals count.

    Returns:
        The pull request. A failure, as without a token, is a warning that says what to do instead.
    """
    try:
        forge = workspace.forge()
        existing = None if forge is None else _find(forge, branch, base.project().base)
        if forge is None or existing is None:
            return PullRequestUpdate()
        body = _with_signatures(existing.body, people, workspace.clock.now())
        if fits_in_body(body):
            forge.edit_pull_request(existing.number, body=body)
    except MlgitError as error:
        return PullRequestUpdate(warnings=[_check_not_run(finding, branch) for finding in error.findings])
    return PullRequestUpdate(number=existing.number, url=existing.url)


def _with_signatures(body: str, people: Sequence[str], at: datetime) -> str:
    """Return the body of a pull request with a line, the last one, about who signed an approval; the rest is unchanged."""
    kept = body[: body.find(_SIGNATURES)] if _SIGNATURES in body else body
    names = ", ".join(re.sub(r"[^\w.-]", "?", person) for person in people) or "nobody"
    return f"{kept.rstrip()}\n\n{_SIGNATURES}\nApprovals that count: {names} (mlgit approve, {utc_time_with_seconds(at)})\n"


def _check_not_run(finding: Finding, branch: str) -> Finding:
    return replace(
        finding,
        message=f"the check of {branch} was not run again: {finding.message}",
        severity=Severity.WARNING,
        fix="run the check mlgit/verdict of its pull request again at the forge, or set a token first",
    )


def promotion_title(proposal: Proposal) -> str:
    """Return the title of the pull request of a promotion; the same for the same change."""
    match proposal.manifest.change:
        case "rollback":
            return f"Roll back {proposal.environment} to {proposal.subject}"
        case "recertify":
            return f"Recertify {proposal.subject} in {proposal.environment}"
        case _:
            return f"Promote {proposal.subject} to {proposal.environment}"


def replace_generated_text(body: str, text: str) -> str:
    """Return the body of a pull request with the part that mlgit generates replaced, and the rest unchanged.

    Args:
        body: the current body.
        text: the new text, with or without the markers around it.
    """
    block = f"{BEGIN}\n\n{text.removeprefix(BEGIN).removesuffix(END).strip()}\n\n{END}"
    begin = body.find(BEGIN)
    end = -1 if begin < 0 else body.find(END, begin)
    if end < 0:
        return f"{block}\n\n{body}" if body.strip() else block
    return f"{body[:begin]}{block}{body[end + len(END) :]}"


def open_or_update(forge: Forge, branch: str, base: str, title: str, text: str) -> PullRequest:
    """Open the pull request of a branch, or update the one that exists, also where another run opens it at the same time.

    Raises:
        MlgitError: the forge refused.
        Inconclusive: it did not answer.
    """
    existing = _find(forge, branch, base)
    if existing is None:
        try:
            opened = forge.open_pull_request(branch=branch, base=base, title=title, body=_new_body("", text))
        except MlgitError as error:
            existing = _find(forge, branch, base)  # another run may have opened it in between
            if existing is None:
                raise error from None
        else:
            forge.add_labels(opened.number, [LABEL])
            return opened
    body = _new_body(existing.body, text)
    if existing.title == title and _lines(existing.body) == _lines(body):
        return existing
    return forge.edit_pull_request(existing.number, title=title, body=body)


def upsert_comment(forge: Forge, number: int, name: str, body: str) -> Comment:
    """Write a comment on a pull request, or edit the one that was written before under the same name.

    Only a comment by the account of the token is edited: anybody can write the marker into a comment of their own.

    Args:
        forge: where.
        number: of the pull request.
        name: identifies this comment among others by mlgit.
        body: Markdown.
    """
    marker = f"<!-- mlgit:{name} -->"
    text = f"{marker}\n{body.strip()}\n"[:MAX_BODY_LENGTH]
    token_login = forge.token_login()
    for comment in forge.comments(number):
        if is_own(comment.login, token_login) and comment.body.startswith(marker):
            return comment if comment.body.strip() == text.strip() else forge.edit_comment(comment.id, text)
    return forge.add_comment(number, text)


def _find(forge: Forge, branch: str, base: str) -> PullRequest | None:
    return next(iter(forge.pull_requests(branch=branch, base=base)), None)


def _new_body(existing: str, text: str) -> str:
    body = replace_generated_text(existing, text)
    return body if fits_in_body(body) else replace_generated_text(existing, _BODY_TOO_LONG)


def _lines(body: str) -> list[str]:
    """Return the lines of a body; forges keep line ends as browsers send them."""
    return body.strip().splitlines()


def _as_warning(finding: Finding, retry_command: str) -> Finding:
    fix = f"{finding.fix}; then run `{retry_command}` again" if finding.fix else f"run `{retry_command}` again"
    return replace(finding, severity=Severity.WARNING, fix=fix)
