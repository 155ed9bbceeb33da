"""What the commands `override` and `standing-approval` have in common: how they approve, list and answer."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import at_option, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_time
from mlgit.ops.exceptions import signed
from mlgit.ops.exceptions.signed import (
    ExceptionKind,
    SignedExceptionApproval,
    SignedExceptionDraft,
    SignedExceptions,
    SignedExceptionStatus,
)


def add_commands(
    group: click.Group,
    kind: ExceptionKind[Any],
    *,
    names: click.ParamType,  # type: ignore[type-arg]  # generic in newer releases only
    example: str,
    signed_content: str,
    next_command: Callable[[Any], str],
    columns: Sequence[str],
    row: Callable[[SignedExceptionStatus], list[str]],
) -> None:
    """Give a group of commands those that are the same for each kind of signed exception: `approve` and `list`.

    Args:
        group: the group.
        kind: the kind of signed exception.
        names: the type of its names, which completes them.
        example: a name, for the examples.
        signed_content: what a signature covers, in words.
        next_command: returns the command to run once a record is in force.
        columns: the titles of the list after the name.
        row: returns the cells of the list after the name.
    """
    command = f"mlgit {kind.name}"

    @group.command("approve", help=_approve_help(kind, example, signed_content))
    @click.argument("name", type=names)
    @click.option("--comment", help="Comment; it is signed too.")
    @dry_run_option
    @session_command
    def _approve(session: Session, name: str, comment: str | None, *, dry_run: bool) -> int:
        outcome = signed.approve(session, kind, name, comment=comment, dry_run=dry_run)
        return session.answer(outcome, lambda approval: _show_approval(approval, kind, next_command(approval.record)))

    @group.command(
        "list",
        help=inspect.cleandoc(
            f"""List every {kind.noun} of the base branch, and its state.

            \b
            Examples:
              {command} list
              {command} list --at 2026-03-31 --json
            """
        ),
    )
    @at_option
    @session_command
    def _list(session: Session, at: str | None) -> int:
        def show(outcome: SignedExceptions) -> str:
            rows = [[status.name, *row(status)] for status in outcome.exceptions]
            return text.table([kind.noun.upper(), *columns], rows) if rows else f"There is no {kind.noun}."

        return session.answer(signed.list_all(session, kind, at=at), show)


def show_draft(draft: SignedExceptionDraft, kind: ExceptionKind[Any]) -> str:
    """Return what is answered to the draft of a signed exception."""
    record = draft.record
    people = " and ".join(record.people)
    lines = [f"Plan: {kind.effect(record)}", f"  until {utc_time(record.until)}, by {people}", f"  + {draft.file}"]
    if draft.auto_promote is False:
        lines.append(f"{record.environment} has no `auto_promote: true`, so that nothing can rest on it yet.")
    if draft.state == "planned":
        return "\n".join([*map(text.clean, lines), "Nothing was changed (dry run)."])
    approve = f"mlgit {kind.name} approve {draft.name}"
    if draft.must_sign:
        lines.append(f"{people if len(record.people) == 1 else f'Each of {people}'} signs it: {approve}")
    return "\n".join(map(text.clean, lines)) + pull_requests.change_footer(
        draft.branch or "",
        draft.base,
        pushed=draft.pushed,
        url=draft.pull_request,
        warnings=draft.warnings,
        first=f"{approve}, run by {draft.must_sign[0]}" if draft.must_sign else None,
    )


def state(status: SignedExceptionStatus) -> str:
    """Return the state of a signed exception, with who has not signed it."""
    return f"unsigned by {', '.join(status.missing)}" if status.state == "unsigned" else status.state


def _show_approval(approval: SignedExceptionApproval, kind: ExceptionKind[Any], next_command: str) -> str:
    name, person = approval.name, approval.person
    summary = {
        "added": f"{person} signed {kind.noun} {name}",
        "there-already": f"{person} has signed {kind.noun} {name} already; nothing was changed",
        "planned": f"{person} would sign {kind.noun} {name} (dry run)",
    }[approval.state]
    lines = [
        summary,
        f"  effect   {kind.effect(approval.record)}, until {utc_time(approval.until)}",
        f"  reason   {kind.reason(approval.record)}",
        f"  digest   {approval.digest}",
        f"  missing  {', '.join(approval.missing) or 'nobody'}",
    ]
    shown = "\n".join(map(text.clean, lines))
    if approval.missing:
        return shown + text.following(f"mlgit {kind.name} approve {name}, run by {approval.missing[0]}")
    if not approval.on_base:
        return shown + text.following(f"git switch {approval.base} && git merge --no-ff {approval.branch}")
    return shown + text.following(next_command)


def _approve_help(kind: ExceptionKind[Any], example: str, signed_content: str) -> str:
    command = f"mlgit {kind.name}"
    article = "an" if kind.noun[0] in "aeiou" else "a"
    return inspect.cleandoc(
        f"""Sign {article} {kind.noun} that names you, with your SSH key, and add the signature to the ledger.

        NAME is as `{command} add` printed it. The signature covers {signed_content}.

        \b
        Examples:
          {command} approve {example}
          {command} approve {example} --comment "looked at with the team"
        """
    )
